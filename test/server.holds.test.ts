// A whole server that is told to pause and to close drops and sends: it does, it remembers over a restart, and every cent is
// accounted for.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startServer } from '../lib/server.ts';
import { runAudit } from '../tools/audit/run-audit.ts';
import { waitFor } from './net/raw-client.ts';
import { call } from './net/test-server.ts';

async function start(t: Test, data: string) {
  const logged: string[] = [];
  const server = await startServer(
    { port: 0, controlPort: 0, packetSlots: 1024, data },
    { onError: (error) => t.fail(error.message), onInfo: (sentence) => logged.push(sentence) },
  );
  t.teardown(() => server.stop());
  const ask = async (method: 'GET' | 'POST', path: string, body?: object) => {
    const answer = await call(server, method, path, body);
    if (answer.status >= 400) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  return { server, ask, logged };
}

t.test('what is paused or cut short stays so over a restart, and the books add up', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'hongbao-holds-'));
  t.teardown(() => rmSync(data, { recursive: true, force: true }));
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
    first.logged.filter((sentence) => !sentence.startsWith('recovered')),
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
  const data = mkdtempSync(join(tmpdir(), 'hongbao-holds-'));
  t.teardown(() => rmSync(data, { recursive: true, force: true }));
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
