// A SET worker on the test's own thread, with real rings, drops, packets and a journal around it: requests in, replies out.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { RecordType } from '../../lib/ledger/record-layout.ts';
import { DropTable } from '../../lib/packets/drop-table.ts';
import { type NewPacket, PacketCreator } from '../../lib/packets/packet-creator.ts';
import { allocatePackets, PacketTable } from '../../lib/packets/packet-table.ts';
import {
  COMMITMENT_WORDS,
  highWord,
  joinWords,
  lowWord,
  REPLY_AMOUNT,
  REPLY_BODY,
  REPLY_CENTS_HIGH,
  REPLY_CENTS_LOW,
  REPLY_COMMITMENT,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_EXPIRES_AT,
  REPLY_GENERATION,
  REPLY_HELD_HIGH,
  REPLY_HELD_LOW,
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
  REPLY_WORKER,
  REQUEST_BODY,
  REQUEST_CENTS_HIGH,
  REQUEST_CENTS_LOW,
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
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { Outbox } from '../../lib/sets/outbox.ts';
import { SetWorker } from '../../lib/sets/set-worker.ts';
import { WORKER_COUNTERS, WorkerCount, WorkerSum } from '../../lib/sets/worker-counters.ts';
import type { SeenRecord } from '../ledger/small-journal.ts';
import { newPacket } from '../packets/packet-model.ts';
import { createPacket } from '../packets/packet-steps.ts';
import { allocateSmallDrops } from '../packets/small-drops.ts';
import { StepJournal } from './step-journal.ts';

/** A reply as an acceptor finds it; what a kind does not say is left out. */
export interface Reply {
  kind: keyof typeof ReplyKind;
  acceptor: number;
  /** Whether it came through the journal, behind a record. */
  isDurable: boolean;
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
  /** WALLET and TRANSFER. */
  balance: number;
  held: number;
  /** The words behind its head. */
  body: number[];
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
  /** Slots of the ring to the journal. */
  entrySlots: number;
  maxUsers?: number;
}

/** Sequences wrap within a few slots. */
const FIRST_SEQUENCE = 2 ** 31 - 3;
/** The worker's index: replies say whose they are. */
const WORKER = 5;
const NO_BODY: Int32Array = new Int32Array(0);
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
  readonly journal: StepJournal;
  /** Main's index among the acceptors. */
  readonly main: number;
  readonly #creator: PacketCreator;
  readonly #counters: CounterReader;
  /** From each acceptor, and from main behind them. */
  readonly #requests: RingEnds[];
  readonly #replies: Consumer[];
  readonly #outbox: Outbox;
  #nextStamp = 1;
  #nextAmount = 0;
  #nextNumber = 0;

  constructor(options: Partial<RigOptions> = {}) {
    this.options = { sets: 4, acceptors: 2, maxInFlight: 64, packetSlots: 512, entrySlots: 1024, ...options };
    const { sets, acceptors, maxInFlight, packetSlots, entrySlots, maxUsers } = this.options;
    const each = <T>(make: () => T): T[] => Array.from({ length: acceptors + 1 }, make);
    this.main = acceptors;
    this.drops = new DropTable(allocateSmallDrops(sets, AMOUNT_WORDS));
    this.packets = new CountingPacketTable(allocatePackets(packetSlots, 64 * packetSlots));
    this.#creator = new PacketCreator(this.packets, 0, packetSlots, 0, 64 * packetSlots);
    this.#requests = each(openRequestRing);
    const replies = each(() => allocateRing(2 * maxInFlight, REPLY_WORDS, FIRST_SEQUENCE));
    this.#replies = replies.map((memory) => new Consumer(memory));
    this.journal = new StepJournal({ producers: 1, targets: acceptors + 1, entrySlots, replySlots: maxInFlight });
    this.#outbox = new Outbox(
      replies.map((memory) => new Producer(memory)),
      each(() => new DoorbellRinger(allocateDoorbell())),
      maxInFlight,
      this.journal.writers[0],
    );
    const counters = allocateCounters(WORKER_COUNTERS);
    this.#counters = new CounterReader([counters], WORKER_COUNTERS);
    const writer = new CounterWriter(counters, WORKER_COUNTERS);
    this.worker = new SetWorker(WORKER, this.drops, this.packets, this.#outbox, writer, maxUsers);
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

  /** Another command of main. @param key in the body, if the command has one */
  command(kind: RequestKind, user: number, cents: number, key?: string, packet = 0): Reply[] {
    this.putCommand(kind, user, cents, key, packet);
    return this.exchange();
  }

  /** Puts a request into its acceptor's ring, with a stamp of its own. Returns the stamp. */
  put(
    kind: RequestKind,
    user: number,
    at: Place,
    more: Record<number, number> = {},
    body: Int32Array = NO_BODY,
  ): number {
    const stamp = this.#nextStamp++;
    const fields = {
      [REQUEST_KIND]: kind,
      [REQUEST_USER]: user,
      [REQUEST_CONNECTION]: at.connection,
      [REQUEST_GENERATION]: at.generation,
      [REQUEST_STAMP_HIGH]: -stamp,
      [REQUEST_STAMP_LOW]: stamp,
      [REQUEST_RECEIVED]: 7 * stamp,
      ...more,
    };
    publish(this.#requests[at.acceptor].producer, fields, body);
    return stamp;
  }

  /** Puts a notice into the ring from main. */
  putNotice(user: number, packet: number): void {
    publish(this.#requests[this.main].producer, {
      [REQUEST_KIND]: RequestKind.NOTIFY,
      [REQUEST_USER]: user,
      [REQUEST_PACKET]: packet,
    });
  }

  /** Puts another command into the ring from main. Returns its stamp, which the answer brings back. */
  putCommand(kind: RequestKind, user: number, cents: number, key = '', packet = 0): number {
    const bytes = Buffer.from(key);
    const body = new Int32Array(Math.ceil(bytes.length / 4));
    new Uint8Array(body.buffer).set(bytes);
    return this.put(
      kind,
      user,
      at(this.main, 0, 0),
      {
        [REQUEST_CENTS_LOW]: lowWord(cents),
        [REQUEST_CENTS_HIGH]: highWord(cents),
        [REQUEST_PACKET]: packet,
        [REQUEST_RICH]: bytes.length,
      },
      body,
    );
  }

  /** A turn of the worker's thread. Returns how many requests it took from each acceptor, and from main behind them. */
  turn(): number[] {
    this.worker.sendDeferred();
    const taken = this.#requests.map(({ consumer }, acceptor) => this.#handleAll(acceptor, consumer));
    this.#outbox.flush();
    return taken;
  }

  /** A turn of the worker, one of the journal, then one of each acceptor. */
  exchange(): Reply[] {
    this.turn();
    this.journal.step();
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

  /** What all acceptors, and main, find in their rings. */
  takeAll(): Reply[] {
    return this.#replies.flatMap((_, acceptor) => this.takeReplies(acceptor));
  }

  /** What an acceptor finds in its rings, the worker's own first; `most` leaves the rest there. */
  takeReplies(acceptor: number, most = Number.POSITIVE_INFINITY): Reply[] {
    const direct = this.takeDirect(acceptor, most);
    return [...direct, ...this.takeDurable(acceptor, most - direct.length)];
  }

  /** What an acceptor finds in the ring from the worker. */
  takeDirect(acceptor: number, most = Number.POSITIVE_INFINITY): Reply[] {
    return takeFrom(this.#replies[acceptor], acceptor, false, most);
  }

  /** What an acceptor finds in the ring from the journal. */
  takeDurable(acceptor: number, most = Number.POSITIVE_INFINITY): Reply[] {
    return takeFrom(this.journal.replies[acceptor], acceptor, true, most);
  }

  /** The durable records of one type. */
  records(type: RecordType): SeenRecord[] {
    return this.journal.records().filter((record) => record.type === type);
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
    return createPacket(this.#creator, newPacket(changes));
  }

  retirePacket(packetId: number): void {
    this.#creator.retire(packetId);
  }

  #handleAll(acceptor: number, ring: Consumer): number {
    const count = ring.available();
    let requests = 0;
    let slots = 0;
    for (; slots < count && this.#outbox.canRecord(); requests++) {
      const slot = ring.slotAt(slots);
      const bodyWords = ring.words[slot + REQUEST_BODY];
      this.worker.handle(acceptor, ring.words, slot, bodyWords === 0 ? NO_BODY : ring.copyBody(slots, bodyWords));
      slots += 1 + ring.countBodySlots(bodyWords);
    }
    if (slots > 0) ring.release(slots);
    return requests;
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

/** Fills a slot, the words that are not named with -1, and publishes it with its body. */
function publish(ring: Producer, fields: Record<number, number>, body: Int32Array = NO_BODY): void {
  assert(ring.hasRoom(1 + ring.countBodySlots(body.length)), 'a test puts no more into a ring than fits');
  const slot = ring.claim();
  ring.words.fill(-1, slot, slot + REQUEST_WORDS);
  ring.words[slot + REQUEST_BODY] = body.length;
  for (const [word, value] of Object.entries(fields)) ring.words[slot + Number(word)] = value;
  ring.claimBody(body);
  ring.publish();
}

function takeFrom(ring: Consumer, acceptor: number, isDurable: boolean, most: number): Reply[] {
  const replies: Reply[] = [];
  while (replies.length < most && ring.available() > 0) {
    const slot = ring.slotAt(0);
    const bodyWords = ring.words[slot + REPLY_BODY];
    assert(bodyWords >= 0, 'a reply says whether it has a body');
    const body = [...ring.copyBody(0, bodyWords)];
    const slots = 1 + ring.countBodySlots(bodyWords);
    replies.push(readReply(acceptor, isDurable, ring.words, slot, body));
    // A slot keeps what its last reply left there: nobody may take that for an answer.
    for (let i = 0; i < slots; i++) ring.words.fill(-1, ring.slotAt(i), ring.slotAt(i) + REPLY_WORDS);
    ring.release(slots);
  }
  return replies;
}

function readReply(acceptor: number, isDurable: boolean, words: Int32Array, slot: number, body: number[]): Reply {
  const commitment = Buffer.alloc(4 * COMMITMENT_WORDS);
  for (let i = 0; i < COMMITMENT_WORDS; i++) commitment.writeInt32BE(words[slot + REPLY_COMMITMENT + i], 4 * i);
  const kind = words[slot + REPLY_KIND];
  if (kind < ReplyKind.NOTICE)
    assert.equal(words[slot + REPLY_WORKER], WORKER, 'an answer says whose request it answers');
  return {
    kind: KIND_NAMES[kind] as Reply['kind'],
    acceptor,
    isDurable,
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
    balance: joinWords(words[slot + REPLY_CENTS_LOW], words[slot + REPLY_CENTS_HIGH]),
    held: joinWords(words[slot + REPLY_HELD_LOW], words[slot + REPLY_HELD_HIGH]),
    body,
  };
}
