// The limits of connections that an operator can set: each crossed, and just inside; changed while connections are there.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { HongbaoClient } from '../../clients/client.ts';
import { DEFAULT_NET_LIMITS, NET_LIMIT_NAMES, NET_LIMITS } from '../../lib/net/net-limits.ts';
import { Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { ServerError } from '../../lib/server-error.ts';
import { checkOptions, DEFAULT_SERVER_OPTIONS } from '../../lib/server-options.ts';
import { AcceptorRig } from './acceptor-rig.ts';
import { hello, login, ping, RawClient, shake, waitFor, within } from './raw-client.ts';
import { checkClose, closes, join, serve, waitForOpen } from './test-server.ts';

t.test('every limit takes its lowest and its highest value, and nothing beyond', (t) => {
  for (const name of NET_LIMIT_NAMES) {
    const { flag, low, high, byDefault } = NET_LIMITS[name];
    const check = (value: number) => checkOptions({ ...DEFAULT_SERVER_OPTIONS, netLimits: { [name]: value } });
    for (const value of [low, high, byDefault]) t.doesNotThrow(() => check(value), `${flag} ${value}`);
    for (const value of [low - 1, high + 1, low + 0.5, Number.NaN]) {
      const message = `--${flag} must be a whole number from ${low} to ${high}`;
      t.throws(() => check(value), new ServerError('bad_option', message), `${flag} ${value}`);
    }
  }
  t.end();
});

t.test('the document names every limit with its default, its bound and its reason', (t) => {
  const document = readFileSync(new URL('../../docs/OPERATIONS.md', import.meta.url), 'utf8');
  for (const { flag, byDefault, describe, reason } of Object.values(NET_LIMITS)) {
    const row = `| \`${flag}\` | ${byDefault.toLocaleString('en-US')} | ${describe} | ${reason} |`;
    t.ok(document.includes(`\n${row}\n`), row);
  }
  t.end();
});

t.test('a user who is silent for longer than the idle timeout is closed, whatever he is sent meanwhile', (t) => {
  const rig = new AcceptorRig({ limits: { idleTimeoutSeconds: 5 } });
  const silent = rig.join(1, hello(1)).connection;
  const classic = rig.join(2, login(2)).connection;
  const speaking = rig.join(3, hello(3)).connection;
  const fresh = rig.open();
  rig.passSeconds(5);
  t.strictSame(rig.transport.ended, [], 'just inside');
  rig.receive(speaking, ping());
  rig.passSeconds(1);
  t.strictSame(rig.transport.ended, [silent, classic]);
  t.strictSame(rig.closes(), { 'idle-timeout': 2 });
  t.match(rig.transport.take(silent).at(-1), { opcode: Opcode.ERROR, body: { code: 'timeout' } });
  rig.passSeconds(4);
  t.strictSame(rig.transport.ended, [silent, classic], 'a PING is enough, and a login has a limit of its own');
  rig.receive(fresh, login(4));
  rig.answer(rig.takeRequests()[0]);
  rig.drain();
  rig.passSeconds(1);
  t.strictSame(rig.transport.ended, [silent, classic, speaking]);
  rig.acceptor.setLimits({ ...DEFAULT_NET_LIMITS });
  rig.passSeconds(1000);
  t.strictSame(rig.transport.ended, [silent, classic, speaking], 'without the limit nobody is closed');
  t.end();
});

t.test('the client library says something before it would be closed, and knows the limits', async (t) => {
  const server = await serve(t, { netLimits: { idleTimeoutSeconds: 3, maxInFlight: 7, maxFrameBytes: 2048 } });
  const client = await HongbaoClient.connect({ port: server.port, reconnect: false });
  t.teardown(() => client.close());
  const welcome = await client.hello(7);
  t.strictSame(welcome.limits, { maxFrameBytes: 2048, maxInFlight: 7, idleSeconds: 3 });
  const silent = await RawClient.open(server.port);
  silent.send(login(8));
  await silent.take(Opcode.LOGIN_RESULT);
  await within(silent.ended, 'the end of who says nothing');
  // Twice as long as the other was given.
  await waitFor('some life signs', async () => (await server.status()).requests.ping >= 4);
  t.match(await client.shake(), { result: 'none' });
  t.strictSame(await closes(server), { 'idle-timeout': 1 });
});

t.test('a user shakes as often as he may in a second; more is answered OVERLOAD, and his session is told', (t) => {
  const rig = new AcceptorRig({ limits: { maxShakesPerSecond: 3 } });
  const rich = rig.join(1, hello(1)).connection;
  const other = rig.join(2, login(2)).connection;
  const shakes = (count: number) => Array.from({ length: count }, () => shake());
  const results = (connection: number) =>
    rig.transport
      .take(connection)
      .filter(({ opcode }) => opcode === Opcode.SHAKE_RESULT)
      .map(({ fields }) => fields[1]);
  rig.passSeconds(1);
  rig.receive(rich, ...shakes(3));
  rig.drain();
  t.strictSame(results(rich), [ShakeResult.NONE, ShakeResult.NONE, ShakeResult.NONE], 'just inside');
  rig.receive(rich, ...shakes(2));
  rig.receive(other, ...shakes(1));
  rig.drain();
  const frames = rig.transport.take(rich);
  t.strictSame(
    frames.map(({ opcode, fields }) => (opcode === Opcode.SHAKE_RESULT ? fields[1] : opcode)).sort(),
    [ShakeResult.OVERLOAD, ShakeResult.OVERLOAD, Opcode.SLOW_DOWN].sort(),
  );
  t.strictSame(results(other), [ShakeResult.NONE], 'of another user nothing is taken');
  t.equal(rig.count('shakesLimited'), 2);
  t.equal(rig.count('shakesOverload'), 2);
  rig.passSeconds(1);
  rig.receive(rich, ...shakes(4));
  rig.drain();
  t.strictSame(results(rich), [ShakeResult.NONE, ShakeResult.NONE, ShakeResult.NONE, ShakeResult.OVERLOAD]);
  rig.acceptor.setLimits({ ...DEFAULT_NET_LIMITS });
  rig.receive(rich, ...shakes(100));
  rig.drain();
  t.ok(results(rich).every((result) => result === ShakeResult.NONE));
  t.equal(rig.count('shakesLimited'), 3);
  t.end();
});

t.test('an extended frame may be as long as the limit, and not a byte longer', (t) => {
  const rig = new AcceptorRig({ limits: { maxFrameBytes: 1024 } });
  const extended = (bytes: number) => {
    const frame = Buffer.alloc(bytes, 0xc0);
    frame.writeUInt16BE(bytes, 0);
    frame.writeUInt16BE(Opcode.PING, 2);
    // A bin of what is left.
    frame.set([0xc5, (bytes - 15) >> 8, (bytes - 15) & 255], 12);
    return frame;
  };
  const [fits, longer, later] = [1, 2, 3].map((userId) => rig.join(userId, hello(userId)).connection);
  rig.receive(fits, extended(1024));
  rig.drain();
  t.equal(rig.transport.take(fits)[0].bytes.length, 1024);
  rig.receive(longer, extended(1025).subarray(0, 4));
  t.strictSame([rig.transport.ended, rig.closes()], [[longer], { frame: 1 }], 'its header is enough');
  rig.acceptor.setLimits({ ...DEFAULT_NET_LIMITS });
  rig.receive(later, extended(1025));
  rig.drain();
  t.equal(rig.transport.take(later)[0].bytes.length, 1025);
  t.end();
});

t.test('a connection has as many requests under way as it may', (t) => {
  const rig = new AcceptorRig({ limits: { maxInFlight: 2 } });
  const { connection } = rig.join(1, login(1));
  rig.stock.add(1, 100);
  rig.receive(connection, shake(1), shake(2), shake(3));
  rig.drain();
  t.strictSame(
    rig.transport.take(connection).map(({ stamp, fields }) => [stamp, fields[1]]),
    [[3n, ShakeResult.OVERLOAD]],
  );
  t.equal(rig.takeRequests().length, 2);
  t.end();
});

for (const transport of ['handle', 'socket'] as const) {
  t.test(`of one address as many are taken as may be, over all acceptors; ${transport}`, async (t) => {
    const server = await serve(t, { transport, acceptors: 2, netLimits: { maxPerAddress: 5 } });
    const clients = await Promise.all([1, 2, 3, 4, 5].map((userId) => join(t, server, userId)));
    await checkClose(t, server, 'address-limit', async () => {
      const refused = await RawClient.open(server.port);
      await within(refused.ended, 'a refusal');
    });
    const elsewhere = await RawClient.open(server.port, { from: '127.0.0.2' });
    elsewhere.send(login(6));
    await elsewhere.take(Opcode.LOGIN_RESULT);
    clients[0].close();
    await waitForOpen(server, 5);
    await join(t, server, 7);
    server.change({ netLimits: { maxPerAddress: 6 } });
    await waitFor('the new limit', () =>
      join(t, server, 8).then(
        () => true,
        () => false,
      ),
    );
    t.match(await clients[1].shake(), { result: 'none' });
  });

  t.test(`in one second as many are taken as may be; ${transport}`, async (t) => {
    const server = await serve(t, { transport, acceptors: 2, netLimits: { maxAcceptsPerSecond: 20 } });
    const kept = await join(t, server, 1);
    const startedAt = Date.now();
    const clients: RawClient[] = [];
    for (let i = 0; i < 60; i++) clients.push(await RawClient.open(server.port));
    await waitFor('all to be judged', async () => {
      const { connections } = await server.status();
      return connections.accepted - 1 + (connections.closed['accept-limit'] ?? 0) === 60;
    });
    // What waits to be accepted is judged in the second in which it is.
    const seconds = Math.floor(Date.now() / 1000) - Math.floor(startedAt / 1000) + 1;
    const { accepted } = (await server.status()).connections;
    t.ok(accepted <= 1 + 20 * seconds, `${accepted} in ${seconds} seconds`);
    t.match(await kept.shake(), { result: 'none' }, 'who is there is served');
    for (const client of clients) client.socket.destroy();
    await waitFor('another second', () =>
      join(t, server, 2).then(
        () => true,
        () => false,
      ),
    );
  });
}
