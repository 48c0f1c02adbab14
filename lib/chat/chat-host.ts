// The rings of the chat service's thread: hands requests to the service, and brings its answers and pushes to the workers.
//
// Nothing waits: what finds no room towards a worker is held here, answers always (the workers bound how many are under way),
// pushes up to a bound. A slot is given back before the service sees what was in it, so a request that ends the thread is not
// met again by the next one.

import { FIRST_CHAT_PUSH, isChatPush, LAST_CHAT_OPCODE } from '../protocol/chat.ts';
import { type RichNotice, SPLIT_NAMES } from '../protocol/extended.ts';
import { MAX_KEY_BYTES, MAX_USER_ID } from '../protocol/limits.ts';
import { isSafeBody, packValue, unpackValue } from '../protocol/message-pack.ts';
import {
  ChatResult,
  COMMITMENT_WORDS,
  REPLY_AMOUNT,
  REPLY_BODY,
  REPLY_COMMITMENT,
  REPLY_COUNT,
  REPLY_EXPIRES_AT,
  REPLY_KIND,
  REPLY_MODE,
  REPLY_PACKET,
  REPLY_RESULT,
  REPLY_SENDER,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REQUEST_BODY,
  REQUEST_CENTS_HIGH,
  REQUEST_CENTS_LOW,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RICH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  REQUEST_WORDS,
  ReplyKind,
  RequestKind,
} from '../protocol/slot-layout.ts';
import type { Consumer } from '../ring/consumer.ts';
import type { CounterWriter } from '../ring/counters.ts';
import type { DoorbellRinger } from '../ring/doorbell.ts';
import type { Producer } from '../ring/producer.ts';
import { ChatCount } from './chat-counters.ts';
import { type ChatService, RateError, type ServiceOutbox } from './chat-service.ts';
import {
  BATCH_MESSAGES,
  MAX_HELD_BYTES,
  MAX_UNDER_WAY,
  PACKET_TIMEOUT_MS,
  REQUESTS_AT_ONCE,
  REQUESTS_PER_SECOND,
  RETRY_AFTER_MS,
} from './limits.ts';
import { RateLimit } from './rate-limit.ts';

/** The two rings between the service and one worker, and how to wake it. */
export interface WorkerRings {
  fromWorker: Consumer;
  toWorker: Producer;
  doorbell: DoorbellRinger;
}

export interface HostParts {
  /** By worker. */
  workers: readonly WorkerRings[];
  sets: number;
  counters: CounterWriter;
  /** Milliseconds that never go back. */
  readMs: () => number;
  /** Told of what the service failed at. */
  onError: (error: unknown) => void;
}

interface Message {
  head: Int32Array;
  body: Int32Array;
}

const NO_BODY = new Int32Array(0);

/** Owned by the service's thread. */
export class ChatHost implements ServiceOutbox {
  readonly #parts: HostParts;
  readonly #rate = new RateLimit(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE);
  /** By worker: what found no room, and its bytes. */
  readonly #held: Message[][];
  readonly #heldBytes: number[];
  /** The last request of a user that is under way: the next one begins when it is done. */
  readonly #tails = new Map<number, Promise<void>>();
  readonly #packetsAsked = new Map<number, (facts: RichNotice | undefined) => void>();
  #service: ChatService | undefined;
  #underWay = 0;
  #nextPacketAsk = 1;

  constructor(parts: HostParts) {
    this.#parts = parts;
    this.#held = parts.workers.map(() => []);
    this.#heldBytes = parts.workers.map(() => 0);
  }

