// The control API of a running server over HTTP: campaigns from their creation to their end, and what is refused.

import { createHash } from 'node:crypto';
import t from 'tap';
import { SERVER_NAME } from '../../lib/version.ts';
import { waitFor } from '../net/raw-client.ts';
import { call, join, send, serve, waitForState } from '../net/test-server.ts';

const SLOTS = 64;

const server = await serve(t, { packetSlots: SLOTS, sets: 16 });

const get = (path: string) => call(server, 'GET', path);
const post = (path: string, body?: object) => call(server, 'POST', path, body);

t.test('a server that has done nothing says so', async (t) => {
  t.strictSame(await get('/healthz'), { status: 200, body: { ok: true } });
  const { status, body } = await get('/status');
  t.equal(status, 200);
  t.match(body, {
    name: SERVER_NAME,
    level: 0,
    sessions: 0,
    users: 0,
    connections: { open: 0, accepted: 0, closed: {} },
  });
  t.ok(Math.abs(new Date(body.startedAt).getTime() - Date.now()) < 60_000);
  t.strictSame(body.money, { funded: 0, claimed: 0, refunded: 0, outstanding: 0, difference: 0 });
  t.strictSame(body.packets, {
    released: 0,
    releasedCents: 0,
    sent: 0,
    sentCents: 0,
    open: 0,
    grabbedShares: 0,
    expired: 0,
  });
  t.ok(body.memory.residentBytes > 0 && body.memory.heapUsedBytes > 0);
});

t.test('what contradicts itself, or has no room, is refused; nothing is created and no cent is moved', async (t) => {
  const drop = { count: 10, rate: 10, budget: 100 };
  const send = { count: 1, rate: 10, shares: 3, total: 300, users: [1, 3] };
  for (const [path, change, message] of [
    ['/drops', { budget: 9 }, 'budget must lie between count * min = 10 and count * max = 200000 cents'],
    ['/drops', { budget: 200_001 }, 'budget must lie between count * min = 10 and count * max = 200000 cents'],
    ['/drops', { min: 11 }, 'budget must lie between count * min = 110 and count * max = 200000 cents'],
    ['/drops', { max: 9 }, 'budget must lie between count * min = 10 and count * max = 90 cents'],
    ['/drops', { min: 5, max: 4 }, 'min must be at most max, and max at most 2147483647 cents'],
    ['/drops', { max: 2 ** 31 }, 'min must be at most max, and max at most 2147483647 cents'],
    ['/drops', { count: 2 ** 25 + 1, budget: 2 ** 26 }, 'count must be at most 33554432'],
    ['/drops', { count: 2 ** 31 - 1, budget: 2 ** 31 }, 'count must be at most 33554432'],
    ['/drops', { budget: 900_000_000_000_001 }, 'budget must be at most 900000000000000 cents'],
    ['/drops', { count: 0 }, 'count must be a whole number from 1 to 2147483647'],
    ['/drops', { cents: 5 }, 'unknown field: cents'],
    ['/sends', { total: 2 }, 'total must lie between shares * 1 = 3 and shares * 20000 = 60000 cents'],
    ['/sends', { total: 60_001 }, 'total must lie between shares * 1 = 3 and shares * 20000 = 60000 cents'],
    ['/sends', { total: [2, 300] }, 'total must lie between shares * 1 = 3 and shares * 20000 = 60000 cents'],
    ['/sends', { total: [300, 60_001] }, 'total must lie between shares * 1 = 3 and shares * 20000 = 60000 cents'],
    ['/sends', { total: [300, 299] }, 'the first bound of total must not be above the second'],
    ['/sends', { total: 2 ** 31 }, 'total must be at most 2147483647 cents'],
    ['/sends', { shares: 101, total: 1000 }, 'shares must be at most 100'],
    ['/sends', { count: SLOTS + 1 }, `count must be at most ${SLOTS}: so many packets can be open at once`],
    ['/sends', { users: [3, 1] }, 'users must be [first, last] with first at most last'],
    ['/sends', { users: [-1, 1] }, 'users[0] must be a whole number from 0 to 2147483647'],
    ['/sends', { expiresInSeconds: 0 }, 'expiresInSeconds must be a whole number from 1 to 2592000'],
  ] as const) {
    const body = { ...(path === '/drops' ? drop : send), ...change };
    const what = `${path} ${JSON.stringify(change)}`;
    t.strictSame(await post(path, body), { status: 400, body: { code: 'bad_request', message } }, what);
  }
  for (const path of ['/drops/1', '/sends/1', '/packets/1048576', '/packets/0', '/packets/2147483648']) {
    const what = path.slice(1).replace('s/', ' ');
    t.strictSame(await get(path), { status: 404, body: { code: 'not_found', message: `there is no ${what}` } });
  }
  t.equal((await post('/drops/1/close')).status, 404);
  const { money, packets } = await server.status();
  t.strictSame(money, { funded: 0, claimed: 0, refunded: 0, outstanding: 0, difference: 0 });
  t.equal(packets.sent, 0);
});

