// The MessagePack bodies of the extended frames: their types, and the checks on those that a peer sends.

import { MAX_TOKEN_LENGTH, MAX_USER_ID } from './limits.ts';

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
  limits: { maxFrameBytes: number; maxInFlight: number };
  /** Packets that wait for this user; a NOTICE follows for each. */
  pendingNotices: number;
}

/** How a packet can be split, by name; the index is the number that travels inside the server. */
export const SPLIT_NAMES = ['lucky', 'line', 'equal'] as const;

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
  mode: (typeof SPLIT_NAMES)[number];
  /** sha256 of the seed of the split, 32 bytes: what was fixed before anybody grabbed. */
  commitment: Uint8Array;
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

/** Body of ERROR. `code` is for programs and stays the same; `message` is for people. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
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
  timeout: 'nothing complete arrived in time; the connection is closed',
  shutdown: 'the server is stopping; reconnect later',
} as const;
export type ErrorCode = keyof typeof ERROR_MESSAGES;

/** Judges an unpacked HELLO body: the Hello, or the code of the ERROR that it earns. */
export function readHello(body: unknown): Hello | ErrorCode {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return 'body';
  const { version, userId, token } = body as Record<string, unknown>;
  if (version !== PROTOCOL_VERSION) return 'version';
  if (!Number.isInteger(userId) || (userId as number) < 0 || (userId as number) > MAX_USER_ID) return 'user';
  if (token === undefined) return { version, userId: userId as number };
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) return 'body';
  return { version, userId: userId as number, token };
}
