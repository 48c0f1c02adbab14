// Packets that users send, over real sockets: paid from a balance, told, grabbed, refunded, once for each key, across restarts.

import { readFileSync, writeFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import t, { type Test } from 'tap';
import { HongbaoClient, type Notice } from '../../clients/client.ts';
import type { Server } from '../../lib/server.ts';
import type { ServerOptions } from '../../lib/server-options.ts';
import { makeDataDirectory } from '../data-directory.ts';
import { PATIENCE_MS, sleep, waitFor } from './raw-client.ts';
import { call, join, send as sendFromHouse, serve } from './test-server.ts';

/** Tops a user up, once for the key. */
async function topUp(server: Server, userId: number, cents: number, key = 'first'): Promise<void> {
  const { status, body } = await call(server, 'POST', `/users/${userId}/topup`, { cents, key });
  t.equal(status, 200, JSON.stringify(body));
}

async function balanceOf(server: Server, userId: number): Promise<number> {
  return (await call(server, 'GET', `/users/${userId}`)).body.balanceCents;
}

async function checkLedger(t: Test, server: Server): Promise<void> {
  t.equal((await call(server, 'GET', '/ledger')).body.difference, 0, 'the ledger misses nothing');
  t.equal((await server.status()).money.difference, 0, 'nor do the books');
}

/** Joins, and keeps what it is told of. */
async function joinListening(
  t: Test,
  server: Server,
  userId: number,
): Promise<{ client: HongbaoClient; notices: Notice[] }> {
  const client = await HongbaoClient.connect({ port: server.port, reconnect: false, timeoutMs: PATIENCE_MS });
  t.teardown(() => client.close());
  const notices: Notice[] = [];
  // Before the login: the first notices follow right behind it.
  client.on('notice', (notice) => notices.push(notice));
  await client.hello(userId);
  return { client, notices };
}

t.test('a user sends a packet with a note; the others are told, grab, and read of it', async (t) => {
  const server = await serve(t);
  await topUp(server, 1, 1000);
  const { client: sender } = await joinListening(t, server, 1);
  const [second, third] = [await joinListening(t, server, 2), await joinListening(t, server, 3)];
  t.strictSame(await sender.wallet(), { balanceCents: 1000, reservedCents: 0 });

  const sent = await sender.send({ users: [2, 3], totalCents: 600, shares: 2, mode: 'line', note: '恭喜发财' });
  t.equal(sent.status, 'SENT');
  const packetId = sent.packetId!;
  await waitFor('both to be told', () => second.notices.length === 1 && third.notices.length === 1);
  t.match(second.notices[0], { packetId, totalCents: 600, shares: 2, senderId: 1, mode: 'line', note: '恭喜发财' });
  const amounts = [await second.client.grab(packetId), await third.client.grab(packetId)].map((grab) => {
    t.equal(grab.status, 'WON');
    return grab.amountCents;
  });
  t.equal(amounts[0] + amounts[1], 600);
  t.equal((await sender.grab(packetId)).status, 'NOT_INVITED');
  t.strictSame(await sender.wallet(), { balanceCents: 400, reservedCents: 0 });
  t.strictSame(await second.client.wallet(), { balanceCents: amounts[0], reservedCents: 0 });

  const { packet } = await sender.records({ packetId });
  t.match(packet, { packetId, senderId: 1, totalCents: 600, state: 'empty', mode: 'line' });
  t.strictSame(
    packet!.grabs.map(({ userId, amountCents, share }) => ({ userId, amountCents, share })),
    [
      { userId: 2, amountCents: amounts[0], share: 0 },
      { userId: 3, amountCents: amounts[1], share: 1 },
    ],
  );
  t.match(await sender.records(), {
    records: [
      { kind: 'send', cents: 600, packetId },
      { kind: 'topup', cents: 1000 },
    ],
  });
  t.match(await second.client.records(), { records: [{ kind: 'grab', cents: amounts[0], packetId }] });
  t.match(await (await join(t, server, 9, 'hello')).records({ packetId }), { error: { code: 'not-found' } });
  await checkLedger(t, server);
});

t.test('a send that the balance does not hold, or whose numbers do not fit, moves nothing', async (t) => {
  const server = await serve(t, { maxShares: 10 });
  await topUp(server, 1, 100);
  const client = await join(t, server, 1, 'hello');
  t.equal((await client.send({ users: [2], totalCents: 101, shares: 1, key: 'a' })).status, 'INSUFFICIENT');
  t.equal(
    (await client.send({ users: [2], totalCents: 100, shares: 1, key: 'a' })).status,
    'SENT',
    'the key is free again',
  );
  t.match(await client.send({ users: [2], totalCents: 50, shares: 11 }), {
    status: 'BAD_REQUEST',
    message: 'shares must be at most 10',
  });
  t.match(await client.send({ users: [2], totalCents: 2, shares: 3 }), {
    status: 'BAD_REQUEST',
    message: 'totalCents must lie between shares * 1 = 3 and shares * 20000 = 60000',
  });
  t.strictSame(await client.wallet(), { balanceCents: 0, reservedCents: 0 });
  await checkLedger(t, server);
});

t.test('the same key sends once, whoever asks how often, also after a restart; other content is refused', async (t) => {
  const data = makeDataDirectory();
  const first = await serve(t, { data });
  await topUp(first, 1, 1000);
  const request = { users: [2, 3], totalCents: 200, shares: 2, key: 'birthday' };
  const client = await join(t, first, 1, 'hello');
  const answers = await Promise.all(Array.from({ length: 5 }, () => client.send(request)));
  t.strictSame(answers.filter(({ status }) => status === 'SENT').length, 1);
  t.ok(
    answers.every(({ status }) => ['SENT', 'BUSY', 'REPEAT'].includes(status)),
    'while it is under way the others wait',
  );
  const packetId = answers.find(({ status }) => status === 'SENT')!.packetId;
  t.match(await client.send(request), { status: 'REPEAT', packetId });
  t.equal((await client.send({ ...request, totalCents: 201 })).status, 'KEY_REUSED');
  t.equal((await call(first, 'POST', '/users/1/topup', { cents: 5, key: 'birthday' })).body.code, 'key_reused');
  client.close();
  const again = await join(t, first, 1, 'hello');
  t.match(await again.send(request), { status: 'REPEAT', packetId }, 'on another connection');
  await first.stop();

  const second = await serve(t, { data });
  const later = await join(t, second, 1, 'hello');
  t.match(await later.send(request), { status: 'REPEAT', packetId }, 'after a restart');
  t.equal((await later.send({ ...request, users: [2, 4] })).status, 'KEY_REUSED');
  t.match((await call(second, 'POST', '/users/1/topup', { cents: 1000, key: 'first' })).body, {
    repeated: true,
    balanceCents: 800,
  });
  t.strictSame(await later.wallet(), { balanceCents: 800, reservedCents: 0 });
  await checkLedger(t, second);
});

t.test('top-ups and withdrawals happen once for each key, and never below zero', async (t) => {
  const server = await serve(t);
  await topUp(server, 7, 500);
  t.match(await call(server, 'POST', '/users/7/withdraw', { cents: 501, key: 'w' }), {
    status: 409,
    body: { code: 'insufficient', message: 'the balance of user 7 does not hold 501 cents' },
  });
  const withdraw = () => call(server, 'POST', '/users/7/withdraw', { cents: 200, key: 'w' });
  const all = await Promise.all([withdraw(), withdraw(), withdraw()]);
  t.strictSame(all.map(({ body }) => body.repeated).sort(), [false, true, true]);
  t.ok(all.every(({ status, body }) => status === 200 && body.balanceCents === 300));
  t.match(await call(server, 'POST', '/users/7/withdraw', { cents: 100, key: 'w' }), { body: { code: 'key_reused' } });
  t.equal(
    (await call(server, 'POST', '/users/7/topup', { cents: 900_000_000_000_000, key: 'big' })).body.code,
    'no_room',
  );
  t.equal(await balanceOf(server, 7), 300);
  await checkLedger(t, server);
});

t.test('what nobody grabs comes back to the sender, once, also when the server was down at that moment', async (t) => {
  const data = makeDataDirectory();
  const first = await serve(t, { data });
  await topUp(first, 1, 1000);
  const client = await join(t, first, 1, 'hello');
  const other = await join(t, first, 2, 'hello');
  const short = await client.send({ users: [2, 3], totalCents: 300, shares: 3, mode: 'equal', expiresInSeconds: 2 });
  const long = await client.send({ users: [2, 3], totalCents: 400, shares: 2, mode: 'equal', expiresInSeconds: 4 });
  t.match(await other.grab(short.packetId!), { status: 'WON', amountCents: 100 });
  await waitFor('the refund', async () => (await client.wallet()).balanceCents === 500);
  t.equal((await other.grab(short.packetId!)).status, 'REPEAT', 'what was grabbed stays');
  t.match(await client.records(), { records: [{ kind: 'refund', cents: 200 }, {}, {}, {}] });
  await first.stop();

  await sleep(2500);
  const second = await serve(t, { data });
  await waitFor('the other refund', async () => (await balanceOf(second, 1)) === 900);
  t.equal((await (await join(t, second, 3, 'hello')).grab(long.packetId!)).status, 'EXPIRED');
  await second.stop();
  const third = await serve(t, { data });
  t.equal(await balanceOf(third, 1), 900, 'not once more at the next start');
  await checkLedger(t, third);
});

t.test('notices to those who are away, and what was grabbed, survive a restart', async (t) => {
  const data = makeDataDirectory();
  const first = await serve(t, { data });
  const [packetId, another] = (await sendFromHouse(first, { count: 2, shares: 2, total: 100, users: [5, 6] }))
    .packetIds;
  const { amountCents } = await (await join(t, first, 6, 'hello')).grab(packetId);
  await first.stop();

  const second = await serve(t, { data });
  const away = await joinListening(t, second, 5);
  await waitFor('both notices', () => away.notices.length === 2);
  t.strictSame(away.notices.map((notice) => notice.packetId).sort(), [packetId, another].sort());
  const { client, notices } = await joinListening(t, second, 6);
  await waitFor('the notice of what is left', () => notices.length === 1);
  t.strictSame(
    notices.map((notice) => notice.packetId),
    [another],
    'what was grabbed is not told again',
  );
  t.match(await client.grab(packetId), { status: 'REPEAT', amountCents });
  t.match(await away.client.grab(packetId), { status: 'WON', amountCents: 100 - amountCents });
  await checkLedger(t, second);
});

t.test(
  'a drop goes on after a restart: exactly its packets, its budget to the cent, the bound on wins kept',
  async (t) => {
    const data = makeDataDirectory();
    const first = await serve(t, { data, sets: 4 });
    const users = [1, 2, 3, 4, 5];
    const { body: drop } = await call(first, 'POST', '/drops', {
      count: 12,
      rate: 10_000,
      budget: 5000,
      winsPerUser: 3,
    });
    const wins = new Map<number, number>();
    let wonCents = 0;
    const shake = async (client: HongbaoClient, userId: number) => {
      const { result, amountCents } = await client.shake();
      if (result !== 'won') return;
      wins.set(userId, (wins.get(userId) ?? 0) + 1);
      wonCents += amountCents;
    };
    const clients = await Promise.all(users.map((userId) => join(t, first, userId)));
    const countWins = () => [...wins.values()].reduce((sum, count) => sum + count, 0);
    for (let i = 0; countWins() < 5 && i < 1000; i++) await shake(clients[i % 5], users[i % 5]);
    await first.stop();

    const second = await serve(t, { data, sets: 8, workers: 2 });
    t.match((await call(second, 'GET', `/drops/${drop.id}`)).body, { claimed: 5, budget: 5000 });
    const again = await Promise.all(users.map((userId) => join(t, second, userId)));
    // Stock of a SET whose users have all won as often as they may is moved after a second.
    const deadline = performance.now() + PATIENCE_MS;
    for (let i = 0; countWins() < 12 && performance.now() < deadline; i++) await shake(again[i % 5], users[i % 5]);
    t.equal(countWins(), 12);
    t.equal(wonCents, 5000);
    t.ok(
      [...wins.values()].every((count) => count <= 3),
      'nobody more often than he may, over both runs',
    );
    await waitFor('the end of the drop', async () => {
      return (await call(second, 'GET', `/drops/${drop.id}`)).body.state === 'closed';
    });
    await checkLedger(t, second);
  },
);

t.test('a data directory serves one server at a time', async (t) => {
  const data = makeDataDirectory();
  const first = await serve(t, { data });
  await t.rejects(serve(t, { data }), { code: 'data', message: `another server uses the data directory ${data}` });
  await topUp(first, 1, 5);
  await first.stop();
  t.equal(await balanceOf(await serve(t, { data }), 1), 5);
});

t.test('without a disk everything works, and nothing is remembered', async (t) => {
  const data = makeDataDirectory();
  const first = await serve(t, { data, durability: 'memory' });
  await topUp(first, 1, 100);
  const client = await join(t, first, 1, 'hello');
  t.equal((await client.send({ users: [2], totalCents: 60, shares: 1 })).status, 'SENT');
  t.strictSame(await client.wallet(), { balanceCents: 40, reservedCents: 0 });
  t.match(await client.records(), { error: { code: 'unavailable' } });
  t.equal((await call(first, 'GET', '/ledger')).status, 404);
  await first.stop();
  const second = await serve(t, { data, durability: 'buffered' });
  t.equal(await balanceOf(second, 1), 0);
});

/** A wallet module that writes down its calls, and answers as the first line of a file says. */
const WALLET = (log: string, answer: string) => `
import { appendFileSync, readFileSync } from 'node:fs';
export default () => {
  let failures = 2;
  const note = (call, { id, userId, cents, key }) => appendFileSync(${JSON.stringify(log)}, [call, id, userId, cents, key].join(' ') + '\\n');
  return {
    async reserve(reservation) {
      note('reserve', reservation);
      const answer = readFileSync(${JSON.stringify(answer)}, 'utf8');
      if (answer === 'fail') throw new Error('the bank is closed');
      return answer;
    },
    async commit(reservation) {
      note('commit', reservation);
      if (failures-- > 0) throw new Error('not now');
    },
    async cancel(reservation) {
      note('cancel', reservation);
    },
  };
};
`;

t.test(
  'a wallet of somebody else pays, refuses or fails; each reservation is committed or cancelled in the end',
  async (t) => {
    const data = makeDataDirectory();
    const [log, answer, module] = ['log', 'answer', 'wallet.mjs'].map((name) => joinPath(data, name));
    writeFileSync(log, '');
    writeFileSync(module, WALLET(log, answer));
    const calls = () => readFileSync(log, 'utf8').trim().split('\n');
    const options: Partial<ServerOptions> = { data, wallet: module };
    const errors: string[] = [];
    const server = await serve(t, options, (error) => errors.push(error.message));
    const client = await join(t, server, 1, 'hello');
    const send = (key: string) => client.send({ users: [2], totalCents: 100, shares: 1, key });

    writeFileSync(answer, 'insufficient');
    t.equal((await send('a')).status, 'INSUFFICIENT');
    writeFileSync(answer, 'fail');
    t.match(await send('b'), { status: 'BUSY', retryAfterMs: 200 });
    t.equal((await client.shake()).result, 'none', 'shakes do not mind');
    writeFileSync(answer, 'reserved');
    t.equal((await send('b')).status, 'SENT', 'the same key again');
    t.match(errors, ['the wallet failed: the bank is closed']);
    await waitFor('the commit that succeeds', () => calls().filter((line) => line.startsWith('commit')).length === 3);
    t.strictSame(calls(), [
      'reserve 1 1 100 a',
      'cancel 1 1 100 a',
      'reserve 2 1 100 b',
      'cancel 2 1 100 b',
      'reserve 3 1 100 b',
      'commit 3 1 100 b',
      'commit 3 1 100 b',
      'commit 3 1 100 b',
    ]);
    t.strictSame(await client.wallet(), { balanceCents: 0, reservedCents: 0 }, 'the ledger has nothing of his');
    t.equal((await (await join(t, server, 2, 'hello')).grab(0x10_0000)).amountCents, 100);
    await waitFor('the end of every reservation to be recorded', async () => {
      return (await call(server, 'GET', '/ledger')).body.records === 8;
    });
    await checkLedger(t, server);
    await server.stop();
    const again = await serve(t, options);
    t.equal(await balanceOf(again, 2), 100);
    t.equal(calls().length, 8, 'nothing is left to be settled');
  },
);

t.test('a wallet that cannot be loaded keeps the server from starting', async (t) => {
  const data = makeDataDirectory();
  const module = joinPath(data, 'wallet.mjs');
  writeFileSync(module, 'export default () => ({ reserve() {} });');
  await t.rejects(serve(t, { data, wallet: module }), {
    code: 'data',
    message: /wallet.mjs cannot be used: .*no method commit/,
  });
  await t.rejects(serve(t, { data, wallet: joinPath(data, 'none.mjs') }), { code: 'data', message: /cannot be used/ });
});
