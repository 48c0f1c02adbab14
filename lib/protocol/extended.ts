// The MessagePack bodies of the extended frames: their types, and the checks on those that a peer sends.

import {
  DEFAULT_RECORDS,
  DEFAULT_SEND_EXPIRY_SECONDS,
  MAX_KEY_BYTES,
  MAX_NOTE_CHARACTERS,
  MAX_RECONNECT_SECONDS,
  MAX_RECORDS,
  MAX_RETRY_AFTER_MS,
  MAX_SEND_CENTS,
  MAX_SEND_EXPIRY_SECONDS,
  MAX_SEND_SHARES,
  MAX_SEND_USERS,
  MAX_TOKEN_LENGTH,
  MAX_USER_ID,
} from './limits.ts';
import { readTarget } from './target.ts';

/** Packet ids are u32; no packet has id 0. */
const MAX_PACKET_ID = 0xffff_ffff;

/** The version that HELLO names. A server answers ERROR `version` to one that it does not speak. */
export const PROTOCOL_VERSION = 1;

/** Body of HELLO: opens an extended session. */
export interface Hello {
  version: number;
  /** 0 to MAX_USER_ID. */
  userId: number;
  /** Proof of identity; a server that runs without access control ignores it. */
  token?: string;
}

/** Body of WELCOME: the session stands. */
export interface Welcome {
  version: number;
  userId: number;
  /** Name and version of the server, for people. */
  server: string;
  /** idleSeconds: who sends nothing for longer is closed; left out where there is no such limit. */
  limits: { maxFrameBytes: number; maxInFlight: number; idleSeconds?: number };
  /** Packets that wait for this user; a NOTICE follows for each. */
  pendingNotices: number;
}

/** How a packet can be split, by name; the index is the number that travels inside the server. */
export const SPLIT_NAMES = ['lucky', 'line', 'equal'] as const;
export type SplitName = (typeof SPLIT_NAMES)[number];

/** Body of the rich NOTICE. */
export interface RichNotice {
  packetId: number;
  totalCents: number;
  shares: number;
  /** Who sent it; -1 for the house. */
  senderId: number;
  /** Unix seconds at which what is left goes back to the sender. */
  expiresAt: number;
  /** How the shares were split. */
  mode: SplitName;
  /** sha256 of the seed of the split, 32 bytes: what was fixed before anybody grabbed. */
  commitment: Uint8Array;
  /** What the sender wrote to it; left out if there is nothing. */
  note?: string;
}

/** Body of the rich GRAB_RESULT. */
export interface RichGrabResult {
  packetId: number;
  status: 'WON' | 'REPEAT' | 'EMPTY' | 'EXPIRED' | 'NOT_INVITED' | 'NOT_FOUND' | 'BUSY' | 'BAD_REQUEST';
  /** Cents won, now (WON) or before (REPEAT); else 0. */
  amountCents: number;
  /** With BUSY only: wait this long before trying again. */
  retryAfterMs?: number;
}

/** Body of SEND, as readSend gives it: what a peer may leave out is filled in. */
export interface Send {
  /** Who is told and may grab: 1 to MAX_SEND_USERS different users. */
  users: number[];
  /** 1 to MAX_SEND_CENTS. */
  totalCents: number;
  /** 1 to MAX_SEND_SHARES. */
  shares: number;
  /** What makes it happen once: 1 to MAX_KEY_BYTES of UTF-8. */
  key: string;
  mode: SplitName;
  /** 1 to MAX_SEND_EXPIRY_SECONDS. */
  expiresInSeconds: number;
  /** At most MAX_NOTE_CHARACTERS; empty if there is none. */
  note: string;
}

/** Body of SENT. */
export interface Sent {
  status: 'SENT' | 'REPEAT' | 'INSUFFICIENT' | 'BUSY' | 'BAD_REQUEST' | 'KEY_REUSED';
  /** With SENT, and with REPEAT: the packet that was sent then. */
  packetId?: number;
  /** With SENT: Unix seconds at which what is left comes back. */
  expiresAt?: number;
  /** With SENT: sha256 of the seed of the split, 32 bytes. */
  commitment?: Uint8Array;
  /** With BAD_REQUEST: what is wrong, for people. */
  message?: string;
  /** With BUSY: wait this long before trying again with the same key. */
  retryAfterMs?: number;
}

