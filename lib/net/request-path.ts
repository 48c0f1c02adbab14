// What an acceptor does with each frame that a client sends: answers it at once, or passes it on to the user's worker.

import { judgeToken, type TokenKey } from '../access/token.ts';
import type { Stock } from '../packets/stock.ts';
import { readUint32, writeGrabResult, writeHeader, writeLoginResult, writeShakeResult } from '../protocol/classic.ts';
import {
  BODY_OFFSET,
  GRAB_RESULT_BYTES,
  LOGIN_RESULT_BYTES,
  SHAKE_RESULT_BYTES,
  STAMP_OFFSET,
} from '../protocol/classic-layout.ts';
import {
  type Hello,
  type RecordsResult,
  type RichGrabResult,
  readHello,
  readRecords,
  readSend,
  readWallet,
  type Sent,
} from '../protocol/extended.ts';
import type { FrameSink } from '../protocol/frame-reader.ts';
import { CHAT_RETRY_AFTER_MS, MAX_USER_ID } from '../protocol/limits.ts';
import { isSafeBody, packFrame, unpackBody } from '../protocol/message-pack.ts';
import { LoginResult, Opcode, ShakeResult } from '../protocol/opcodes.ts';
import { encodeSend } from '../protocol/send-words.ts';
import { RequestKind } from '../protocol/slot-layout.ts';
import type { CounterWriter } from '../ring/counters.ts';
import { AcceptorCount } from './acceptor-counters.ts';
import { type ConnectionKeeper, unixSeconds } from './connection-keeper.ts';
import { ConnectionState, type ConnectionTable, NO_USER } from './connection-table.ts';
import { BUSY_MESSAGE, MAX_CHAT_IN_FLIGHT_PER_CONNECTION, RETRY_AFTER_MS } from './limits.ts';
import type { NetLimits } from './net-limits.ts';
import type { Outgoing } from './outgoing.ts';
import { Shed, type Shedder } from './shedder.ts';
import type { MoreRequest, WorkerLink } from './worker-link.ts';

/** What the path works with; all of it belongs to the same acceptor. */
export interface RequestParts {
  table: ConnectionTable;
  keeper: ConnectionKeeper;
  outgoing: Outgoing;
  links: readonly WorkerLink[];
  counters: CounterWriter;
  stock: Stock;
  shedder: Shedder;
  /** May change in place. */
  limits: NetLimits;
  /** Whether a shake of a SET without stock is answered here, without asking the worker. */
  answersLosingShakes: boolean;
  /** What verifies tokens; undefined where none are asked for. */
  keys?: readonly TokenKey[] | undefined;
  /** Whether requests for chat are taken: a side feature, switched off where there is none and under load. */
  takesChat: () => boolean;
}

const NO_BODY = new Int32Array(0);

/** Owned by one acceptor. */
export class RequestPath implements FrameSink {
  /** The acceptor's clock in microseconds when the present chunk was read; wraps. */
  receivedUs = 0;
  /** Shakes answered here since the owner last took the count. */
  answeredShakes = 0;
  /** What verifies tokens; undefined where none are asked for. */
  keys: readonly TokenKey[] | undefined;
  readonly #table: ConnectionTable;
  readonly #keeper: ConnectionKeeper;
  readonly #outgoing: Outgoing;
  readonly #links: readonly WorkerLink[];
  readonly #counters: CounterWriter;
  readonly #stock: Stock;
  readonly #shedder: Shedder;
  readonly #limits: NetLimits;
  readonly #answersLosingShakes: boolean;
  readonly #takesChat: () => boolean;

  constructor(parts: RequestParts) {
    this.#table = parts.table;
    this.#keeper = parts.keeper;
    this.#outgoing = parts.outgoing;
    this.#links = parts.links;
    this.#counters = parts.counters;
    this.#stock = parts.stock;
    this.#shedder = parts.shedder;
    this.#limits = parts.limits;
    this.#answersLosingShakes = parts.answersLosingShakes;
    this.keys = parts.keys;
    this.#takesChat = parts.takesChat;
  }

