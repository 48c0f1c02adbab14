// A SET worker on the test's own thread, with real rings, drops and packets around it: requests in, replies out.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DropTable } from '../../lib/packets/drop-table.ts';
import { type NewPacket, PacketCreator } from '../../lib/packets/packet-creator.ts';
import { allocatePackets, PacketTable } from '../../lib/packets/packet-table.ts';
import {
  COMMITMENT_WORDS,
  REPLY_AMOUNT,
  REPLY_COMMITMENT,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_EXPIRES_AT,
  REPLY_GENERATION,
  REPLY_KIND,
  REPLY_MODE,
  REPLY_PACKET,
  REPLY_RECEIVED,
  REPLY_RESULT,
  REPLY_SENDER,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_USERS,
  REPLY_WORDS,
  REQUEST_CONNECTION,
  REQUEST_GENERATION,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RECEIVED,
  REQUEST_RICH,
  REQUEST_STAMP_HIGH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  REQUEST_WORDS,
  ReplyKind,
  RequestKind,
} from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateCounters, CounterReader, CounterWriter } from '../../lib/ring/counters.ts';
import { allocateDoorbell, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { FULL, Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { Outbox } from '../../lib/sets/outbox.ts';
import { SetWorker } from '../../lib/sets/set-worker.ts';
import { WORKER_COUNTERS, WorkerCount, WorkerSum } from '../../lib/sets/worker-counters.ts';
import { newPacket } from '../packets/packet-model.ts';
import { allocateSmallDrops } from '../packets/small-drops.ts';

/** A reply as an acceptor finds it; what a kind does not say is left out. */
export interface Reply {
  kind: keyof typeof ReplyKind;
  acceptor: number;
  connection: number;
  generation: number;
  user: number;
  /** LOGIN, SHAKE, GRAB. */
  result: number;
  packet: number;
  amount: number;
  stamp: [number, number];
  received: number;
  /** LOGIN and NOTICE. */
  count: number;
  /** NOTICE. */
  users: number[];
  sender: number;
  expiresAt: number;
  mode: number;
  commitment: string;
}

/** Where a user is connected. */
export interface Place {
  acceptor: number;
  connection: number;
  generation: number;
}

export interface RigOptions {
  sets: number;
  acceptors: number;
  maxInFlight: number;
  packetSlots: number;
  maxUsers?: number;
}

/** Sequences wrap within a few slots. */
const FIRST_SEQUENCE = 2 ** 31 - 3;
/** Slots of a ring that brings requests: more than a test puts into it between two turns. */
const REQUEST_SLOTS = 1024;
const AMOUNT_WORDS = 16_384;
const KIND_NAMES = Object.fromEntries(Object.entries(ReplyKind).map(([name, kind]) => [kind, name]));

/** A packet table that counts how often notices were looked after. */
class CountingPacketTable extends PacketTable {
  factsRead = 0;
  openRead = 0;

  override facts(packetId: number) {
    this.factsRead++;
    return super.facts(packetId);
  }

  override isOpen(packetId: number) {
    this.openRead++;
    return super.isOpen(packetId);
  }
}

export class Rig {
  readonly options: RigOptions;
  readonly drops: DropTable;
  readonly packets: CountingPacketTable;
  readonly worker: SetWorker;
  readonly #creator: PacketCreator;
  readonly #counters: CounterReader;
  readonly #requests: RingEnds[];
  /** From main. */
  readonly #commands: RingEnds;
  readonly #replies: Consumer[];
  readonly #outbox: Outbox;
  #nextStamp = 1;
  #nextAmount = 0;
  #nextNumber = 0;

  constructor(options: Partial<RigOptions> = {}) {
    this.options = { sets: 4, acceptors: 2, maxInFlight: 64, packetSlots: 512, ...options };
    const { sets, acceptors, maxInFlight, packetSlots, maxUsers } = this.options;
    const each = <T>(make: () => T): T[] => Array.from({ length: acceptors }, make);
    this.drops = new DropTable(allocateSmallDrops(sets, AMOUNT_WORDS));
    this.packets = new CountingPacketTable(allocatePackets(packetSlots, 64 * packetSlots));
    this.#creator = new PacketCreator(this.packets, 0, packetSlots, 0, 64 * packetSlots);
    this.#requests = each(openRequestRing);
    this.#commands = openRequestRing();
    const replies = each(() => allocateRing(2 * maxInFlight, REPLY_WORDS, FIRST_SEQUENCE));
    this.#replies = replies.map((memory) => new Consumer(memory));
    this.#outbox = new Outbox(
      replies.map((memory) => new Producer(memory)),
      each(() => new DoorbellRinger(allocateDoorbell())),
      maxInFlight,
    );
    const counters = allocateCounters(WORKER_COUNTERS);
    this.#counters = new CounterReader([counters], WORKER_COUNTERS);
    const writer = new CounterWriter(counters, WORKER_COUNTERS);
    this.worker = new SetWorker(this.drops, this.packets, this.#outbox, writer, maxUsers);
  }

  /** These four send a request, let the worker handle it, and return what the acceptors then find. */
  login(user: number, at: Place, rich = false): Reply[] {
    this.put(RequestKind.LOGIN, user, at, { [REQUEST_RICH]: rich ? 1 : 0 });
    return this.exchange();
  }

  disconnect(user: number, at: Place): Reply[] {
    this.put(RequestKind.DISCONNECT, user, at);
    return this.exchange();
  }

  shake(user: number, at: Place): Reply[] {
    this.put(RequestKind.SHAKE, user, at);
    return this.exchange();
  }

  grab(user: number, at: Place, packet: number): Reply[] {
    this.put(RequestKind.GRAB, user, at, { [REQUEST_PACKET]: packet });
    return this.exchange();
  }

  /** What main sends: this user is told of this packet. */
  notify(user: number, packet: number): Reply[] {
    this.putNotice(user, packet);
    return this.exchange();
  }

  /** Puts a request into its acceptor's ring, with a stamp of its own. Returns the stamp. */
  put(kind: RequestKind, user: number, at: Place, more: Record<number, number> = {}): number {
    const stamp = this.#nextStamp++;
    publish(this.#requests[at.acceptor].producer, {
      [REQUEST_KIND]: kind,
      [REQUEST_USER]: user,
      [REQUEST_CONNECTION]: at.connection,
      [REQUEST_GENERATION]: at.generation,
      [REQUEST_STAMP_HIGH]: -stamp,
      [REQUEST_STAMP_LOW]: stamp,
      [REQUEST_RECEIVED]: 7 * stamp,
      ...more,
    });
    return stamp;
  }

  /** Puts a notice into the ring from main. */
  putNotice(user: number, packet: number): void {
    publish(this.#commands.producer, {
      [REQUEST_KIND]: RequestKind.NOTIFY,
      [REQUEST_USER]: user,
      [REQUEST_PACKET]: packet,
    });
  }

  /** A turn of the worker's thread. */
  turn(): void {
    this.worker.sendDeferred();
    for (const [acceptor, { consumer }] of this.#requests.entries()) this.#handleAll(acceptor, consumer);
    this.#handleAll(-1, this.#commands.consumer);
    this.#outbox.flush();
  }

  /** A turn of the worker, then one of each acceptor. */
  exchange(): Reply[] {
    this.turn();
    return this.takeAll();
  }

  /** Turns until nobody finds anything more. */
  settle(): Reply[] {
    const all: Reply[] = [];
    for (;;) {
      const replies = this.exchange();
      if (replies.length === 0 && this.worker.deferredCount === 0) return all;
      all.push(...replies);
    }
  }

  /** What all acceptors find in their rings. */
  takeAll(): Reply[] {
    return this.#replies.flatMap((_, acceptor) => this.takeReplies(acceptor));
  }

  /** What an acceptor finds in its ring; `most` leaves the rest there. */
  takeReplies(acceptor: number, most = Number.POSITIVE_INFINITY): Reply[] {
    const ring = this.#replies[acceptor];
    const count = Math.min(ring.available(), most);
    const replies = Array.from({ length: count }, (_, i) => readReply(acceptor, ring.words, ring.slotAt(i)));
    ring.release(count);
    return replies;
  }

  /** Opens a drop whose packets have these amounts, with nothing released yet. Returns its id. */
  openDrop(slot: number, amounts: readonly number[], winsPerUser = 0): number {
    const firstAmount = this.#nextAmount;
    this.#nextAmount += amounts.length;
    this.drops.amounts.set(amounts, firstAmount);
    const id = 1000 + firstAmount;
    this.drops.open(slot, { id, firstAmount, firstNumber: this.#nextNumber, winsPerUser });
    this.#nextNumber += amounts.length;
    return id;
  }

  /** Ends the drop in a slot: what is left is taken back. Returns how many packets that were. */
  closeDrop(slot: number): number {
    let packets = 0;
    for (let set = 0; set < this.options.sets; set++) packets += this.drops.takeBack(slot, set, AMOUNT_WORDS);
    this.drops.close(slot);
    return packets;
  }

  createPacket(changes: Partial<NewPacket> = {}): number {
    return this.#creator.create(newPacket(changes));
  }

  retirePacket(packetId: number): void {
    this.#creator.retire(packetId);
  }

  #handleAll(acceptor: number, ring: Consumer): void {
    const count = ring.available();
    for (let i = 0; i < count; i++) this.worker.handle(acceptor, ring.words, ring.slotAt(i));
    if (count > 0) ring.release(count);
  }

  count(name: keyof typeof WorkerCount): number {
    this.#counters.update();
    return this.#counters.count(WorkerCount[name]);
  }

  sum(name: keyof typeof WorkerSum): number {
    return this.#counters.sum(WorkerSum[name]);
  }

  /** Every count that is not 0. */
  counts(): Record<string, number> {
    const names = Object.keys(WorkerCount) as (keyof typeof WorkerCount)[];
    return Object.fromEntries(names.map((name) => [name, this.count(name)]).filter(([, count]) => count !== 0));
  }

  sessions(): number[] {
    return Array.from({ length: this.options.sets }, (_, set) => this.drops.stock.countSessions(set));
  }
}

/** A place by its numbers. */
export const at = (acceptor: number, connection: number, generation = 1): Place => ({
  acceptor,
  connection,
  generation,
});

/** What a NOTICE to an extended session commits to. */
export function commitmentOf(packet: NewPacket): string {
  return createHash('sha256').update(packet.seed).digest('hex');
}

/** The kinds of replies with the packets they tell of, to compare at a glance. */
export const brief = (replies: readonly Reply[]) =>
  replies.map(({ kind, user, packet }) => (kind === 'NOTICE' ? `NOTICE ${packet} to ${user}` : `${kind} to ${user}`));

interface RingEnds {
  producer: Producer;
  consumer: Consumer;
}

function openRequestRing(): RingEnds {
  const memory = allocateRing(REQUEST_SLOTS, REQUEST_WORDS, FIRST_SEQUENCE);
  return { producer: new Producer(memory), consumer: new Consumer(memory) };
}

/** Fills a slot, the words that are not named with -1, and publishes it. */
function publish(ring: Producer, fields: Record<number, number>): void {
  const slot = ring.claim();
  assert(slot !== FULL, 'a test puts no more into a ring than fits');
  ring.words.fill(-1, slot, slot + REQUEST_WORDS);
  for (const [word, value] of Object.entries(fields)) ring.words[slot + Number(word)] = value;
  ring.publish();
}

function readReply(acceptor: number, words: Int32Array, slot: number): Reply {
  const commitment = Buffer.alloc(4 * COMMITMENT_WORDS);
  for (let i = 0; i < COMMITMENT_WORDS; i++) commitment.writeInt32BE(words[slot + REPLY_COMMITMENT + i], 4 * i);
  const reply: Reply = {
    kind: KIND_NAMES[words[slot + REPLY_KIND]] as Reply['kind'],
    acceptor,
    connection: words[slot + REPLY_CONNECTION],
    generation: words[slot + REPLY_GENERATION],
    user: words[slot + REPLY_USER],
    result: words[slot + REPLY_RESULT],
    packet: words[slot + REPLY_PACKET] >>> 0,
    amount: words[slot + REPLY_AMOUNT],
    stamp: [words[slot + REPLY_STAMP_HIGH], words[slot + REPLY_STAMP_LOW]],
    received: words[slot + REPLY_RECEIVED],
    count: words[slot + REPLY_COUNT],
    users: [...words.subarray(slot + REPLY_USERS, slot + REPLY_USERS + 3)],
    sender: words[slot + REPLY_SENDER],
    expiresAt: words[slot + REPLY_EXPIRES_AT] >>> 0,
    mode: words[slot + REPLY_MODE],
    commitment: commitment.toString('hex'),
  };
  // A slot keeps what its last reply left there: nobody may take that for an answer.
  words.fill(-1, slot, slot + REPLY_WORDS);
  return reply;
}