/** Body of WALLET_RESULT. */
export interface WalletResult {
  balanceCents: number;
  /** The part of the balance that is held for sends under way. */
  reservedCents: number;
}

/** Body of RECORDS, as readRecords gives it. */
export interface RecordsRequest {
  /** Asks for this packet instead of the user's own records. */
  packetId?: number;
  /** 1 to MAX_RECORDS. */
  limit: number;
  /** Only records with a lower sequence. */
  before?: number;
}

/** One movement of the user's money. */
export interface MoneyRecord {
  /** Its place in the books of the server: higher is later. */
  sequence: number;
  /** Unix milliseconds. */
  timeMs: number;
  kind: 'win' | 'grab' | 'send' | 'refund' | 'topup' | 'withdraw';
  /** Cents; `send` and `withdraw` took them from the balance, the others added them. */
  cents: number;
  /** Of win, grab, send and refund. */
  packetId?: number;
}

/** A sent packet and who grabbed what. */
export interface PacketRecord {
  packetId: number;
  /** -1 for the house. */
  senderId: number;
  totalCents: number;
  shares: number;
  mode: SplitName;
  /** Unix seconds. */
  createdAt: number;
  expiresAt: number;
  state: 'open' | 'empty' | 'expired';
  /** In the order in which they came, the first MAX_TOLD_GRABS; `share` is the place in the split, from 0. */
  grabs: { userId: number; amountCents: number; share: number; timeMs: number }[];
  /** Who got the most, the earliest on a tie; known once every share is taken. */
  luckiest?: { userId: number; amountCents: number };
}

/** Body of RECORDS_RESULT: one of the three. */
export interface RecordsResult {
  /** The user's own, newest first. */
  records?: MoneyRecord[];
  /** What was asked for with packetId. */
  packet?: PacketRecord;
  error?: { code: 'not-found' | 'unavailable' | 'busy'; message: string };
}

/** Body of GOING_AWAY: the server stops, and this session is to end. */
export interface GoingAway {
  /** Come back no sooner, in whole seconds: 0 to MAX_RECONNECT_SECONDS. */
  reconnectAfterSeconds: number;
  /** Where to go instead, as host:port; left out: to the same address. */
  target?: string;
}

/** Body of ERROR. `code` is for programs and stays the same; `message` is for people. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  /** Of an answer to a chat request that was not carried out: wait this long before asking again. */
  retryAfterMs?: number;
}

/** Body of SLOW_DOWN: the server has too much to do. Who does not obey is answered worse, but not closed for it. */
export interface SlowDown {
  /** Shake no more for so long, in milliseconds; already drawn at random, so that not everybody comes back at once. */
  retryAfterMs: number;
  /** The least time between two shakes from then on, in milliseconds, until it is told otherwise; left out for none. */
  intervalMs?: number;
}

/** Every code that ERROR can carry, with its sentence. */
export const ERROR_MESSAGES = {
  frame: 'the frame breaks the rules of the protocol; the connection is closed',
  body: 'the body is not one well-formed MessagePack value of the expected shape',
  version: `this server speaks protocol version ${PROTOCOL_VERSION}`,
  user: `userId must be a whole number from 0 to ${MAX_USER_ID}`,
  'logged-in': 'this connection is already logged in as another user',
  'not-logged-in': 'log in first; the connection is closed',
  replaced: 'the same user logged in on another connection; this one is closed',
  full: 'the server holds as many users as it was set up for',
  busy: 'the server is too busy for this request; try again later',
  auth: 'the token of this HELLO is missing, expired, or none of this user; the connection is closed',
  rate: 'this user asks for more than the limit allows; ask again later',
  unavailable: 'the service behind this request does not answer; what it asked for may have been done or not',
  timeout: 'nothing complete arrived in time; the connection is closed',
  shutdown: 'the server is stopping; reconnect later',
} as const;
export type ErrorCode = keyof typeof ERROR_MESSAGES;

/** Judges an unpacked HELLO body: the Hello, or the code of the ERROR that it earns. */
export function readHello(body: unknown): Hello | ErrorCode {
  if (!isMap(body)) return 'body';
  const { version, userId, token } = body;
  if (version !== PROTOCOL_VERSION) return 'version';
  if (!isWhole(userId, 0, MAX_USER_ID)) return 'user';
  if (token === undefined) return { version, userId };
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) return 'body';
  return { version, userId, token };
}

