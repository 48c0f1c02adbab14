// What an acceptor thread and main say to each other, by message; never on the path of a request.

import type { TokenKey } from '../access/token.ts';
import type { GoingAway } from '../protocol/extended.ts';
import type { ThreadVitals } from '../vitals/thread-vitals.ts';
import type { LatencyKind } from './latency.ts';
import type { NetLimits } from './net-limits.ts';

/** The acceptor has begun to listen. */
export interface ListeningMessage {
  kind: 'listening';
  port: number;
  /** What connections are instead of what was asked for, and why, in a line. */
  fallback: string | undefined;
}

/** From an acceptor to main. */
export type AcceptorMessage =
  | ListeningMessage
  /** It could not listen; `code` is the system's, such as EADDRINUSE. */
  | { kind: 'listen-failed'; code: string; message: string }
  /** Once a second: what was timed since the last one, as encoded histograms, and how the thread fared. */
  | { kind: 'second'; latency: Partial<Record<LatencyKind, string>>; vitals: ThreadVitals }
  /** The answer to `count-addresses`. */
  | { kind: 'addresses'; counts: ReadonlyMap<string, number> }
  /** Every connection is closed; the thread ends by itself. */
  | { kind: 'stopped' };

/** From main to an acceptor: stop accepting, answer what was read, close every connection, end. */
export interface StopMessage {
  kind: 'stop';
  /** What extended sessions are told first. */
  goingAway: GoingAway;
  /** How long all of it may take, in milliseconds. */
  withinMs: number;
}

/** From main to an acceptor: other limits from now on, for the connections that are there too. */
export interface LimitsMessage {
  kind: 'limits';
  limits: NetLimits;
}

/** From main to an acceptor: how many connections has it of which address? */
export interface CountAddressesMessage {
  kind: 'count-addresses';
}

/** From main to an acceptor: from now on these keys verify the tokens of users. */
export interface KeysMessage {
  kind: 'keys';
  keys: readonly TokenKey[];
}
