// Clients that do not read: what waits for them has a bound, they are closed and counted, and the others never notice.

import { pack } from 'msgpackr';
import t from 'tap';
import { MAX_PENDING_NOTICES } from '../../lib/packets/limits.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { hello, login, ping, RawClient, shake, sleep, waitFor } from './raw-client.ts';
import { checkClose, join, send, serve, waitForOpen } from './test-server.ts';

const server = await serve(t);
const honest = await join(t, server, 1);

/** Bytes sent by a client that does not read, at the most: what kernels buffer in both directions is well below. */
const MOST_SENT = 64 * 1024 * 1024;

/** Sends the same again and again until the server has had enough. */
async function pester(client: RawClient, bytes: Uint8Array): Promise<void> {
  let sent = 0;
  for (let isOver = false; !isOver && sent < MOST_SENT; sent += bytes.length) {
    const isClosed = client.ended.then(() => true);
    const isTaken = new Promise<boolean>((resolve) => client.socket.write(bytes, () => resolve(false)));
    isOver = await Promise.race([isClosed, isTaken, sleep(1000).then(() => false)]);
  }
}

/** Logs in again and again, and waits until all waiting packets were told of each time. */
async function beTold(client: RawClient, bytes: Uint8Array, logins: number): Promise<void> {
  const before = (await server.status()).notices.sent;
  let expected = before;
  let isOver = false;
  for (let sent = 0; !isOver && sent < MOST_SENT; sent += bytes.length) {
    client.send(bytes);
    expected += logins * MAX_PENDING_NOTICES;
    await waitFor('the notices', async () => {
      const { notices, connections } = await server.status();
      isOver = connections.open === 1;
      return isOver || notices.sent >= expected;
    });
  }
}

const cases: { what: string; userId: number; first: Buffer; annoy: (client: RawClient) => Promise<void> }[] = [
  {
    what: 'shakes',
    userId: 10,
    first: login(10),
    annoy: (client) => pester(client, Buffer.concat(Array.from({ length: 4000 }, () => shake()))),
  },
  {
    what: 'pings with as much as a frame holds',
    userId: 11,
    first: hello(11),
    annoy: (client) => pester(client, ping(pack('x'.repeat(16_000)))),
  },
  {
    what: 'is told of packets',
    userId: 12,
    first: hello(12),
    annoy: async (client) => {
      await send(server, { count: MAX_PENDING_NOTICES, shares: 1, total: 10, users: [12, 12] });
      const logins = 100;
      await beTold(client, Buffer.concat(Array.from({ length: logins }, () => hello(12))), logins);
    },
  },
];

for (const { what, userId, first, annoy } of cases) {
  t.test(`a client that ${what} and never reads is closed and counted`, async (t) => {
    const client = await RawClient.open(server.port, { reads: false });
    client.send(first);
    const serving = setInterval(() => void honest.shake(), 20);
    t.teardown(() => clearInterval(serving));
    await checkClose(t, server, 'slow-consumer', () => annoy(client));
    client.leave();
    await waitForOpen(server, 1);
    t.equal((await server.status()).sessions, 1, 'its session is over');
    const back = await join(t, server, userId);
    t.equal((await back.shake()).result, 'none', 'and its user may come back');
    t.equal((await honest.shake()).result, 'none');
    back.close();
    await waitForOpen(server, 1);
  });
}

t.test('a client that reads late, but not too late, gets every reply in its order', async (t) => {
  const client = await RawClient.open(server.port);
  client.send(login(20));
  await client.take(Opcode.LOGIN_RESULT);
  client.socket.pause();
  const count = 9000;
  const { none } = (await server.status()).shakes;
  client.send(...Array.from({ length: count }, (_, stamp) => shake(stamp)));
  await waitFor('the shakes to be answered', async () => (await server.status()).shakes.none >= none + count);
  client.socket.resume();
  await waitFor('the replies', () => client.frames.length === 1 + count);
  t.ok(client.frames.slice(1).every(({ stamp }, i) => stamp === BigInt(i)));
  client.leave();
  await waitForOpen(server, 1);
});
