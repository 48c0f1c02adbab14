// A losing shake leaves nothing on the heap: not one object a frame, and not one a read.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { SHAKE_RESULT_BYTES } from '../../lib/protocol/classic-layout.ts';

const run = promisify(execFile);
const SHAKES = 1_000_000;

/** The smallest object is 16 bytes: one for every sixteenth shake would show. */
const MOST_BYTES = SHAKES;

for (const framesPerRead of [1, 32]) {
  t.test(`a million shakes, ${framesPerRead} a read, leave nothing on the heap`, async (t) => {
    const worker = fileURLToPath(new URL('allocation-worker.ts', import.meta.url));
    const { stdout } = await run(process.execPath, ['--expose-gc', worker, String(SHAKES), String(framesPerRead)], {
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const { grown, collections, written } = JSON.parse(stdout);
    t.equal(written, SHAKES * SHAKE_RESULT_BYTES, 'every one is answered');
    t.ok(grown < MOST_BYTES, `${grown} bytes left`);
    t.equal(collections, 0, 'and nothing was collected meanwhile');
  });
}
