// Tries how the client library comes back: waits that grow, the same login again, one connection at a time, never after close.

import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import t, { type Test } from 'tap';
import { HongbaoClient } from '../../clients/client.ts';
import type { ClientOptions } from '../../clients/client-options.ts';
import { LoginResult, Opcode } from '../../lib/protocol/opcodes.ts';
import { frame, sleep, waitFor, words } from '../net/raw-client.ts';
import { type Behaviour, behaveWell, extended, FakeServer } from './fake-server.ts';

/** A fake server, and a client that comes back quickly; with everything that the client tells. */
async function open(t: Test, behave: Behaviour = behaveWell, options: Partial<ClientOptions> = {}) {
  const server = await FakeServer.start(t, behave);
  const client = await HongbaoClient.connect({
    port: server.port,
    timeoutMs: 5000,
    reconnectMinMs: 10,
    reconnectMaxMs: 40,
    ...options,
  });
  t.teardown(() => client.close());
  const events: string[] = [];
  client.on('disconnect', ({ code }) => events.push(`disconnect ${code}`));
  client.on('reconnect', () => events.push('reconnect'));
  client.on('server-error', ({ code }) => events.push(`server-error ${code}`));
  return { server, client, events };
}

t.test('a lost connection comes back logged in as the same user', async (t) => {
  const { server, client, events } = await open(t);
  await client.login(7);
  server.drop();
  await waitFor('the client to come back', () => events.includes('reconnect'));
  t.strictSame(events, ['disconnect closed', 'reconnect']);
  t.equal(client.isConnected, true);
  t.strictSame(
    server.of(Opcode.LOGIN).map(({ fields, connection }) => [fields[0], connection]),
    [
      [7, 0],
      [7, 1],
    ],
  );
  t.match(await client.shake(), { result: 'none' });
  t.match(server.requests.at(-1), { opcode: Opcode.SHAKE, fields: [7], connection: 1 });
});

t.test('an extended session is opened again as one, with its token', async (t) => {
  const { server, client, events } = await open(t);
  await client.hello(7, 'secret');
  server.drop();
  await waitFor('the client to come back', () => events.includes('reconnect'));
  const [first, second] = server.of(Opcode.HELLO);
  t.match(second, { body: { version: 1, userId: 7, token: 'secret' }, connection: 1 });
  t.strictSame(second.body, first.body);
});

t.test('a token that is drawn is drawn anew at each login', async (t) => {
  let drawn = 0;
  const { server, client, events } = await open(t, behaveWell, { token: async () => `token ${++drawn}` });
  await client.hello(7);
  server.drop();
  await waitFor('the client to come back', () => events.includes('reconnect'));
  t.strictSame(
    server.of(Opcode.HELLO).map(({ body }) => (body as { token: string }).token),
    ['token 1', 'token 2'],
  );
});

t.test('a client that never logged in comes back without a login', async (t) => {
  const { server, client, events } = await open(t);
  server.drop();
  await waitFor('the client to come back', () => events.includes('reconnect'));
  t.strictSame(server.requests, []);
  t.type(await client.ping(), 'number');
});

t.test('with reconnect off a lost connection stays lost', async (t) => {
  const { server, client, events } = await open(t, behaveWell, { reconnect: false });
  await client.login(7);
  server.drop();
  await waitFor('the loss', () => !client.isConnected);
  await sleep(100);
  t.strictSame(events, ['disconnect closed']);
  t.equal(server.sockets.length, 1);
});

t.test('a server that breaks the protocol is tried again too', async (t) => {
  const { server, client, events } = await open(t);
  await client.login(7);
  server.sockets[0].write('garbage, garbage');
  await waitFor('the client to come back', () => events.includes('reconnect'));
  t.strictSame(events, ['disconnect protocol', 'reconnect']);
});

