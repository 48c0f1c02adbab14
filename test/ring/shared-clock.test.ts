// The clock that threads share: a time taken on one thread is comparable with one taken on another.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { sharedClockUs } from '../../lib/ring/shared-clock.ts';

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