  /** Requests that the service has not answered yet, and bytes that wait for room. */
  get underWay(): number {
    return this.#underWay;
  }
  get heldBytes(): number {
    return this.#heldBytes.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** From here on requests are handed to this service. */
  serve(service: ChatService): void {
    this.#service = service;
  }

  push(userIds: number | readonly number[], opcode: number, body: unknown, isTransient = false): boolean {
    if (!isChatPush(opcode))
      throw new RangeError(`a push has an opcode from ${FIRST_CHAT_PUSH} to ${LAST_CHAT_OPCODE}`);
    const packed = packForClients(body);
    const words = toWords(packed);
    const { counters } = this.#parts;
    let isTold = true;
    for (const userId of typeof userIds === 'number' ? [userIds] : userIds) {
      const worker = this.#workerOf(userId);
      if (this.#heldBytes[worker] >= MAX_HELD_BYTES) {
        counters.add(ChatCount.pushesDropped, 1);
        isTold = false;
        continue;
      }
      counters.add(ChatCount.pushes, 1);
      this.#send(worker, RequestKind.CHAT_PUSH, words, {
        [REQUEST_USER]: userId,
        [REQUEST_PACKET]: opcode,
        [REQUEST_RICH]: packed.length,
        [REQUEST_CENTS_LOW]: isTransient ? 1 : 0,
      });
    }
    return isTold;
  }

  watch(userId: number): void {
    const worker = this.#workerOf(userId);
    if (this.#heldBytes[worker] >= MAX_HELD_BYTES) return;
    this.#send(worker, RequestKind.CHAT_WATCH, NO_BODY, { [REQUEST_USER]: userId });
  }

  readPacket(packetId: number): Promise<RichNotice | undefined> {
    const id = this.#nextPacketAsk;
    this.#nextPacketAsk = (id + 1) | 0;
    // Any worker knows every packet.
    const worker = packetId % this.#parts.workers.length;
    return new Promise((resolve) => {
      const timer = setTimeout(() => finish(undefined), PACKET_TIMEOUT_MS);
      const finish = (facts: RichNotice | undefined) => {
        clearTimeout(timer);
        this.#packetsAsked.delete(id);
        resolve(facts);
      };
      this.#packetsAsked.set(id, finish);
      this.#send(worker, RequestKind.CHAT_PACKET, NO_BODY, { [REQUEST_STAMP_LOW]: id, [REQUEST_PACKET]: packetId });
      this.flush();
    });
  }

  /** Whether anything has come. */
  hasWork(): boolean {
    return this.#parts.workers.some(({ fromWorker }) => fromWorker.available() > 0);
  }

  /** Takes some of what has come from each worker. Returns how many messages that were. */
  turn(): number {
    let taken = 0;
    for (const { fromWorker } of this.#parts.workers) {
      for (let i = 0; i < BATCH_MESSAGES && fromWorker.available() > 0; i++, taken++) this.#takeOne(fromWorker);
    }
    this.flush();
    return taken;
  }

  /** Forgets what is over. Call it every second or so. */
  keepTime(): void {
    this.#rate.keepTime(this.#parts.readMs());
  }

  /** Sends what waits, as far as there is room, and wakes the workers. */
  flush(): void {
    for (const [worker, { toWorker, doorbell }] of this.#parts.workers.entries()) {
      const held = this.#held[worker];
      let sent = 0;
      while (sent < held.length && write(toWorker, held[sent])) this.#heldBytes[worker] -= costOf(held[sent++]);
      if (sent > 0) this.#held[worker] = held.slice(sent);
      if (toWorker.publish()) doorbell.ring();
    }
  }

  #takeOne(ring: Consumer): void {
    const slot = ring.slotAt(0);
    const head = ring.words.slice(slot, slot + REPLY_BODY + 1);
    const bodyWords = head[REPLY_BODY];
    const body = bodyWords === 0 ? NO_BODY : ring.copyBody(0, bodyWords);
    ring.release(1 + ring.countBodySlots(bodyWords));
    switch (head[REPLY_KIND]) {
      case ReplyKind.PASS_CHAT:
        this.#ask(head, body);
        break;
      case ReplyKind.PRESENCE:
        this.#tellPresence(head[REPLY_USER], head[REPLY_RESULT] === 1);
        break;
      case ReplyKind.CHAT_PACKET:
        this.#packetsAsked.get(head[REPLY_STAMP_LOW])?.(readFacts(head, body));
        break;
    }
  }

  #ask(head: Int32Array, body: Int32Array): void {
    const { counters, readMs } = this.#parts;
    const userId = head[REPLY_USER];
    const id = head[REPLY_STAMP_LOW];
    counters.add(ChatCount.requests, 1);
    const waitMs = this.#rate.take(userId, readMs());
    if (waitMs > 0) {
      this.#answer(userId, id, ChatResult.RATE, waitMs);
    } else if (this.#underWay >= MAX_UNDER_WAY) {
      this.#answer(userId, id, ChatResult.BUSY, RETRY_AFTER_MS);
    } else {
      this.#underWay++;
      const begin = () => this.#handle(userId, id, head[REPLY_PACKET], bytesOf(body, head[REPLY_COUNT]));
      const tail = this.#tails.get(userId);
      const next = tail === undefined ? begin() : tail.then(begin);
      if (next !== undefined) this.#keepTail(userId, next);
    }
  }

  #keepTail(userId: number, next: Promise<void>): void {
    const tail = next.then(() => {
      if (this.#tails.get(userId) === tail) this.#tails.delete(userId);
    });
    this.#tails.set(userId, tail);
  }

  /** Lets the service answer; a promise if that takes a while. Never throws. */
  #handle(userId: number, id: number, opcode: number, bytes: Uint8Array): Promise<void> | undefined {
    const fail = (error: unknown) => this.#fail(userId, id, error);
    const finish = (value: unknown) => {
      try {
        this.#finish(userId, id, opcode + 1, value);
      } catch (error) {
        fail(error);
      }
    };
    try {
      const body = unpackValue(bytes);
      const answer = this.#service!.handle({ userId, opcode, body, key: keyOf(body) });
      if (answer instanceof Promise) return answer.then(finish).catch(fail);
      finish(answer);
    } catch (error) {
      fail(error);
    }
    return undefined;
  }

  #finish(userId: number, id: number, opcode: number, value: unknown): void {
    const packed = packForClients(value);
    this.#underWay--;
    this.#send(this.#workerOf(userId), RequestKind.CHAT_ANSWER, toWords(packed), {
      [REQUEST_USER]: userId,
      [REQUEST_STAMP_LOW]: id,
      [REQUEST_PACKET]: opcode,
      [REQUEST_RICH]: packed.length,
      [REQUEST_CENTS_LOW]: ChatResult.ANSWERED,
    });
    this.flush();
  }

  #fail(userId: number, id: number, error: unknown): void {
    this.#underWay--;
    if (error instanceof RateError) {
      this.#answer(userId, id, ChatResult.RATE, error.retryAfterMs);
    } else {
      this.#parts.counters.add(ChatCount.failures, 1);
      this.#answer(userId, id, ChatResult.UNAVAILABLE, RETRY_AFTER_MS);
      this.#parts.onError(error);
    }
    this.flush();
  }

  #tellPresence(userId: number, isOnline: boolean): void {
    try {
      this.#service!.onPresence?.(userId, isOnline);
    } catch (error) {
      this.#parts.onError(error);
    }
  }

  #answer(userId: number, id: number, result: ChatResult, retryAfterMs: number): void {
    this.#send(this.#workerOf(userId), RequestKind.CHAT_ANSWER, NO_BODY, {
      [REQUEST_USER]: userId,
      [REQUEST_STAMP_LOW]: id,
      [REQUEST_CENTS_LOW]: result,
      [REQUEST_CENTS_HIGH]: retryAfterMs,
    });
  }

  #send(worker: number, kind: RequestKind, body: Int32Array, fields: Record<number, number>): void {
    const head = new Int32Array(REQUEST_WORDS);
    for (const [word, value] of Object.entries(fields)) head[Number(word)] = value;
    head[REQUEST_KIND] = kind;
    head[REQUEST_BODY] = body.length;
    const message = { head, body };
    if (this.#held[worker].length === 0 && write(this.#parts.workers[worker].toWorker, message)) return;
    this.#held[worker].push(message);
    this.#heldBytes[worker] += costOf(message);
  }

  /** @throws {RangeError} */
  #workerOf(userId: number): number {
    if (!Number.isInteger(userId) || userId < 0 || userId > MAX_USER_ID) {
      throw new RangeError(`a user id is a whole number from 0 to ${MAX_USER_ID}, not ${userId}`);
    }
    return (userId % this.#parts.sets) % this.#parts.workers.length;
  }
}

