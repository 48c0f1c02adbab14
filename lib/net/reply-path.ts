// What an acceptor does with each reply that comes back from a worker: finds the connection, writes the frame.

import { writeGrabResult, writeHeader, writeLoginResult, writeNotice, writeShakeResult } from '../protocol/classic.ts';
import {
  BODY_OFFSET,
  GRAB_RESULT_BYTES,
  LOGIN_RESULT_BYTES,
  NOTICE_BYTES,
  SHAKE_RESULT_BYTES,
} from '../protocol/classic-layout.ts';
import {
  type ErrorCode,
  PROTOCOL_VERSION,
  type RecordsResult,
  type RichGrabResult,
  type RichNotice,
  type Sent,
  SPLIT_NAMES,
  type WalletResult,
  type Welcome,
} from '../protocol/extended.ts';
import { packFrame } from '../protocol/message-pack.ts';
import { GRAB_STATUS_NAMES, LoginResult, Opcode, SEND_STATUS_NAMES, ShakeResult } from '../protocol/opcodes.ts';
import {
  ChatResult,
  COMMITMENT_WORDS,
  joinWords,
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
  REPLY_RICH,
  REPLY_SENDER,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_USERS,
  REPLY_WORKER,
  ReplyKind,
  TransferResult,
} from '../protocol/slot-layout.ts';
import type { Consumer } from '../ring/consumer.ts';
import type { CounterWriter } from '../ring/counters.ts';
import { AcceptorCount } from './acceptor-counters.ts';
import { type ConnectionKeeper, unixSeconds } from './connection-keeper.ts';
import { ConnectionState, type ConnectionTable, NO_USER } from './connection-table.ts';
import type { LatencyKind, LatencyRecorder } from './latency.ts';
import { BUSY_MESSAGE, RETRY_AFTER_MS } from './limits.ts';
import type { NetLimits } from './net-limits.ts';
import type { Outgoing } from './outgoing.ts';
import { NONE, ReplyGroups } from './reply-groups.ts';
import type { WorkerLink } from './worker-link.ts';

/** What the path works with; all of it belongs to the same acceptor. */
export interface ReplyParts {
  table: ConnectionTable;
  keeper: ConnectionKeeper;
  outgoing: Outgoing;
  links: readonly WorkerLink[];
  counters: CounterWriter;
  latency: LatencyRecorder;
  /** May change in place. */
  limits: NetLimits;
  /** Name and version of the server, for WELCOME. */
  serverName: string;
}

/** Which histogram a reply's time goes to. */
const LATENCY_OF: Partial<Record<number, LatencyKind>> = {
  [ReplyKind.LOGIN]: 'login',
  [ReplyKind.SHAKE]: 'shake',
  [ReplyKind.GRAB]: 'grab',
};

/** The ERROR for each result that is no answer, and what counts it. */
const CHAT_REFUSALS: Record<number, { code: ErrorCode; count: number }> = {
  [ChatResult.BUSY]: { code: 'busy', count: AcceptorCount.chatBusy },
  [ChatResult.UNAVAILABLE]: { code: 'unavailable', count: AcceptorCount.chatUnavailable },
  [ChatResult.RATE]: { code: 'rate', count: AcceptorCount.chatLimited },
};

const NO_BODY = new Int32Array(0);

/** Owned by one acceptor. */
export class ReplyPath {
  readonly #parts: ReplyParts;
  /** Replies by the worker whose requests they answer, during one call of `drain`. */
  readonly #answers: Int32Array;
  /** The same replies by connection: all of one connection leave in one write. */
  readonly #groups: ReplyGroups;

  constructor(parts: ReplyParts) {
    this.#parts = parts;
    this.#groups = new ReplyGroups(parts.table.capacity);
    this.#answers = new Int32Array(parts.links.length);
  }

