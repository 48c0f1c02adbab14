// A whole server: what keeps it from starting, how it stops, and what happens when one of its threads ends.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join as joinPath } from 'node:path';
import type { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { Opcode } from '../lib/protocol/opcodes.ts';
import { startServer } from '../lib/server.ts';
import { ServerError } from '../lib/server-error.ts';
import { countDescriptors, type ServerOptions } from '../lib/server-options.ts';
import { grab, hello, login, ping, RawClient, shake, waitFor, within } from './net/raw-client.ts';
import { call, closes, serve } from './net/test-server.ts';

/** Long for a busy machine; it starts many processes. */
t.setTimeout(300_000);

/** Every thread that was started while this file ran. */
const threads: Worker[] = [];
process.on('worker', (thread: Worker) => threads.push(thread));

const isAlive = (thread: Worker) => thread.threadId !== -1;

/** Tries to start a server, and gives the error that it ends with. */
async function fail(t: Test, options: Partial<ServerOptions>): Promise<ServerError> {
  const data = options.data ?? t.testdir({});
  const given = { port: 0, controlPort: 0, packetSlots: 16, ...options, data };
  const before = threads.length;
  try {
    const server = await startServer(given, { onError: () => {} });
    await server.stop();
  } catch (error) {
    t.type(error, ServerError);
    const { message } = error as ServerError;
    t.notMatch(message, /\n/, 'one line');
    t.notMatch(message, /undefined|NaN|\[object/);
    t.notOk(threads.slice(before).some(isAlive), 'no thread is left behind');
    return error as ServerError;
  }
  throw new Error('it started');
}

/** A program that has a port of its own. */
async function occupy(t: Test): Promise<number> {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  return (other.address() as AddressInfo).port;
}

/** A free port that the system does not give to anybody who asks for any, so that it is still free a moment later. */
async function findQuietPort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const probe = createServer().listen(port, '127.0.0.1');
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    probe.close();
    await once(probe, 'close');
    return port;
  }
}

t.test('a port that is in use is said so in one line, whoever has it', async (t) => {
  const inUse = 'it is in use by another program; choose another port, or stop that program';
  const port = await occupy(t);
  const single = await serve(t);
  const shared = await serve(t, { acceptors: 2 });
  for (const [what, taken, options] of [
    ['another program', port, {}],
    ['another program, though ours would share it', port, { acceptors: 2 }],
    ['a server', single.port, {}],
    ['a server, though ours would share it', single.port, { acceptors: 2 }],
    ['a server that shares it among its own acceptors', shared.port, {}],
    ['the same, though ours would share it', shared.port, { acceptors: 2 }],
  ] as const) {
    const { code, message } = await fail(t, { ...options, port: taken });
    t.strictSame([code, message], ['listen', `cannot listen on 127.0.0.1:${taken}: ${inUse}`], what);
  }
  const control = await fail(t, { controlPort: port });
  t.strictSame([control.code, control.message], ['listen', `cannot listen on 127.0.0.1:${port}: ${inUse}`]);
  for (const server of [single, shared]) {
    const client = await RawClient.open(server.port);
    client.send(login(1));
    await client.take(Opcode.LOGIN_RESULT);
    client.leave();
  }
});

t.test('an address that this machine does not have is said so', async (t) => {
  for (const options of [{ host: '192.0.2.1' }, { controlHost: '192.0.2.1' }, { host: '192.0.2.1', acceptors: 2 }]) {
    const { code, message } = await fail(t, { ...options, openToNetwork: true });
    t.equal(code, 'listen');
    t.match(message, /^cannot listen on 192\.0\.2\.1:0: .*EADDRNOTAVAIL/);
  }
});

