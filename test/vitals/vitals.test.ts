// Tries what a thread and a process say of themselves: pauses, late loops, CPU, memory, network; and the timer of seconds.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { mock } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { parseNetworkCounts, readNetworkCounts } from '../../lib/vitals/network-counts.ts';
import { ProcessWatch } from '../../lib/vitals/process-vitals.ts';
import { everySecond } from '../../lib/vitals/second-timer.ts';
import { addVitals, ThreadWatch } from '../../lib/vitals/thread-vitals.ts';

function block(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

t.test('a loop that was blocked says for how long, once', async (t) => {
  const watch = new ThreadWatch();
  await sleep(200);
  watch.take();
  block(150);
  t.ok(watch.take().loopDelayMaxUs > 50_000, 'also while it lasts');
  await sleep(100);
  watch.take();
  const beforeMs = performance.now();
  block(700);
  await sleep(100);
  const { loopDelayMaxUs } = watch.take();
  const elapsedUs = (performance.now() - beforeMs) * 1000;
  t.ok(loopDelayMaxUs > 600_000 && loopDelayMaxUs <= elapsedUs, `${loopDelayMaxUs} us of ${elapsedUs}`);
  await sleep(100);
  t.ok(watch.take().loopDelayMaxUs < loopDelayMaxUs, 'it is not told again');
  watch.stop();
});

t.test('pauses for garbage collection are counted, with their time', async (t) => {
  const watch = new ThreadWatch();
  const kept: object[][] = [];
  for (let i = 0; i < 200; i++) {
    kept.push(Array.from({ length: 5000 }, () => ({})));
    if (i % 50 === 0) kept.length = 0;
  }
  await sleep(50);
  const { gcPauses, gcUs, gcMaxUs } = watch.take();
  t.ok(gcPauses > 0 && gcMaxUs > 0 && gcUs >= gcMaxUs, `${gcPauses} pauses, ${gcUs} us`);
  watch.stop();
});

t.test('the vitals of threads add up: pauses are added, the worst is the worst of any', (t) => {
  const a = { gcPauses: 1, gcUs: 10, gcMaxUs: 10, loopDelayMaxUs: 5 };
  const b = { gcPauses: 2, gcUs: 7, gcMaxUs: 4, loopDelayMaxUs: 9 };
  t.strictSame(addVitals(a, b), { gcPauses: 3, gcUs: 17, gcMaxUs: 10, loopDelayMaxUs: 9 });
  t.end();
});

t.test('a process says what CPU it took, and what it holds, and what others told', async (t) => {
  const watch = new ProcessWatch();
  watch.add({ gcPauses: 100, gcUs: 1000, gcMaxUs: 900, loopDelayMaxUs: 90_000_000 });
  const { user } = process.cpuUsage();
  while (process.cpuUsage().user - user < 150_000) block(1);
  const { counts, gauges } = watch.take();
  t.ok(counts.cpuUs > 100_000, `${counts.cpuUs} us`);
  t.ok(counts.gcPauses >= 100);
  t.equal(gauges.loopDelayMaxUs, 90_000_000);
  t.ok(gauges.rssBytes > gauges.heapBytes && gauges.heapBytes > 1_000_000);
  t.ok(watch.take().gauges.loopDelayMaxUs < 90_000_000, 'what others told is told once');
  watch.stop();
});

t.test('the kernel counts packets of all interfaces', async (t) => {
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    '    lo: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0',
    '  eth0:123456789012 7 1 2 3 4 5 6 500 3 0 0 0 0 0 0',
    '',
  ].join('\n');
  t.strictSame(parseNetworkCounts(text), {
    nicRxPackets: 17,
    nicRxBytes: 123_456_790_012,
    nicTxPackets: 13,
    nicTxBytes: 1500,
  });
  t.equal(readNetworkCounts('/nowhere/at/all'), undefined);
  const before = readNetworkCounts();
  if (before === undefined) return t.comment('this system does not count packets');
  const server = createServer((socket) => socket.end('x'.repeat(1000)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.resume();
  await once(socket, 'close');
  server.close();
  const after = readNetworkCounts()!;
  t.ok(after.nicTxBytes - before.nicTxBytes >= 1000 && after.nicRxPackets > before.nicRxPackets);
});

t.test('the timer of seconds calls once in each second of the clock, at its offset, until it is stopped', (t) => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 10_450 });
  t.teardown(() => mock.timers.reset());
  // A single tick is a thread that slept through all of it.
  const pass = (ms: number) => {
    for (let i = 0; i < ms; i++) mock.timers.tick(1);
  };
  const calls: number[] = [];
  const stop = everySecond(300, () => {
    calls.push(Date.now());
  });
  pass(3000);
  t.strictSame(calls.splice(0), [11_300, 12_300, 13_300]);
  mock.timers.tick(3500);
  t.strictSame(calls.splice(0), [16_950], 'a late call is one call, not one for each second');
  pass(349);
  t.strictSame(calls, [], 'no call is due at once');
  pass(1500);
  t.strictSame(calls, [17_300, 18_300], 'and the next are in time again');
  stop();
  pass(3000);
  t.strictSame(calls, [17_300, 18_300]);
  t.end();
});
