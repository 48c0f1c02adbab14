// Tries whole load tests against a real server: the exact number of shakes, every one answered, and both ends agreeing.

import t, { type Test } from 'tap';
import { LoadEngine } from '../../clients/load/load-engine.ts';
import type { LoadOptions } from '../../clients/load/load-options.ts';
import type { LoadPhase } from '../../clients/load/load-steering.ts';
import { countUnanswered } from '../../clients/load/load-totals.ts';
import { formatResult } from '../../clients/load/print-result.ts';
import { type LoadResult, runLoad } from '../../clients/load/run-load.ts';
import { type Comparison, compareWithServers, readServerCounts } from '../../clients/load/verify.ts';
import { readTokenKeys } from '../../lib/access/token-keys.ts';
import type { Server } from '../../lib/server.ts';
import { makeDataDirectory } from '../data-directory.ts';
import { waitFor } from '../net/raw-client.ts';
import { call, serve } from '../net/test-server.ts';
import { makeCertificate, noOpenssl } from '../tls-files.ts';

t.setTimeout(300_000);

// Most of a load test is waiting.
t.jobs = 6;

/** Runs a load test of one second, and compares what both ends counted. */
async function run(
  t: Test,
  server: Server,
  changes: Partial<LoadOptions>,
): Promise<LoadResult & { phases: LoadPhase[]; comparisons: Comparison[] }> {
  const users = changes.users ?? [0, 9];
  const options: LoadOptions = {
    targets: [{ host: '127.0.0.1', port: server.port }],
    users,
    population: users,
    qps: 200,
    closed: false,
    pipeline: 1,
    durationSeconds: 1,
    paceMs: 1,
    threads: 1,
    grab: true,
    drainSeconds: 5,
    ...changes,
  };
  const urls = [`http://127.0.0.1:${server.controlPort}`];
  const before = await readServerCounts(urls);
  const phases: LoadPhase[] = [];
  let comparisons: Comparison[] = [];
  const result = await runLoad(
    options,
    (phase) => {
      if (phases.at(-1) !== phase) phases.push(phase);
    },
    async (totals) => {
      comparisons = await compareWithServers(urls, before, totals);
    },
  );
  t.strictSame(
    comparisons.filter(({ client, server }) => client !== server),
    [],
    'both ends agree',
  );
  t.ok(formatResult(options, result).length > 10);
  return { ...result, phases, comparisons };
}

t.test(
  'one thread sends exactly what is due in the time, and every shake is answered',
  { buffered: true },
  async (t) => {
    const server = await serve(t);
    const { totals, isDrained, phases, shakeLatency, comparisons, ...times } = await run(t, server, {
      users: [100, 106],
      qps: 301,
    });
    t.match(totals, { connected: 7, sent: 301, answered: 301, none: 301, won: 0, overload: 0, skipped: 0 });
    t.match(totals, { lostConnections: 0, failedConnects: 0, refusedLogins: 0, unexpected: 0 });
    t.equal(isDrained, true);
    t.strictSame(phases, ['connecting', 'shaking', 'draining']);
    t.equal(shakeLatency.totalCount, 301);
    t.ok(shakeLatency.minNonZeroValue > 0 && shakeLatency.maxValue < 5_000_000);
    t.equal(times.shakeSeconds, 1);
    t.equal(comparisons[0].server, 301);
  },
);

t.test(
  'two threads share the users and send exactly as much together; packets are won and grabbed',
  { buffered: true },
  async (t) => {
    const server = await serve(t, { workers: 2, acceptors: 2 });
    const started = run(t, server, { users: [0, 24], qps: 1000, threads: 2, durationSeconds: 1.5 });
    const { body: drop } = await call(server, 'POST', '/drops', { count: 40, rate: 40, budget: 4000 });
    const { body: sent } = await call(server, 'POST', '/sends', {
      count: 30,
      rate: 25,
      shares: 3,
      total: [100, 900],
      users: [0, 24],
    });
    const { totals, isDrained, grabLatency } = await started;
    t.match(totals, { connected: 25, sent: 1500, answered: 1500, skipped: 0, unexpected: 0 });
    t.equal(isDrained, true);
    t.equal(totals.won + totals.none + totals.overload, 1500);
    t.ok(totals.won > 0 && totals.wonCents > 0, `${totals.won} shakes won`);
    t.equal(totals.notices, 90, 'each of 30 packets was told to 3 users');
    t.match(totals, { grabsSent: 90, grabsAnswered: 90, grabsWon: 90, grabsNothing: 0 });
    t.equal(grabLatency.totalCount, 90);
    const { body: status } = await call(server, 'GET', `/sends/${sent.id}`);
    t.equal(totals.grabCents, status.totalCents, 'everything that was sent was grabbed');
    const { body: state } = await call(server, 'GET', `/drops/${drop.id}`);
    t.equal(totals.wonCents, state.claimedCents);
  },
);