t.test('a drop that is closed half-way refunds what nobody won', async (t) => {
  const client = await join(t, server, 1);
  const spec = { count: 100, rate: 60, budget: 10_000 };
  const created = await post('/drops', spec);
  t.equal(created.status, 201);
  const { id } = created.body;
  const start = {
    id,
    ...spec,
    released: 0,
    claimed: 0,
    claimedCents: 0,
    refundedCents: 0,
    state: 'releasing',
    isPaused: false,
  };
  t.strictSame(created.body, start);
  let won = 0;
  await waitFor('some wins', async () => {
    const { result, amountCents } = await client.shake();
    if (result === 'won') won += amountCents;
    return (await get(`/drops/${id}`)).body.claimed >= 5;
  });
  const closed = await post(`/drops/${id}/close`);
  t.equal(closed.status, 200);
  t.ok(['closing', 'closed'].includes(closed.body.state));
  await waitFor('the drop to be closed', async () => (await get(`/drops/${id}`)).body.state === 'closed');
  const { body } = await get(`/drops/${id}`);
  t.ok(body.released < 100 && body.claimed >= 5 && body.claimed <= body.released, 'it was half-way');
  t.equal(body.claimedCents, won);
  t.equal(body.refundedCents, 10_000 - won);
  t.equal((await client.shake()).result, 'none', 'nothing is left to win');
  t.strictSame(await post(`/drops/${id}/close`), { status: 200, body }, 'closing it again changes nothing');
  const { money } = await server.status();
  t.strictSame(money, { funded: 10_000, claimed: won, refunded: 10_000 - won, outstanding: 0, difference: 0 });
});

t.test('no more than 64 drops are open at once, and their packets have a bound together: else 409', async (t) => {
  const { money } = await server.status();
  const ids: number[] = [];
  for (let i = 0; i < 64; i++) ids.push((await post('/drops', { count: 1, rate: 1e-6, budget: 5 })).body.id);
  const refused = { code: 'no_room', message: 'at most 64 drops can be open at once' };
  t.strictSame(await post('/drops', { count: 1, rate: 1, budget: 5 }), { status: 409, body: refused });
  t.equal((await server.status()).money.outstanding, 64 * 5);
  t.equal((await post(`/drops/${ids.pop()}/close`)).body.state, 'closed');
  const full = { code: 'no_room', message: 'open drops can hold 33554432 packets together; wait or ask for fewer' };
  const huge = { count: 2 ** 25, rate: 1, budget: 2 ** 25 };
  t.strictSame(await post('/drops', huge), { status: 409, body: full });
  ids.push((await post('/drops', { count: 1, rate: 1e-6, budget: 5 })).body.id);
  for (const id of ids) t.equal((await post(`/drops/${id}/close`)).status, 200);
  const after = (await server.status()).money;
  t.strictSame([after.outstanding, after.difference], [0, 0]);
  t.strictSame([after.funded - money.funded, after.refunded - money.refunded], [65 * 5, 65 * 5]);
});

