// Tries the real thread of a SET worker from the acceptor's side: it wakes, answers, stops, and never hoards frames.

import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { ENTRY_WORDS } from '../../lib/ledger/entry-layout.ts';
import { MAX_PENDING_NOTICES } from '../../lib/packets/limits.ts';
import { PacketCreator } from '../../lib/packets/packet-creator.ts';
import { allocatePackets, PacketTable } from '../../lib/packets/packet-table.ts';
import {
  REPLY_KIND,
  REPLY_STAMP_LOW,
  REPLY_WORDS,
  REQUEST_CONNECTION,
  REQUEST_GENERATION,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RICH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  REQUEST_WORDS,
  ReplyKind,
  RequestKind,
} from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateCounters } from '../../lib/ring/counters.ts';
import { allocateDoorbell, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { FULL, Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { ServicePulse } from '../../lib/ring/service-pulse.ts';
import { BATCH_REQUESTS, MAX_DEFERRED_BEFORE_REQUESTS } from '../../lib/sets/limits.ts';
import { WORKER_COUNTERS } from '../../lib/sets/worker-counters.ts';
import type { WorkerThreadData } from '../../lib/sets/worker-thread.ts';
import { sleep, waitFor } from '../net/raw-client.ts';
import { newPacket } from '../packets/packet-model.ts';
import { createPacket } from '../packets/packet-steps.ts';
import { allocateSmallDrops } from '../packets/small-drops.ts';

const MAX_IN_FLIGHT = 512;
const ENTRY_SLOTS = 256;
const WORKER_FILE = new URL('../../lib/sets/worker-thread.ts', import.meta.url);

/** How long anything may take before a test gives up on it. */
const PATIENCE_MS = 8000;

/** A worker's thread, with this thread as its one acceptor and as main. */
class Bench {
  readonly creator: PacketCreator;
  readonly replies: Consumer;
  /** What it enters into the journal, which this thread is too. */
  readonly entries: Consumer;
  /** Requests without a reply. */
  inFlight = 0;
  readonly #stop = new SharedArrayBuffer(4);
  readonly #worker: Worker;
  readonly #requests: Producer;
  readonly #commands: Producer;
  readonly #doorbell: DoorbellRinger;

  constructor(t: Test) {
    const packets = allocatePackets(256, 16_384);
    this.creator = new PacketCreator(new PacketTable(packets), 0, 256, 0, 16_384);
    const memory = {
      requests: allocateRing(2 * MAX_IN_FLIGHT, REQUEST_WORDS),
      replies: allocateRing(2 * MAX_IN_FLIGHT, REPLY_WORDS),
      commands: allocateRing(256, REQUEST_WORDS),
      mainReplies: allocateRing(2 * MAX_IN_FLIGHT, REPLY_WORDS),
      entries: allocateRing(ENTRY_SLOTS, ENTRY_WORDS),
      doorbell: allocateDoorbell(),
    };
    const { port1, port2 } = new MessageChannel();
    const main = new MessageChannel();
    t.teardown(() => {
      port1.close();
      main.port1.close();
    });
    const data: WorkerThreadData = {
      worker: 0,
      stop: this.#stop,
      doorbell: memory.doorbell,
      waitStrategy: 'park',
      counters: allocateCounters(WORKER_COUNTERS),
      drops: allocateSmallDrops(4, 64),
      packets,
      entries: memory.entries,
      journalDoorbell: allocateDoorbell(),
      restored: {
        userIds: new Int32Array(),
        balances: new Float64Array(),
        notices: new Int32Array(),
        wins: [],
        keys: [],
      },
      maxInFlight: MAX_IN_FLIGHT,
      acceptors: [
        { requests: memory.requests, replies: memory.replies, doorbell: allocateDoorbell(), port: port2 },
        { requests: memory.commands, replies: memory.mainReplies, doorbell: allocateDoorbell(), port: main.port2 },
      ],
      main: 1,
      chatPulse: ServicePulse.allocate(),
    };
    const transferList = [port2, main.port2];
    this.#worker = new Worker(WORKER_FILE, { workerData: data, transferList, execArgv: [] });
    this.#worker.on('error', (error) => t.fail(`the thread has failed: ${error}`));
    t.teardown(() => this.#worker.terminate());
    this.#requests = new Producer(memory.requests);
    this.#commands = new Producer(memory.commands);
    this.#doorbell = new DoorbellRinger(memory.doorbell);
    this.replies = new Consumer(memory.replies);
    this.entries = new Consumer(memory.entries);
  }

  /** Sends a request, if one more may be in flight. */
  ask(kind: RequestKind, user: number, stamp: number): boolean {
    if (this.inFlight === MAX_IN_FLIGHT) return false;
    const sent = this.#write(this.#requests, {
      [REQUEST_KIND]: kind,
      [REQUEST_USER]: user,
      [REQUEST_STAMP_LOW]: stamp,
    });
    if (sent) this.inFlight++;
    return sent;
  }

  notify(user: number, packet: number): boolean {
    return this.#write(this.#commands, {
      [REQUEST_KIND]: RequestKind.NOTIFY,
      [REQUEST_USER]: user,
      [REQUEST_PACKET]: packet,
    });
  }

  /** Notices that the thread has not taken. */
  get unseenNotices(): number {
    return this.#commands.countOccupied();
  }

  /** Requests that the thread has not taken. */
  get unseenRequests(): number {
    return this.#requests.countOccupied();
  }

  /** The journal has written so many entries, each of one slot: it gives them back, and the thread is not rung for it. */
  writeEntries(most: number): number {
    const count = Math.min(most, this.entries.available());
    if (count > 0) this.entries.release(count);
    return count;
  }

  /** Takes up to `most` replies: the kind and the stamp of each. */
  take(most: number): [kind: number, stamp: number][] {
    const { words } = this.replies;
    const count = Math.min(most, this.replies.available());
    const taken = Array.from({ length: count }, (_, i): [number, number] => {
      const slot = this.replies.slotAt(i);
      if (words[slot + REPLY_KIND] < ReplyKind.NOTICE) this.inFlight--;
      return [words[slot + REPLY_KIND], words[slot + REPLY_STAMP_LOW]];
    });
    if (count > 0) this.replies.release(count);
    return taken;
  }

  /** Tells the thread to stop, and waits until it has. Returns how it ended. */
  async stop(): Promise<number> {
    const exit = once(this.#worker, 'exit');
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    this.#doorbell.ring();
    const [code] = await exit;
    return code;
  }

  #write(ring: Producer, fields: Record<number, number>): boolean {
    const slot = ring.claim();
    if (slot === FULL) return false;
    ring.words.fill(0, slot, slot + REQUEST_WORDS);
    ring.words[slot + REQUEST_CONNECTION] = 5;
    ring.words[slot + REQUEST_GENERATION] = 1;
    ring.words[slot + REQUEST_RICH] = 1;
    for (const [word, value] of Object.entries(fields)) ring.words[slot + Number(word)] = value;
    ring.publish();
    this.#doorbell.ring();
    return true;
  }
}

