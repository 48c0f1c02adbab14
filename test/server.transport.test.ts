// What a server does where io_uring cannot be used, and that one which uses it says nothing of it.

import t from 'tap';
import { loadHandleParts } from '../lib/handles/tcp-handle.ts';
import { probeUring } from '../lib/handles/uring-probe.ts';
import { Opcode } from '../lib/protocol/opcodes.ts';
import { login, RawClient, shake } from './net/raw-client.ts';
import { ServerProcess } from './server-process.ts';

const uring = await probeUring(loadHandleParts());

/** Starts a server, has a shake answered, and gives what it wrote. */
async function serveOnce(args: readonly string[], env: Record<string, string>): Promise<string> {
  const server = await ServerProcess.start(args, env);
  const client = await RawClient.open(server.port);
  client.send(login(1));
  await client.take(Opcode.LOGIN_RESULT);
  client.send(shake(1));
  await client.take(Opcode.SHAKE_RESULT);
  client.socket.destroy();
  const { stdout, stderr } = await server.stop();
  return stdout + stderr;
}

t.test('without node:ffi it serves over bare handles, and says why in one line', async (t) => {
  const text = await serveOnce([], { NODE_OPTIONS: '--no-experimental-ffi' });
  const lines = text.split('\n').filter((line) => line.includes('io_uring'));
  t.equal(lines.length, 1);
  t.match(lines[0], /connections go without io_uring, which costs more: Node [\d.]+ has no node:ffi/);
});

t.test('whoever asks for handles is told nothing', async (t) => {
  t.notMatch(await serveOnce(['--transport', 'handle'], {}), /io_uring|Experimental/);
});

t.test('with io_uring nothing is said, nor is a warning', { skip: typeof uring === 'string' && uring }, async (t) => {
  t.notMatch(await serveOnce([], {}), /io_uring|Experimental/);
});