  // HOT
  onFrame(connection: number, bytes: Uint8Array, offset: number, length: number, opcode: number): boolean {
    const stampHigh = readUint32(bytes, offset + STAMP_OFFSET) | 0;
    const stampLow = readUint32(bytes, offset + STAMP_OFFSET + 4) | 0;
    switch (opcode) {
      case Opcode.SHAKE:
        this.#counters.add(AcceptorCount.requestsShake, 1);
        this.#shake(connection, stampHigh, stampLow);
        break;
      case Opcode.GRAB:
        this.#counters.add(AcceptorCount.requestsGrab, 1);
        this.#grab(connection, readUint32(bytes, offset + BODY_OFFSET + 4), stampHigh, stampLow);
        break;
      case Opcode.LOGIN:
        this.#counters.add(AcceptorCount.requestsLogin, 1);
        this.#login(connection, readUint32(bytes, offset + BODY_OFFSET), stampHigh, stampLow);
        break;
      case Opcode.HELLO:
        this.#counters.add(AcceptorCount.requestsHello, 1);
        this.#hello(connection, unpackBody(bytes, offset, length), stampHigh, stampLow);
        break;
      case Opcode.PING:
        this.#counters.add(AcceptorCount.requestsPing, 1);
        this.#ping(connection, bytes, offset, length, stampHigh, stampLow);
        break;
      case Opcode.SEND:
        this.#counters.add(AcceptorCount.requestsSend, 1);
        this.#send(connection, unpackBody(bytes, offset, length), stampHigh, stampLow);
        break;
      case Opcode.WALLET:
        this.#counters.add(AcceptorCount.requestsWallet, 1);
        this.#wallet(connection, unpackBody(bytes, offset, length), stampHigh, stampLow);
        break;
      case Opcode.RECORDS:
        this.#counters.add(AcceptorCount.requestsRecords, 1);
        this.#records(connection, unpackBody(bytes, offset, length), stampHigh, stampLow);
        break;
      default:
        // The rules of the server let nothing else pass.
        this.#counters.add(AcceptorCount.requestsChat, 1);
        this.#chat(connection, bytes, offset, length, opcode, stampHigh, stampLow);
    }
    return this.#table.states[connection] !== ConnectionState.CLOSING;
  }

