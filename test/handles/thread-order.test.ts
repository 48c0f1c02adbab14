// Who goes first, as the kernel tells it of threads that are there.

import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { findSystemCalls } from '../../lib/handles/system-calls.ts';
import { orderThreads } from '../../lib/handles/thread-order.ts';

const calls = findSystemCalls();
const skip = process.platform !== 'linux' && 'threads have no niceness here';

const SCHED_OTHER = 0;
const SCHED_BATCH = 3;

/** Niceness and policy of each thread of this process, by name (proc(5): fields 19 and 41, counted behind the name). */
function threadsByName(): Map<string, { nice: number; policy: number }> {
  return new Map(
    readdirSync('/proc/self/task').map((thread) => {
      const [, name, rest] = /\((.*)\) (.*)/s.exec(readFileSync(`/proc/self/task/${thread}/stat`, 'utf8'))!;
      const fields = rest.split(' ');
      return [name, { nice: Number(fields[16]), policy: Number(fields[38]) }];
    }),
  );
}

t.test(
  'the first are left alone, the second wait for a core, and all others are nicer as well',
  { skip },
  async (t) => {
    const names = ['first-of-all', 'second-with-a-name-that-is-long', 'third'];
    const threads = names.map(
      (name) =>
        new Worker("require('node:worker_threads').parentPort.once('message', () => {});", {
          eval: true,
          execArgv: [],
          name,
        }),
    );
    t.teardown(() => Promise.all(threads.map((thread) => thread.terminate())));
    await Promise.all(threads.map((thread) => once(thread, 'online')));
    const before = getPriority();
    const waiting = calls === undefined ? SCHED_OTHER : SCHED_BATCH;
    orderThreads({ first: [names[0]], second: [names[1]] }, calls);
    const byName = threadsByName();
    t.strictSame(byName.get('first-of-all'), { nice: before, policy: SCHED_OTHER });
    t.strictSame(byName.get('second-with-a-n'), { nice: before, policy: waiting });
    t.strictSame(byName.get('third'), { nice: before + 5, policy: waiting });
    t.strictSame(byName.get('node-V8Worker'), { nice: before + 5, policy: waiting });
    t.equal(getPriority(), before + 5, 'this thread too');
    // Once more, as of a thread that is started later.
    orderThreads({ first: [], second: [] }, calls);
    t.strictSame(threadsByName().get('third'), { nice: before + 5, policy: waiting }, 'and never more than once');
  },
);
