// The time limits of connections: to the second with a clock that the test winds on, and on real sockets.

import t from 'tap';
import { DEFAULT_NET_LIMITS } from '../../lib/net/net-limits.ts';
import { LoginResult, Opcode } from '../../lib/protocol/opcodes.ts';
import { AcceptorRig } from './acceptor-rig.ts';
import { grab, hello, login, ping, RawClient, shake, sleep, waitFor, within } from './raw-client.ts';
import { closes, join, serve } from './test-server.ts';

const { loginTimeoutSeconds, frameTimeoutSeconds, closeTimeoutSeconds } = DEFAULT_NET_LIMITS;

t.test('who has not logged in when the time is over is closed, and told if he said HELLO', (t) => {
  const rig = new AcceptorRig();
  const silent = rig.open();
  const refused = rig.open();
  rig.receive(refused, hello(-1));
  rig.transport.take(refused);
  const pinging = rig.open();
  rig.passSeconds(loginTimeoutSeconds);
  rig.receive(pinging, ping());
  t.strictSame(rig.transport.ended, [], 'just inside');
  rig.passSeconds(1);
  t.strictSame(rig.transport.ended, [silent, refused, pinging], 'and one second later');
  t.strictSame(rig.closes(), { 'login-timeout': 3 });
  t.same(rig.transport.take(silent), []);
  t.strictSame(
    rig.transport.take(refused).map(({ opcode, body }) => [opcode, body.code]),
    [[Opcode.ERROR, 'timeout']],
  );
  t.end();
});

t.test('who has logged in by then may be silent for ever', (t) => {
  const rig = new AcceptorRig();
  const early = rig.join(1, login(1)).connection;
  const late = rig.open();
  rig.passSeconds(loginTimeoutSeconds);
  rig.receive(late, login(2));
  const [request] = rig.takeRequests();
  rig.passSeconds(100);
  t.strictSame(rig.transport.ended, [], 'also while the worker has not answered the login');
  rig.answer(request);
  rig.drain();
  rig.passSeconds(10_000);
  t.strictSame([rig.transport.ended, rig.transport.destroyed], [[], []]);
  t.ok(rig.acceptor.openCount === 2 && early !== late);
  t.end();
});

t.test('who is refused because the server is full has the whole time again', (t) => {
  const rig = new AcceptorRig();
  const connection = rig.open();
  rig.passSeconds(loginTimeoutSeconds);
  rig.receive(connection, login(1, 5));
  rig.answer(rig.takeRequests()[0], { result: LoginResult.FULL });
  rig.drain();
  t.strictSame(
    rig.transport.take(connection).map(({ stamp, fields }) => [stamp, fields]),
    [[5n, [1, LoginResult.FULL]]],
  );
  rig.passSeconds(loginTimeoutSeconds);
  t.strictSame(rig.transport.ended, []);
  rig.passSeconds(1);
  t.strictSame(rig.closes(), { 'login-timeout': 1 });
  t.end();
});

t.test('a late FULL does not touch the login of another user that came after the first one', (t) => {
  const rig = new AcceptorRig();
  rig.stock.add(2, 1);
  const connection = rig.open();
  rig.receive(connection, login(1, 5), hello(1, 6));
  const [first, second] = rig.takeRequests();
  rig.answer(first, { result: LoginResult.FULL });
  rig.drain();
  rig.receive(connection, login(2, 7));
  rig.answer(second, { result: LoginResult.FULL });
  rig.drain();
  const [third] = rig.takeRequests();
  rig.answer(third);
  rig.drain();
  rig.receive(connection, shake(8));
  const [request] = rig.takeRequests();
  t.equal(request.userId, 2);
  const frames = rig.transport.take(connection);
  t.strictSame(
    frames.map(({ opcode, stamp }) => [opcode, stamp]),
    [
      [Opcode.LOGIN_RESULT, 5n],
      [Opcode.ERROR, 6n],
      [Opcode.LOGIN_RESULT, 7n],
    ],
    'each is answered in its own form',
  );
  t.equal(frames[1].body.code, 'full');
  t.end();
});

