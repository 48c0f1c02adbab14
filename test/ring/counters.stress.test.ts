// Reads shared sums from one thread as their owners add to them on others.
//
// Allowed outcomes of a read: a number of whole additions, never fewer than the read before saw; in the end all of them.

import t from 'tap';
import { allocateCounters } from '../../lib/ring/counters.ts';
import type { CountersData, CountersReport } from './counters-worker.ts';
import { runWorker } from './run-worker.ts';
import { allocateMeeting } from './threads.ts';

const NAMES = { counts: ['laps'], sums: ['above', 'below', 'even'] };

/** High and low part move with each addition; the low one moves alone every second time; the high one moves alone. */
const STEPS = [2 ** 31 + 12_345, 2 ** 30 + 54_321, 2 ** 31];

const run = (data: CountersData) => runWorker<CountersReport>('counters-worker.ts', data);

for (const owners of [1, 2]) {
  t.test(`a reader never sees a sum of ${owners} owners torn or falling`, async (t) => {
    const blocks = Array.from({ length: owners }, () => allocateCounters(NAMES));
    const shared = {
      blocks,
      names: NAMES,
      steps: STEPS,
      // Just within 2^53 in all.
      additions: 4_000_000 / owners,
      done: new SharedArrayBuffer(4),
      passes: new SharedArrayBuffer(4),
      owners,
      meeting: allocateMeeting(),
    };
    const [reader] = await Promise.all([
      run({ ...shared, role: 'reader', block: -1 }),
      ...blocks.map((_, block) => run({ ...shared, role: 'owner', block })),
    ]);
    t.equal(reader.fault, '');
    // The owners halt forty times for the reader, so it did see them at work.
    t.ok(reader.changes >= 40 * STEPS.length, `${reader.changes} of ${reader.reads} reads saw another value`);
  });
}
