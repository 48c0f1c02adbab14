// Sessions on real sockets: logging in both ways, being replaced, being away, and dying at the wrong moment.

import { once } from 'node:events';
import { pack } from 'msgpackr';
import t, { type Test } from 'tap';
import type { Notice } from '../../clients/client.ts';
import { DEFAULT_NET_LIMITS } from '../../lib/net/net-limits.ts';
import { MAX_PENDING_NOTICES } from '../../lib/packets/limits.ts';
import { MAX_FRAME_BYTES } from '../../lib/protocol/limits.ts';
import { LoginResult, Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
import type { Server } from '../../lib/server.ts';
import { SERVER_NAME } from '../../lib/version.ts';
import { frame, grab, hello, login, RawClient, shake, waitFor, within } from './raw-client.ts';
import { call, checkClose, join, send, serve, waitForOpen, waitForState } from './test-server.ts';

/** The server of most tests; what is counted is counted over all of them. */
const server = await serve(t);

/** A test on the common server, which starts when nobody is there. */
function check(name: string, run: (t: Test) => Promise<void>): void {
  t.test(name, async (t) => {
    await waitForOpen(server, 0);
    await run(t);
    const { money } = await server.status();
    t.equal(money.difference, 0, 'no cent is missing');
  });
}

/** A raw client that has logged in, one way or the other. */
async function enter(server: Server, bytes: Buffer): Promise<RawClient> {
  const client = await RawClient.open(server.port);
  client.send(bytes);
  await client.take(bytes.readUInt16BE(2) === Opcode.LOGIN ? Opcode.LOGIN_RESULT : Opcode.WELCOME);
  return client;
}

let settles = 0;

/** Waits until what this client sent before has been answered, by a request that nothing overtakes. */
async function settle(client: RawClient): Promise<void> {
  const stamp = 4_000_000 + settles++;
  client.send(grab(0, stamp));
  await waitFor('the last reply', () => client.frames.some((frame) => frame.stamp === BigInt(stamp)));
}

const noticesOf = (client: RawClient): number[] =>
  client.frames.filter(({ opcode }) => opcode === Opcode.RICH_NOTICE).map(({ body }) => body.packetId);

t.test('a classic session logs in, shakes, is told of a packet and grabs it', async (t) => {
  const server = await serve(t);
  const client = await join(t, server, 42);
  t.strictSame(await client.shake(), { result: 'none', packetId: 0, amountCents: 0 });
  const told = once(client, 'notice');
  const [packetId] = (await send(server, { shares: 3, total: 900, users: [41, 43], mode: 'equal' })).packetIds;
  const [notice] = await within(told, 'a notice');
  t.strictSame(notice, { packetId, totalCents: 900, shares: 3, users: [41, 42, 43] });
  t.strictSame(await client.grab(packetId), { packetId, amountCents: 300 });
  t.strictSame(await client.grab(packetId), { packetId, amountCents: 300 }, 'the same again');

  const { grabs, requests, sessions, users, money, notices, shakes } = await server.status();
  t.match(grabs, { won: 1, wonCents: 300, repeat: 1 });
  t.strictSame(requests, { login: 1, shake: 1, grab: 2, hello: 0, ping: 0, send: 0, wallet: 0, records: 0, chat: 0 });
  t.strictSame([sessions, users], [1, 3], 'users are also those who were only invited');
  t.strictSame([notices.sent, shakes.none], [1, 1]);
  t.strictSame(money, { funded: 900, claimed: 300, refunded: 0, outstanding: 600, difference: 0 });
});

check('an extended session is welcomed, and told everything about a packet', async (t) => {
  const client = await join(t, server, 100, 'hello');
  const welcome = await client.hello(100, 'a token');
  t.strictSame(welcome, {
    version: 1,
    userId: 100,
    server: SERVER_NAME,
    limits: { maxFrameBytes: MAX_FRAME_BYTES, maxInFlight: DEFAULT_NET_LIMITS.maxInFlight },
    pendingNotices: 0,
  });
  const told = once(client, 'notice');
  const spec = { shares: 2, total: 700, users: [100, 101], mode: 'line', expiresInSeconds: 60 };
  const [packetId] = (await send(server, spec)).packetIds;
  const { commitment, expiresAt, ...rest } = (await within(told, 'a notice'))[0] as Notice;
  t.strictSame(rest, { packetId, totalCents: 700, shares: 2, senderId: -1, mode: 'line' });
  const { body: packet } = await call(server, 'GET', `/packets/${packetId}`);
  t.equal(expiresAt, packet.expiresAt);
  t.equal(Buffer.from(commitment!).toString('hex'), packet.commitment);
  t.ok(Math.abs(expiresAt! - 60 - Date.now() / 1000) < 10);
});

check('the statuses of a grab come in their order: known, grabbed before, invited, not expired', async (t) => {
  const first = await join(t, server, 201, 'hello');
  const second = await join(t, server, 202, 'hello');
  const stranger = await join(t, server, 999, 'hello');
  const before = (await server.status()).money;
  const spec = { shares: 2, total: 600, users: [201, 202], mode: 'equal', expiresInSeconds: 2 };
  const [packetId] = (await send(server, spec)).packetIds;
  const nothing = { packetId, amountCents: 0 };
  t.strictSame(await stranger.grab(packetId), { ...nothing, status: 'NOT_INVITED' });
  t.strictSame(await first.grab(packetId), { packetId, amountCents: 300, status: 'WON' });
  t.strictSame(await first.grab(packetId), { packetId, amountCents: 300, status: 'REPEAT' });
  await waitForState(server, packetId, 'expired');
  t.strictSame(await first.grab(packetId), { packetId, amountCents: 300, status: 'REPEAT' }, 'expired or not');
  t.strictSame(await stranger.grab(packetId), { ...nothing, status: 'NOT_INVITED' }, 'which says nothing of it');
  t.strictSame(await second.grab(packetId), { ...nothing, status: 'EXPIRED' });
  const unknown = packetId + 1;
  t.strictSame(await second.grab(unknown), { packetId: unknown, amountCents: 0, status: 'NOT_FOUND' });
  const { money } = await server.status();
  t.strictSame([money.claimed - before.claimed, money.refunded - before.refunded], [300, 300]);
});

for (const [oldKind, newKind] of [
  ['login', 'login'],
  ['login', 'hello'],
  ['hello', 'login'],
  ['hello', 'hello'],
] as const) {
  check(`a ${newKind} of a user who is there by ${oldKind}: the old connection is told and closed`, async (t) => {
    const make = { login, hello };
    const old = await enter(server, make[oldKind](7));
    let fresh!: RawClient;
    await checkClose(t, server, 'replaced', async () => {
      fresh = await enter(server, make[newKind](7));
      t.equal(await old.end(), 'end');
    });
    const last = old.frames.at(-1)!;
    if (oldKind === 'login') t.strictSame([last.opcode, last.fields], [Opcode.LOGIN_RESULT, [7, LoginResult.REPLACED]]);
    else t.strictSame([last.opcode, last.body.code], [Opcode.ERROR, 'replaced']);
    t.ok(Math.abs(Number(last.stamp) - Date.now() / 1000) < 10, "it carries the server's clock");
    t.equal(old.frames.length, 2);

    const [packetId] = (await send(server, { shares: 1, total: 250, users: [7, 7] })).packetIds;
    if (newKind === 'login') {
      t.strictSame((await fresh.take(Opcode.NOTICE)).fields, [packetId, 250, 1, 7, 0, 0], 'notices go to the new one');
      fresh.send(grab(packetId));
      t.strictSame((await fresh.take(Opcode.GRAB_RESULT)).fields, [packetId, 250]);
    } else {
      t.equal((await fresh.take(Opcode.RICH_NOTICE)).body.packetId, packetId, 'notices go to the new one');
      fresh.send(grab(packetId));
      t.equal((await fresh.take(Opcode.RICH_GRAB_RESULT)).body.amountCents, 250);
    }
    fresh.send(shake());
    t.strictSame((await fresh.take(Opcode.SHAKE_RESULT)).fields, [7, ShakeResult.NONE, 0, 0]);
    t.equal(old.frames.length, 2, 'and not to the old one');
    t.equal((await server.status()).sessions, 1);
    fresh.leave();
  });
}

t.test('of logins of one user that come without a pause one stands, and the others are told', async (t) => {
  const server = await serve(t, { acceptors: 2, workers: 2 });
  const clients: RawClient[] = [];
  for (let i = 0; i < 20; i++) {
    const client = await RawClient.open(server.port);
    client.send(login(7));
    clients.push(client);
  }
  await waitFor('all but one to be replaced', async () => {
    const { connections } = await server.status();
    return connections.accepted === 20 && connections.open === 1;
  });
  const { sessions, connections } = await server.status();
  t.equal(sessions, 1);
  t.strictSame(connections.closed, { replaced: 19 });
  const isReplaced = ({ fields }: { fields: number[] }) => fields[1] === LoginResult.REPLACED;
  const standing = clients.filter((client) => !client.frames.some(isReplaced));
  t.equal(standing.length, 1);
  standing[0].send(shake());
  t.strictSame((await standing[0].take(Opcode.SHAKE_RESULT)).fields, [7, ShakeResult.NONE, 0, 0]);
  standing[0].leave();
});

check('a second login on the same connection: the same user is fine, another one is refused', async (t) => {
  const { users } = await server.status();
  const classic = await enter(server, login(5));
  classic.send(login(5, 11), login(6, 12), shake(13));
  t.strictSame((await classic.take(Opcode.LOGIN_RESULT)).fields, [6, LoginResult.ALREADY_LOGGED_IN]);
  const again = await classic.take(Opcode.LOGIN_RESULT);
  t.strictSame([again.stamp, again.fields], [11n, [5, LoginResult.OK]]);
  t.equal((await classic.take(Opcode.SHAKE_RESULT)).fields[0], 5, 'the first user stays');

  const rich = await enter(server, hello(8));
  rich.send(hello(8, 11), hello(9, 12), shake(13));
  const error = await rich.take(Opcode.ERROR);
  t.strictSame([error.stamp, error.body.code], [12n, 'logged-in']);
  t.equal((await rich.take(Opcode.WELCOME)).body.userId, 8);
  t.equal((await rich.take(Opcode.SHAKE_RESULT)).fields[0], 8);
  const status = await server.status();
  t.strictSame([status.sessions, status.users - users, status.connections.open], [2, 2, 2]);
  classic.leave();
  rich.leave();
});

check('a HELLO that is refused leaves a classic session classic', async (t) => {
  for (const refused of [hello(6), hello(-1), frame(Opcode.HELLO, pack({ version: 2, userId: 5 }))]) {
    const client = await enter(server, login(5));
    client.send(refused);
    await client.take(Opcode.ERROR);
    const [packetId] = (await send(server, { shares: 1, total: 100, users: [5, 5] })).packetIds;
    t.equal((await client.take(Opcode.NOTICE)).fields[0], packetId);
    client.send(grab(packetId));
    t.strictSame((await client.take(Opcode.GRAB_RESULT)).fields, [packetId, 100]);
    client.leave();
    await waitForOpen(server, 0);
  }
});

check(
  'a session may change its form: a login is answered in its own, and what follows is as the last one',
  async (t) => {
    const [packetId] = (await send(server, { shares: 1, total: 100, users: [15, 15] })).packetIds;
    const { body: packet } = await call(server, 'GET', `/packets/${packetId}`);
    const client = await RawClient.open(server.port);
    client.send(login(15, 1), hello(15, 2), login(15, 3), hello(15, 4), grab(packetId, 5));
    // What tells of money waits for the disk, and may come behind a later login.
    await client.take(Opcode.RICH_GRAB_RESULT);
    client.send(login(15, 6), grab(packetId, 7));
    await client.take(Opcode.GRAB_RESULT);
    t.strictSame(
      client.frames.map(({ opcode }) => opcode),
      [
        Opcode.LOGIN_RESULT,
        Opcode.NOTICE,
        Opcode.WELCOME,
        Opcode.RICH_NOTICE,
        Opcode.LOGIN_RESULT,
        Opcode.NOTICE,
        Opcode.WELCOME,
        Opcode.RICH_NOTICE,
        Opcode.RICH_GRAB_RESULT,
        Opcode.LOGIN_RESULT,
        Opcode.GRAB_RESULT,
      ],
    );
    for (const { body } of client.frames.filter(({ opcode }) => opcode === Opcode.RICH_NOTICE)) {
      t.equal(Buffer.from(body.commitment).toString('hex'), packet.commitment);
    }
    client.leave();
  },
);

check('who is away is told at the next login, of what he has not grabbed and can still grab', async (t) => {
  const [first, second] = (await send(server, { count: 2, shares: 2, total: 400, users: [30, 31] })).packetIds;
  const [third] = (await send(server, { shares: 2, total: 500, users: [30, 31], expiresInSeconds: 2 })).packetIds;
  const client = await RawClient.open(server.port);
  client.send(hello(30));
  t.equal((await client.take(Opcode.WELCOME)).body.pendingNotices, 3);
  client.send(grab(first));
  await settle(client);
  t.same(noticesOf(client).sort(), [first, second, third]);
  client.leave();
  await waitForState(server, third, 'expired');

  const back = await RawClient.open(server.port);
  back.send(hello(30));
  t.equal((await back.take(Opcode.WELCOME)).body.pendingNotices, 1);
  await settle(back);
  t.same(noticesOf(back), [second], 'one is grabbed, one is over');
  back.send(hello(30));
  await settle(back);
  t.same(noticesOf(back), [second, second], 'and told once more at each login');
  const other = await RawClient.open(server.port);
  other.send(hello(31));
  t.equal((await other.take(Opcode.WELCOME)).body.pendingNotices, 2, 'the other user has his own list');
  back.leave();
  other.leave();
});

check('of more packets than may wait for one user the oldest are not told, but can be grabbed', async (t) => {
  const before = await server.status();
  const count = MAX_PENDING_NOTICES + 5;
  const { packetIds } = await send(server, { count, shares: 1, total: 10, users: [50, 50] });
  const client = await RawClient.open(server.port);
  client.send(hello(50));
  t.equal((await client.take(Opcode.WELCOME)).body.pendingNotices, MAX_PENDING_NOTICES);
  await settle(client);
  t.same(noticesOf(client).sort(), packetIds.slice(5));
  client.send(...packetIds.map((packetId) => grab(packetId)));
  await settle(client);
  const after = await server.status();
  t.equal(after.notices.dropped - before.notices.dropped, 5);
  t.equal(after.money.claimed - before.money.claimed, 10 * count);
  client.leave();
});

check('a client that dies right after its GRAB has its share: the repeat gives the same amount', async (t) => {
  const { packetIds } = await send(server, { count: 20, shares: 2, total: [100, 1000], users: [60, 61] });
  for (const [i, packetId] of packetIds.entries()) {
    const { won } = (await server.status()).grabs;
    const dying = await enter(server, login(60));
    dying.send(grab(packetId));
    if (i % 2 === 0) dying.leave();
    else dying.socket.end();
    await waitFor('the grab to be done', async () => (await server.status()).grabs.won > won);
    // What a packet's page tells is on the disk, a moment later.
    const readGrabs = async () => (await call(server, 'GET', `/packets/${packetId}`)).body.grabs;
    await waitFor('the grab to be on record', async () => (await readGrabs()).length > 0);
    const [{ userId, amountCents }] = await readGrabs();
    t.equal(userId, 60);
    const back = await join(t, server, 60, 'hello');
    t.strictSame(await back.grab(packetId), { packetId, amountCents, status: 'REPEAT' });
    back.close();
  }
});

t.test('what a shake won stays won when its connection dies: the books have it', async (t) => {
  for (const losingShake of ['acceptor', 'worker'] as const) {
    const server = await serve(t, { sets: 1, losingShake });
    const client = await enter(server, login(70));
    const { body: drop } = await call(server, 'POST', '/drops', { count: 50, rate: 1e6, budget: 5000 });
    await waitFor('the drop to be out', async () => {
      return (await call(server, 'GET', `/drops/${drop.id}`)).body.state === 'released';
    });
    client.send(...Array.from({ length: 40 }, () => shake()));
    client.leave();
    await waitFor('the shakes to be done', async () => (await server.status()).shakes.won === 40);
    const { shakes, money } = await server.status();
    t.ok(shakes.wonCents >= 40);
    const claimed = shakes.wonCents;
    t.strictSame(money, { funded: 5000, claimed, refunded: 0, outstanding: 5000 - claimed, difference: 0 });
    t.ok((await join(t, server, 70)).isConnected, 'and the user may come back');
  }
});
