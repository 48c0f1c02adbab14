// Records what the client library really sends, through a relay before the server: the traffic that the fuzzer mutates.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { HongbaoClient } from '../../clients/client.ts';
import { FUZZ_FIRST_USER, PATIENCE_MS } from './limits.ts';

/** The user that the recorded sessions belong to; four bytes of MessagePack, as are all ids of the fuzzer. */
export const RECORDED_USER = FUZZ_FIRST_USER;

/** The first packet of a server. */
const FIRST_PACKET = 0x0010_0000;

/** The frames of two sessions, in the order in which they were sent. */
export interface Recording {
  classic: Buffer[];
  rich: Buffer[];
}

/** Lets a client do everything it can, once in a session of each kind. The same bytes at each run. */
export async function recordSessions(port: number): Promise<Recording> {
  return { classic: await record(port, false), rich: await record(port, true) };
}

async function record(serverPort: number, isRich: boolean): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  const relay = createServer((socket) => {
    const server = connect({ port: serverPort, host: '127.0.0.1' });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.pipe(server).pipe(socket);
    socket.on('error', () => server.destroy());
    server.on('error', () => socket.destroy());
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const { port } = relay.address() as AddressInfo;
  const client = await HongbaoClient.connect({ port, reconnect: false, timeoutMs: PATIENCE_MS });
  if (isRich) await client.hello(RECORDED_USER, 'a token');
  else await client.login(RECORDED_USER);
  await client.shake();
  await client.grab(FIRST_PACKET);
  await client.grab(0xffff_ffff);
  await client.wallet();
  await client.records();
  await client.records({ limit: 5, before: 1000 });
  await client.records({ packetId: FIRST_PACKET });
  await client.send({ users: [RECORDED_USER, RECORDED_USER + 1], totalCents: 100, shares: 2, key: 'a key' });
  await client.send({
    users: [RECORDED_USER + 2],
    totalCents: 1,
    shares: 1,
    key: 'another key',
    mode: 'equal',
    expiresInSeconds: 60,
    note: '红包 🧧',
  });
  await client.ping();
  await client.shake();
  client.close();
  relay.close();
  await once(relay, 'close');
  return cutFrames(Buffer.concat(chunks));
}

function cutFrames(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at)) {
    frames.push(bytes.subarray(at, at + bytes.readUInt16BE(at)));
  }
  return frames;
}
