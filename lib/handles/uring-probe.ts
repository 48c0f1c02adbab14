// Tries once, with real bytes, whether io_uring does here what the fast lane relies on: reads that go on by themselves, sends
// that are done at once or told back, the end of a receive, connections that are accepted, and the event that wakes the loop.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { type OwnedDescriptor, openEventPipe } from './owned-descriptor.ts';
import { loadSystemCalls, type SystemCalls } from './system-calls.ts';
import { descriptorOf, type HandleParts } from './tcp-handle.ts';
import { Uring } from './uring.ts';

/** What a lane is made of, tried. */
export interface UringParts {
  calls: SystemCalls;
  /** See openEventPipe. */
  openEvent(descriptor: number, onEvent: () => void): OwnedDescriptor;
}

/** How long the event may take, in milliseconds. */
const PROBE_MS = 2000;

/** The exchange takes no naps. */
const NAP_MS = 1;

/** More than a socket takes at once. */
const LARGE_BYTES = 4 * 1024 * 1024;

const GREETING = Buffer.from('hongbao');
const LOOPBACK = '127.0.0.1';
const ECANCELED = -125;

/** The two ends of a pair of sockets, as connections of a ring. */
const HERE = 1;
const THERE = 2;

/** The parts, tried; or why they cannot be used, in a few words. Settles within PROBE_MS. */
export async function probeUring(
  handles: HandleParts,
  load: () => SystemCalls = loadSystemCalls,
): Promise<UringParts | string> {
  const used: (() => void)[] = [];
  try {
    const calls = load();
    const parts = { calls, openEvent: openEventPipe.bind(undefined, handles) };
    await exchange(parts, used);
    return parts;
  } catch (error) {
    return (error as Error).message;
  } finally {
    for (const close of used) close();
  }
}

/** @param used takes how to close whatever is opened, however the exchange ends */
async function exchange({ calls, openEvent }: UringParts, used: (() => void)[]): Promise<void> {
  const unsent: [connection: number, result: number][] = [];
  const uring = new Uring(calls, (connection, result) => unsent.push([connection, result]), NAP_MS);
  used.push(() => calls.close(uring.descriptor));
  const pair = calls.makeSocketPair();
  used.push(() => pair.forEach(calls.close));
  let wasWoken = () => {};
  const woken = new Promise<boolean>((resolve) => {
    wasWoken = () => resolve(true);
    const timer = setTimeout(() => resolve(false), PROBE_MS);
    used.push(() => clearTimeout(timer));
  });
  const event = openEvent(uring.event, () => wasWoken());
  used.push(() => event.close());

  uring.receive(HERE, pair[0]);
  uring.submit();
  insist(!uring.next() && uring.sleep(), 'wait for bytes');
  uring.send(THERE, pair[1], GREETING, 0, GREETING.length);
  uring.submit();
  insist(await woken, 'wake the loop');
  uring.wake();
  uring.submit();
  insist(uring.next() && uring.connection === HERE && uring.isMore, 'go on reading');
  insist(GREETING.equals(uring.buffers[uring.buffer].subarray(0, uring.result)), 'bring what was sent');
  uring.giveBack(uring.buffer);

  uring.cancelReceive(HERE);
  uring.submit();
  uring.submit();
  insist(uring.next() && uring.result === ECANCELED && !uring.isMore, 'end a receive');

  const large = Buffer.alloc(LARGE_BYTES);
  for (const wanted of ['be sent in part', 'not be sent at all']) {
    uring.send(HERE, pair[0], large, 0, large.length);
    uring.submit();
    const [connection, result] = unsent.pop() ?? [];
    const isTold = wanted === 'be sent in part' ? result! > 0 && result! < LARGE_BYTES : result! < 0;
    insist(connection === HERE && isTold, `tell what could ${wanted}`);
  }
  insist(unsent.length === 0 && !uring.next(), 'keep silent about what was done');
  await acceptOne(calls, uring, used);
}

/** Somebody connects, and is accepted. */
async function acceptOne(calls: SystemCalls, uring: Uring, used: (() => void)[]): Promise<void> {
  const server = createServer().listen(0, LOOPBACK);
  used.push(() => server.close());
  await once(server, 'listening');
  const listener = calls.duplicate(descriptorOf(server));
  used.push(() => calls.close(listener));
  calls.setAccepted(listener, 1);
  const { port } = server.address() as AddressInfo;
  server.close();
  uring.accept(listener);
  uring.submit();
  const peer = connect(port, LOOPBACK);
  used.push(() => peer.destroy());
  await once(peer, 'connect');
  uring.submit();
  insist(uring.next() && uring.isAccept && uring.isMore && uring.result >= 0, 'accept connections');
  const { result: accepted } = uring;
  used.push(() => calls.close(accepted));
  insist(calls.peerOf(accepted) === LOOPBACK, 'say who has connected');
  uring.cancelAccept();
  uring.submit();
  uring.submit();
  insist(uring.next() && uring.isAccept && uring.result === ECANCELED && !uring.isMore, 'end an accept');
}

function insist(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`io_uring does not ${what} here`);
}
