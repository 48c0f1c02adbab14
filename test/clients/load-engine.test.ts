// Tries the engine of the load client on this thread, against fake servers: what it counts, and what it does again.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { LoadEngine } from '../../clients/load/load-engine.ts';
import type { LoadOptions } from '../../clients/load/load-options.ts';
import type { LoadReport } from '../../clients/load/load-thread.ts';
import { countUnanswered } from '../../clients/load/load-totals.ts';
import type { TokenKey } from '../../lib/access/token.ts';
import { LoginResult, Opcode } from '../../lib/protocol/opcodes.ts';
import { frame, sleep, waitFor, words } from '../net/raw-client.ts';
import { answerTo, behaveWell, extended, FakeServer, logInOnly, type Request } from './fake-server.ts';
import { optionsFor } from './load-request.ts';

// Most of these wait for a second until a lost connection is made again.
t.jobs = 10;

/** Users of an engine that has it say HELLO, and so hear what extended sessions do. */
const KEY: TokenKey = { id: 'test', secret: Buffer.alloc(32, 1) };

/** An engine on this thread, connected; it ends with the test. */
async function connect(t: Test, options: LoadOptions, key?: TokenKey): Promise<LoadEngine> {
  const engine = new LoadEngine(options, options.users, { key });
  t.teardown(() => engine.end());
  engine.connectAll();
  await waitFor('the users to be connected', () => engine.totals.connected === options.users[1] - options.users[0] + 1);
  return engine;
}

t.test('a grab that is lost with its connection stays unanswered', { buffered: true }, async (t) => {
  const server = await FakeServer.start(t, (request, socket) => {
    if (request.opcode === Opcode.GRAB) {
      socket.destroy();
      return;
    }
    behaveWell(request, socket);
    // Only the first connection is told of a packet.
    if (request.opcode === Opcode.LOGIN && request.connection === 0)
      socket.write(frame(Opcode.NOTICE, words(5, 6, 7, 0, 0, 0)));
  });
  const engine = await connect(t, optionsFor(server, { users: [0, 0], qps: 0 }));
  await waitFor('the connection to come back', () => server.sockets.length === 2 && engine.totals.connected === 1);
  t.match(engine.totals, { notices: 1, grabsSent: 1, grabsAnswered: 0, lostConnections: 1 });
  t.equal(countUnanswered(engine.totals), 1);
});

t.test(
  'an answer to a shake of the connection before does not count for the new one',
  { buffered: true },
  async (t) => {
    const server = await FakeServer.start(t, logInOnly);
    const engine = await connect(t, optionsFor(server, { users: [0, 0], closed: true, pipeline: 3 }));
    engine.startShaking(0, 0);
    await waitFor('three shakes', () => server.of(Opcode.SHAKE).length === 3);
    engine.stopShaking();
    server.drop();
    await waitFor('the connection to come back', () => server.sockets.length === 2 && engine.totals.connected === 1);
    server.sockets[1].write(answerTo(server.of(Opcode.SHAKE)[0]));
    await waitFor('the answer', () => engine.totals.unexpected === 1);
    t.match(engine.totals, { sent: 3, answered: 0 });
    t.equal(countUnanswered(engine.totals), 3);
  },
);

t.test('frames that nobody asked for are counted', { buffered: true }, async (t) => {
  const strays = [
    answerTo({ opcode: Opcode.SHAKE, stamp: 1n, fields: [0], body: undefined, connection: 0 }),
    answerTo({ opcode: Opcode.GRAB, stamp: 1n, fields: [0, 5], body: undefined, connection: 0 }),
    frame(Opcode.LOGIN_RESULT, words(0, LoginResult.OK)),
    extended(Opcode.PONG, null),
    extended(Opcode.ERROR, { code: 'shutdown', message: '' }),
  ];
  const server = await FakeServer.start(t);
  const engine = await connect(t, optionsFor(server, { users: [0, 0] }));
  server.sockets[0].write(Buffer.concat(strays));
  await waitFor('the strays', () => engine.totals.unexpected === strays.length);
  t.match(engine.totals, { connected: 1, answered: 0, grabsAnswered: 0 });
});

