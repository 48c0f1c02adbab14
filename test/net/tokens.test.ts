// Logging in with tokens over real sockets: who is let in, everything that is refused and how it is counted, and rotation.

import { once } from 'node:events';
import { pack } from 'msgpackr';
import t, { type Test } from 'tap';
import { HongbaoClient } from '../../clients/client.ts';
import { signToken, type TokenKey } from '../../lib/access/token.ts';
import { readTokenKeys, retireKey, rotateKeys } from '../../lib/access/token-keys.ts';
import { LoginResult, Opcode } from '../../lib/protocol/opcodes.ts';
import type { Server } from '../../lib/server.ts';
import { frame, grab, hello, login, PATIENCE_MS, ping, RawClient, shake, waitFor, within } from './raw-client.ts';
import { checkClose, serve, waitForOpen } from './test-server.ts';

t.setTimeout(300_000);

const seconds = () => Math.floor(Date.now() / 1000);

const helloWith = (userId: unknown, token: unknown, stamp = 4) =>
  frame(Opcode.HELLO, pack({ version: 1, userId, token }), stamp);

const keyOf = (server: Server): TokenKey => readTokenKeys(server.options.data).at(-1)!;
const tokenOf = (server: Server, userId: number, life = 3600) => signToken(keyOf(server), userId, seconds() + life);

const server = await serve(t, { auth: 'token' });

// What is counted is counted over all tests: each starts when nobody is there.
t.beforeEach(() => waitForOpen(server, 0));

/** Sends a HELLO that is refused, and checks what is answered and counted. */
async function refuse(t: Test, what: string, bytes: Buffer): Promise<void> {
  await t.test(what, async (t) => {
    const { sessions } = await server.status();
    await checkClose(t as Test, server, 'auth', async () => {
      const client = await RawClient.open(server.port);
      // What comes behind it must not be done.
      client.send(bytes, shake());
      const { body } = await client.take(Opcode.ERROR);
      t.equal(body.code, 'auth');
      t.match(body.message, /closed/);
      await client.end();
      t.strictSame(
        client.frames.map(({ opcode }) => opcode),
        [Opcode.ERROR],
      );
    });
    t.equal((await server.status()).sessions, sessions);
  });
}

t.test('a user with a token shakes and grabs in an extended session', async (t) => {
  const client = await HongbaoClient.connect({ port: server.port, token: tokenOf(server, 42), reconnect: false });
  t.teardown(() => client.close());
  t.equal((await client.hello(42)).userId, 42);
  t.equal((await client.shake()).result, 'none');
  t.match(await client.grab(5), { status: 'NOT_FOUND' });
  t.equal((await client.hello(42)).userId, 42, 'again on the same connection');
});

t.test('everything that is no good token of this user is refused', async (t) => {
  const good = tokenOf(server, 42);
  const stranger: TokenKey = { id: keyOf(server).id, secret: new Uint8Array(32) };
  await refuse(t, 'no token', hello(42));
  await refuse(t, 'an empty one', helloWith(42, ''));
  await refuse(t, 'some text', helloWith(42, 'let me in'));
  await refuse(t, 'the longest text', helloWith(42, 'x'.repeat(1024)));
  await refuse(t, "another user's", helloWith(43, good));
  await refuse(t, 'expired', helloWith(42, tokenOf(server, 42, 0)));
  await refuse(t, 'long expired', helloWith(42, tokenOf(server, 42, -86_400)));
  await refuse(t, 'signed by a stranger', helloWith(42, signToken(stranger, 42, seconds() + 3600)));
  await refuse(
    t,
    'of an unknown key',
    helloWith(42, signToken({ ...keyOf(server), id: 'unknown1' }, 42, seconds() + 60)),
  );
  await refuse(t, 'with another signature', helloWith(42, `${good.slice(0, -1)}${good.endsWith('A') ? 'B' : 'A'}`));
  await refuse(
    t,
    'with a longer life',
    helloWith(
      42,
      good.replace(/\.(\d+)\.([^.]+)$/, (_, at, sign) => `.${+at + 1}.${sign}`),
    ),
  );
});

t.test('a token that is no string is a bad body, as it is without access control', async (t) => {
  await checkClose(t, server, 'body', async () => {
    const client = await RawClient.open(server.port);
    client.send(helloWith(42, 5));
    t.equal((await client.take(Opcode.ERROR)).body.code, 'body');
    await client.end();
  });
});