t.test('the waits double up to the longest, a random half off, and start anew after a success', async (t) => {
  const server = await FakeServer.start(t);
  const stalls = monitorEventLoopDelay({ resolution: 5 });
  stalls.enable();
  t.teardown(() => stalls.disable());
  const [reconnectMinMs, reconnectMaxMs] = [20, 500];
  const client = await HongbaoClient.connect({ port: server.port, timeoutMs: 1000, reconnectMinMs, reconnectMaxMs });
  t.teardown(() => client.close());
  await client.login(7);
  const dropsAt: number[] = [];
  const comesAt: number[] = [];
  let refused = 0;
  server.onConnection = (socket) => {
    comesAt.push(performance.now());
    if (refused-- <= 0) return;
    socket.destroy();
    dropsAt.push(performance.now());
  };
  const come = () => new Promise<void>((resolve) => client.once('reconnect', resolve));
  for (const tries of [7, 2]) {
    refused = tries - 1;
    dropsAt.push(performance.now());
    const back = come();
    server.drop();
    await back;
  }
  const waits = comesAt.map((at, i) => at - dropsAt[i]);
  const longest = [20, 40, 80, 160, 320, 500, 500, 20, 40];
  t.equal(waits.length, longest.length);
  for (const [i, most] of longest.entries()) {
    // The machine may be slow; no wait may be short.
    t.ok(
      waits[i] > most / 2 - 2 && waits[i] < most + 150 + stalls.max / 1e6,
      `wait ${i}: ${waits[i].toFixed(0)} of ${most} ms at most`,
    );
  }
});

t.test(
  'a server that takes connections and drops them at the login is tried by one connection at a time',
  async (t) => {
    const { server, client, events } = await open(t);
    await client.login(7);
    server.behave = (_request, socket) => socket.destroy();
    server.mostOpen = 0;
    const startedAt = performance.now();
    server.drop();
    await waitFor('some tries', () => server.sockets.length > 15);
    const tries = server.sockets.length - 1;
    const tookMs = performance.now() - startedAt;
    t.equal(server.mostOpen, 1, 'one connection at a time');
    t.ok(tries <= tookMs / 9, `${tries} tries in ${tookMs} ms with waits of 10 ms at least`);
    server.behave = behaveWell;
    await waitFor('the client to come back', () => events.includes('reconnect'));
    await sleep(100);
    t.equal(events.filter((event) => event === 'reconnect').length, 1);
    t.equal(server.openCount, 1);
    t.match(await client.shake(), { result: 'none' });
  },
);

t.test('a login that is refused or not answered on the way back is tried again', async (t) => {
  const { server, client, events } = await open(t, behaveWell, { timeoutMs: 100 });
  await client.login(7);
  let logins = 0;
  server.behave = (request, socket) => {
    logins++;
    if (logins === 1) socket.write(frame(Opcode.LOGIN_RESULT, words(7, LoginResult.FULL), request.stamp));
    else if (logins > 2) behaveWell(request, socket);
  };
  server.drop();
  await waitFor('the client to come back', () => events.includes('reconnect'));
  t.equal(logins, 3);
  t.equal(server.openCount, 1, 'and what did not take the login was closed');
});

t.test('a client that is replaced by another does not come back', async (t) => {
  const replacements = {
    login: frame(Opcode.LOGIN_RESULT, words(7, LoginResult.REPLACED), 1_700_000_000),
    hello: extended(Opcode.ERROR, { code: 'replaced', message: 'elsewhere' }, 1_700_000_000),
  };
  for (const [kind, bytes] of Object.entries(replacements) as ['login' | 'hello', Buffer][]) {
    const { server, client, events } = await open(t);
    await client[kind](7);
    server.sockets[0].end(bytes);
    await waitFor('the end', () => !client.isConnected);
    await sleep(100);
    t.strictSame(events, ['server-error replaced', 'disconnect closed'], kind);
    t.equal(server.sockets.length, 1);
  }
});

t.test('close while waiting to come back is final', async (t) => {
  const { server, client, events } = await open(t);
  await client.login(7);
  const lost = once(client, 'disconnect');
  server.drop();
  await lost;
  client.close();
  await sleep(100);
  t.strictSame(events, ['disconnect closed']);
  t.equal(server.sockets.length, 1);
});

t.test('close while connecting again is final', async (t) => {
  const { server, client, events } = await open(t);
  await client.login(7);
  // The server sees the new connection a moment before the client does.
  server.onConnection = () => client.close();
  server.drop();
  await waitFor('the new connection', () => server.sockets.length === 2);
  await sleep(100);
  t.strictSame(events, ['disconnect closed'], 'nothing is heard of a connection that came too late');
  t.equal(client.isConnected, false);
  t.equal(server.openCount, 0);
  t.equal(server.requests.length, 1);
});

t.test('close while logging in again is final', async (t) => {
  const { server, client, events } = await open(t);
  await client.login(7);
  server.behave = () => client.close();
  server.drop();
  await waitFor('the second login', () => server.requests.length === 2);
  await sleep(100);
  t.strictSame(events, ['disconnect closed', 'disconnect closed'], 'two connections were lost');
  t.equal(server.openCount, 0);
  t.equal(server.sockets.length, 2);
});