for (const closed of [true, false]) {
  t.test(
    `a server that asks to slow down is obeyed, ${closed ? 'closed' : 'open'} loop`,
    { buffered: true },
    async (t) => {
      const at: number[] = [];
      const slowDown = extended(Opcode.SLOW_DOWN, { retryAfterMs: 400, intervalMs: 150 });
      const server = await FakeServer.start(t, (request, socket) => {
        behaveWell(request, socket);
        if (request.opcode !== Opcode.SHAKE) return;
        at.push(performance.now());
        if (at.length === 1) socket.write(slowDown);
        if (at.length === 6) socket.write(extended(Opcode.SLOW_DOWN, { retryAfterMs: 1 }));
      });
      const engine = await connect(t, optionsFor(server, { users: [0, 0], qps: 20, closed }), KEY);
      const fromMs = Date.now();
      engine.startShaking(fromMs, fromMs + 60_000);
      await waitFor('many shakes', () => at.length >= 10);
      engine.stopShaking();
      // Room for how a busy machine hands over what came: the gaps are between arrivals, and what was sent before the engine
      // heard of it comes all the same.
      const gaps = at.slice(1).map((moment, i) => moment - at[i]);
      const quiet = gaps.findIndex((gap) => gap > 300);
      t.ok(quiet >= 0 && quiet < 3, `quiet after ${quiet + 1} shakes`);
      t.ok(gaps[quiet + 1] > 75 && gaps[quiet + 2] > 75, 'then one in an interval');
      t.equal(engine.totals.unexpected, 0);
      if (!closed) t.ok(engine.totals.skipped >= 4, `${engine.totals.skipped} were not sent`);
      await waitFor('the answers', () => engine.totals.answered >= 9);
    },
  );
}

t.test('who has as many shakes unanswered as he may does not shake on', { buffered: true }, async (t) => {
  const held: Request[] = [];
  const server = await FakeServer.start(t, (request, socket) => {
    if (request.opcode === Opcode.SHAKE) held.push(request);
    else behaveWell(request, socket);
  });
  const engine = await connect(t, optionsFor(server, { users: [0, 0], qps: 200, mostUnanswered: 3 }));
  const fromMs = Date.now();
  engine.startShaking(fromMs, fromMs + 60_000);
  await waitFor('some that are skipped', () => engine.totals.skipped >= 20);
  t.match(engine.totals, { sent: 3, answered: 0 });
  server.sockets[0].write(answerTo(held[0]));
  await waitFor('one more', () => held.length === 4);
  engine.stopShaking();
  t.match(engine.totals, { sent: 4, answered: 1 });
});

t.test('a server that goes away says so, and that is nothing unexpected', { buffered: true }, async (t) => {
  const server = await FakeServer.start(t);
  const engine = await connect(t, optionsFor(server, { users: [0, 0], qps: 0 }), KEY);
  server.sockets[0].write(extended(Opcode.GOING_AWAY, { retryAfterMs: 100 }));
  server.sockets[0].end(extended(Opcode.SLOW_DOWN, { retryAfterMs: 'soon' }));
  await waitFor('the connection to come back', () => server.sockets.length === 2 && engine.totals.connected === 1);
  t.match(engine.totals, { unexpected: 1, lostConnections: 1 }, 'only the SLOW_DOWN that is none');
});

t.test('a server that sends garbage is left and counted', { buffered: true }, async (t) => {
  const server = await FakeServer.start(t);
  const engine = await connect(t, optionsFor(server, { users: [0, 1] }));
  server.sockets[0].write('garbage, garbage');
  await waitFor('the connection to come back', () => server.sockets.length === 3 && engine.totals.connected === 2);
  t.match(engine.totals, { unexpected: 1, lostConnections: 1 });
});

t.test('refused logins are counted, and tried again', { buffered: true }, async (t) => {
  let refusals = 1;
  const server = await FakeServer.start(t, (request, socket) => {
    if (refusals-- > 0) socket.write(frame(Opcode.LOGIN_RESULT, words(0, LoginResult.FULL), request.stamp));
    else behaveWell(request, socket);
  });
  const engine = await connect(t, optionsFor(server, { users: [0, 0] }));
  t.match(engine.totals, { refusedLogins: 1, failedConnects: 1, lostConnections: 0, connected: 1 });
  t.equal(server.sockets.length, 2);
});

