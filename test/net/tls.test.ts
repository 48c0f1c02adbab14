// Connections with TLS: a whole session through it, and everything that goes wrong before one stands, which hurts nobody else.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { HongbaoClient } from '../../clients/client.ts';
import type { ClientOptions } from '../../clients/client-options.ts';
import { DEFAULT_NET_LIMITS } from '../../lib/net/net-limits.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { startServer } from '../../lib/server.ts';
import { makeDataDirectory } from '../data-directory.ts';
import { makeCertificate, noOpenssl } from '../tls-files.ts';
import { login, PATIENCE_MS, ping, readFrames, shake, waitFor, within } from './raw-client.ts';
import { call, checkClose, closes, send, serve, waitForOpen } from './test-server.ts';

t.setTimeout(300_000);

if (noOpenssl !== false) {
  t.comment(`skipped: ${noOpenssl}`);
  process.exit(0);
}

const { tlsCert, tlsKey, ca } = makeCertificate(makeDataDirectory());
const server = await serve(t, { tlsCert, tlsKey, netLimits: { tlsTimeoutSeconds: 2, loginTimeoutSeconds: 30 } });

async function enter(t: Test, userId: number, options: Partial<ClientOptions> = {}): Promise<HongbaoClient> {
  const client = await HongbaoClient.connect({
    port: server.port,
    tls: { ca },
    reconnect: false,
    timeoutMs: PATIENCE_MS,
    ...options,
  });
  t.teardown(() => client.close());
  await client.hello(userId);
  return client;
}

/** A plain socket to the TLS port. */
async function knock(t: Test, port = server.port): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  socket.resume();
  await once(socket, 'connect');
  return socket;
}

async function openTls(t: Test, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ port: server.port, host: '127.0.0.1', ca, ...options });
  t.teardown(() => socket.destroy());
  await within(once(socket, 'secureConnect'), 'a handshake');
  return socket;
}

/** A test on the common server with an honest user, who must not notice anything. */
function check(name: string, run: (t: Test) => Promise<void>): void {
  t.test(name, async (t) => {
    await waitForOpen(server, 0);
    const honest = await enter(t, 1);
    await run(t);
    t.equal((await honest.shake()).result, 'none', 'the honest user is served');
    honest.close();
  });
}

check('a user shakes, wins, is told of a packet and grabs it through TLS', async (t) => {
  for (const [host, tls] of [
    ['127.0.0.1', { ca }],
    ['localhost', { ca }],
    ['127.0.0.1', { ca, minVersion: 'TLSv1.3' }],
    ['127.0.0.1', { ca, maxVersion: 'TLSv1.2' }],
  ] as const) {
    const client = await enter(t, 42, { host, tls });
    const told = once(client, 'notice');
    const [packetId] = (await send(server, { shares: 1, total: 900, users: [42, 42] })).packetIds;
    await within(told, 'a notice');
    t.match(await client.grab(packetId), { status: 'WON', amountCents: 900 });
    client.close();
    await waitForOpen(server, 1);
  }
  const client = await enter(t, 43);
  await call(server, 'POST', '/drops', { count: 1, rate: 1000, budget: 77 });
  let won = 0;
  await waitFor('a win', async () => {
    const { result, amountCents } = await client.shake();
    if (result === 'won') won = amountCents;
    return won > 0;
  });
  t.equal(won, 77);
  client.close();
});

check('many frames in both directions arrive whole and in order', async (t) => {
  const socket = await openTls(t);
  const body = Buffer.concat([Buffer.from([0xc5, 0x20, 0x00]), Buffer.alloc(8192, 7)]);
  socket.write(login(50));
  for (let i = 0; i < 400; i++) socket.write(ping(body, 1000 + i));
  let received: Buffer = Buffer.alloc(0);
  const stamps: number[] = [];
  socket.on('data', (chunk: Buffer) => {
    const { frames, left } = readFrames(Buffer.concat([received, chunk]));
    received = left;
    for (const { opcode, stamp, bytes } of frames) {
      if (opcode !== Opcode.PONG) continue;
      if (bytes.subarray(12).equals(body)) stamps.push(Number(stamp));
    }
  });
  await waitFor('all pongs', () => stamps.length === 400);
  t.strictSame(
    stamps,
    stamps.map((_, i) => 1000 + i),
  );
  socket.end();
  await waitForOpen(server, 1);
});

check('a peer that does not read is closed as a slow consumer', async (t) => {
  await checkClose(t, server, 'slow-consumer', async () => {
    const socket = await openTls(t);
    socket.on('error', () => {});
    socket.pause();
    const body = Buffer.concat([Buffer.from([0xc5, 0x20, 0x00]), Buffer.alloc(8192)]);
    // More than kernels buffer in both directions, and what may wait.
    for (
      let sent = 0;
      sent < 64 * 1024 * 1024 + DEFAULT_NET_LIMITS.maxQueuedBytes && !socket.destroyed;
      sent += body.length
    ) {
      if (!socket.write(ping(body))) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
      if (((await closes(server))['slow-consumer'] ?? 0) > 0) break;
    }
    socket.destroy();
  });
});

check('plain bytes to the TLS port are a bad handshake', async (t) => {
  for (const bytes of [login(42), shake(), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(20_000, 0xff)]) {
    await checkClose(t, server, 'tls', async () => {
      const socket = await knock(t);
      socket.write(bytes);
      await within(once(socket, 'close'), 'the close');
    });
  }
});

