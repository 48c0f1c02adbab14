// The clock that threads share: a time taken on one thread is comparable with one taken on another.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { findOffsetUs, sharedClockUs } from '../../lib/ring/shared-clock.ts';

t.test('threads that started at different times agree to within a millisecond or the time of a message', async (t) => {
  for (let i = 0; i < 3; i++) {
    const url = new URL('./shared-clock-worker.ts', import.meta.url);
    const worker = new Worker(url, { execArgv: [] });
    await once(worker, 'online');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = sharedClockUs();
    worker.postMessage(null);
    const [there] = await once(worker, 'message');
    const after = sharedClockUs();
    t.ok(((there - before) | 0) > -1000 && ((after - there) | 0) > -1000, `${there - before} us, ${after - there} us`);
    await worker.terminate();
  }
});

t.test('a thread that is stopped between two looks at the clocks does not have the wrong time for ever', (t) => {
  for (const stoppedAt of [1, 2]) {
    let us = 5_000_000;
    let looks = 0;
    // Each look takes a microsecond; at the first try the thread is stopped for 3 ms before one of them.
    const pass = () => {
      us += looks++ === stoppedAt ? 3001 : 1;
    };
    const readMs = () => {
      pass();
      return (us - 1_000_000) / 1000;
    };
    const readSystem = (): [number, number] => {
      pass();
      return [Math.floor(us / 1e6), (us % 1e6) * 1000];
    };
    const off = findOffsetUs(readMs, readSystem) - 1_000_000;
    t.ok(Math.abs(off) <= 2, `${off} us`);
  }
  t.end();
});
