// A whole server that is told to pause and to close drops and sends: it does, it remembers over a restart, and every cent is
// accounted for.

import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startServer } from '../lib/server.ts';
import type { ServerOptions } from '../lib/server-options.ts';
import { runAudit } from '../tools/audit/run-audit.ts';
import { makeDataDirectory } from './data-directory.ts';
import { waitFor } from './net/raw-client.ts';
import { call } from './net/test-server.ts';

async function start(t: Test, data: string, options: Partial<ServerOptions> = {}) {
  const logged: string[] = [];
  const server = await startServer(
    { port: 0, controlPort: 0, packetSlots: 1024, data, ...options },
    { onError: (error) => t.fail(error.message), onInfo: (sentence) => logged.push(sentence) },
  );
  t.teardown(() => server.stop());
  const ask = async (method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => {
    const answer = await call(server, method, path, body);
    if (answer.status >= 400) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  return { server, ask, logged };
}

t.test('what is paused or cut short stays so over a restart, and the books add up', async (t) => {
  const data = makeDataDirectory();
  const first = await start(t, data);
  const send = { count: 500, rate: 100, shares: 2, total: 200, users: [1, 2], expiresInSeconds: 3600 };
  for (let i = 0; i < 2; i++) await first.ask('POST', '/drops', { count: 500, rate: 100, budget: 50_000 });
  for (let i = 0; i < 3; i++) await first.ask('POST', '/sends', send);
  await waitFor('something of each', async () => (await first.ask('GET', '/sends/3')).created > 2);
  const pausedDrop = await first.ask('POST', '/drops/1/pause');
  t.match(pausedDrop, { isPaused: true, state: 'releasing' });
  t.match(await first.ask('POST', '/sends/1/pause'), { isPaused: true, state: 'creating' });
  t.match(await first.ask('POST', '/sends/2/close'), { state: 'closing' });
  // What was on its way to the disk still becomes a packet.
  await sleep(700);
  const pausedSend = await first.ask('GET', '/sends/1');
  await sleep(300);
  t.equal((await first.ask('GET', '/drops/1')).released, pausedDrop.released);
  t.equal((await first.ask('GET', '/sends/1')).created, pausedSend.created);
  const cut = (await first.ask('GET', '/sends/2')).created;
  t.strictSame(
    (await first.ask('GET', '/drops')).drops.map(({ id }: { id: number }) => id),
    [2, 1],
  );
  t.match(await first.ask('POST', '/drops/2/close'), { state: 'closed' });
  t.strictSame(
    first.logged.filter((sentence) => /^(drop|send) /.test(sentence)),
    [
      'drop 1 starts: 500 packets, 100 a second, 500.00 yuan',
      'drop 2 starts: 500 packets, 100 a second, 500.00 yuan',
      ...[1, 2, 3].map((id) => `send ${id} starts: 500 packets, 100 a second`),
      'drop 1 is paused',
      'send 1 is paused',
      'send 2 is closed: it creates no more',
      'drop 2 is over: 0 of 500 packets won, 0.00 yuan; 500.00 go back',
    ],
    'a line for each thing that an operator did, and for what is over',
  );
  await first.server.stop();

  const second = await start(t, data);
  t.match(await second.ask('GET', '/drops/1'), { isPaused: true });
  t.match(await second.ask('GET', '/sends/1'), { isPaused: true, created: pausedSend.created });
  t.match(await second.ask('GET', '/sends/2'), { state: 'closing', created: cut });
  t.match(await second.ask('GET', '/sends/3'), { isPaused: false, state: 'creating' });
  await sleep(300);
  t.equal((await second.ask('GET', '/drops/1')).released, 0, 'nobody won: all of it is to be released again, later');
  t.equal((await second.ask('GET', '/sends/1')).created, pausedSend.created);
  t.equal((await second.ask('GET', '/sends/2')).created, cut);
  t.match(await second.ask('POST', '/drops/1/resume'), { isPaused: false });
  t.match(await second.ask('POST', '/sends/1/resume'), { isPaused: false });
  await waitFor('both to go on', async () => {
    const [drop, { created }] = [await second.ask('GET', '/drops/1'), await second.ask('GET', '/sends/1')];
    return drop.released > 0 && created > pausedSend.created;
  });
  t.equal((await second.server.status()).money.difference, 0);
  await second.server.stop();

  const third = await start(t, data);
  t.match(await third.ask('GET', '/drops/1'), { isPaused: false });
  t.match(await third.ask('GET', '/sends/2'), { state: 'closing', created: cut }, 'for good');
  await third.server.stop();
  const audit = await runAudit(data, { threads: 1 });
  t.strictSame(audit.findings, []);
});

t.test('a damaged file of holds stops the start, and is left as it is', async (t) => {
  const data = makeDataDirectory();
  const { server, ask } = await start(t, data);
  await ask('POST', '/drops', { count: 5, rate: 1, budget: 5 });
  await server.stop();
  t.notOk(existsSync(join(data, 'holds.json')), 'a file only once something is held');
  writeFileSync(join(data, 'holds.json'), '{"pausedDrops":[');
  await t.rejects(startServer({ port: 0, controlPort: 0, data }, { onError: () => {} }), {
    code: 'data',
    message: /holds.json is damaged/,
  });
});

t.test('what is scheduled waits for its time, and a cap holds, over a restart too', async (t) => {
  const data = makeDataDirectory();
  const first = await start(t, data);
  const startsAtMs = Date.now() + 4000;
  const startAt = new Date(startsAtMs).toISOString();
  const drop = { count: 10, rate: 1000, budget: 100 };
  t.match(await first.ask('POST', '/drops', { ...drop, startAt }), { state: 'scheduled', startsAtMs });
  const send = { count: 100, rate: 10, shares: 2, total: 200, users: [1, 2], expiresInSeconds: 3600 };
  await first.ask('POST', '/sends', { ...send, cap: 900 });
  await first.ask('POST', '/sends', { ...send, startAt });
  await waitFor('the first packet', async () => (await first.ask('GET', '/sends/1')).created > 0);
  t.match(await first.ask('GET', '/drops/1'), { state: 'scheduled', released: 0 });
  await first.server.stop();

  const second = await start(t, data);
  if (Date.now() < startsAtMs - 500) {
    t.match(await second.ask('GET', '/drops/1'), { state: 'scheduled', startsAtMs, released: 0 });
    t.match(await second.ask('GET', '/sends/2'), { state: 'scheduled', created: 0 });
  }
  await waitFor('both to begin', async () => {
    const [{ released }, { created }] = [await second.ask('GET', '/drops/1'), await second.ask('GET', '/sends/2')];
    t.ok(Date.now() >= startsAtMs || (released === 0 && created === 0), 'not before');
    return released === 10 && created > 0;
  });
  await waitFor('the cap', async () => (await second.ask('GET', '/sends/1')).state === 'closing');
  t.match(await second.ask('GET', '/sends/1'), { created: 4, totalCents: 800 });
  await second.server.stop();
  const third = await start(t, data);
  await sleep(300);
  t.match(await third.ask('GET', '/sends/1'), { created: 4, state: 'closing' });
  t.equal((await third.server.status()).money.difference, 0);
});

t.test('the kill switch stops everything at once, also over a restart, and lets go on what it stopped', async (t) => {
  const data = makeDataDirectory();
  const first = await start(t, data);
  const send = { count: 900, rate: 20, shares: 2, total: 200, users: [1, 2], expiresInSeconds: 3600 };
  for (let i = 0; i < 2; i++) await first.ask('POST', '/drops', { count: 500, rate: 20, budget: 50_000 });
  await first.ask('POST', '/sends', send);
  await first.ask('POST', '/sends', send);
  await first.ask('POST', '/drops', { count: 500, rate: 20, budget: 50_000 });
  await first.ask('POST', '/drops/2/pause');
  t.strictSame(await first.ask('GET', '/halt'), { isOn: false });
  t.strictSame(await first.ask('POST', '/halt'), { isOn: true, drops: [3, 1], sends: [2, 1] });
  t.strictSame(await first.ask('POST', '/halt'), { isOn: true, drops: [3, 1], sends: [2, 1] }, 'on already');
  await sleep(300);
  const [{ released }, { created }] = [await first.ask('GET', '/drops/1'), await first.ask('GET', '/sends/1')];
  const refused = await call(first.server, 'POST', '/drops', { count: 1, rate: 1, budget: 1 });
  t.match(refused, { status: 409, body: { code: 'over', message: /the kill switch is on/ } });
  t.match(await call(first.server, 'POST', '/drops', { count: 1, rate: 1, budget: 1, dryRun: true }), { status: 200 });
  await sleep(300);
  t.strictSame(
    [(await first.ask('GET', '/drops/1')).released, (await first.ask('GET', '/sends/1')).created],
    [released, created],
  );
  await first.server.stop();

  const second = await start(t, data);
  t.strictSame(await second.ask('GET', '/halt'), { isOn: true, drops: [3, 1], sends: [2, 1] });
  t.match(await second.ask('GET', '/drops/1'), { isPaused: true });
  await second.ask('POST', '/drops/3/close');
  await second.ask('POST', '/sends/2/close');
  t.strictSame(await second.ask('DELETE', '/halt'), { isOn: false, drops: [1], sends: [1] });
  t.match(await second.ask('GET', '/drops/1'), { isPaused: false });
  t.match(await second.ask('GET', '/drops/2'), { isPaused: true }, 'what was paused before stays so');
  await waitFor('the send to go on', async () => (await second.ask('GET', '/sends/1')).created > created);
  t.strictSame(await second.ask('DELETE', '/halt'), { isOn: false, drops: [], sends: [] });
});

t.test('the kill switch ends, although a restart came after what it had stopped was closed', async (t) => {
  const data = makeDataDirectory();
  const first = await start(t, data);
  for (let i = 0; i < 2; i++) await first.ask('POST', '/drops', { count: 500, rate: 20, budget: 50_000 });
  t.match(await first.ask('POST', '/halt'), { drops: [2, 1] });
  t.match(await first.ask('POST', '/drops/1/close'), { state: 'closed' });
  await first.server.stop();
  const second = await start(t, data);
  t.strictSame(await second.ask('DELETE', '/halt'), { isOn: false, drops: [2], sends: [] });
  t.match(await second.ask('GET', '/drops/2'), { isPaused: false });
});

t.test('a kill switch that cannot be kept is neither on nor off by half', async (t) => {
  const data = makeDataDirectory();
  const server = await startServer({ port: 0, controlPort: 0, packetSlots: 1024, data }, { onError: () => {} });
  t.teardown(() => server.stop());
  await call(server, 'POST', '/drops', { count: 500, rate: 20, budget: 50_000 });
  const inTheWay = join(data, 'holds.json.new');
  mkdirSync(inTheWay);
  t.match(await call(server, 'POST', '/halt'), { body: { code: 'busy' } });
  t.strictSame((await call(server, 'GET', '/halt')).body, { isOn: false });
  rmdirSync(inTheWay);
  await call(server, 'POST', '/halt');
  await call(server, 'POST', '/drops/1/resume');
  t.strictSame((await call(server, 'POST', '/halt')).body, { isOn: true, drops: [1], sends: [] }, 'each once');
  await call(server, 'POST', '/drops/1/close');
  mkdirSync(inTheWay);
  t.match(await call(server, 'DELETE', '/halt'), { body: { code: 'busy' } });
  t.match((await call(server, 'GET', '/halt')).body, { isOn: true }, 'as it is on the disk');
  rmdirSync(inTheWay);
  t.match((await call(server, 'DELETE', '/halt')).body, { isOn: false });
});

t.test('the kill switch also stops a drop that is being made', async (t) => {
  const data = makeDataDirectory();
  const { ask } = await start(t, data);
  const making = ask('POST', '/drops', { count: 4_000_000, rate: 1000, budget: 400_000_000 });
  await sleep(30);
  t.match(await ask('POST', '/halt'), { drops: [] }, 'it is not there yet');
  t.match(await making, { isPaused: true });
  await sleep(200);
  t.match(await ask('GET', '/drops/1'), { released: 0, isPaused: true });
  t.match(await ask('DELETE', '/halt'), { drops: [1] });
});

t.test('no campaign may cost more than the server allows; just as much is allowed', async (t) => {
  const data = makeDataDirectory();
  const { server } = await start(t, data, { maxCampaignCents: 1000 });
  const drop = { count: 10, rate: 1 };
  const send = { count: 5, rate: 1, shares: 2, users: [1, 2] };
  for (const [path, body, status] of [
    ['/drops', { ...drop, budget: 1000 }, 201],
    ['/drops', { ...drop, budget: 1001 }, 400],
    ['/sends', { ...send, total: 200 }, 201],
    ['/sends', { ...send, total: 201 }, 400],
    ['/sends', { ...send, total: [2, 900] }, 400],
    ['/sends', { ...send, total: [2, 900], cap: 1000 }, 201],
  ] as const) {
    t.equal((await call(server, 'POST', path, body)).status, status, JSON.stringify(body));
  }
  t.match(await call(server, 'POST', '/drops', { ...drop, budget: 1001, dryRun: true }), {
    status: 200,
    body: { costCents: { most: 1001 } },
  });
});

t.test('a time that is none, or too far away, is refused', async (t) => {
  const data = makeDataDirectory();
  const { server } = await start(t, data);
  for (const startAt of [
    'tomorrow',
    '2027-02-17',
    '2027-02-17T20:00',
    '2027-13-45T20:00:00Z',
    '9999-01-01T00:00:00Z',
    5,
  ]) {
    const answer = await call(server, 'POST', '/drops', { count: 1, rate: 1, budget: 1, startAt });
    t.match(answer, { status: 400, body: { message: /startAt must be a time/ } }, String(startAt));
  }
});