t.test('requests that come one at a time wake a sleeping thread, and it stops when told', async (t) => {
  const bench = new Bench(t);
  const stamps: number[] = [];
  for (let stamp = 1; stamp <= 30; stamp++) {
    bench.ask(stamp === 1 ? RequestKind.LOGIN : RequestKind.SHAKE, 7, stamp);
    const deadline = performance.now() + PATIENCE_MS;
    while (bench.inFlight > 0 && performance.now() < deadline) {
      for (const [, got] of bench.take(1)) stamps.push(got);
      await nextTurn();
    }
    // Long enough to fall asleep, and now and then to keep house.
    await sleep(stamp % 10 === 0 ? 120 : 3);
  }
  t.strictSame(
    stamps,
    Array.from({ length: 30 }, (_, i) => i + 1),
  );
  t.equal(await bench.stop(), 0);
  t.end();
});

t.test('a thread that is told to stop answers what is in its rings first', async (t) => {
  const bench = new Bench(t);
  for (let stamp = 1; stamp <= MAX_IN_FLIGHT; stamp++) bench.ask(RequestKind.SHAKE, 7, stamp);
  t.equal(await bench.stop(), 0);
  t.equal(bench.take(1000).length, MAX_IN_FLIGHT);
  t.equal(bench.inFlight, 0);
  t.end();
});

t.test(
  'a thread whose journal is full leaves requests in their ring, and takes them up when there is room',
  async (t) => {
    const bench = new Bench(t);
    bench.ask(RequestKind.LOGIN, 7, 0);
    await waitFor('the login', () => bench.take(1).length === 1);
    // Each is answered through the journal.
    for (let stamp = 1; stamp <= MAX_IN_FLIGHT; stamp++) bench.ask(RequestKind.WALLET, 7, stamp);
    await waitFor('the journal to be full', () => bench.unseenRequests === MAX_IN_FLIGHT - ENTRY_SLOTS);
    await sleep(50);
    t.equal(bench.unseenRequests, MAX_IN_FLIGHT - ENTRY_SLOTS, 'no more is taken');
    t.equal(bench.entries.available(), ENTRY_SLOTS);
    let written = 0;
    await waitFor('every request to be taken', () => {
      written += bench.writeEntries(10);
      return written === MAX_IN_FLIGHT;
    });
    t.equal(bench.unseenRequests, 0);
    t.equal(bench.take(1000).length, 0, 'none was answered past the journal');
    t.equal(await bench.stop(), 0);
    t.equal(bench.writeEntries(1000), 0, 'nor entered twice');
  },
);

t.test('users who log in again and again, with long lists, cannot make the thread hoard notices', async (t) => {
  const bench = new Bench(t);
  const users = 8;
  for (let i = 0; i < MAX_PENDING_NOTICES; i++) {
    const packet = createPacket(bench.creator, newPacket());
    for (let user = 0; user < users; user++) while (!bench.notify(user, packet)) await nextTurn();
  }
  while (bench.unseenNotices > 0) await nextTurn();
  // The acceptor takes replies slowly, so that half its ring is always full of notices.
  const logins = 1500;
  let sent = 0;
  let replies = 0;
  let notices = 0;
  let noticesAtLastReply = 0;
  const deadline = performance.now() + PATIENCE_MS;
  while (replies < logins && performance.now() < deadline) {
    while (sent < logins && bench.ask(RequestKind.LOGIN, sent % users, sent)) sent++;
    for (const [kind] of bench.take(MAX_IN_FLIGHT)) {
      if (kind === ReplyKind.LOGIN) replies++;
      else notices++;
      noticesAtLastReply = notices;
    }
    await nextTurn();
  }
  t.equal(replies, logins);
  while (notices < logins * MAX_PENDING_NOTICES && performance.now() < deadline) {
    notices += bench.take(1000).length;
    await nextTurn();
  }
  t.equal(notices, logins * MAX_PENDING_NOTICES, 'all were told in the end');
  const hoarded = notices - noticesAtLastReply;
  const bound = MAX_DEFERRED_BEFORE_REQUESTS + BATCH_REQUESTS * MAX_PENDING_NOTICES + 2 * MAX_IN_FLIGHT;
  t.ok(hoarded <= bound, `${hoarded} notices waited at the last login, of ${bound} at the most`);
  t.equal(await bench.stop(), 0);
  t.end();
});