t.test('a frame that is not whole when the time is over closes the connection', (t) => {
  const rig = new AcceptorRig();
  const classic = rig.join(1, login(1)).connection;
  const rich = rig.join(2, hello(2)).connection;
  const quick = rig.join(3, login(3)).connection;
  for (const connection of [classic, rich, quick]) rig.receive(connection, shake(1).subarray(0, 15));
  rig.passSeconds(frameTimeoutSeconds);
  t.strictSame(rig.transport.ended, [], 'just inside');
  rig.receive(quick, shake(1).subarray(15));
  t.equal(rig.transport.take(quick)[0].opcode, Opcode.SHAKE_RESULT, 'and in time');
  rig.passSeconds(1);
  t.strictSame(rig.transport.ended.sort(), [classic, rich].sort());
  t.strictSame(rig.closes(), { 'frame-timeout': 2 });
  t.same(rig.transport.take(classic), []);
  t.strictSame(
    rig.transport.take(rich).map(({ opcode, body }) => [opcode, body.code]),
    [[Opcode.ERROR, 'timeout']],
  );
  t.end();
});

t.test('a byte a second is too slow; every frame has the time for itself', (t) => {
  const rig = new AcceptorRig();
  const slow = rig.join(1, login(1)).connection;
  let sent = 0;
  for (const byte of shake()) {
    if (rig.transport.ended.length > 0) break;
    rig.receive(slow, Buffer.of(byte));
    rig.passSeconds(1);
    sent++;
  }
  t.equal(sent, frameTimeoutSeconds + 1);
  t.strictSame(rig.closes(), { 'frame-timeout': 1 });

  const steady = rig.join(2, login(2)).connection;
  let stream = Buffer.concat(Array.from({ length: 10 }, (_, i) => shake(i)));
  while (stream.length > 0) {
    rig.receive(steady, stream.subarray(0, 2));
    stream = stream.subarray(2);
    rig.passSeconds(1);
  }
  t.equal(rig.transport.take(steady).length, 10);
  t.strictSame(rig.closes(), { 'frame-timeout': 1 });
  t.end();
});

t.test('a peer that does not close its side is cut off when the time is over', (t) => {
  const rig = new AcceptorRig();
  const { connection } = rig.join(1, login(1));
  rig.receive(connection, Buffer.alloc(12));
  rig.passSeconds(closeTimeoutSeconds);
  rig.receive(connection, shake());
  t.strictSame(rig.transport.destroyed, [], 'just inside');
  rig.passSeconds(1);
  t.strictSame(rig.transport.destroyed, [connection]);
  rig.acceptor.onClosed(connection, 'peer');
  t.strictSame(rig.closes(), { frame: 1 }, 'it is counted once, for what it was closed for');
  t.equal(rig.acceptor.openCount, 0);
  t.end();
});

t.test('on real sockets, with limits of a second', async (t) => {
  const server = await serve(t, {
    netLimits: { loginTimeoutSeconds: 1, frameTimeoutSeconds: 1, closeTimeoutSeconds: 1 },
  });
  const honest = await join(t, server, 1);
  const silent = await RawClient.open(server.port);
  const dribbling = await RawClient.open(server.port);
  const quick = await RawClient.open(server.port);
  const lingering = await RawClient.open(server.port, { lingers: true });
  for (const client of [dribbling, quick, lingering]) client.send(hello(10 + Math.floor(Math.random() * 1e6)));

  const stream = Buffer.concat([shake(), grab(1), ping()]);
  const dribble = async () => {
    for (let i = 0; i < stream.length && !dribbling.socket.destroyed; i++) {
      dribbling.send(stream.subarray(i, i + 1));
      await sleep(300);
    }
  };
  const hurry = async () => {
    for (let i = 0; i < stream.length; i += 6) {
      quick.send(stream.subarray(i, i + 6));
      await sleep(50);
    }
    await quick.take(Opcode.PONG);
  };
  lingering.send(Buffer.alloc(12));
  const serving = setInterval(() => void honest.shake(), 50);
  await Promise.all([
    silent.end(),
    dribble().then(() => dribbling.end()),
    within(hurry(), 'a client that is quick enough'),
    lingering.end(),
  ]);
  clearInterval(serving);

  t.same(silent.frames, [], 'who said nothing is told nothing');
  t.equal((await dribbling.take(Opcode.ERROR)).body.code, 'timeout');
  t.equal((await lingering.take(Opcode.ERROR)).body.code, 'frame', 'the last words came through');
  await waitFor('the one who lingers to be cut off', async () => (await server.status()).connections.open === 2);
  t.strictSame(await closes(server), { 'login-timeout': 1, 'frame-timeout': 1, frame: 1 });
  t.equal((await honest.shake()).result, 'none', 'who has logged in may be silent as long as he likes');
  lingering.leave();
  quick.leave();
});