  // HOT
  #shake(connection: number, stampHigh: number, stampLow: number): void {
    const set = this.#table.sets[connection];
    const state = this.#table.states[connection];
    if (this.#shedder.isOn && state === ConnectionState.LOGGED_IN && this.#shedShake(connection, stampHigh, stampLow))
      return;
    if (state === ConnectionState.LOGGED_IN && this.#answersLosingShakes && !this.#stock.hasAny(set)) {
      this.#counters.add(AcceptorCount.shakesNone, 1);
      this.#answerShake(connection, stampHigh, stampLow, ShakeResult.NONE);
      return;
    }
    if (!this.#requireLogin(connection)) return;
    if (this.#passOn(RequestKind.SHAKE, connection, 0, stampHigh, stampLow)) return;
    this.#counters.add(AcceptorCount.shakesOverload, 1);
    this.#answerShake(connection, stampHigh, stampLow, ShakeResult.OVERLOAD);
  }

  /** True if the shake is shed, and answered. */
  #shedShake(connection: number, stampHigh: number, stampLow: number): boolean {
    const shed = this.#shedder.judgeShake(connection);
    if (shed === Shed.NO) return false;
    const isNone = shed === Shed.NONE;
    this.#counters.add(isNone ? AcceptorCount.shakesNone : AcceptorCount.shakesOverload, 1);
    this.#answerShake(connection, stampHigh, stampLow, isNone ? ShakeResult.NONE : ShakeResult.OVERLOAD);
    return true;
  }

  // HOT
  #answerShake(connection: number, stampHigh: number, stampLow: number, result: ShakeResult): void {
    const place = this.#outgoing.reserve(connection, SHAKE_RESULT_BYTES);
    const userId = this.#table.userIds[connection];
    writeShakeResult(this.#outgoing.bytes, place, stampHigh, stampLow, userId, result, 0, 0);
    this.answeredShakes++;
  }

  #grab(connection: number, packetId: number, stampHigh: number, stampLow: number): void {
    if (!this.#requireLogin(connection)) return;
    if (this.#passOn(RequestKind.GRAB, connection, packetId, stampHigh, stampLow)) return;
    this.#counters.add(AcceptorCount.grabsBusy, 1);
    if (this.#table.rich[connection] === 1) {
      const body: RichGrabResult = { packetId, status: 'BUSY', amountCents: 0, retryAfterMs: RETRY_AFTER_MS };
      this.#outgoing.send(connection, packFrame(Opcode.RICH_GRAB_RESULT, stampHigh, stampLow, body));
    } else {
      const place = this.#outgoing.reserve(connection, GRAB_RESULT_BYTES);
      writeGrabResult(this.#outgoing.bytes, place, stampHigh, stampLow, packetId, 0);
    }
  }

  #login(connection: number, userId: number, stampHigh: number, stampLow: number): void {
    if (this.keys !== undefined) {
      this.#answerLogin(connection, stampHigh, stampLow, userId, LoginResult.TOKEN_NEEDED);
      this.#keeper.close(connection, 'auth');
    } else if (userId > MAX_USER_ID) {
      this.#answerLogin(connection, stampHigh, stampLow, userId, LoginResult.BAD_USER);
    } else if (this.#isOtherUser(connection, userId)) {
      this.#answerLogin(connection, stampHigh, stampLow, userId, LoginResult.ALREADY_LOGGED_IN);
    } else {
      this.#beginSession(connection, userId, 0, stampHigh, stampLow);
    }
  }

  #answerLogin(connection: number, stampHigh: number, stampLow: number, userId: number, result: LoginResult): void {
    const place = this.#outgoing.reserve(connection, LOGIN_RESULT_BYTES);
    writeLoginResult(this.#outgoing.bytes, place, stampHigh, stampLow, userId, result);
  }

  #hello(connection: number, body: unknown, stampHigh: number, stampLow: number): void {
    if (this.#table.states[connection] === ConnectionState.NEW) this.#table.rich[connection] = 1;
    const hello = readHello(body);
    if (hello === 'body') {
      this.#keeper.close(connection, 'body', 'body');
    } else if (typeof hello === 'string') {
      this.#keeper.sendError(connection, hello, stampHigh, stampLow);
    } else if (!this.#isProved(hello)) {
      this.#keeper.close(connection, 'auth', 'auth');
    } else if (this.#isOtherUser(connection, hello.userId)) {
      this.#keeper.sendError(connection, 'logged-in', stampHigh, stampLow);
    } else {
      this.#beginSession(connection, hello.userId, 1, stampHigh, stampLow);
    }
  }

  /** Whether a HELLO comes from the user it names, as far as this server asks for a proof. */
  #isProved({ userId, token = '' }: Hello): boolean {
    return this.keys === undefined || judgeToken(this.keys, token, userId, unixSeconds()) === undefined;
  }

  /** Sends the frame back as it is: packed anew, its value could be longer than a frame may be. */
  #ping(
    connection: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    stampHigh: number,
    stampLow: number,
  ): void {
    const end = offset + length;
    if (!isSafeBody(bytes, offset + BODY_OFFSET, end)) {
      this.#keeper.close(connection, 'body', 'body');
      return;
    }
    const place = this.#outgoing.reserve(connection, length);
    writeHeader(this.#outgoing.bytes, place, length, Opcode.PONG, stampHigh, stampLow);
    this.#outgoing.bytes.set(bytes.subarray(offset + BODY_OFFSET, end), place + BODY_OFFSET);
  }

  #send(connection: number, body: unknown, stampHigh: number, stampLow: number): void {
    const send = readSend(body);
    if (send === undefined) {
      this.#keeper.close(connection, 'body', 'body');
    } else if (this.#requireLogin(connection)) {
      if (this.#passMore(RequestKind.SEND, connection, stampHigh, stampLow, { body: encodeSend(send) })) return;
      const busy: Sent = { status: 'BUSY', retryAfterMs: RETRY_AFTER_MS };
      this.#outgoing.send(connection, packFrame(Opcode.SENT, stampHigh, stampLow, busy));
    }
  }

  #wallet(connection: number, body: unknown, stampHigh: number, stampLow: number): void {
    if (!readWallet(body)) {
      this.#keeper.close(connection, 'body', 'body');
    } else if (this.#requireLogin(connection)) {
      if (this.#passMore(RequestKind.WALLET, connection, stampHigh, stampLow, {})) return;
      this.#keeper.sendError(connection, 'busy', stampHigh, stampLow);
    }
  }

  #records(connection: number, body: unknown, stampHigh: number, stampLow: number): void {
    const asked = readRecords(body);
    if (asked === undefined) {
      this.#keeper.close(connection, 'body', 'body');
    } else if (this.#requireLogin(connection)) {
      const { packetId = 0, limit, before = 0 } = asked;
      if (
        !this.#shedSide() &&
        this.#passMore(RequestKind.RECORDS, connection, stampHigh, stampLow, { packetId, limit, before })
      )
        return;
      const busy: RecordsResult = { error: { code: 'busy', message: BUSY_MESSAGE } };
      this.#outgoing.send(connection, packFrame(Opcode.RECORDS_RESULT, stampHigh, stampLow, busy));
    }
  }

  /** True, and counted, if what is neither a shake nor money has to wait. */
  #shedSide(): boolean {
    if (!this.#shedder.shedsSide) return false;
    this.#counters.add(AcceptorCount.sideBusy, 1);
    this.#counters.add(AcceptorCount.sideShed, 1);
    return true;
  }