/** Judges an unpacked SEND body: the Send, or undefined if it has another shape. */
export function readSend(body: unknown): Send | undefined {
  if (!isMap(body)) return undefined;
  const { users, totalCents, shares, key, mode = SPLIT_NAMES[0], note = '' } = body;
  const { expiresInSeconds = DEFAULT_SEND_EXPIRY_SECONDS } = body;
  if (!isUserList(users) || !isKey(key) || !isNote(note) || !isSplitName(mode)) return undefined;
  if (!isWhole(totalCents, 1, MAX_SEND_CENTS) || !isWhole(shares, 1, MAX_SEND_SHARES)) return undefined;
  if (!isWhole(expiresInSeconds, 1, MAX_SEND_EXPIRY_SECONDS)) return undefined;
  return { users, totalCents, shares, key, mode, expiresInSeconds, note };
}

/** Judges an unpacked SLOW_DOWN body: for clients. Undefined if it has another shape. */
export function readSlowDown(body: unknown): SlowDown | undefined {
  if (!isMap(body)) return undefined;
  const { retryAfterMs, intervalMs } = body;
  if (!isWhole(retryAfterMs, 0, MAX_RETRY_AFTER_MS)) return undefined;
  if (intervalMs !== undefined && !isWhole(intervalMs, 0, MAX_RETRY_AFTER_MS)) return undefined;
  return intervalMs === undefined ? { retryAfterMs } : { retryAfterMs, intervalMs };
}

/** Tells whether an unpacked WALLET body is one: nil, or a map without keys. */
export function readWallet(body: unknown): boolean {
  return body === null || (isMap(body) && Object.keys(body).length === 0);
}

/** Judges an unpacked RECORDS body: the request, or undefined if it has another shape. */
export function readRecords(body: unknown): RecordsRequest | undefined {
  if (!isMap(body)) return undefined;
  const { packetId, limit = DEFAULT_RECORDS, before } = body;
  if (!isWhole(limit, 1, MAX_RECORDS)) return undefined;
  if (packetId !== undefined && !isWhole(packetId, 1, MAX_PACKET_ID)) return undefined;
  if (before !== undefined && !isWhole(before, 1, Number.MAX_SAFE_INTEGER)) return undefined;
  return { limit, ...(packetId === undefined ? {} : { packetId }), ...(before === undefined ? {} : { before }) };
}

/** Judges an unpacked GOING_AWAY body: the GoingAway, or undefined if it has another shape. */
export function readGoingAway(body: unknown): GoingAway | undefined {
  if (!isMap(body)) return undefined;
  const { reconnectAfterSeconds, target } = body;
  if (!isWhole(reconnectAfterSeconds, 0, MAX_RECONNECT_SECONDS)) return undefined;
  if (target === undefined) return { reconnectAfterSeconds };
  if (typeof target !== 'string' || readTarget(target) === undefined) return undefined;
  return { reconnectAfterSeconds, target };
}

/** Raw bytes are an object too, but have none of our keys. */
function isMap(body: unknown): body is Record<string, unknown> {
  return typeof body === 'object' && body !== null && !Array.isArray(body) && !ArrayBuffer.isView(body);
}

function isWhole(value: unknown, low: number, high: number): value is number {
  return Number.isInteger(value) && (value as number) >= low && (value as number) <= high;
}

function isUserList(value: unknown): value is number[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > MAX_SEND_USERS) return false;
  return value.every((userId) => isWhole(userId, 0, MAX_USER_ID)) && new Set(value).size === value.length;
}

function isSplitName(value: unknown): value is SplitName {
  return SPLIT_NAMES.includes(value as SplitName);
}

function isKey(value: unknown): value is string {
  return isText(value) && value !== '' && Buffer.byteLength(value) <= MAX_KEY_BYTES;
}

function isNote(value: unknown): value is string {
  // A character has at most two units: what is longer need not be counted.
  return isText(value) && value.length <= 2 * MAX_NOTE_CHARACTERS && [...value].length <= MAX_NOTE_CHARACTERS;
}

/** Half a surrogate pair has no UTF-8: between threads it would become another character, and a key another key. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && !/\p{Surrogate}/u.test(value);
}
