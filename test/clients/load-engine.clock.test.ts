// Tries the load engine when time itself misbehaves: a thread that stands still, a clock that is behind. In a file of its
// own, for both would disturb others.

import t from 'tap';
import { LoadEngine } from '../../clients/load/load-engine.ts';
import { firstNumberAt } from '../../clients/load/slot-rule.ts';
import { sleep, waitFor } from '../net/raw-client.ts';
import { FakeServer } from './fake-server.ts';
import { optionsFor } from './load-request.ts';

t.test('a shake that is sent late counts from when it was due', async (t) => {
  const server = await FakeServer.start(t);
  const options = optionsFor(server);
  const engine = new LoadEngine(options, options.users);
  t.teardown(() => engine.end());
  engine.connectAll();
  await waitFor('the users to be connected', () => engine.totals.connected === 10);
  const fromMs = Date.now() + 10;
  engine.startShaking(fromMs, fromMs + 800);
  await sleep(50);
  const until = performance.now() + 400;
  while (performance.now() < until);
  await sleep(450);
  engine.stopShaking();
  await waitFor('the answers', () => engine.totals.answered === 80);
  t.ok(engine.shakeLatency.maxValue > 350_000, `the longest took ${engine.shakeLatency.maxValue} us`);
  const half = engine.shakeLatency.getValueAtPercentile(65);
  t.ok(half > 40_000, `two in five were due while the thread stood still: ${half} us`);
});

t.test('what has become due meanwhile is not sent at one go: answers are taken in between', async (t) => {
  const server = await FakeServer.start(t);
  const options = optionsFor(server, { qps: 10_000 });
  const engine = new LoadEngine(options, options.users);
  t.teardown(() => engine.end());
  engine.connectAll();
  await waitFor('the users to be connected', () => engine.totals.connected === 10);
  const fromMs = Date.now() - 2000;
  engine.startShaking(fromMs, fromMs + 2000);
  let sentAtFirstAnswer = 0;
  await waitFor('all of it', () => {
    if (engine.totals.answered > 0) sentAtFirstAnswer ||= engine.totals.sent;
    return engine.totals.answered === 20_000;
  });
  engine.stopShaking();
  t.ok(sentAtFirstAnswer < 10_000, `${sentAtFirstAnswer} were sent before the first answer was taken`);
});

t.test('shakes are due by the clock of the test, and the last of them are not forgotten', async (t) => {
  // As if the wall clock had been set forward by half a second since this process started.
  const { now } = performance;
  Object.defineProperty(performance, 'now', { value: () => now.call(performance) - 500, configurable: true });
  t.teardown(() => Object.defineProperty(performance, 'now', { value: now, configurable: true }));
  const server = await FakeServer.start(t);
  const options = optionsFor(server);
  const engine = new LoadEngine(options, options.users);
  t.teardown(() => engine.end());
  engine.connectAll();
  await waitFor('the users to be connected', () => engine.totals.connected === 10);
  const fromMs = Date.now() + 10;
  engine.startShaking(fromMs, fromMs + 700);
  await sleep(720);
  engine.stopShaking();
  const rule = { first: 0, users: 10, qps: 100 };
  t.equal(engine.totals.sent + engine.totals.skipped, firstNumberAt(rule, fromMs + 700) - firstNumberAt(rule, fromMs));
});