  /**
   * Writes what has come through one ring: from a worker, from the journal (durable replies of every worker), or from main.
   * Returns how many slots that were. @param nowUs the acceptor's clock, wrapping
   */
  // HOT
  drain(ring: Consumer, nowUs: number): number {
    const count = ring.available();
    if (count === 0) return 0;
    const { links, outgoing } = this.#parts;
    const { words } = ring;
    const groups = this.#groups;
    groups.clear();
    for (let i = 0; i < count; ) {
      const slot = ring.slotAt(i);
      const kind = words[slot + REPLY_KIND];
      if (kind < ReplyKind.NOTICE) this.#answers[words[slot + REPLY_WORKER]]++;
      else if (kind === ReplyKind.CHAT) links[words[slot + REPLY_WORKER]].countChatAnswer();
      groups.add(words[slot + REPLY_CONNECTION], i);
      i += 1 + ring.countBodySlots(words[slot + REPLY_BODY]);
    }
    for (let i = groups.first(); i !== NONE; i = groups.after(i)) {
      const slot = ring.slotAt(i);
      const bodyWords = words[slot + REPLY_BODY];
      this.#handle(words, slot, nowUs, bodyWords === 0 ? NO_BODY : ring.copyBody(i, bodyWords));
    }
    outgoing.flush();
    ring.release(count);
    // Only now may the workers be sent as many more: they count on the slots of their replies being free.
    for (let worker = 0; worker < links.length; worker++) {
      if (this.#answers[worker] === 0) continue;
      links[worker].countReplies(this.#answers[worker]);
      this.#answers[worker] = 0;
    }
    return count;
  }

  // HOT
  #handle(words: Int32Array, slot: number, nowUs: number, body: Int32Array): void {
    const { table, counters, latency } = this.#parts;
    const kind = words[slot + REPLY_KIND];
    const connection = words[slot + REPLY_CONNECTION];
    const isLive = table.isLive(connection, words[slot + REPLY_GENERATION]);
    if (kind < ReplyKind.NOTICE) {
      const timed = LATENCY_OF[kind];
      if (timed !== undefined) latency.record(timed, (nowUs - words[slot + REPLY_RECEIVED]) | 0, 1);
      if (isLive) table.inFlight[connection]--;
    } else if (kind === ReplyKind.CHAT && isLive) {
      table.chatInFlight[connection]--;
    }
    if (!isLive || table.states[connection] === ConnectionState.CLOSING) {
      counters.add(AcceptorCount.repliesStale, 1);
      return;
    }
    switch (kind) {
      case ReplyKind.SHAKE:
        this.#shake(connection, words, slot);
        break;
      case ReplyKind.GRAB:
        this.#grab(connection, words, slot);
        break;
      case ReplyKind.LOGIN:
        this.#login(connection, words, slot);
        break;
      case ReplyKind.NOTICE:
        this.#notice(connection, words, slot, body);
        break;
      case ReplyKind.SENT:
        this.#sent(connection, words, slot, body);
        break;
      case ReplyKind.WALLET:
        this.#wallet(connection, words, slot);
        break;
      case ReplyKind.RECORDS:
        this.#records(connection, words, slot, body);
        break;
      case ReplyKind.CHAT:
        this.#chat(connection, words, slot, body);
        break;
      case ReplyKind.CHAT_PUSH:
        counters.add(AcceptorCount.chatPushes, 1);
        this.#sendBody(connection, words, slot, 0, unixSeconds(), body);
        break;
      case ReplyKind.REPLACED:
        this.#replaced(connection, words, slot);
        break;
      case ReplyKind.NOT_LOGGED_IN:
        this.#parts.keeper.close(connection, 'not-logged-in', 'not-logged-in');
        break;
    }
  }

  #shake(connection: number, words: Int32Array, slot: number): void {
    const { outgoing } = this.#parts;
    const result = words[slot + REPLY_RESULT];
    const place = outgoing.reserve(connection, SHAKE_RESULT_BYTES);
    writeShakeResult(
      outgoing.bytes,
      place,
      words[slot + REPLY_STAMP_HIGH],
      words[slot + REPLY_STAMP_LOW],
      words[slot + REPLY_USER],
      result,
      // A win whose record was lost still names its packet here.
      result === ShakeResult.WON ? words[slot + REPLY_PACKET] : 0,
      words[slot + REPLY_AMOUNT],
    );
  }