t.test('a send creates packets at its rate, and is accounted for', async (t) => {
  const spec = { count: 3, rate: 100, shares: 2, total: [200, 400], users: [10, 11], mode: 'lucky' };
  const created = await post('/sends', spec);
  t.equal(created.status, 201);
  const { id } = created.body;
  const zeros = { created: 0, grabbedShares: 0, totalCents: 0, claimedCents: 0, refundedCents: 0 };
  t.strictSame(created.body, { id, count: 3, rate: 100, ...zeros, state: 'creating', isPaused: false });
  const [first, second] = [await join(t, server, 10), await join(t, server, 11)];
  // By user and packet: one that was told before a login is told again after it, and grabbed twice.
  const amounts = new Map<string, number>();
  for (const [user, client] of [first, second].entries()) {
    client.on('notice', async ({ packetId }) => {
      amounts.set(`${user} ${packetId}`, (await client.grab(packetId)).amountCents);
    });
  }
  // Those who logged in before a packet was sent are told; what was sent before waited for them.
  await first.login(10);
  await second.login(11);
  await waitFor('the send to be closed', async () => (await get(`/sends/${id}`)).body.state === 'closed');
  const { body } = await get(`/sends/${id}`);
  t.match(body, { created: 3, grabbedShares: 6, refundedCents: 0, claimedCents: body.totalCents });
  t.ok(body.totalCents >= 600 && body.totalCents <= 1200);
  t.equal((await server.status()).money.difference, 0);
  await waitFor('every amount to arrive', () => amounts.size === 6);
  t.equal(
    [...amounts.values()].reduce((sum, amount) => sum + amount, 0),
    body.totalCents,
  );
});

t.test('the seed of a packet is hidden while it is open, and shown when it is over', async (t) => {
  const spec = { shares: 2, total: 500, users: [20, 21], mode: 'line' };
  const [emptied] = (await send(server, spec)).packetIds;
  const [expired] = (await send(server, { ...spec, expiresInSeconds: 2 })).packetIds;
  const open = (await get(`/packets/${emptied}`)).body;
  t.match(open, {
    id: emptied,
    state: 'open',
    totalCents: 500,
    shares: 2,
    minCents: 1,
    maxCents: 20_000,
    senderId: -1,
  });
  t.match(open, { mode: 'line', invited: [20, 21], claimedCents: 0, refundedCents: 0 });
  t.same(open.grabs, []);
  t.match(open.commitment, /^[0-9a-f]{64}$/);
  t.notOk('seed' in open);
  t.notOk('luckiest' in open);

  const [first, second] = [await join(t, server, 20, 'hello'), await join(t, server, 21, 'hello')];
  const { amountCents } = await first.grab(emptied);
  const half = (await get(`/packets/${emptied}`)).body;
  t.strictSame(half.grabs, [{ userId: 20, amountCents, share: 0 }]);
  t.notOk('seed' in half, 'still hidden: a share is left');
  await second.grab(emptied);
  const over = (await get(`/packets/${emptied}`)).body;
  t.match(over, { state: 'empty', claimedCents: 500, refundedCents: 0 });
  t.equal(createHash('sha256').update(Buffer.from(over.seed, 'hex')).digest('hex'), open.commitment);
  const highest = Math.max(amountCents, 500 - amountCents);
  t.equal(over.luckiest.amountCents, highest);

  await waitForState(server, expired, 'expired');
  const closed = (await get(`/packets/${expired}`)).body;
  t.match(closed, { claimedCents: 0, refundedCents: 500 });
  t.equal(createHash('sha256').update(Buffer.from(closed.seed, 'hex')).digest('hex'), closed.commitment);
  t.notOk('luckiest' in closed);
  t.equal((await server.status()).money.difference, 0);
});

t.test('a packet whose place has been used again is shown as it was, not as the other one', async (t) => {
  const { packets } = await server.status();
  t.equal((await get('/packets/1048576')).body.state, 'empty', 'the first packet can still be read');
  const sent = await send(server, { count: SLOTS - packets.open, shares: 1, total: 10, users: [30, 30] });
  t.ok(sent.id > 0);
  const { status, body } = await get('/packets/1048576');
  t.match([status, body], [200, { id: 1_048_576, state: 'empty' }], 'its own past is, from the journal');
  t.equal(body.grabs.length, body.shares);
});
