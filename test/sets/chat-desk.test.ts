// Chat as a SET worker sees it, one step at a time: what is passed on, refused, told, kept, and what a stall or an end does.

import t from 'tap';
import { PacketCreator } from '../../lib/packets/packet-creator.ts';
import { allocatePackets, PacketTable } from '../../lib/packets/packet-table.ts';
import { CHAT_RETRY_AFTER_MS } from '../../lib/protocol/limits.ts';
import {
  ChatResult,
  REPLY_AMOUNT,
  REPLY_BODY,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_GENERATION,
  REPLY_KIND,
  REPLY_PACKET,
  REPLY_RESULT,
  REPLY_SENDER,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_WORDS,
  REPLY_WORKER,
  REQUEST_CENTS_HIGH,
  REQUEST_CENTS_LOW,
  REQUEST_CONNECTION,
  REQUEST_GENERATION,
  REQUEST_KIND,
  REQUEST_PACKET,
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
import { ServicePulse } from '../../lib/ring/service-pulse.ts';
import { ChatDesk } from '../../lib/sets/chat-desk.ts';
import {
  CHAT_STALL_MS,
  CHAT_TIMEOUT_MS,
  MAX_CHAT_QUEUE_FRAMES_PER_USER,
  MAX_CHAT_UNDER_WAY,
  MAX_CHAT_UNDER_WAY_PER_USER,
  MAX_WATCHED_USERS,
} from '../../lib/sets/limits.ts';
import { Outbox } from '../../lib/sets/outbox.ts';
import { NO_SESSION, UserTable } from '../../lib/sets/user-table.ts';
import { WORKER_COUNTERS, WorkerCount } from '../../lib/sets/worker-counters.ts';
import { newPacket } from '../packets/packet-model.ts';
import { createPacket } from '../packets/packet-steps.ts';
import { StepJournal } from './step-journal.ts';

const FIRST_SEQUENCE = 2 ** 31 - 3;
const WORKER = 5;
/** Where the rings of acceptors 0 and 1, of main, and of the service lie. */
const CHAT = 3;

type Words = { kind: number; words: Int32Array; body: Int32Array };

class Rig {
  readonly users = new UserTable(10_000);
  readonly packets: PacketTable;
  readonly creator: PacketCreator;
  readonly pulse: ServicePulse;
  readonly desk: ChatDesk;
  nowMs = 1000;
  readonly #outbox: Outbox;
  readonly #replies: Consumer[];
  readonly #counters: CounterReader;

  constructor({ maxInFlight = 64, chatSlots = 4096 } = {}) {
    const rings = [0, 1, 2].map(() => allocateRing(2 * maxInFlight, REPLY_WORDS, FIRST_SEQUENCE));
    rings.push(allocateRing(chatSlots, REPLY_WORDS, FIRST_SEQUENCE));
    const journal = new StepJournal({ producers: 1, targets: 3, entrySlots: 64, replySlots: maxInFlight });
    this.#outbox = new Outbox(
      rings.map((ring) => new Producer(ring)),
      rings.map(() => new DoorbellRinger(allocateDoorbell())),
      maxInFlight,
      journal.writers[0],
      2,
    );
    this.#replies = rings.map((ring) => new Consumer(ring));
    this.packets = new PacketTable(allocatePackets(64, 4096));
    this.creator = new PacketCreator(this.packets, 0, 64, 0, 4096);
    const counters = allocateCounters(WORKER_COUNTERS);
    this.#counters = new CounterReader([counters], WORKER_COUNTERS);
    this.pulse = new ServicePulse(ServicePulse.allocate(), () => this.nowMs);
    const writer = new CounterWriter(counters, WORKER_COUNTERS);
    this.desk = new ChatDesk(WORKER, this.users, this.packets, this.#outbox, writer, this.pulse, () => this.nowMs);
    this.pulse.begin();
  }

  login(userId: number, acceptor = 0, connection = userId, rich = 1): void {
    const row = this.users.ensureRow(userId);
    this.users.acceptors[row] = acceptor;
    this.users.connections[row] = connection;
    this.users.generations[row] = 1;
    this.users.rich[row] = rich;
    this.desk.onSession(row);
  }

  logout(userId: number): void {
    const row = this.users.rowOf(userId);
    this.users.acceptors[row] = NO_SESSION;
    this.desk.onSession(row);
  }

  ask(userId: number, stamp: number, acceptor = 0, body = new Int32Array([7])): void {
    const words = request({
      [REQUEST_KIND]: RequestKind.CHAT,
      [REQUEST_CONNECTION]: userId,
      [REQUEST_GENERATION]: 1,
      [REQUEST_USER]: userId,
      [REQUEST_PACKET]: 0x0200,
      [REQUEST_STAMP_HIGH]: -stamp,
      [REQUEST_STAMP_LOW]: stamp,
      [REQUEST_RICH]: 4 * body.length,
    });
    this.desk.handleRequest(acceptor, words, 0, body);
  }

  answer(id: number, result: ChatResult = ChatResult.ANSWERED, body = new Int32Array([9]), retryAfterMs = 0): void {
    const words = request({
      [REQUEST_KIND]: RequestKind.CHAT_ANSWER,
      [REQUEST_STAMP_LOW]: id,
      [REQUEST_PACKET]: 0x0201,
      [REQUEST_RICH]: 4 * body.length,
      [REQUEST_CENTS_LOW]: result,
      [REQUEST_CENTS_HIGH]: retryAfterMs,
    });
    this.desk.handleService(words, 0, body);
  }

  push(userId: number, opcode: number, isTransient = false, body = new Int32Array([1])): void {
    const words = request({
      [REQUEST_KIND]: RequestKind.CHAT_PUSH,
      [REQUEST_USER]: userId,
      [REQUEST_PACKET]: opcode,
      [REQUEST_RICH]: 4 * body.length,
      [REQUEST_CENTS_LOW]: isTransient ? 1 : 0,
    });
    this.desk.handleService(words, 0, body);
  }

  say(kind: RequestKind, fields: Record<number, number>): void {
    this.desk.handleService(request({ ...fields, [REQUEST_KIND]: kind }), 0, new Int32Array(0));
  }

  /** What an acceptor, or the service, then finds. */
  take(ring: number): Words[] {
    this.#outbox.flush();
    const consumer = this.#replies[ring];
    const found: Words[] = [];
    while (consumer.available() > 0) {
      const slot = consumer.slotAt(0);
      const words = consumer.words.slice(slot, slot + REPLY_WORDS);
      const body = consumer.copyBody(0, words[REPLY_BODY]);
      found.push({ kind: words[REPLY_KIND], words, body });
      consumer.release(1 + consumer.countBodySlots(words[REPLY_BODY]));
    }
    return found;
  }

  /** The opcodes that an acceptor was told, round after round until nothing waits. */
  takeAll(ring: number): number[] {
    const opcodes: number[] = [];
    for (let round = 0; round < 1000; round++) {
      opcodes.push(...this.take(ring).map(({ words }) => words[REPLY_PACKET]));
      this.desk.sendWaiting();
      if (!this.desk.isWaiting) break;
    }
    return [...opcodes, ...this.take(ring).map(({ words }) => words[REPLY_PACKET])];
  }

  count(name: keyof typeof WorkerCount): number {
    this.#counters.update();
    return this.#counters.count(WorkerCount[name]);
  }
}

function request(fields: Record<number, number>): Int32Array {
  const words = new Int32Array(REQUEST_WORDS);
  for (const [word, value] of Object.entries(fields)) words[Number(word)] = value;
  return words;
}

const idOf = ({ words }: Words) => words[REPLY_STAMP_LOW];
const resultOf = ({ words }: Words) => words[REPLY_RESULT];

t.test('a request is passed on with its user, and its answer goes back to its connection with its stamp', (t) => {
  const rig = new Rig();
  rig.login(7, 1);
  rig.ask(7, 42, 1, new Int32Array([1, 2, 3]));
  const [passed] = rig.take(CHAT);
  t.equal(passed.kind, ReplyKind.PASS_CHAT);
  t.strictSame([passed.words[REPLY_USER], passed.words[REPLY_PACKET], passed.words[REPLY_COUNT]], [7, 0x0200, 12]);
  t.strictSame([...passed.body], [1, 2, 3]);
  rig.answer(idOf(passed));
  const [answer] = rig.take(1);
  const { words } = answer;
  t.strictSame([answer.kind, resultOf(answer), words[REPLY_PACKET]], [ReplyKind.CHAT, ChatResult.ANSWERED, 0x0201]);
  t.strictSame([words[REPLY_CONNECTION], words[REPLY_GENERATION], words[REPLY_WORKER]], [7, 1, WORKER]);
  t.strictSame([words[REPLY_STAMP_HIGH], words[REPLY_STAMP_LOW], [...answer.body]], [-42, 42, [9]]);
  rig.answer(idOf(passed));
  t.same(rig.take(1), [], 'a second answer has no request');
  t.equal(rig.desk.underWay, 0);
  t.end();
});

t.test('so many requests are under way, of one user and of all, and of more each is answered busy at once', (t) => {
  const rig = new Rig({ maxInFlight: 1024 });
  for (let stamp = 0; stamp <= MAX_CHAT_UNDER_WAY_PER_USER; stamp++) rig.ask(1, stamp);
  const refused = rig.take(0);
  t.strictSame(refused.map(resultOf), [ChatResult.BUSY]);
  t.strictSame([refused[0].words[REPLY_STAMP_LOW], refused[0].words[REPLY_AMOUNT]], [16, CHAT_RETRY_AFTER_MS]);
  rig.ask(2, 1);
  t.same(rig.take(0), [], 'another user has room');
  for (let user = 3; rig.desk.underWay < MAX_CHAT_UNDER_WAY; user++) rig.ask(user, 1);
  t.same(rig.take(0), []);
  rig.ask(999, 1);
  t.strictSame(rig.take(0).map(resultOf), [ChatResult.BUSY]);
  const [first] = rig.take(CHAT);
  rig.answer(idOf(first));
  rig.take(0);
  rig.ask(999, 2);
  t.same(rig.take(0), [], 'one was answered, so there is room');
  t.end();
});

t.test('a ring to the service that is full means busy, and nothing is lost of what went before', (t) => {
  const rig = new Rig({ maxInFlight: 1024, chatSlots: 16 });
  for (let user = 0; user < 9; user++) rig.ask(user, 1);
  t.strictSame(rig.take(0).map(resultOf), [ChatResult.BUSY]);
  t.equal(rig.take(CHAT).length, 8, 'a head and a body each');
  t.end();
});

t.test("a service that is down, has ended or has stalled: all are answered, and its late answers are nobody's", (t) => {
  const rig = new Rig();
  rig.ask(1, 10);
  const [old] = rig.take(CHAT);
  rig.pulse.end();
  rig.ask(2, 20);
  t.strictSame(
    rig.take(0).map((reply) => [idOf(reply), resultOf(reply)]),
    [
      [10, ChatResult.UNAVAILABLE],
      [20, ChatResult.UNAVAILABLE],
    ],
  );
  rig.pulse.begin();
  rig.answer(idOf(old));
  t.same(rig.take(0), []);
  rig.ask(3, 30);
  t.same(rig.take(0), []);
  rig.nowMs += CHAT_STALL_MS;
  rig.desk.keepTime();
  rig.ask(3, 31);
  t.same(rig.take(0), [], 'just within');
  rig.nowMs += 1;
  rig.ask(4, 40);
  t.strictSame(
    rig.take(0).map((reply) => [idOf(reply), resultOf(reply)]),
    [[40, ChatResult.BUSY]],
    'at once',
  );
  rig.desk.keepTime();
  t.strictSame(
    rig.take(0).map((reply) => [idOf(reply), resultOf(reply)]),
    [
      [30, ChatResult.UNAVAILABLE],
      [31, ChatResult.UNAVAILABLE],
    ],
  );
  t.equal(rig.desk.underWay, 0);
  rig.pulse.beat();
  rig.ask(5, 50);
  t.same(rig.take(0), [], 'its loop turns again');
  t.end();
});

t.test('a request that takes too long is answered alone', (t) => {
  const rig = new Rig();
  rig.ask(1, 1);
  rig.nowMs += 10;
  rig.ask(2, 2);
  rig.nowMs += CHAT_TIMEOUT_MS - 10;
  rig.pulse.beat();
  rig.desk.keepTime();
  t.strictSame(
    rig.take(0).map((reply) => [idOf(reply), resultOf(reply)]),
    [[1, ChatResult.UNAVAILABLE]],
  );
  t.equal(rig.desk.underWay, 1);
  t.end();
});

t.test('pushes reach an extended session, in order; those of others wait for one', (t) => {
  const rig = new Rig();
  rig.push(7, 0x280);
  rig.login(7, 0, 7, 0);
  rig.push(7, 0x281);
  t.strictSame([rig.take(0), rig.desk.queuedFrames], [[], 2], 'nobody; a classic session');
  rig.login(7, 1, 8, 1);
  rig.push(7, 0x282);
  t.strictSame(rig.takeAll(1), [0x280, 0x281, 0x282]);
  rig.push(7, 0x283);
  const [told] = rig.take(1);
  t.strictSame([told.kind, told.words[REPLY_CONNECTION], told.words[REPLY_USER]], [ReplyKind.CHAT_PUSH, 8, 7]);
  rig.logout(7);
  rig.push(7, 0x284);
  rig.push(7, 0x285, true);
  t.equal(rig.desk.queuedFrames, 1, 'what is transient is not kept');
  t.notOk(rig.desk.isWaiting, 'nothing to do while he is away');
  rig.login(7, 0);
  t.strictSame(rig.takeAll(0), [0x284]);
  t.equal(rig.count('chatQueued'), 0);
  t.end();
});

t.test(
  'a flood of pushes fills half of what notices may, then waits in a bounded queue, the oldest lost first',
  (t) => {
    const rig = new Rig({ maxInFlight: 64 });
    rig.login(7);
    for (let i = 0; i < 1000; i++) rig.push(7, i);
    const first = rig.take(0).length;
    t.ok(first > 0 && 2 * first <= 32, `${first} in the ring`);
    t.equal(rig.desk.queuedFrames, MAX_CHAT_QUEUE_FRAMES_PER_USER);
    t.equal(rig.count('chatDropped'), 1000 - first - MAX_CHAT_QUEUE_FRAMES_PER_USER);
    t.equal(rig.count('chatQueued'), MAX_CHAT_QUEUE_FRAMES_PER_USER);
    const rest = rig.takeAll(0);
    t.strictSame(
      rest,
      Array.from({ length: MAX_CHAT_QUEUE_FRAMES_PER_USER }, (_, i) => 900 + i),
    );
    t.end();
  },
);

t.test('a full ring of one acceptor holds up nobody behind another', (t) => {
  const rig = new Rig();
  rig.login(7, 0);
  rig.login(8, 1);
  for (let i = 0; i < 100; i++) rig.push(7, i);
  rig.push(8, 5);
  t.strictSame(
    rig.take(1).map(({ words }) => words[REPLY_PACKET]),
    [5],
  );
  rig.logout(8);
  rig.push(8, 6);
  rig.login(8, 1);
  rig.desk.sendWaiting();
  t.strictSame(
    rig.take(1).map(({ words }) => words[REPLY_PACKET]),
    [6],
  );
  t.end();
});

t.test('answers wait for room and none is lost', (t) => {
  const rig = new Rig({ maxInFlight: 16 });
  for (let user = 0; user < 50; user++) rig.ask(user, user);
  for (const passed of rig.take(CHAT)) rig.answer(idOf(passed));
  const stamps: number[] = [];
  for (let round = 0; round < 50; round++) {
    stamps.push(...rig.take(0).map(idOf));
    rig.desk.sendWaiting();
  }
  t.strictSame(
    stamps.sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  );
  t.notOk(rig.desk.isWaiting);
  t.end();
});

t.test('the service is told who is here when it asks, and of each change; another service has to ask again', (t) => {
  const rig = new Rig();
  rig.login(7);
  const told = () => {
    rig.desk.sendWaiting();
    return rig.take(CHAT).map(({ kind, words }) => [kind, words[REPLY_USER], words[REPLY_RESULT]]);
  };
  t.same(told(), []);
  rig.say(RequestKind.CHAT_WATCH, { [REQUEST_USER]: 7 });
  rig.say(RequestKind.CHAT_WATCH, { [REQUEST_USER]: 8 });
  t.strictSame(told(), [
    [ReplyKind.PRESENCE, 7, 1],
    [ReplyKind.PRESENCE, 8, 0],
  ]);
  rig.logout(7);
  rig.login(8);
  rig.login(9);
  t.strictSame(told(), [
    [ReplyKind.PRESENCE, 7, 0],
    [ReplyKind.PRESENCE, 8, 1],
  ]);
  rig.pulse.end();
  rig.pulse.begin();
  rig.desk.keepTime();
  rig.login(7);
  t.same(told(), []);
  t.end();
});

t.test('as many users are watched as may be; who asks for more is told how it is, and not what becomes of it', (t) => {
  const rig = new Rig();
  const told = () => {
    const users: number[] = [];
    for (let round = 0; round === 0 || rig.desk.isWaiting; round++) {
      rig.desk.sendWaiting();
      users.push(...rig.take(CHAT).map(({ words }) => words[REPLY_USER]));
    }
    return users;
  };
  const last = MAX_WATCHED_USERS - 1;
  for (let userId = 0; userId <= last; userId++) {
    rig.say(RequestKind.CHAT_WATCH, { [REQUEST_USER]: userId });
    if (userId % 1000 === 0) told();
  }
  told();
  rig.say(RequestKind.CHAT_WATCH, { [REQUEST_USER]: last + 1 });
  t.strictSame(told(), [last + 1]);
  rig.login(last);
  rig.login(last + 1);
  t.strictSame(told(), [last], 'the last that fits, and not the one too many');
  t.end();
});

t.test('the service is told what a packet is while it can be grabbed', (t) => {
  const rig = new Rig();
  const packetId = createPacket(rig.creator, newPacket({ totalCents: 300, shares: 2, invited: [1], senderId: 7 }));
  for (const [id, packet] of [
    [1, packetId],
    [2, packetId + 1],
  ]) {
    rig.say(RequestKind.CHAT_PACKET, { [REQUEST_STAMP_LOW]: id, [REQUEST_PACKET]: packet });
  }
  rig.desk.sendWaiting();
  const [known, unknown] = rig.take(CHAT);
  t.strictSame(
    [known.kind, idOf(known), known.words[REPLY_AMOUNT], known.words[REPLY_SENDER]],
    [ReplyKind.CHAT_PACKET, 1, 300, 7],
  );
  t.strictSame([idOf(unknown), resultOf(unknown)], [2, -1]);
  t.end();
});
