// Tries the client library against a real server: what every call and event gives, for both kinds of session.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { HongbaoClient, type Notice } from '../../clients/client.ts';
import type { ClientOptions } from '../../clients/client-options.ts';
import { type Server, startServer } from '../../lib/server.ts';
import { sleep, waitFor, within } from '../net/raw-client.ts';
import { call, send, serve } from '../net/test-server.ts';

async function join(t: Test, server: Server, options: Partial<ClientOptions> = {}): Promise<HongbaoClient> {
  const client = await HongbaoClient.connect({ port: server.port, timeoutMs: 5000, reconnect: false, ...options });
  t.teardown(() => client.close());
  return client;
}

t.test('against one server', async (t) => {
  const server = await serve(t);
  let nextUser = 1000;

  t.test('a shake of a user who is logged in is answered, and wins when there is a drop', async (t) => {
    const client = await join(t, server);
    const userId = nextUser++;
    await client.login(userId);
    t.strictSame(await client.shake(), { result: 'none', packetId: 0, amountCents: 0 });
    const before = await server.status();
    const { body: drop } = await call(server, 'POST', '/drops', { count: 3, rate: 1000, budget: 30, min: 10, max: 10 });
    const won: Set<number> = new Set();
    await waitFor('three wins', async () => {
      const { result, packetId, amountCents } = await client.shake();
      if (result !== 'won') return false;
      t.equal(amountCents, 10);
      t.ok(packetId >= 2 ** 31, 'the id of a packet that was won by shaking');
      return won.add(packetId).size === 3;
    });
    t.match(await client.shake(), { result: 'none' });
    await waitFor(
      'the drop to close',
      async () => (await call(server, 'GET', `/drops/${drop.id}`)).body.state === 'closed',
    );
    const after = await server.status();
    t.equal(after.shakes.won - before.shakes.won, 3);
    t.equal(after.shakes.wonCents - before.shakes.wonCents, 30);
    t.equal(after.money.difference, 0);
  });

  t.test('hello is answered with what the server is and allows', async (t) => {
    const client = await join(t, server);
    const userId = nextUser++;
    t.match(await client.hello(userId), {
      version: 1,
      userId,
      server: /^hongbao\/\d/,
      limits: { maxFrameBytes: 16_384, maxInFlight: 1024 },
      pendingNotices: 0,
    });
    t.match(await client.hello(userId, 'a token'), { userId }, 'also a second time');
    t.match(await client.shake(), { result: 'none' });
  });

  t.test('a classic session is told of a packet, and grabs it', async (t) => {
    const [client, other] = [await join(t, server), await join(t, server)];
    const userId = nextUser;
    nextUser += 2;
    await client.login(userId);
    await other.login(userId + 1);
    const noticed = once(client, 'notice') as Promise<[Notice]>;
    await send(server, { shares: 2, total: 500, users: [userId, userId + 1] });
    const [notice] = await within(noticed, 'the notice');
    t.match(notice, { totalCents: 500, shares: 2, users: [userId, userId + 1, 0] });
    const { packetId } = notice;
    const first = await client.grab(packetId);
    t.ok(first.amountCents > 0 && first.amountCents < 500);
    t.strictSame(await client.grab(packetId), first, 'the same amount again');
    const second = await other.grab(packetId);
    t.equal(first.amountCents + second.amountCents, 500);
    t.strictSame(await client.grab(12_345), { packetId: 12_345, amountCents: 0 });
    const { body: view } = await call(server, 'GET', `/packets/${packetId}`);
    t.strictSame(view.grabs, [
      { userId, amountCents: first.amountCents, share: 0 },
      { userId: userId + 1, amountCents: second.amountCents, share: 1 },
    ]);
  });

  t.test('an extended session is told more, and why a grab came to nothing', async (t) => {
    const client = await join(t, server);
    const userId = nextUser++;
    await send(server, { shares: 1, total: 77, users: [userId, userId], mode: 'equal', expiresInSeconds: 1000 });
    const noticed = once(client, 'notice') as Promise<[Notice]>;
    t.match(await client.hello(userId), { pendingNotices: 1 });
    const [notice] = await within(noticed, 'the notice');
    t.match(notice, { totalCents: 77, shares: 1, senderId: -1, mode: 'equal' });
    t.ok(Math.abs(notice.expiresAt! - Date.now() / 1000 - 1000) < 10);
    const { packetId } = notice;
    t.strictSame(await client.grab(packetId), { packetId, status: 'WON', amountCents: 77 });
    t.strictSame(await client.grab(packetId), { packetId, status: 'REPEAT', amountCents: 77 });
    t.strictSame(await client.grab(999), { packetId: 999, status: 'NOT_FOUND', amountCents: 0 });
    const { body: view } = await call(server, 'GET', `/packets/${packetId}`);
    const commitment = createHash('sha256').update(Buffer.from(view.seed, 'hex')).digest();
    t.strictSame(Buffer.from(notice.commitment!), commitment, 'the seed that is shown now is the one committed to');
    const stranger = await join(t, server);
    await stranger.hello(nextUser++);
    t.match(await stranger.grab(packetId), { status: 'NOT_INVITED', amountCents: 0 });
  });

  t.test('a ping is answered before a login and in both kinds of session', async (t) => {
    const client = await join(t, server);
    const inTime = async () => {
      const ms = await client.ping();
      t.ok(ms > 0 && ms < 5000, `${ms} ms`);
    };
    await inTime();
    await client.login(nextUser++);
    await inTime();
    const rich = await join(t, server);
    await rich.hello(nextUser++);
    t.ok((await rich.ping()) > 0);
  });

  t.test('a login as another user on the same connection is refused, and the first one stays', async (t) => {
    const client = await join(t, server);
    await client.login(nextUser++);
    await t.rejects(client.login(nextUser), { code: 'login', message: /already logged in as another user/ });
    t.match(await client.shake(), { result: 'none' });
    const rich = await join(t, server);
    await rich.hello(nextUser++);
    await t.rejects(rich.hello(nextUser), { code: 'server', message: /^logged-in: / });
    t.match(await rich.shake(), { result: 'none' });
  });

  t.test('a thousand requests at once each get their own answer', async (t) => {
    const client = await join(t, server);
    await client.hello(nextUser++);
    const asked = Array.from({ length: 1000 }, (_, i) => (i % 3 === 0 ? client.grab(i) : client.shake()));
    const answers = await within(Promise.all(asked), 'all answers');
    const wrong = answers.filter((answer, i) =>
      i % 3 === 0
        ? answer.packetId !== i || !('status' in answer) || answer.status !== 'NOT_FOUND'
        : !('result' in answer) || answer.result !== 'none',
    );
    t.strictSame(wrong, []);
  });

  t.test('a request before the login ends the connection', async (t) => {
    const client = await join(t, server);
    await t.rejects(client.shake(), { code: 'closed' });
    t.equal(client.isConnected, false);
  });

  t.test('a second login elsewhere replaces a client, which is told and does not come back', async (t) => {
    for (const kind of ['login', 'hello'] as const) {
      const first = await join(t, server, { reconnect: true, reconnectMinMs: 10, reconnectMaxMs: 20 });
      const events: string[] = [];
      first.on('server-error', ({ code }) => events.push(code));
      first.on('disconnect', ({ code }) => events.push(code));
      first.on('reconnect', () => events.push('reconnect'));
      const userId = nextUser++;
      await first[kind](userId);
      const second = await join(t, server);
      await second[kind](userId);
      await waitFor('the first to be gone', () => !first.isConnected);
      await sleep(100);
      t.strictSame(events, ['replaced', 'closed'], kind);
      t.match(await second.shake(), { result: 'none' });
    }
  });

  t.end();
});