t.test('a port where nobody listens is tried again until somebody does', { buffered: true }, async (t) => {
  const first = await FakeServer.start(t);
  await first.stop();
  const options = optionsFor(first, { users: [0, 299], qps: 0 });
  const engine = new LoadEngine(options, options.users);
  t.teardown(() => engine.end());
  engine.connectAll();
  await waitFor('failed connections', () => engine.totals.failedConnects >= 256);
  const server = await FakeServer.start(t, behaveWell, first.port);
  await waitFor('everybody to be connected', () => engine.totals.connected === 300);
  t.equal(server.openCount, 300);
});

t.test(
  'the closed loop keeps exactly its pipeline under way on each connection, never more',
  { buffered: true },
  async (t) => {
    const held = new Map<number, Request[]>();
    const depths = new Set<number>();
    const server = await FakeServer.start(t, (request, socket) => {
      if (request.opcode !== Opcode.SHAKE) {
        behaveWell(request, socket);
        return;
      }
      const requests = held.get(request.connection) ?? [];
      held.set(request.connection, requests);
      depths.add(requests.push(request));
    });
    const engine = await connect(t, optionsFor(server, { users: [0, 3], closed: true, pipeline: 5 }));
    engine.startShaking(0, 0);
    for (let round = 0; round < 50; round++) {
      await waitFor('full pipelines', () => [0, 1, 2, 3].every((connection) => held.get(connection)?.length === 5));
      for (const [connection, requests] of held) {
        const answers = requests.splice(0, 1 + ((round + connection) % 5)).map(answerTo);
        server.sockets[connection].write(Buffer.concat(answers));
      }
    }
    engine.stopShaking();
    t.strictSame(Math.max(...depths), 5);
    t.equal(engine.totals.sent, server.of(Opcode.SHAKE).length);
    t.equal(engine.totals.unexpected, 0);
  },
);

t.test(
  'a stall of the server is in the latency of every shake that was due meanwhile',
  { buffered: true },
  async (t) => {
    let stalled: Buffer[] | undefined = [];
    const server = await FakeServer.start(t, (request, socket) => {
      if (request.opcode === Opcode.SHAKE && stalled !== undefined) stalled.push(answerTo(request));
      else behaveWell(request, socket);
    });
    const engine = await connect(t, optionsFor(server, { users: [0, 0], qps: 200 }));
    const fromMs = Date.now() + 20;
    engine.startShaking(fromMs, fromMs + 1000);
    await sleep(520);
    server.sockets[0].write(Buffer.concat(stalled));
    stalled = undefined;
    await sleep(600);
    engine.stopShaking();
    await waitFor('the answers', () => countUnanswered(engine.totals) === 0);
    t.equal(engine.totals.answered, 200);
    const { shakeLatency } = engine;
    t.ok(shakeLatency.maxValue > 400_000, `the first waited ${shakeLatency.maxValue} us`);
    const median = shakeLatency.getValueAtPercentile(25);
    t.ok(median < 400_000, `and a quarter of all waited less than ${median} us`);
    t.ok(shakeLatency.getValueAtPercentile(70) > 60_000, 'the shakes of the stall each waited their part of it');
  },
);

t.test(
  'a thread that hears of the start too late still sends everything before it stops',
  { buffered: true },
  async (t) => {
    const server = await FakeServer.start(t);
    const options = optionsFor(server);
    const worker = new Worker(new URL('../../clients/load/load-thread.ts', import.meta.url), {
      workerData: { options, users: options.users },
      execArgv: [],
    });
    t.teardown(() => worker.terminate());
    const hear = async (isIt: (report: LoadReport) => boolean) => {
      for (;;) {
        const [report] = (await once(worker, 'message')) as [LoadReport];
        if (isIt(report)) return report;
      }
    };
    await hear(({ totals }) => totals.connected === 10);
    const untilMs = Date.now();
    worker.postMessage({ kind: 'start', fromMs: untilMs - 1000, untilMs });
    worker.postMessage({ kind: 'stop' });
    const { totals } = await hear(({ hasStopped }) => hasStopped);
    t.equal(totals.sent, 100);
  },
);