check('a ClientHello that is cut anywhere, or has a wrong byte, ends its own connection only', async (t) => {
  const whole = await recordHello();
  for (const cut of [0, 1, 4, 5, 43, whole.length - 1]) {
    await checkClose(t, server, 'tls', async () => {
      const socket = await knock(t);
      if (cut > 0) socket.write(whole.subarray(0, cut));
      socket.end();
      await within(once(socket, 'close'), 'the close');
    });
  }
  await checkClose(t, server, 'tls', async () => {
    const socket = await knock(t);
    socket.write(whole);
    await once(socket, 'data');
    socket.resetAndDestroy();
  });
  const before = await closes(server);
  const TRIES = 60;
  const sockets = await Promise.all(
    Array.from({ length: TRIES }, async (_, i) => {
      const socket = await knock(t);
      const wrong = Buffer.from(whole);
      wrong[Math.floor((i * whole.length) / TRIES)] ^= 1 << (i % 8);
      socket.end(wrong);
      return socket;
    }),
  );
  // A wrong byte that does no harm leaves a handshake that goes on: we go then.
  await waitFor('most of them to end', async () => (await server.status()).connections.open < 1 + TRIES / 2);
  for (const socket of sockets) socket.destroy();
  await waitForOpen(server, 1);
  const after = await closes(server);
  t.equal((after.tls ?? 0) - (before.tls ?? 0), TRIES);
});

check('half a handshake is closed in time, and counted', async (t) => {
  const whole = await recordHello();
  const act = async () => {
    const [silent, half, stuck, drip] = await Promise.all([knock(t), knock(t), knock(t), knock(t)]);
    const ends = [silent, half, stuck, drip].map((socket) => once(socket, 'close'));
    half.write(whole.subarray(0, 50));
    stuck.write(whole);
    // Never silent for long: the time is that of the whole handshake.
    let sent = 0;
    const timer = setInterval(() => drip.write(whole.subarray(sent, ++sent)), 200);
    t.teardown(() => clearInterval(timer));
    await within(Promise.all(ends), 'the closes');
    clearInterval(timer);
  };
  await checkClose(t, server, 'tls-timeout', act, 4);
});

check('a peer that speaks TLS 1.1 only, or wants to renegotiate, is refused', async (t) => {
  await checkClose(t, server, 'tls', async () => {
    const old = connectTls({
      port: server.port,
      host: '127.0.0.1',
      ca,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    const [error] = await within(once(old, 'error'), 'an error');
    t.ok(error);
  });
  const socket = await openTls(t, { maxVersion: 'TLSv1.2' });
  socket.on('error', () => {});
  socket.write(login(60));
  const isRenegotiated = await new Promise((resolve) => {
    socket.on('close', () => resolve(false));
    socket.renegotiate({}, (error) => resolve(error === null));
    setTimeout(() => resolve(false), 1000);
  });
  t.equal(isRenegotiated, false);
  socket.destroy();
  await waitForOpen(server, 1);
});

check('a client that does not trust the certificate does not connect', async (t) => {
  await t.rejects(HongbaoClient.connect({ port: server.port, tls: true, reconnect: false }), { code: 'connect' });
  await t.rejects(
    HongbaoClient.connect({ port: server.port, timeoutMs: 5000, reconnect: false }).then(async (client) => {
      t.teardown(() => client.close());
      await client.login(5);
    }),
    { code: 'closed' },
    'nor does one that speaks plain TCP',
  );
});

t.test('connections in a handshake count against the limit, and a stop does not wait for them', async (t) => {
  const small = await startServer(
    { port: 0, controlPort: 0, data: t.testdir({}), packetSlots: 64, maxConnections: 16, tlsCert, tlsKey },
    { onError: (error) => t.fail(error.message) },
  );
  const sockets = await Promise.all(Array.from({ length: 16 }, () => knock(t, small.port)));
  await waitFor('16 connections', async () => (await small.status()).connections.open === 16);
  const more = await knock(t, small.port);
  await within(once(more, 'close'), 'the refusal');
  t.equal((await small.status()).connections.closed.limit, 1);
  const startedAt = performance.now();
  await small.stop();
  t.ok(performance.now() - startedAt < 8000);
  for (const socket of sockets) socket.destroy();
});

t.test('a certificate that cannot be read, or is none, stops the start and is not shown', async (t) => {
  const data = t.testdir({ 'other.pem': 'no certificate' });
  const events = { onError: () => {} };
  const start = (options: object) => startServer({ port: 0, controlPort: 0, data, ...options }, events);
  await t.rejects(start({ tlsCert, tlsKey: '' }), {
    code: 'bad_option',
    message: '--tls-cert and --tls-key go together',
  });
  await t.rejects(start({ tlsCert: '', tlsKey }), { code: 'bad_option' });
  await t.rejects(start({ tlsCert: `${data}/none.pem`, tlsKey }), {
    code: 'bad_option',
    message: /^--tls-cert: ENOENT/,
  });
  await t.rejects(start({ tlsCert: `${data}/other.pem`, tlsKey }), {
    code: 'bad_option',
    message: /not a PEM certificate/,
  });
  await t.rejects(start({ tlsCert, tlsKey: tlsCert }), { code: 'bad_option', message: /not a PEM certificate/ });
});

/** The first bytes of a handshake, as a client sends them. */
async function recordHello(): Promise<Buffer> {
  const { createServer } = await import('node:net');
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  const client = connectTls({ port, host: '127.0.0.1', ca });
  client.on('error', () => {});
  const [peer] = (await once(listener, 'connection')) as [Socket];
  const [bytes] = (await once(peer, 'data')) as [Buffer];
  client.destroy();
  peer.destroy();
  listener.close();
  return bytes;
}