t.test('a client comes back to a server that was restarted, and is told of packets again', async (t) => {
  const first = await serve(t, { reconnectSeconds: 0 });
  const client = await join(t, first, { reconnect: true, reconnectMinMs: 20, reconnectMaxMs: 100 });
  await client.hello(7);
  const events: string[] = [];
  client.on('server-error', ({ code }) => events.push(code));
  client.on('going-away', ({ reconnectAfterSeconds }) => events.push(`going away ${reconnectAfterSeconds}`));
  client.on('disconnect', ({ code }) => events.push(code));
  const lost = once(client, 'disconnect');
  await first.stop();
  await within(lost, 'the loss');
  t.strictSame(events, ['going away 0', 'closed'], 'it left before it was closed');
  await t.rejects(client.shake(), { code: 'not-connected' });
  const back = once(client, 'reconnect');
  const second = await startServer(
    { port: first.port, controlPort: 0, data: t.testdirName, packetSlots: 1024 },
    { onError: (error) => t.fail(`an error for the log: ${error.stack}`) },
  );
  t.teardown(() => second.stop());
  await within(back, 'the client to come back');
  t.match(await client.shake(), { result: 'none' });
  const noticed = once(client, 'notice') as Promise<[Notice]>;
  await send(second, { shares: 1, total: 5, users: [7, 7] });
  const [{ packetId }] = await within(noticed, 'the notice');
  t.match(await client.grab(packetId), { status: 'WON', amountCents: 5 });
});
