// System calls that are of use without io_uring too.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t from 'tap';
import { findSystemCalls } from '../../lib/handles/system-calls.ts';
import { descriptorOf, loadHandleParts, type TcpHandle } from '../../lib/handles/tcp-handle.ts';

const calls = findSystemCalls();

t.test(
  'a TCP socket that is bound to an address has no port before it connects',
  { skip: calls === undefined },
  (t) => {
    const handle = loadHandleParts().makeHandle() as TcpHandle & { getsockname(name: object): number };
    t.equal(handle.open(calls!.makeTcpSocket()), 0);
    t.equal(handle.bind('127.0.0.7', 0), 0);
    const name: { address?: string; port?: number } = {};
    t.equal(handle.getsockname(name), 0);
    t.match(name, { address: '127.0.0.7', port: 0 });
    handle.close(() => t.end());
  },
);

/** The descriptor of a socket. */
const fdOf = (socket: Socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd;

for (const [host, expected] of [
  ['127.0.0.1', '127.0.0.1'],
  ['::1', '::1'],
  ['::ffff:127.0.0.1', '::ffff:127.0.0.1'],
]) {
  t.test(`who is at the other end is told as Node tells it: ${host}`, { skip: calls === undefined }, async (t) => {
    const server = createServer();
    server.listen(0, expected.startsWith('::ffff') ? '::' : host);
    await once(server, 'listening').catch(() => t.comment('this machine has no IPv6'));
    if (!server.listening) return;
    const peer = connect((server.address() as AddressInfo).port, host);
    const [[socket]] = await Promise.all([once(server, 'connection'), once(peer, 'connect')]);
    t.equal(calls!.peerOf(fdOf(socket)), socket.remoteAddress);
    t.equal(calls!.peerOf(fdOf(socket)), expected);
    t.equal(calls!.peerOf(descriptorOf(server)), undefined, 'a socket that listens has nobody there');
    peer.destroy();
    socket.destroy();
    server.close();
  });
}

t.test(
  'what a listener accepts is asked after a while whether its peer is there',
  { skip: calls === undefined },
  async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    calls!.setAccepted(descriptorOf(server), 600);
    const { port } = server.address() as AddressInfo;
    const peer = connect(port, '127.0.0.1');
    const [[socket]] = await Promise.all([once(server, 'connection'), once(peer, 'connect')]);
    // The kernel's table: the local port in hexadecimal digits, and what its timer waits for (2: to ask) and how long (in 1/100 s).
    const entry = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find(
        ([, local, , state]) =>
          local?.endsWith(`:${port.toString(16).toUpperCase().padStart(4, '0')}`) && state === '01',
      );
    const [timer, ticks] = entry![5].split(':');
    t.equal(timer, '02');
    t.ok(Number.parseInt(ticks, 16) > 500 * 100 && Number.parseInt(ticks, 16) <= 600 * 100);
    peer.destroy();
    socket.destroy();
    server.close();
  },
);

t.test('what a listener accepts reckons with reno', { skip: calls === undefined }, async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  calls!.setAccepted(descriptorOf(server), 600);
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[socket]] = await Promise.all([once(server, 'connection'), once(peer, 'connect')]);
  t.equal(congestionControlOf(fdOf(socket)), 'reno');
  peer.destroy();
  socket.destroy();
  server.close();
});

/** By its name, as the kernel has it. */
function congestionControlOf(descriptor: number): string {
  const { getsockopt } = process.getBuiltinModule('node:ffi').dlopen(null, {
    getsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'buffer'], return: 'int32' },
  }).functions;
  const [IPPROTO_TCP, TCP_CONGESTION] = [6, 13];
  const name = Buffer.alloc(16);
  getsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, name, Uint32Array.of(name.length));
  return name.toString('latin1', 0, name.indexOf(0));
}
