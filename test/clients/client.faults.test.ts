// Tries the client library against servers that answer late, wrongly or not at all: each request ends, with the right error.

import t, { type Test } from 'tap';
import { HongbaoClient } from '../../clients/client.ts';
import type { ClientError } from '../../clients/client-error.ts';
import { LoginResult, Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { frame, PATIENCE_MS, sleep, waitFor, within, words } from '../net/raw-client.ts';
import { answerTo, type Behaviour, behaveWell, extended, FakeServer, logInOnly, type Request } from './fake-server.ts';

/** A fake server and a client that is connected to it. */
async function open(t: Test, behave: Behaviour, timeoutMs = 3000) {
  const server = await FakeServer.start(t, behave);
  const client = await HongbaoClient.connect({ port: server.port, reconnect: false, timeoutMs });
  t.teardown(() => client.close());
  const disconnects: ClientError[] = [];
  client.on('disconnect', (error) => disconnects.push(error));
  return { server, client, disconnects };
}

t.test('a server that cannot be reached is an error that says where', async (t) => {
  const server = await FakeServer.start(t);
  await server.stop();
  await t.rejects(HongbaoClient.connect({ port: server.port }), {
    name: 'ClientError',
    code: 'connect',
    message: new RegExp(`^cannot reach 127\\.0\\.0\\.1:${server.port}: `),
  });
});

t.test('a request without an answer fails with timeout, and the others are not disturbed', async (t) => {
  const held: Request[] = [];
  const { server, client } = await open(t, (request) => held.push(request), 150);
  const startedAt = performance.now();
  await t.rejects(client.login(7), { code: 'timeout', message: 'no reply within 150 ms' });
  const tookMs = performance.now() - startedAt;
  t.ok(tookMs > 140 && tookMs < PATIENCE_MS, `after ${tookMs} ms`);
  server.behave = behaveWell;
  const [socket] = server.sockets;
  socket.write(answerTo(held[0]));
  t.match(await client.shake(), { result: 'none' }, 'the late answer is not taken for another one');
  t.equal(client.isConnected, true);
});

t.test('answers find their requests, in whatever order they come', async (t) => {
  const held: Request[] = [];
  const { server, client } = await open(t, (request) => held.push(request));
  const asked = [client.shake(), client.grab(5), client.ping(), client.shake(), client.grab(6)];
  await waitFor('five requests', () => held.length === 5);
  for (const [i, request] of held.entries()) request.fields[0] = i;
  const won = (request: Request) =>
    frame(Opcode.SHAKE_RESULT, words(0, ShakeResult.WON, 2 ** 31 + request.fields[0], 100), request.stamp);
  const got = (request: Request) => frame(Opcode.GRAB_RESULT, words(request.fields[1], 77), request.stamp);
  const answers = [got(held[4]), won(held[3]), answerTo(held[2]), got(held[1]), won(held[0])];
  server.sockets[0].write(Buffer.concat(answers));
  const [first, five, , second, six] = await Promise.all(asked);
  t.strictSame(first, { result: 'won', packetId: 2 ** 31, amountCents: 100 });
  t.strictSame(second, { result: 'won', packetId: 2 ** 31 + 3, amountCents: 100 });
  t.strictSame(five, { packetId: 5, amountCents: 77 });
  t.strictSame(six, { packetId: 6, amountCents: 77 });
});

t.test('each result of a shake has its name', async (t) => {
  const results = [ShakeResult.WON, ShakeResult.NONE, ShakeResult.OVERLOAD];
  const { client } = await open(t, ({ stamp }, socket) => {
    socket.write(frame(Opcode.SHAKE_RESULT, words(0, results.shift()!, 0, 0), stamp));
  });
  t.equal((await client.shake()).result, 'won');
  t.equal((await client.shake()).result, 'none');
  t.equal((await client.shake()).result, 'overload');
});

t.test('an answer that comes byte by byte is one answer', async (t) => {
  const { client } = await open(t, async (request, socket) => {
    for (const byte of answerTo(request)) {
      socket.write(Uint8Array.of(byte));
      await sleep(1);
    }
  });
  t.match(await client.shake(), { result: 'none' });
});

t.test('requests under way when the connection is lost fail with closed, each of them', async (t) => {
  const { server, client, disconnects } = await open(t, logInOnly);
  await client.login(7);
  server.behave = () => {};
  const asked = [client.shake(), client.grab(1), client.ping(), client.login(7)];
  await waitFor('the requests', () => server.requests.length === 5);
  server.drop();
  for (const outcome of await within(Promise.allSettled(asked), 'the requests to fail')) {
    t.match(outcome, { status: 'rejected', reason: { name: 'ClientError', code: 'closed' } });
  }
  t.equal(client.isConnected, false);
  t.match(disconnects, [{ code: 'closed' }]);
  t.equal(disconnects.length, 1);
  await t.rejects(client.shake(), { code: 'not-connected' });
  await t.rejects(client.login(7), { code: 'not-connected' });
  await t.rejects(client.hello(7), { code: 'not-connected' });
  await t.rejects(client.ping(), { code: 'not-connected' });
});

t.test('a server that closes in good order is noticed as well', async (t) => {
  const { server, client, disconnects } = await open(t, logInOnly);
  await client.login(7);
  const asked = client.shake();
  await waitFor('the shake', () => server.requests.length === 2);
  server.sockets[0].end();
  await t.rejects(within(asked, 'the shake to fail'), { code: 'closed' });
  t.match(disconnects, [{ code: 'closed' }]);
});

const broken: Record<string, Uint8Array> = {
  'bytes without sense': Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
  'an opcode that only clients send': frame(Opcode.SHAKE, words(1)),
  'an unknown opcode': frame(0x0133, Buffer.alloc(4)),
  'a classic frame of a wrong length': frame(Opcode.SHAKE_RESULT, words(1, 2)),
  'a frame that is too long': frame(Opcode.PONG, Buffer.alloc(0), 1, 20_000),
  'an ERROR without a body': frame(Opcode.ERROR, Buffer.alloc(0)),
  'an ERROR that is nil': extended(Opcode.ERROR, null),
  'an ERROR that is a text': extended(Opcode.ERROR, 'replaced'),
  'an ERROR that is cut': frame(Opcode.ERROR, Buffer.from([0x82, 0xa4, 0x63])),
  'a notice without a body': frame(Opcode.RICH_NOTICE, Buffer.alloc(0)),
  'a notice that is a list': extended(Opcode.RICH_NOTICE, [1, 2]),
  'a notice with an extension': frame(Opcode.RICH_NOTICE, Buffer.from([0xd4, 0x72, 0x40])),
};

t.test('a server that breaks the protocol is left, with the error protocol', async (t) => {
  for (const [name, bytes] of Object.entries(broken)) {
    const { server, client, disconnects } = await open(t, logInOnly);
    const notices: unknown[] = [];
    client.on('notice', (notice) => notices.push(notice));
    await client.login(7);
    const asked = client.shake();
    await waitFor('the shake', () => server.requests.length === 2);
    server.sockets[0].write(bytes);
    await t.rejects(within(asked, `the shake to fail after ${name}`), { code: 'protocol' }, name);
    t.match(disconnects, [{ code: 'protocol' }], name);
    t.equal(disconnects.length, 1);
    t.strictSame(notices, []);
    t.equal(client.isConnected, false);
    await waitFor('the server to see it', () => server.openCount === 0);
  }
});

t.test('an answer with a broken body fails its request with protocol', async (t) => {
  const { WELCOME, RICH_GRAB_RESULT, PONG, ERROR, SENT, WALLET_RESULT, RECORDS_RESULT } = Opcode;
  for (const opcode of [WELCOME, RICH_GRAB_RESULT, PONG, ERROR, SENT, WALLET_RESULT, RECORDS_RESULT]) {
    const { client } = await open(t, ({ stamp }, socket) => {
      socket.write(frame(opcode, Buffer.from([0xc1]), stamp));
    });
    await t.rejects(within(client.hello(7), 'the request to fail'), { code: 'protocol' }, `opcode ${opcode}`);
  }
});

t.test('nothing that came behind a broken frame is heard', async (t) => {
  const { server, client } = await open(t, logInOnly);
  const notices: unknown[] = [];
  client.on('notice', (notice) => notices.push(notice));
  await client.login(7);
  const notice = frame(Opcode.NOTICE, words(1, 2, 3, 4, 5, 6));
  server.sockets[0].write(Buffer.concat([notice, extended(Opcode.ERROR, null), notice]));
  await waitFor('the end', () => !client.isConnected);
  t.equal(notices.length, 1);
});

t.test('a body may be anything in a PONG, and have fields that nobody knows elsewhere', async (t) => {
  const { client } = await open(t, (request, socket) => {
    if (request.opcode === Opcode.PING) socket.write(answerTo(request));
    else socket.write(extended(Opcode.RICH_GRAB_RESULT, { packetId: 9, status: 'BUSY', later: [] }, request.stamp));
  });
  t.type(await client.ping(), 'number');
  t.match(await client.grab(9), { packetId: 9, status: 'BUSY' });
});

t.test('an ERROR that answers a request fails it; one that answers none is an event', async (t) => {
  const { server, client } = await open(t, ({ stamp }, socket) => {
    socket.write(extended(Opcode.ERROR, { code: 'full', message: 'no room' }, stamp));
  });
  const events: unknown[] = [];
  client.on('server-error', (body) => events.push(body));
  await t.rejects(client.hello(7), { code: 'server', message: 'full: no room' });
  t.strictSame(events, []);
  server.sockets[0].write(extended(Opcode.ERROR, { code: 'shutdown', message: 'bye' }, 1_700_000_000));
  await waitFor('the event', () => events.length === 1);
  t.strictSame(events, [{ code: 'shutdown', message: 'bye' }]);
  t.equal(client.isConnected, true);
});

t.test('a refused login says why', async (t) => {
  const results: [number, RegExp][] = [
    [LoginResult.BAD_USER, /out of range/],
    [LoginResult.ALREADY_LOGGED_IN, /already logged in/],
    [LoginResult.FULL, /as many users/],
    [99, /refused the login with 99/],
  ];
  for (const [result, message] of results) {
    const { client } = await open(t, ({ stamp }, socket) => {
      socket.write(frame(Opcode.LOGIN_RESULT, words(7, result), stamp));
    });
    await t.rejects(client.login(7), { code: 'login', message });
    client.close();
  }
});

t.test('a user id that is none is refused before it is sent', async (t) => {
  const { server, client } = await open(t, behaveWell);
  for (const userId of [2 ** 32 + 5, 2 ** 31, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    await t.rejects(client.login(userId), { code: 'login', message: /out of range/ }, `login ${userId}`);
    await t.rejects(client.hello(userId), { code: 'login', message: /out of range/ }, `hello ${userId}`);
  }
  t.strictSame(server.requests, [], 'on the wire 2^32 + 5 would be user 5');
  await client.login(2 ** 31 - 1);
  await client.login(0);
});

t.test('close is final: requests fail, the server sees the end, and nothing comes back', async (t) => {
  const { server, client, disconnects } = await open(t, logInOnly);
  await client.login(7);
  const asked = client.shake();
  client.close();
  await t.rejects(asked, { code: 'closed', message: 'the client was closed' });
  t.match(disconnects, [{ code: 'closed' }]);
  await t.rejects(client.shake(), { code: 'not-connected' });
  client.close();
  await waitFor('the server to see it', () => server.openCount === 0);
  t.equal(disconnects.length, 1);
  t.equal(server.sockets.length, 1);
});
