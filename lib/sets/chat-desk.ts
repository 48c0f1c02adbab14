// Chat as one SET worker sees it: passes requests on to the chat service, its answers and pushes back to where users are
// logged in, and keeps the frames of those who are not here.
//
// The service is another thread that may stall, end and be started again; nothing else waits for it. What is under way to it
// is bounded, and answered UNAVAILABLE when it has ended, has stalled, or takes too long; its late answer is then thrown
// away. Pushes to one user leave in the order in which the service gave them.

import type { PacketTable } from '../packets/packet-table.ts';
import { CHAT_RETRY_AFTER_MS } from '../protocol/limits.ts';
import {
  ChatResult,
  REPLY_AMOUNT,
  REPLY_BODY,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_GENERATION,
  REPLY_KIND,
  REPLY_PACKET,
  REPLY_RECEIVED,
  REPLY_RESULT,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_WORKER,
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
  ReplyKind,
  RequestKind,
} from '../protocol/slot-layout.ts';
import type { CounterWriter } from '../ring/counters.ts';
import { FULL } from '../ring/producer.ts';
import type { ServicePulse } from '../ring/service-pulse.ts';
import { ChatQueues, type PushedFrame } from './chat-queues.ts';
import {
  CHAT_STALL_MS,
  CHAT_TIMEOUT_MS,
  MAX_CHAT_UNDER_WAY,
  MAX_CHAT_UNDER_WAY_PER_USER,
  MAX_WATCHED_USERS,
} from './limits.ts';
import type { Outbox } from './outbox.ts';
import { writeCommitmentWords, writeNoticeWords } from './unasked-frames.ts';
import { NO_ROW, NO_SESSION, type UserTable } from './user-table.ts';
import { WorkerCount } from './worker-counters.ts';

/** A request that the service has, or an answer that waits for room. */
interface Asked {
  acceptor: number;
  connection: number;
  generation: number;
  userId: number;
  stampHigh: number;
  stampLow: number;
  receivedUs: number;
  sinceMs: number;
}

interface Answer {
  result: ChatResult;
  /** With RATE, BUSY and UNAVAILABLE: how long to wait, in milliseconds. */
  retryAfterMs: number;
  frame: PushedFrame;
}

/** Users whose ring is found full before the others wait for the next turn. */
const MOST_FULL = 64;

const NO_FRAME: PushedFrame = { opcode: 0, bytes: 0, body: new Int32Array(0) };

/** Owned by one worker. */
export class ChatDesk {
  readonly #worker: number;
  readonly #users: UserTable;
  readonly #packets: PacketTable;
  readonly #outbox: Outbox;
  readonly #counters: CounterWriter;
  readonly #pulse: ServicePulse;
  readonly #readMs: () => number;
  readonly #queues: ChatQueues;
  /** By id, the oldest first. */
  readonly #asked = new Map<number, Asked>();
  readonly #askedBy = new Map<number, number>();
  /** Answers that found no room in their reply ring. */
  #answers: { asked: Asked; answer: Answer }[] = [];
  /** Users with frames that wait, who have an extended session. */
  readonly #ready = new Set<number>();
  /** Users whose coming and going the service is told of, and those of whom it is yet to be told. */
  readonly #watched = new Set<number>();
  readonly #toTell = new Set<number>();
  /** What the service has asked of packets, and is yet to be told. */
  #packetsAsked: { id: number; packetId: number }[] = [];
  #nextId = 1;
  #epoch: number;

  /** @param readMs milliseconds that never go back */
  constructor(
    worker: number,
    users: UserTable,
    packets: PacketTable,
    outbox: Outbox,
    counters: CounterWriter,
    pulse: ServicePulse,
    readMs: () => number,
  ) {
    this.#worker = worker;
    this.#users = users;
    this.#packets = packets;
    this.#outbox = outbox;
    this.#counters = counters;
    this.#pulse = pulse;
    this.#readMs = readMs;
    this.#epoch = pulse.epoch;
    this.#queues = new ChatQueues((frames) => counters.add(WorkerCount.chatDropped, frames));
  }