t.test('options out of their bounds are named, with the bounds', async (t) => {
  for (const [options, message] of [
    [{ port: -1 }, '--port must be a whole number from 0 to 65535'],
    [{ port: 65_536 }, '--port must be a whole number from 0 to 65535'],
    [{ controlPort: 1.5 }, '--control-port must be a whole number from 0 to 65535'],
    [{ sets: 0 }, '--sets must be a whole number from 1 to 65536'],
    [{ sets: 65_537 }, '--sets must be a whole number from 1 to 65536'],
    [{ acceptors: 0 }, '--acceptors must be a whole number from 1 to 64'],
    [{ acceptors: 65 }, '--acceptors must be a whole number from 1 to 64'],
    [{ workers: 0 }, '--workers must be a whole number from 1 to 64'],
    [{ workers: 3, sets: 2 }, '--workers must be a whole number from 1 to 2'],
    [{ packetSlots: 0 }, '--packet-slots must be a whole number from 1 to 1048576'],
    [{ packetSlots: 2 ** 20 + 1 }, '--packet-slots must be a whole number from 1 to 1048576'],
    [{ maxConnections: -1 }, '--max-connections must be a whole number from 0 to 10000000'],
    [{ maxConnections: Number.NaN }, '--max-connections must be a whole number from 0 to 10000000'],
    [{ netLimits: { loginTimeoutSeconds: 0 } }, '--login-timeout must be a whole number from 1 to 3600'],
    [{ netLimits: { closeTimeoutSeconds: 3601 } }, '--close-timeout must be a whole number from 1 to 3600'],
    [{ drainSeconds: 0 }, '--drain-seconds must be a whole number from 1 to 600'],
    [{ reconnectSeconds: 3601 }, '--reconnect-seconds must be a whole number from 0 to 3600'],
    [{ drainTo: 'elsewhere' }, '--drain-to must be host:port, not elsewhere'],
    [{ waitStrategy: 'sleep' }, '--wait must be one of park, spin-then-park, spin'],
    [{ waitStrategy: 'toString' }, '--wait must be one of park, spin-then-park, spin'],
  ] as const) {
    const error = await fail(t, options as Partial<ServerOptions>);
    t.strictSame([error.code, error.message], ['bad_option', message]);
  }
});

t.test('more connections than the process may have files are refused, with the command that helps', async (t) => {
  const files = countDescriptors();
  t.ok(files >= 1024);
  const error = await fail(t, { maxConnections: files });
  t.equal(error.code, 'descriptors');
  t.equal(
    error.message,
    `this process may open ${files} files, which is enough for ${files - 256} connections, not for ${files}; ` +
      `raise it with: ulimit -n ${files + 256}`,
  );
  t.equal((await fail(t, { maxConnections: files - 255 })).code, 'descriptors');
  t.equal((await serve(t, { maxConnections: files - 256 })).options.maxConnections, files - 256, 'just inside');
  t.equal((await serve(t)).options.maxConnections, files - 256, 'and as many by default');
});

t.test('a data directory that cannot be used is said so; one that is missing is made', async (t) => {
  const directory = t.testdir({});
  const file = joinPath(directory, 'file');
  writeFileSync(file, '');
  for (const data of [file, joinPath(file, 'below'), '/dev/null/below']) {
    const { code, message } = await fail(t, { data });
    t.equal(code, 'data');
    t.ok(message.startsWith(`cannot use the data directory ${data}: `), message);
  }
  const server = await serve(t, { data: joinPath(directory, 'made', 'on', 'the', 'way') });
  t.ok(server.port > 0);
});

t.test('what had arrived when a stop is asked for is answered', async (t) => {
  // The stop and the requests race through the acceptor's event loop; without a rule, about every other round is lost.
  for (const losingShake of ['acceptor', 'worker', 'acceptor', 'worker'] as const) {
    const server = await serve(t, { losingShake });
    const clients: RawClient[] = [];
    for (let userId = 0; userId < 20; userId++) {
      const client = await RawClient.open(server.port);
      client.send(login(userId));
      await client.take(Opcode.LOGIN_RESULT);
      clients.push(client);
    }
    for (const client of clients) client.send(shake(), grab(5), ping());
    const stopped = server.stop();
    await Promise.all(clients.map((client) => client.end()));
    await within(stopped, 'the stop');
    t.same(
      clients.map(({ frames }) => frames.length),
      clients.map(() => 4),
    );
  }
});