  #grab(connection: number, words: Int32Array, slot: number): void {
    const { table, outgoing } = this.#parts;
    const stampHigh = words[slot + REPLY_STAMP_HIGH];
    const stampLow = words[slot + REPLY_STAMP_LOW];
    const packetId = words[slot + REPLY_PACKET];
    const amountCents = words[slot + REPLY_AMOUNT];
    if (table.rich[connection] === 1) {
      const status = GRAB_STATUS_NAMES[words[slot + REPLY_RESULT]];
      const retry = status === 'BUSY' ? { retryAfterMs: RETRY_AFTER_MS } : {};
      const body: RichGrabResult = { packetId: packetId >>> 0, status, amountCents, ...retry };
      outgoing.send(connection, packFrame(Opcode.RICH_GRAB_RESULT, stampHigh, stampLow, body));
      return;
    }
    const place = outgoing.reserve(connection, GRAB_RESULT_BYTES);
    writeGrabResult(outgoing.bytes, place, stampHigh, stampLow, packetId, amountCents);
  }

  #login(connection: number, words: Int32Array, slot: number): void {
    const { table, outgoing, keeper } = this.#parts;
    const stampHigh = words[slot + REPLY_STAMP_HIGH];
    const stampLow = words[slot + REPLY_STAMP_LOW];
    const userId = words[slot + REPLY_USER];
    const result = words[slot + REPLY_RESULT];
    // Everything before this reply was in the form of the login before it, and everything after is in the form of this.
    table.rich[connection] = words[slot + REPLY_RICH];
    if (result === LoginResult.OK) {
      table.states[connection] = ConnectionState.LOGGED_IN;
    } else if (table.userIds[connection] === userId) {
      table.states[connection] = ConnectionState.NEW;
      table.userIds[connection] = NO_USER;
      table.sinceTick[connection] = keeper.tick;
    }
    if (table.rich[connection] === 0) {
      const place = outgoing.reserve(connection, LOGIN_RESULT_BYTES);
      writeLoginResult(outgoing.bytes, place, stampHigh, stampLow, userId, result);
    } else if (result === LoginResult.OK) {
      const body: Welcome = {
        version: PROTOCOL_VERSION,
        userId,
        server: this.#parts.serverName,
        limits: tellLimits(this.#parts.limits),
        pendingNotices: words[slot + REPLY_COUNT],
      };
      outgoing.send(connection, packFrame(Opcode.WELCOME, stampHigh, stampLow, body));
      keeper.tellGoingAway(connection);
    } else {
      keeper.sendError(connection, 'full', stampHigh, stampLow);
    }
  }

  /** The answer to a SEND: from main as a whole frame, from a worker in words. */
  #sent(connection: number, words: Int32Array, slot: number, body: Int32Array): void {
    const { outgoing } = this.#parts;
    if (body.length > 0) {
      outgoing.send(connection, bytesOf(body, words[slot + REPLY_COUNT]));
      return;
    }
    const status = SEND_STATUS_NAMES[words[slot + REPLY_RESULT]];
    const sent: Sent = {
      status,
      ...(status === 'REPEAT' ? { packetId: words[slot + REPLY_PACKET] } : {}),
      ...(status === 'BUSY' ? { retryAfterMs: RETRY_AFTER_MS } : {}),
    };
    this.#sendValue(connection, words, slot, Opcode.SENT, sent);
  }

  #wallet(connection: number, words: Int32Array, slot: number): void {
    if (words[slot + REPLY_RESULT] === TransferResult.LOST) {
      const { keeper } = this.#parts;
      keeper.sendError(connection, 'busy', words[slot + REPLY_STAMP_HIGH], words[slot + REPLY_STAMP_LOW]);
      return;
    }
    const wallet: WalletResult = {
      balanceCents: joinWords(words[slot + REPLY_CENTS_LOW], words[slot + REPLY_CENTS_HIGH]),
      reservedCents: joinWords(words[slot + REPLY_HELD_LOW], words[slot + REPLY_HELD_HIGH]),
    };
    this.#sendValue(connection, words, slot, Opcode.WALLET_RESULT, wallet);
  }

  /** The answer to RECORDS: from main as a whole frame; without one the worker could not pass it on. */
  #records(connection: number, words: Int32Array, slot: number, body: Int32Array): void {
    if (body.length > 0) {
      this.#parts.outgoing.send(connection, bytesOf(body, words[slot + REPLY_COUNT]));
      return;
    }
    const busy: RecordsResult = { error: { code: 'busy', message: BUSY_MESSAGE } };
    this.#sendValue(connection, words, slot, Opcode.RECORDS_RESULT, busy);
  }

  /** The answer to a request for chat, or why there is none. */
  #chat(connection: number, words: Int32Array, slot: number, body: Int32Array): void {
    const { keeper, counters } = this.#parts;
    const result = words[slot + REPLY_RESULT];
    const stampHigh = words[slot + REPLY_STAMP_HIGH];
    const stampLow = words[slot + REPLY_STAMP_LOW];
    if (result === ChatResult.ANSWERED) {
      counters.add(AcceptorCount.chatAnswers, 1);
      this.#sendBody(connection, words, slot, stampHigh, stampLow, body);
    } else if (result === ChatResult.NOT_LOGGED_IN) {
      keeper.close(connection, 'not-logged-in', 'not-logged-in');
    } else {
      const { code, count } = CHAT_REFUSALS[result];
      counters.add(count, 1);
      keeper.sendError(connection, code, stampHigh, stampLow, words[slot + REPLY_AMOUNT]);
    }
  }

  /** Sends a packed value with the opcode that the slot names. */
  #sendBody(
    connection: number,
    words: Int32Array,
    slot: number,
    stampHigh: number,
    stampLow: number,
    body: Int32Array,
  ): void {
    const { outgoing } = this.#parts;
    const count = words[slot + REPLY_COUNT];
    const place = outgoing.reserve(connection, BODY_OFFSET + count);
    writeHeader(outgoing.bytes, place, BODY_OFFSET + count, words[slot + REPLY_PACKET], stampHigh, stampLow);
    outgoing.bytes.set(bytesOf(body, count), place + BODY_OFFSET);
  }

  #sendValue(connection: number, words: Int32Array, slot: number, opcode: number, value: object): void {
    const stampHigh = words[slot + REPLY_STAMP_HIGH];
    const stampLow = words[slot + REPLY_STAMP_LOW];
    this.#parts.outgoing.send(connection, packFrame(opcode, stampHigh, stampLow, value));
  }

  #notice(connection: number, words: Int32Array, slot: number, note: Int32Array): void {
    const { table, outgoing, counters } = this.#parts;
    counters.add(AcceptorCount.noticesSent, 1);
    if (table.rich[connection] === 1) {
      outgoing.send(connection, packFrame(Opcode.RICH_NOTICE, 0, unixSeconds(), readNotice(words, slot, note)));
      return;
    }
    const place = outgoing.reserve(connection, NOTICE_BYTES);
    writeNotice(
      outgoing.bytes,
      place,
      unixSeconds(),
      words[slot + REPLY_PACKET],
      words[slot + REPLY_AMOUNT],
      words[slot + REPLY_COUNT],
      words[slot + REPLY_USERS],
      words[slot + REPLY_USERS + 1],
      words[slot + REPLY_USERS + 2],
    );
  }

  /** The user has logged in elsewhere: this connection is told, and closed. */
  #replaced(connection: number, words: Int32Array, slot: number): void {
    const { table, outgoing, keeper } = this.#parts;
    if (table.rich[connection] === 0) {
      const place = outgoing.reserve(connection, LOGIN_RESULT_BYTES);
      writeLoginResult(outgoing.bytes, place, 0, unixSeconds(), words[slot + REPLY_USER], LoginResult.REPLACED);
    }
    keeper.close(connection, 'replaced', 'replaced');
  }
}

