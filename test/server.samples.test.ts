// A whole server under load: its samples add up to its status, are written into the run log, and reach another monitor; and
// nothing of all that stops the server when it fails.

import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LoadSampler } from '../clients/load/load-sampler.ts';
import { LoadSteering } from '../clients/load/load-steering.ts';
import { runLoad } from '../clients/load/run-load.ts';
import { buildMonitorServer } from '../lib/control/monitor-server.ts';
import { decodeLatency } from '../lib/monitor/latency-coding.ts';
import { mergeSamples } from '../lib/monitor/merged-second.ts';
import { Monitor } from '../lib/monitor/monitor.ts';
import { readRun } from '../lib/monitor/run-reader.ts';
import type { Sample } from '../lib/monitor/sample.ts';
import { SampleSender } from '../lib/monitor/sample-sender.ts';
import { optionsFor } from './clients/load-request.ts';
import { makeDataDirectory } from './data-directory.ts';
import { call, join as joinUser, serve } from './net/test-server.ts';

async function openMonitor(t: Test) {
  const monitor = new Monitor();
  const app = buildMonitorServer(monitor, 'hongbao test', '127.0.0.1', (error) => t.fail(error.message));
  t.teardown(() => Promise.all([app.close(), monitor.close()]));
  await app.listen({ host: '127.0.0.1', port: 0 });
  return { monitor, url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}` };
}

function sumCounts(samples: readonly Sample[], name: string): number {
  return samples.reduce((sum, { counts }) => sum + (counts[name] ?? 0), 0);
}

t.test('what both sides sample adds up to what they counted, in the run log and at another monitor', async (t) => {
  const { monitor, url } = await openMonitor(t);
  const data = t.testdir({});
  const server = await serve(t, { data, monitor: url });
  const options = optionsFor({ port: server.port } as never, { qps: 400, durationSeconds: 3, sampled: true });
  const steering = new LoadSteering(options);
  const clients: Sample[] = [];
  const sender = new SampleSender(new URL(url), (error) => t.fail(error.message));
  const sampler = new LoadSampler({
    origin: { source: 'load:test', run: 'r1', role: 'client' },
    readQps: () => steering.qps,
    onSample: (sample) => {
      clients.push(sample);
      sender.send(sample);
    },
  });
  await call(server, 'POST', '/drops', { count: 50, rate: 50, budget: 5000 });
  await call(server, 'POST', '/sends', { count: 5, rate: 50, shares: 2, total: 200, users: [...options.users] });
  const { totals, shakeLatency, grabLatency } = await runLoad(options, () => {}, undefined, steering, sampler);
  sampler.stop();
  await sender.close();
  const status = await server.status();
  await server.stop();

  const { samples, header, badLines } = await readRun(join(data, 'runs', readdirSync(join(data, 'runs'))[0]));
  t.match([header.program, badLines], ['hongbao/0.1.0', 0]);
  for (const [name, count] of [
    ['requestsShake', status.requests.shake],
    ['requestsGrab', status.requests.grab],
    ['requestsLogin', status.requests.login],
    ['shakesWon', status.shakes.won],
    ['shakesNone', status.shakes.none],
    ['shakesWonCents', status.shakes.wonCents],
    ['grabsWonCents', status.grabs.wonCents],
    ['packetsReleased', 50],
    ['releasedCents', 5000],
    ['packetsSent', 5],
    ['sentCents', 1000],
    ['noticesSent', status.notices.sent],
    ['connectionsAccepted', status.connections.accepted],
    ['journalRecords', status.journal.records],
  ] as const) {
    t.equal(sumCounts(samples, name), count, name);
  }
  t.equal(sumCounts(samples, 'closed:peer'), status.connections.accepted, 'everybody left');
  const timed = samples.flatMap(({ latency }) =>
    latency.shake === undefined ? [] : [decodeLatency(latency.shake).totalCount],
  );
  t.equal(
    timed.reduce((sum, count) => sum + count, 0),
    status.requests.shake,
    'every shake is in a histogram',
  );
  t.ok(sumCounts(samples, 'ringBatches') > 0 && sumCounts(samples, 'ringWaitUs') > 0, 'waits in the rings are timed');
  t.ok(Math.max(...samples.map(({ gauges }) => gauges.ringWaitMaxUs)) > 0);
  t.strictSame(
    samples.map(({ sequence }) => sequence),
    samples.map((_, i) => i),
  );
  t.equal(samples.at(-1)!.isLast, true);
  t.equal(samples.at(-1)!.gauges.differenceCents, 0);

  t.equal(sumCounts(clients, 'sent'), totals.sent);
  t.equal(sumCounts(clients, 'answered'), totals.answered);
  t.equal(
    sumCounts(clients, 'wonCents') + sumCounts(clients, 'grabCents'),
    status.shakes.wonCents + status.grabs.wonCents,
  );
  for (const [kind, total] of [
    ['shake', shakeLatency],
    ['grab', grabLatency],
  ] as const) {
    const counts = clients.flatMap(({ latency }) =>
      latency[kind] === undefined ? [] : [decodeLatency(latency[kind]).totalCount],
    );
    t.equal(
      counts.reduce((sum, count) => sum + count, 0),
      total.totalCount,
      `every ${kind} is in one histogram`,
    );
  }
  t.ok(clients.some(({ gauges }) => gauges.connected > 0 && gauges.qps === 400));

  const elsewhere = monitor.since(0);
  const rates = (seconds: typeof elsewhere) =>
    seconds.map(({ second, server, client }) => [second, server?.rates.requestsShake, client?.rates.sent]);
  const here = mergeSamples([...samples, ...clients]).map(({ second, server, client }) => [
    second,
    server === undefined ? undefined : Math.round(server.rates.requestsShake * 100) / 100,
    client === undefined ? undefined : Math.round(client.rates.sent * 100) / 100,
  ]);
  t.strictSame(rates(elsewhere), here, 'the other monitor has the same picture');
  t.match(monitor.state(), { sources: [{ state: 'ended' }, { state: 'ended' }], refused: {} });
});

t.test('a server that shows itself: pages, seconds, drops and sends, addresses', async (t) => {
  const server = await serve(t);
  await joinUser(t, server, 1);
  await call(server, 'POST', '/drops', { count: 5, rate: 1, budget: 50 });
  const url = `http://127.0.0.1:${server.controlPort}`;
  t.strictSame((await call(server, 'GET', '/connections/by-address')).body, {
    addresses: [{ address: '127.0.0.1', connections: 1 }],
    others: 0,
  });
  const page = await fetch(url);
  t.match(page.headers.get('content-type'), 'text/html');
  const live = await fetch(`${url}/live`);
  const reader = live.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('event: state')) text += (await reader.read()).value;
  await reader.cancel();
  t.match(text, `"server":"server:${server.port}"`);
  t.match(text, '"money":{"funded":50,"claimed":0,"refunded":0,"outstanding":50,"difference":0}');
  t.match(text, '"drops":[{"id":1,');
});

t.test('without samples there is none, and nothing is written', async (t) => {
  const data = t.testdir({});
  const server = await serve(t, { data, samples: false });
  t.strictSame((await call(server, 'GET', '/samples')).body, { seconds: [] });
  await server.stop();
  t.notOk(existsSync(join(data, 'runs')));
});

t.test('a run log that cannot be written, and a monitor that is not there, are told of and stop nothing', async (t) => {
  const data = makeDataDirectory();
  writeFileSync(join(data, 'runs'), 'in the way');
  const errors: string[] = [];
  const server = await serve(t, { data, monitor: 'http://127.0.0.1:9' }, ({ message }) => errors.push(message));
  const user = await joinUser(t, server, 1);
  t.equal((await user.shake()).result, 'none');
  await server.stop();
  t.strictSame(
    errors.map((message) => message.replace(/:.*/, '')).sort(),
    ['the monitor at http', 'the run log is not written'],
    'each once',
  );
});

t.test('an address that is none is refused at the start', async (t) => {
  for (const monitor of ['nonsense', 'ftp://x', 'file:///etc/passwd']) {
    await t.rejects(serve(t, { monitor }), { code: 'bad_option', message: /--monitor must be an address/ }, monitor);
  }
});
