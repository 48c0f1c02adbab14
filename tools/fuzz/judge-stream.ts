// What docs/PROTOCOL.md says a server must do with a stream of bytes: which requests it answers, and why it closes. Written a
// second time for this purpose: it shares no code with lib/protocol.

import { readBody } from './body-reader.ts';

/** Why a server closes by itself, as far as that is decided by the bytes. */
export type StreamFault = 'frame' | 'body' | 'not-logged-in';

/** What must become of a stream. */
export interface Judgement {
  /** Undefined if the stream is one that the server goes on reading. */
  fault: StreamFault | undefined;
  /** Where the faulty frame begins; the length of the stream if there is none. */
  faultAt: number;
  /** Whether the session is told of errors in words. */
  isRich: boolean;
  /** The stamps of the requests before the fault, in hex: each is answered once. */
  stamps: string[];
  /** Of these, by the opcode of the reply that it must be; the others can be answered in several ways. */
  pings: number;
  shakes: number;
  /** The stream ends within a frame. */
  isIncomplete: boolean;
  /** Where frames are that log in, and as whom. */
  logins: { at: number; userId: number }[];
  hasSession: boolean;
  /** It logged in both ways: whether it is told of errors depends on which login was answered by then. */
  isMixed: boolean;
  /** False if the protocol leaves open what a server makes of it. */
  isSure: boolean;
}

const HEADER_BYTES = 12;
const MOST_BYTES = 16_384;
const MOST_CHAT_BYTES = 4000;
const MOST_USER_ID = 2 ** 31 - 1;

/** Frames that a server accepts, with their one length; 0 = extended. */
const LENGTHS = new Map([
  [0x0000, 16],
  [0x0002, 16],
  [0x0005, 20],
  [0x0100, 0],
  [0x0110, 0],
  [0x0120, 0],
  [0x0122, 0],
  [0x0124, 0],
]);

/** Requests for chat: passed on as they are, if their body is well formed. */
function isChat(opcode: number): boolean {
  return opcode >= 0x0200 && opcode < 0x0280 && opcode % 2 === 0;
}

/** Judges all bytes of a connection. */
export function judgeStream(stream: Buffer): Judgement {
  const judge = new StreamJudge();
  let at = 0;
  while (stream.length - at >= 4 && judge.result.fault === undefined) {
    const length = stream.readUInt16BE(at);
    const opcode = stream.readUInt16BE(at + 2);
    const rule = LENGTHS.get(opcode);
    const mostBytes = rule === 0 ? MOST_BYTES : isChat(opcode) ? MOST_CHAT_BYTES : 0;
    const isLegal = length >= HEADER_BYTES && (length === rule || length <= mostBytes);
    judge.result.faultAt = at;
    if (!isLegal) judge.result.fault = 'frame';
    else if (stream.length - at < length) break;
    else judge.take(opcode, stream.subarray(at, at + length), at);
    if (judge.result.fault === undefined) at += length;
  }
  judge.result.isIncomplete = judge.result.fault === undefined && at < stream.length;
  if (judge.result.fault === undefined) judge.result.faultAt = at;
  return judge.result;
}

class StreamJudge {
  readonly result: Judgement = {
    fault: undefined,
    faultAt: 0,
    isRich: false,
    stamps: [],
    pings: 0,
    shakes: 0,
    isIncomplete: false,
    logins: [],
    hasSession: false,
    isMixed: false,
    isSure: true,
  };
  #userId: number | undefined;

  take(opcode: number, frame: Buffer, at: number): void {
    const { result } = this;
    const fault = this.#judge(opcode, frame, at);
    result.fault = fault;
    if (fault === undefined) result.stamps.push(frame.toString('hex', 4, 12));
  }

  #judge(opcode: number, frame: Buffer, at: number): StreamFault | undefined {
    const { result } = this;
    if (opcode === 0x0000) {
      this.#login(frame.readUInt32BE(12), at, false);
      return undefined;
    }
    if (opcode < 0x100) {
      if (!result.hasSession) return 'not-logged-in';
      if (opcode === 0x0002) result.shakes++;
      return undefined;
    }
    const body = readBody(frame.subarray(HEADER_BYTES));
    if (body !== undefined && !body.isSure && opcode !== 0x0110 && !isChat(opcode)) result.isSure = false;
    const value = body?.value;
    if (isChat(opcode)) return body === undefined ? 'body' : this.#needSession();
    switch (opcode) {
      case 0x0100:
        return this.#hello(value, at);
      case 0x0110:
        if (body === undefined) return 'body';
        result.pings++;
        return undefined;
      case 0x0120:
        return isSend(value) ? this.#needSession() : 'body';
      case 0x0122:
        return value === null || (value instanceof Map && value.size === 0) ? this.#needSession() : 'body';
      default:
        return isRecords(value) ? this.#needSession() : 'body';
    }
  }

  #needSession(): StreamFault | undefined {
    return this.result.hasSession ? undefined : 'not-logged-in';
  }

  #hello(value: unknown, at: number): StreamFault | undefined {
    const { result } = this;
    if (!result.hasSession) result.isRich = true;
    if (!(value instanceof Map)) return 'body';
    if (value.get('version') !== 1) return undefined;
    const userId = value.get('userId');
    if (!isWhole(userId, 0, MOST_USER_ID)) return undefined;
    const token = value.get('token');
    if (value.has('token') && (typeof token !== 'string' || token.length > 1024)) return 'body';
    this.#login(userId, at, true);
    return undefined;
  }

  #login(userId: number, at: number, isRich: boolean): void {
    const { result } = this;
    if (userId > MOST_USER_ID || (this.#userId !== undefined && this.#userId !== userId)) return;
    result.logins.push({ at, userId });
    if (!result.hasSession) result.isRich = isRich;
    else if (result.isRich !== isRich) result.isMixed = true;
    result.hasSession = true;
    this.#userId = userId;
  }
}

function isWhole(value: unknown, low: number, high: number): value is number {
  return Number.isInteger(value) && (value as number) >= low && (value as number) <= high;
}

function isSend(value: unknown): boolean {
  if (!(value instanceof Map)) return false;
  const users = value.get('users');
  if (!Array.isArray(users) || users.length < 1 || users.length > 1000) return false;
  if (!users.every((user) => isWhole(user, 0, MOST_USER_ID)) || new Set(users).size !== users.length) return false;
  const key = value.get('key');
  if (typeof key !== 'string' || key === '' || Buffer.byteLength(key) > 64) return false;
  const note = value.get('note');
  if (value.has('note') && (typeof note !== 'string' || [...note].length > 25)) return false;
  if (value.has('mode') && !['lucky', 'line', 'equal'].includes(value.get('mode') as string)) return false;
  if (value.has('expiresInSeconds') && !isWhole(value.get('expiresInSeconds'), 1, 2_592_000)) return false;
  return isWhole(value.get('totalCents'), 1, MOST_USER_ID) && isWhole(value.get('shares'), 1, MOST_USER_ID);
}

function isRecords(value: unknown): boolean {
  if (!(value instanceof Map)) return false;
  if (value.has('limit') && !isWhole(value.get('limit'), 1, 100)) return false;
  if (value.has('packetId') && !isWhole(value.get('packetId'), 1, 2 ** 32 - 1)) return false;
  return !value.has('before') || isWhole(value.get('before'), 1, Number.MAX_SAFE_INTEGER);
}