/** The first `count` bytes of words. */
function bytesOf(words: Int32Array, count: number): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, count);
}

/** @param note the packet's note in UTF-8, its bytes in `result` */
function readNotice(words: Int32Array, slot: number, note: Int32Array): RichNotice {
  const commitment = Buffer.alloc(4 * COMMITMENT_WORDS);
  for (let i = 0; i < COMMITMENT_WORDS; i++) commitment.writeInt32BE(words[slot + REPLY_COMMITMENT + i], 4 * i);
  return {
    packetId: words[slot + REPLY_PACKET],
    totalCents: words[slot + REPLY_AMOUNT],
    shares: words[slot + REPLY_COUNT],
    senderId: words[slot + REPLY_SENDER],
    expiresAt: words[slot + REPLY_EXPIRES_AT] >>> 0,
    mode: SPLIT_NAMES[words[slot + REPLY_MODE]],
    commitment,
    ...(note.length > 0 ? { note: Buffer.from(bytesOf(note, words[slot + REPLY_RESULT])).toString('utf8') } : {}),
  };
}

/** What WELCOME says of the limits. */
function tellLimits({ maxFrameBytes, maxInFlight, idleTimeoutSeconds }: NetLimits): Welcome['limits'] {
  return { maxFrameBytes, maxInFlight, ...(idleTimeoutSeconds > 0 ? { idleSeconds: idleTimeoutSeconds } : {}) };
}