  /** Passes the body on as it is: only the service knows what it means. */
  #chat(
    connection: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    opcode: number,
    stampHigh: number,
    stampLow: number,
  ): void {
    const start = offset + BODY_OFFSET;
    const end = offset + length;
    if (!isSafeBody(bytes, start, end)) {
      this.#keeper.close(connection, 'body', 'body');
      return;
    }
    if (!this.#requireLogin(connection)) return;
    if (this.#shedSide() || !this.#takesChat()) {
      this.#counters.add(AcceptorCount.chatUnavailable, 1);
      this.#keeper.sendError(connection, 'unavailable', stampHigh, stampLow, CHAT_RETRY_AFTER_MS);
      return;
    }
    if (this.#passChat(connection, opcode, stampHigh, stampLow, bytes.subarray(start, end))) return;
    this.#counters.add(AcceptorCount.chatBusy, 1);
    this.#keeper.sendError(connection, 'busy', stampHigh, stampLow, CHAT_RETRY_AFTER_MS);
  }

  #passChat(connection: number, opcode: number, stampHigh: number, stampLow: number, value: Uint8Array): boolean {
    const table = this.#table;
    if (table.chatInFlight[connection] >= MAX_CHAT_IN_FLIGHT_PER_CONNECTION) return false;
    const body = new Int32Array(Math.ceil(value.length / 4));
    new Uint8Array(body.buffer).set(value);
    const more = { packetId: opcode, limit: value.length, body };
    const passed = this.#linkOf(connection).requestChat(this.#describe(connection, stampHigh, stampLow, more));
    if (passed) table.chatInFlight[connection]++;
    return passed;
  }

  /** Passes on what concerns the user's own money; false, and counted, if there is no room for it. */
  #passMore(
    kind: RequestKind,
    connection: number,
    stampHigh: number,
    stampLow: number,
    more: Partial<MoreRequest>,
  ): boolean {
    const table = this.#table;
    const passed =
      table.inFlight[connection] < this.#limits.maxInFlight &&
      this.#linkOf(connection).requestMore(kind, this.#describe(connection, stampHigh, stampLow, more));
    if (passed) table.inFlight[connection]++;
    else this.#counters.add(AcceptorCount.sideBusy, 1);
    return passed;
  }

  /** A request for what is not hot, from whoever has the connection. */
  #describe(connection: number, stampHigh: number, stampLow: number, more: Partial<MoreRequest>): MoreRequest {
    return {
      connection,
      generation: this.#table.generations[connection],
      userId: this.#table.userIds[connection],
      stampHigh,
      stampLow,
      receivedUs: this.receivedUs,
      packetId: 0,
      limit: 0,
      before: 0,
      body: NO_BODY,
      ...more,
    };
  }

  /** Asks the user's worker for a session; the reply path takes it from there. */
  #beginSession(connection: number, userId: number, rich: number, stampHigh: number, stampLow: number): void {
    const table = this.#table;
    if (table.inFlight[connection] >= this.#limits.maxInFlight) {
      this.#keeper.close(connection, 'frame', 'frame');
      return;
    }
    if (table.states[connection] === ConnectionState.NEW) {
      table.states[connection] = ConnectionState.LOGGING_IN;
      table.rich[connection] = rich;
    }
    table.userIds[connection] = userId;
    table.sets[connection] = userId % this.#stock.sets;
    table.inFlight[connection]++;
    const generation = table.generations[connection];
    this.#linkOf(connection).login(connection, generation, userId, rich, stampHigh, stampLow, this.receivedUs);
  }

  /** True if the connection belongs to a user already, and this is not the one. */
  #isOtherUser(connection: number, userId: number): boolean {
    const current = this.#table.userIds[connection];
    return current !== NO_USER && current !== userId;
  }

  /** A request without a session ends the connection; one whose login is under way is judged by the worker. */
  #requireLogin(connection: number): boolean {
    const state = this.#table.states[connection];
    if (state === ConnectionState.LOGGED_IN || state === ConnectionState.LOGGING_IN) return true;
    this.#keeper.close(connection, 'not-logged-in', 'not-logged-in');
    return false;
  }

  // HOT
  #passOn(kind: RequestKind, connection: number, packetId: number, stampHigh: number, stampLow: number): boolean {
    const table = this.#table;
    if (table.inFlight[connection] >= this.#limits.maxInFlight) return false;
    const passed = this.#linkOf(connection).request(
      kind,
      connection,
      table.generations[connection],
      table.userIds[connection],
      packetId,
      stampHigh,
      stampLow,
      this.receivedUs,
    );
    if (passed) table.inFlight[connection]++;
    return passed;
  }

  #linkOf(connection: number): WorkerLink {
    return this.#links[this.#table.sets[connection] % this.#links.length];
  }
}