t.test('a time that is no whole number of seconds has what is due in it', { buffered: true }, async (t) => {
  const server = await serve(t);
  const { totals } = await run(t, server, { qps: 100, durationSeconds: 0.57 });
  t.match(totals, { sent: 57, answered: 57 });
});

t.test(
  'the closed loop shakes as fast as the server answers, and every shake is answered',
  { buffered: true },
  async (t) => {
    const server = await serve(t);
    const { totals, isDrained, shakeLatency } = await run(t, server, {
      users: [0, 4],
      closed: true,
      pipeline: 8,
      threads: 2,
      durationSeconds: 0.5,
    });
    t.ok(totals.sent > 200, `${totals.sent} shakes`);
    t.equal(totals.answered, totals.sent);
    t.equal(shakeLatency.totalCount, totals.sent);
    t.equal(isDrained, true);
  },
);

t.test(
  'without shakes the connections wait for notices, and grab only if they are to',
  { buffered: true },
  async (t) => {
    const server = await serve(t);
    for (const grab of [true, false]) {
      const started = run(t, server, { users: [0, 2], qps: 0, grab, durationSeconds: 0.6 });
      await call(server, 'POST', '/sends', { count: 4, rate: 20, shares: 3, total: 30, users: [0, 2] });
      const { totals, isDrained } = await started;
      t.match(totals, { sent: 0, answered: 0, notices: 12, unexpected: 0 });
      t.equal(totals.grabsSent, grab ? 12 : 0);
      t.equal(totals.grabCents, grab ? 120 : 0);
      t.equal(countUnanswered(totals), 0);
      t.equal(isDrained, true);
    }
  },
);

t.test('several servers share the users', { buffered: true }, async (t) => {
  const servers = await Promise.all([serve(t), serve(t)]);
  const urls = servers.map(({ controlPort }) => `http://127.0.0.1:${controlPort}`);
  const before = await readServerCounts(urls);
  const { totals } = await run(t, servers[0], {
    targets: servers.map(({ port }) => ({ host: '127.0.0.1', port })),
    qps: 0,
    durationSeconds: 0.1,
  });
  t.equal(totals.connected, 10);
  t.strictSame(await Promise.all(servers.map(async (server) => (await server.status()).users)), [5, 5]);
  t.strictSame(await readServerCounts(urls), before);
});

t.test('with keys the users say HELLO, shake, win, are told of packets and grab them; also with TLS', async (t) => {
  const files = noOpenssl === false ? makeCertificate(makeDataDirectory()) : undefined;
  for (const tls of files === undefined ? [undefined] : [undefined, { ca: files.ca }]) {
    const { tlsCert, tlsKey } = files ?? { tlsCert: '', tlsKey: '' };
    const data = makeDataDirectory();
    const server = await serve(t, { auth: 'token', data, ...(tls === undefined ? {} : { tlsCert, tlsKey }) });
    await call(server, 'POST', '/drops', { count: 20, rate: 1000, budget: 2000 });
    await call(server, 'POST', '/sends', { count: 10, rate: 1000, shares: 2, total: 200, users: [0, 9] });
    const changes = { tokenKeys: data, threads: 2, ...(tls === undefined ? {} : { tls }) };
    const { totals, isDrained } = await run(t, server, changes);
    t.ok(isDrained);
    t.equal(totals.sent, 200);
    t.equal(totals.answered, 200);
    t.equal(totals.won, 20);
    t.ok(totals.notices >= 10 && totals.grabsWon > 0, `${totals.notices} notices, ${totals.grabsWon} grabbed`);
    t.equal(totals.unexpected, 0);
    t.equal((await server.status()).requests.login, 0, 'nobody said LOGIN');
  }
});

t.test('users without a token are counted as refused, and never connected', async (t) => {
  const server = await serve(t, { auth: 'token', data: makeDataDirectory() });
  const stranger = await serve(t, { auth: 'token', data: makeDataDirectory() });
  for (const keys of [{}, { tokenKeys: stranger.options.data }]) {
    const engine = new LoadEngine(
      {
        targets: [{ host: '127.0.0.1', port: server.port }],
        users: [0, 1],
        population: [0, 1],
        qps: 0,
        closed: false,
        pipeline: 1,
        durationSeconds: 1,
        paceMs: 1,
        threads: 1,
        grab: true,
        drainSeconds: 1,
        ...keys,
      },
      [0, 1],
      { key: keys.tokenKeys === undefined ? undefined : readTokenKeys(keys.tokenKeys)[0] },
    );
    engine.connectAll();
    await waitFor('two refusals', () => engine.totals.refusedLogins >= 2);
    engine.end();
    t.equal(engine.totals.connected, 0);
    t.equal(engine.totals.unexpected, 0);
  }
});