t.test('LOGIN is answered 5 and closed, whoever it names; what follows is not done', async (t) => {
  for (const userId of [42, 0, 0xffff_ffff]) {
    await checkClose(t, server, 'auth', async () => {
      const client = await RawClient.open(server.port);
      client.send(login(userId), shake(), grab(5));
      t.strictSame((await client.take(Opcode.LOGIN_RESULT)).fields, [userId, LoginResult.TOKEN_NEEDED]);
      await client.end();
      t.equal(client.frames.length, 1);
    });
  }
});

t.test('a session ends when it shows a bad token, and LOGIN takes none over', async (t) => {
  for (const bytes of [helloWith(7, tokenOf(server, 8)), hello(7), login(7)]) {
    await checkClose(t, server, 'auth', async () => {
      const client = await RawClient.open(server.port);
      client.send(helloWith(7, tokenOf(server, 7)));
      await client.take(Opcode.WELCOME);
      client.send(bytes);
      await client.end();
    });
  }
});

t.test('another user with a good token is told so, and the first one stays', async (t) => {
  const client = await RawClient.open(server.port);
  t.teardown(() => client.leave());
  client.send(helloWith(7, tokenOf(server, 7)));
  await client.take(Opcode.WELCOME);
  client.send(helloWith(8, tokenOf(server, 8)));
  t.equal((await client.take(Opcode.ERROR)).body.code, 'logged-in');
  client.send(shake());
  await client.take(Opcode.SHAKE_RESULT);
});

t.test('PING needs no login, and a shake does', async (t) => {
  await checkClose(t, server, 'not-logged-in', async () => {
    const client = await RawClient.open(server.port);
    client.send(ping());
    await client.take(Opcode.PONG);
    client.send(shake());
    await client.end();
  });
});

t.test('a client stays away once its token is refused, and says why', async (t) => {
  for (const open of [
    (client: HongbaoClient): Promise<unknown> => client.hello(42),
    (client: HongbaoClient) => client.hello(42, tokenOf(server, 43)),
    (client: HongbaoClient) => client.login(42),
  ]) {
    const { accepted } = (await server.status()).connections;
    const client = await HongbaoClient.connect({ port: server.port, reconnectMinMs: 20, timeoutMs: PATIENCE_MS });
    t.teardown(() => client.close());
    const lost = once(client, 'disconnect');
    await t.rejects(open(client), { code: 'login', message: /token/ });
    await within(lost, 'the end of the connection');
    await new Promise((resolve) => setTimeout(resolve, 200));
    t.equal((await server.status()).connections.accepted, accepted + 1, 'it does not come back');
  }
});

t.test('a running server takes a new key, and drops a retired one, without a restart; sessions stay', async (t) => {
  const server = await serve(t, { auth: 'token', acceptors: 2 });
  const { data } = server.options;
  const old = keyOf(server);
  const client = await HongbaoClient.connect({ port: server.port, reconnect: false });
  t.teardown(() => client.close());
  await client.hello(1, tokenOf(server, 1));
  rotateKeys(data, seconds());
  /** Whether connections to both acceptors, as far as the system spreads them, take this user's token. */
  const isTaken = async (key: TokenKey) => {
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const raw = await RawClient.open(server.port);
        raw.send(helloWith(10 + i, signToken(key, 10 + i, seconds() + 60)));
        const isIn = await Promise.race([
          raw.take(Opcode.WELCOME).then(() => true),
          raw.take(Opcode.ERROR).then(() => false),
        ]);
        raw.leave();
        return isIn;
      }),
    );
    return outcomes;
  };
  await waitFor('the new key', async () => (await isTaken(keyOf(server))).every(Boolean));
  t.ok((await isTaken(old)).every(Boolean), 'the old one verifies still');
  retireKey(data, old.id, seconds());
  await waitFor('the end of the old key', async () => !(await isTaken(old)).some(Boolean));
  t.ok((await isTaken(keyOf(server))).every(Boolean));
  t.equal((await client.shake()).result, 'none', 'who is logged in stays so');
});

t.test('without access control a token is ignored, and LOGIN is as it was', async (t) => {
  const open = await serve(t);
  const client = await RawClient.open(open.port);
  t.teardown(() => client.leave());
  client.send(helloWith(42, 'whatever'));
  await client.take(Opcode.WELCOME);
  const classic = await RawClient.open(open.port);
  t.teardown(() => classic.leave());
  classic.send(login(43));
  t.strictSame((await classic.take(Opcode.LOGIN_RESULT)).fields, [43, LoginResult.OK]);
});
