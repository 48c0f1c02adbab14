// Run in a thread of its own by transports.test.ts: peers of a transport, who ask and wait, or ask much and read in fits.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { TestRandom } from '../packets/seed.ts';
import { patternAt } from './byte-pattern.ts';

/** What the test hands over. */
export interface PeersData {
  port: number;
  peers: number;
  asks: number;
  /** One at a time, as soon as the last was answered or a little later; or all at once, reading now and then. */
  mode: 'ask-and-wait' | 'ask-and-gorge';
  seed: number;
}

const { port, peers, asks, mode, seed } = workerData as PeersData;

/** Reads and writes one byte at a time; between them a pause that is over before the other side sleeps, or after. */
async function askAndWait(peer: Socket, random: TestRandom): Promise<number> {
  for (let asked = 0; asked < asks; asked++) {
    peer.write('?');
    await once(peer, 'data');
    const until = performance.now() + random.below(100) / 1000;
    while (performance.now() < until);
  }
  return asks;
}

/** Returns how many bytes came; throws if one of them is not what it should be. */
async function askAndGorge(peer: Socket, random: TestRandom, connection: number): Promise<number> {
  let received = 0;
  let wrong = -1;
  peer.on('data', (bytes: Buffer) => {
    for (const byte of bytes) {
      if (byte !== patternAt(connection, received) && wrong < 0) wrong = received;
      received++;
    }
  });
  for (let asked = 0; asked < asks; asked++) {
    peer.write('?');
    if (random.below(4) === 0) peer.pause();
    else if (random.below(2) === 0) peer.resume();
    if (random.below(3) === 0) await sleep(random.below(5));
  }
  peer.resume();
  peer.end();
  await once(peer, 'end');
  if (wrong >= 0) throw new Error(`byte ${wrong} of connection ${connection} is another`);
  return received;
}

const sockets: Socket[] = [];
// One behind the other, so that the other side names them in this order.
for (let i = 0; i < peers; i++) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  await once(socket, 'connect');
  await sleep(5);
}
const ask = mode === 'ask-and-wait' ? askAndWait : askAndGorge;
const results = await Promise.all(sockets.map((socket, i) => ask(socket, new TestRandom(seed + i), i)));
for (const socket of sockets) socket.destroy();
parentPort!.postMessage(results);