  /** Whether something waits for room in a ring. */
  get isWaiting(): boolean {
    return this.#answers.length + this.#ready.size + this.#toTell.size + this.#packetsAsked.length > 0;
  }

  /** Requests that the service has, and frames that wait for their users. */
  get underWay(): number {
    return this.#asked.size;
  }
  get queuedFrames(): number {
    return this.#queues.frames;
  }

  /** Passes a request on; the session stands. Answers it if that cannot be. @param body the packed value, padded to words */
  handleRequest(acceptor: number, words: Int32Array, slot: number, body: Int32Array): void {
    this.#lookAtService();
    const asked = this.#read(acceptor, words, slot);
    const under = this.#askedBy.get(asked.userId) ?? 0;
    if (!this.#pulse.isUp) this.#refuse(asked, ChatResult.UNAVAILABLE);
    else if (this.#isStalled || this.#asked.size >= MAX_CHAT_UNDER_WAY || under >= MAX_CHAT_UNDER_WAY_PER_USER) {
      this.#refuse(asked, ChatResult.BUSY);
    } else if (!this.#pass(asked, words[slot + REQUEST_PACKET], words[slot + REQUEST_RICH], body)) {
      this.#refuse(asked, ChatResult.BUSY);
    }
  }

  /** Answers a request whose session does not stand. */
  refuseStranger(acceptor: number, words: Int32Array, slot: number): void {
    const asked = this.#read(acceptor, words, slot);
    this.#answer(asked, { result: ChatResult.NOT_LOGGED_IN, retryAfterMs: 0, frame: NO_FRAME });
  }

  /** Handles what the service says. @param body the packed value, padded to words */
  handleService(words: Int32Array, slot: number, body: Int32Array): void {
    this.#lookAtService();
    const userId = words[slot + REQUEST_USER];
    const id = words[slot + REQUEST_STAMP_LOW];
    const frame = { opcode: words[slot + REQUEST_PACKET], bytes: words[slot + REQUEST_RICH], body };
    switch (words[slot + REQUEST_KIND]) {
      case RequestKind.CHAT_ANSWER: {
        const asked = this.#take(id);
        const result = words[slot + REQUEST_CENTS_LOW] as ChatResult;
        // One that came too late has been answered already.
        if (asked !== undefined) this.#answer(asked, { result, retryAfterMs: words[slot + REQUEST_CENTS_HIGH], frame });
        break;
      }
      case RequestKind.CHAT_PUSH:
        this.#push(userId, frame, words[slot + REQUEST_CENTS_LOW] === 1);
        break;
      case RequestKind.CHAT_WATCH:
        if (this.#watched.size < MAX_WATCHED_USERS) this.#watched.add(userId);
        this.#toTell.add(userId);
        break;
      case RequestKind.CHAT_PACKET:
        this.#packetsAsked.push({ id, packetId: words[slot + REQUEST_PACKET] });
        break;
    }
  }

  /** The session of a user has begun, moved or ended. */
  onSession(row: number): void {
    const userId = this.#users.userIds[row];
    if (this.#watched.has(userId)) this.#toTell.add(userId);
    if (this.#queues.has(userId)) this.#markReady(userId);
  }

  /** Sends what found no room before, as far as there is room now. */
  sendWaiting(): void {
    this.#answers = this.#answers.filter(({ asked, answer }) => !this.#sendAnswer(asked, answer));
    let failures = 0;
    for (const userId of this.#ready) {
      if (this.#sendQueue(userId)) continue;
      // Behind the others: their acceptor may have room.
      this.#ready.delete(userId);
      this.#ready.add(userId);
      if (++failures === MOST_FULL) break;
    }
    for (const userId of this.#toTell) if (!this.#tellPresence(userId)) break;
    while (this.#packetsAsked.length > 0 && this.#tellPacket(this.#packetsAsked[0])) this.#packetsAsked.shift();
  }

  /** Answers what the service has had for too long. Call it a few times a second. */
  keepTime(): void {
    this.#lookAtService();
    if (this.#asked.size === 0) return;
    const nowMs = this.#readMs();
    const isStalled = this.#isStalled;
    for (const [id, asked] of this.#asked) {
      if (!isStalled && nowMs - asked.sinceMs < CHAT_TIMEOUT_MS) return;
      this.#take(id);
      this.#refuse(asked, ChatResult.UNAVAILABLE);
    }
  }

  #read(acceptor: number, words: Int32Array, slot: number): Asked {
    return {
      acceptor,
      connection: words[slot + REQUEST_CONNECTION],
      generation: words[slot + REQUEST_GENERATION],
      userId: words[slot + REQUEST_USER],
      stampHigh: words[slot + REQUEST_STAMP_HIGH],
      stampLow: words[slot + REQUEST_STAMP_LOW],
      receivedUs: words[slot + REQUEST_RECEIVED],
      sinceMs: this.#readMs(),
    };
  }

  get #isStalled(): boolean {
    return this.#pulse.silentMs > CHAT_STALL_MS;
  }

  /** What a service had that has ended is lost, and another one knows nothing of what it asked for. */
  #lookAtService(): void {
    const { epoch } = this.#pulse;
    if (epoch === this.#epoch) return;
    this.#epoch = epoch;
    for (const [id, asked] of this.#asked) {
      this.#take(id);
      this.#refuse(asked, ChatResult.UNAVAILABLE);
    }
    this.#packetsAsked = [];
    this.#watched.clear();
    this.#toTell.clear();
  }

  #take(id: number): Asked | undefined {
    const asked = this.#asked.get(id);
    if (asked === undefined) return undefined;
    this.#asked.delete(id);
    const left = this.#askedBy.get(asked.userId)! - 1;
    if (left === 0) this.#askedBy.delete(asked.userId);
    else this.#askedBy.set(asked.userId, left);
    return asked;
  }

  #pass(asked: Asked, opcode: number, bytes: number, body: Int32Array): boolean {
    const place = this.#outbox.claimForService(body.length);
    if (place === FULL) return false;
    const id = this.#nextId;
    this.#nextId = (id + 1) | 0;
    const { words } = this.#outbox;
    words[place + REPLY_KIND] = ReplyKind.PASS_CHAT;
    words[place + REPLY_USER] = asked.userId;
    words[place + REPLY_PACKET] = opcode;
    words[place + REPLY_STAMP_LOW] = id;
    words[place + REPLY_COUNT] = bytes;
    words[place + REPLY_BODY] = body.length;
    this.#outbox.addBody(this.#outbox.chat, body);
    this.#asked.set(id, asked);
    this.#askedBy.set(asked.userId, (this.#askedBy.get(asked.userId) ?? 0) + 1);
    return true;
  }

  #refuse(asked: Asked, result: ChatResult): void {
    this.#answer(asked, { result, retryAfterMs: CHAT_RETRY_AFTER_MS, frame: NO_FRAME });
  }

  #answer(asked: Asked, answer: Answer): void {
    if (this.#answers.length > 0 || !this.#sendAnswer(asked, answer)) this.#answers.push({ asked, answer });
  }

  #sendAnswer(asked: Asked, { result, retryAfterMs, frame }: Answer): boolean {
    const { acceptor, connection, generation, userId } = asked;
    const place = this.#claim(acceptor, ReplyKind.CHAT, connection, generation, userId, frame);
    if (place === FULL) return false;
    const { words } = this.#outbox;
    words[place + REPLY_RESULT] = result;
    words[place + REPLY_AMOUNT] = retryAfterMs;
    words[place + REPLY_STAMP_HIGH] = asked.stampHigh;
    words[place + REPLY_STAMP_LOW] = asked.stampLow;
    words[place + REPLY_RECEIVED] = asked.receivedUs;
    this.#outbox.addBody(acceptor, frame.body);
    return true;
  }

  /** Tells a user now, or puts the frame behind those that wait for him. @param isTransient only for one who is here */
  #push(userId: number, frame: PushedFrame, isTransient: boolean): void {
    const row = this.#users.rowOf(userId);
    if (isTransient && !this.#canBeTold(row)) return;
    if (!this.#queues.has(userId) && this.#sendPush(row, frame)) return;
    this.#queues.add(userId, frame);
    this.#markReady(userId);
    this.#countQueued();
  }

  #markReady(userId: number): void {
    if (this.#canBeTold(this.#users.rowOf(userId))) this.#ready.add(userId);
    else this.#ready.delete(userId);
  }

  #sendQueue(userId: number): boolean {
    const row = this.#users.rowOf(userId);
    for (let frame = this.#queues.first(userId); frame !== undefined; frame = this.#queues.first(userId)) {
      if (!this.#sendPush(row, frame)) {
        this.#countQueued();
        return false;
      }
      this.#queues.removeFirst(userId);
    }
    this.#ready.delete(userId);
    this.#countQueued();
    return true;
  }

  #sendPush(row: number, frame: PushedFrame): boolean {
    if (!this.#canBeTold(row)) return false;
    const { acceptors, connections, generations, userIds } = this.#users;
    const acceptor = acceptors[row];
    const kind = ReplyKind.CHAT_PUSH;
    if (this.#claim(acceptor, kind, connections[row], generations[row], userIds[row], frame) === FULL) return false;
    this.#outbox.addBody(acceptor, frame.body);
    return true;
  }

  /** Only an extended session can receive what is pushed. */
  #canBeTold(row: number): boolean {
    return row !== NO_ROW && this.#users.acceptors[row] !== NO_SESSION && this.#users.rich[row] === 1;
  }

  #claim(
    acceptor: number,
    kind: ReplyKind,
    connection: number,
    generation: number,
    userId: number,
    frame: PushedFrame,
  ): number {
    const place = this.#outbox.claimChat(acceptor, frame.body.length);
    if (place === FULL) return FULL;
    const { words } = this.#outbox;
    words[place + REPLY_KIND] = kind;
    words[place + REPLY_CONNECTION] = connection;
    words[place + REPLY_GENERATION] = generation;
    words[place + REPLY_USER] = userId;
    words[place + REPLY_PACKET] = frame.opcode;
    words[place + REPLY_COUNT] = frame.bytes;
    words[place + REPLY_WORKER] = this.#worker;
    words[place + REPLY_BODY] = frame.body.length;
    return place;
  }

  #tellPresence(userId: number): boolean {
    const place = this.#outbox.claimForService(0);
    if (place === FULL) return false;
    const row = this.#users.rowOf(userId);
    const { words } = this.#outbox;
    words[place + REPLY_KIND] = ReplyKind.PRESENCE;
    words[place + REPLY_USER] = userId;
    words[place + REPLY_RESULT] = row !== NO_ROW && this.#users.acceptors[row] !== NO_SESSION ? 1 : 0;
    words[place + REPLY_BODY] = 0;
    this.#toTell.delete(userId);
    return true;
  }

  #tellPacket({ id, packetId }: { id: number; packetId: number }): boolean {
    const facts = this.#packets.isOpen(packetId) ? this.#packets.facts(packetId) : undefined;
    const note = facts?.note ?? NO_FRAME.body;
    const place = this.#outbox.claimForService(note.length);
    if (place === FULL) return false;
    const { words } = this.#outbox;
    words[place + REPLY_KIND] = ReplyKind.CHAT_PACKET;
    words[place + REPLY_STAMP_LOW] = id;
    words[place + REPLY_PACKET] = packetId;
    words[place + REPLY_RESULT] = -1;
    words[place + REPLY_BODY] = note.length;
    if (facts !== undefined) {
      writeNoticeWords(words, place, packetId, facts);
      writeCommitmentWords(words, place, facts);
    }
    this.#outbox.addBody(this.#outbox.chat, note);
    return true;
  }

  #countQueued(): void {
    this.#counters.add(WorkerCount.chatQueued, this.#queues.takeChange());
  }
}
