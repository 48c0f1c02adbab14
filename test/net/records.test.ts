// What users and operators are told of the past: pages of a user's records, the records of packets, also after a restart.

import t from 'tap';
import type { MoneyRecord } from '../../lib/protocol/extended.ts';
import type { Server } from '../../lib/server.ts';
import { makeDataDirectory } from '../data-directory.ts';
import { waitFor } from './raw-client.ts';
import { call, join, send, serve } from './test-server.ts';

/** Questions that may wait: see lib/server-history.ts. */
const MOST_QUESTIONS = 32;

const get = (server: Server, path: string) => call(server, 'GET', path);
const transfer = (server: Server, what: string, cents: number, key: string) =>
  call(server, 'POST', `/users/1/${what}`, { cents, key });

t.test('records come newest first, in pages that leave nothing out, and over HTTP the same', async (t) => {
  const data = makeDataDirectory();
  const first = await serve(t, { data, durability: 'buffered' });
  for (let i = 1; i <= 15; i++) await transfer(first, 'topup', 100 + i, `up ${i}`);
  await first.stop();
  const server = await serve(t, { data });
  for (let i = 1; i <= 10; i++) await transfer(server, 'withdraw', i, `down ${i}`);
  const client = await join(t, server, 1, 'hello');
  t.equal((await client.records()).records?.length, 20, 'twenty, if nothing is said');
  const { records: all } = await client.records({ limit: 100 });
  t.strictSame(
    all!.map(({ kind, cents }) => [kind, cents]),
    [
      ...Array.from({ length: 10 }, (_, i) => ['withdraw', 10 - i]),
      ...Array.from({ length: 15 }, (_, i) => ['topup', 115 - i]),
    ],
    'those of both runs',
  );
  const pages: MoneyRecord[] = [];
  for (;;) {
    const before = pages.at(-1)?.sequence;
    const { records } = await client.records({ limit: 7, ...(before === undefined ? {} : { before }) });
    if (records!.length === 0) break;
    t.ok(records!.length <= 7);
    pages.push(...records!);
  }
  t.strictSame(pages, all);
  t.ok(
    pages.every(({ sequence }, i) => i === 0 || sequence < pages[i - 1].sequence),
    'no place twice',
  );
  const { body } = await get(server, `/users/1?limit=5&before=${all![4].sequence}`);
  t.match(body, { userId: 1, balanceCents: 15 * 108 - 55 });
  t.strictSame(
    body.records.map(({ sequence }: MoneyRecord) => sequence),
    all!.slice(5, 10).map(({ sequence }) => sequence),
  );
  t.strictSame((await get(server, '/users/99')).body.records, [], 'a stranger has none');
});

t.test('the records of a packet name every grab, while it is open, when it is over, and after a restart', async (t) => {
  const data = makeDataDirectory();
  const first = await serve(t, { data });
  const [packetId] = (await send(first, { shares: 2, total: 300, users: [1, 2], mode: 'line' })).packetIds;
  const [one, two] = [await join(t, first, 1, 'hello'), await join(t, first, 2, 'hello')];
  const { amountCents } = await one.grab(packetId);
  const path = `/packets/${packetId}/records`;
  t.match((await get(first, path)).body, { packetId, state: 'open', grabs: [{ userId: 1, amountCents, share: 0 }] });
  t.match((await two.records({ packetId })).packet, { state: 'open', senderId: -1, grabs: [{ userId: 1 }] });
  await two.grab(packetId);
  const over = (await get(first, path)).body;
  t.match(over, {
    state: 'empty',
    totalCents: 300,
    grabs: [
      { userId: 1, amountCents },
      { userId: 2, amountCents: 300 - amountCents },
    ],
  });
  t.equal(over.luckiest.amountCents, Math.max(amountCents, 300 - amountCents));

  await call(first, 'POST', '/drops', { count: 1, rate: 1000, budget: 40 });
  let won = 0;
  await waitFor('a win', async () => {
    const shake = await one.shake();
    won = shake.packetId;
    return shake.result === 'won';
  });
  t.match((await get(first, `/packets/${won}/records`)).body, { packetId: won, userId: 1, amountCents: 40 });
  t.strictSame((await one.records({ packetId: won })).error?.code, 'not-found', 'a win is no sent packet');
  await first.stop();

  const second = await serve(t, { data });
  t.strictSame((await get(second, path)).body, over);
  t.match((await get(second, `/packets/${packetId + 1}/records`)).body, { code: 'not_found' });
  t.equal((await get(second, `/packets/${packetId + 1}/records`)).status, 404);
  t.match((await get(second, '/ledger')).body, { difference: 0 });
});

t.test('of more questions than can wait, those beyond are answered busy at once, and all have an answer', async (t) => {
  const server = await serve(t, { data: makeDataDirectory(), durability: 'buffered' });
  for (let i = 1; i <= 5; i++) await transfer(server, 'topup', i, `up ${i}`);
  const client = await join(t, server, 1, 'hello');
  const ask = (count: number) => Promise.all(Array.from({ length: count }, () => client.records()));
  for (const { records } of await ask(MOST_QUESTIONS)) t.equal(records?.length, 5, 'as many as can wait');
  const answers = await ask(MOST_QUESTIONS + 400);
  const busy = answers.filter(({ error }) => error?.code === 'busy').length;
  const told = answers.filter(({ records }) => records?.length === 5).length;
  t.equal(busy + told, answers.length);
  t.ok(busy > 0 && told >= MOST_QUESTIONS, `${told} told, ${busy} busy`);
  t.equal((await client.records()).records?.length, 5, 'and later it answers again');
});
