// Run by allocation.test.ts with --expose-gc: feeds shakes to an acceptor whose transport keeps nothing, and prints what was
// left on the heap and how often the young generation was collected.

import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ViewCache } from '../../lib/handles/view-cache.ts';
import { WriteOutcome } from '../../lib/net/transport.ts';
import { AcceptorRig } from './acceptor-rig.ts';
import { login, shake } from './raw-client.ts';

const [shakes, framesPerRead] = process.argv.slice(2).map(Number);
const CONNECTIONS = 50;

const collect = (globalThis as unknown as { gc: () => void }).gc;

const rig = new AcceptorRig();
for (let userId = 0; userId < CONNECTIONS; userId++) rig.join(userId, login(userId));
const views = new ViewCache();
let written = 0;
rig.transport.write = (_connection, bytes, start, end) => {
  written += views.get(bytes, start, end).length;
  return WriteOutcome.DONE;
};
const read = Buffer.concat(Array.from({ length: framesPerRead }, (_, stamp) => shake(stamp)));

function feed(count: number): void {
  for (let i = 0; i < count / framesPerRead; i++) rig.acceptor.onData(i % CONNECTIONS, read, read.length);
}

let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });
// Until the code is compiled, and every view is made.
feed(shakes / 2);
await sleep(200);
collect();
await sleep(50);
collections = 0;
written = 0;
const before = process.memoryUsage().heapUsed;
feed(shakes);
const grown = process.memoryUsage().heapUsed - before;
await sleep(50);
process.stdout.write(JSON.stringify({ grown, collections, written }));
process.exit(0);