function write(ring: Producer, { head, body }: Message): boolean {
  if (!ring.hasRoom(1 + ring.countBodySlots(body.length))) return false;
  ring.words.set(head, ring.claim());
  ring.claimBody(body);
  return true;
}

/** Bytes that a message holds, about; a body may be shared with others. */
function costOf({ head, body }: Message): number {
  return 4 * (head.length + body.length);
}

/** @throws {RangeError} too long; {TypeError} a value that clients refuse, such as a date */
function packForClients(value: unknown): Uint8Array {
  const packed = packValue(value ?? null);
  if (!isSafeBody(packed, 0, packed.length)) throw new TypeError('a body has a value that no client accepts');
  return packed;
}

function toWords(bytes: Uint8Array): Int32Array {
  const words = new Int32Array(Math.ceil(bytes.length / 4));
  new Uint8Array(words.buffer).set(bytes);
  return words;
}

/** The first `count` bytes of words. */
function bytesOf(words: Int32Array, count: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, count);
}

function keyOf(body: unknown): string | undefined {
  const key = (body as { key?: unknown } | null | undefined)?.key;
  return typeof key === 'string' && key !== '' && Buffer.byteLength(key) <= MAX_KEY_BYTES ? key : undefined;
}

/** @param note the packet's note in UTF-8, its bytes in `result` */
function readFacts(head: Int32Array, note: Int32Array): RichNotice | undefined {
  const noteBytes = head[REPLY_RESULT];
  if (noteBytes < 0) return undefined;
  const commitment = Buffer.alloc(4 * COMMITMENT_WORDS);
  for (let i = 0; i < COMMITMENT_WORDS; i++) commitment.writeInt32BE(head[REPLY_COMMITMENT + i], 4 * i);
  return {
    packetId: head[REPLY_PACKET] >>> 0,
    totalCents: head[REPLY_AMOUNT],
    shares: head[REPLY_COUNT],
    senderId: head[REPLY_SENDER],
    expiresAt: head[REPLY_EXPIRES_AT] >>> 0,
    mode: SPLIT_NAMES[head[REPLY_MODE]],
    commitment,
    ...(noteBytes > 0 ? { note: Buffer.from(bytesOf(note, noteBytes)).toString('utf8') } : {}),
  };
}