t.test('a stop tells everybody, closes every connection, and ends every thread', async (t) => {
  const first = threads.length;
  const server = await serve(t);
  const started = threads.slice(first);
  const classic = await RawClient.open(server.port);
  const rich = await RawClient.open(server.port);
  const silent = await RawClient.open(server.port);
  const halfway = await RawClient.open(server.port);
  classic.send(login(1));
  rich.send(hello(2));
  halfway.send(login(3), shake().subarray(0, 7));
  await Promise.all([classic.take(Opcode.LOGIN_RESULT), rich.take(Opcode.WELCOME), halfway.take(Opcode.LOGIN_RESULT)]);

  const stopped = server.stop();
  const endings = await Promise.all([classic, rich, silent, halfway].map((client) => client.end()));
  await within(stopped, 'the stop');
  t.strictSame(endings, ['end', 'end', 'end', 'end'], 'nobody is cut off');
  t.equal(classic.frames.length, 1);
  t.strictSame(
    rich.frames.slice(1).map(({ opcode, body }) => [opcode, body.code ?? body]),
    [
      [Opcode.GOING_AWAY, { reconnectAfterSeconds: 2 }],
      [Opcode.ERROR, 'shutdown'],
    ],
  );
  t.same(silent.frames, []);
  t.strictSame(await closes(server), { shutdown: 4 });
  t.match(await server.status(), { connections: { open: 0 }, sessions: 0 });
  t.equal(started.length, 4, 'that of chat is one');
  t.notOk(started.some(isAlive), 'every thread has ended');
  await t.rejects(RawClient.open(server.port), { code: 'ECONNREFUSED' });
  await t.rejects(call(server, 'GET', '/healthz'));
  t.equal(await Promise.race([server.failed, 'it has not failed']), 'it has not failed');
});

t.test('a peer that does not let go does not hold up a stop for long', async (t) => {
  const server = await serve(t, { netLimits: { closeTimeoutSeconds: 1 } });
  const lingering = await RawClient.open(server.port, { lingers: true });
  lingering.send(login(1));
  await lingering.take(Opcode.LOGIN_RESULT);
  const startedAt = performance.now();
  await server.stop();
  const took = performance.now() - startedAt;
  t.ok(took > 900 && took < 8000, `it took ${took} ms`);
  t.strictSame(await closes(server), { shutdown: 1 });
  lingering.leave();
});

t.test('a server can be started on the port of one that has stopped, and stopping twice is no harm', async (t) => {
  for (const acceptors of [1, 2]) {
    const [port, controlPort] = [await findQuietPort(), await findQuietPort()];
    const enter = async () => {
      const client = await RawClient.open(port);
      client.send(login(1));
      await client.take(Opcode.LOGIN_RESULT);
      return client;
    };
    const first = await serve(t, { acceptors, port, controlPort });
    const client = await enter();
    await Promise.all([first.stop(), first.stop()]);
    await within(first.stop(), 'a stop that has nothing to do');
    await client.end();
    const second = await serve(t, { acceptors, port, controlPort });
    t.strictSame([second.port, second.controlPort], [port, controlPort]);
    (await enter()).leave();
  }
});

t.test('a stop that is asked for while another is under way ends with it', async (t) => {
  const first = threads.length;
  const server = await serve(t);
  const started = threads.slice(first);
  void server.stop();
  await server.stop();
  t.equal(started.length, 4, 'that of chat is one');
  t.notOk(started.some(isAlive), 'every thread has ended');
});

for (const name of ['acceptor-thread', 'worker-thread', 'journal-thread']) {
  t.test(`when a thread ends by itself (${name}), the server has failed, and can still be stopped`, async (t) => {
    const options = { port: 0, controlPort: 0, data: t.testdir({}), packetSlots: 16 };
    const first = threads.length;
    const server = await startServer(options, { onError: () => {} });
    const client = await RawClient.open(server.port);
    client.send(login(1));
    await client.take(Opcode.LOGIN_RESULT);
    const started = threads.slice(first);
    t.strictSame(started.map(({ threadName }) => threadName).sort(), [
      'acceptor-thread',
      'chat-thread',
      'journal-thread',
      'worker-thread',
    ]);
    await started.find(({ threadName }) => threadName === name)!.terminate();
    const error = await within(server.failed, 'the failure');
    t.type(error, ServerError);
    t.strictSame([error.code, error.message], ['thread', `the thread ${name} ended with 1`]);
    await within(server.stop(), 'the stop');
    t.notOk(started.some(isAlive), 'every thread has ended');
    await waitFor('the client to be closed', () => client.socket.destroyed || client.socket.readableEnded);
  });
}
