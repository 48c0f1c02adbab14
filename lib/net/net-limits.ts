// The limits of connections that an operator can set: their defaults, their bounds, and the reason of each. All of them can change
// while the server runs, for connections that are there too.

import { MAX_FRAME_BYTES } from '../protocol/limits.ts';

/** Times are whole seconds of the acceptor's clock: a limit is passed up to a second late. See NET_LIMITS. */
export interface NetLimits {
  /** With TLS: to end the handshake once connected, and to take what keeps it from being read. */
  tlsTimeoutSeconds: number;
  /** To log in once connected. */
  loginTimeoutSeconds: number;
  /** For which a user who is logged in may send nothing; 0 for ever. */
  idleTimeoutSeconds: number;
  /** To send one frame to its end. */
  frameTimeoutSeconds: number;
  /** To read what is queued and to close their side, once we have closed ours. */
  closeTimeoutSeconds: number;
  /** Connections of one address, or of one IPv6 network of 64 bits, over all acceptors; 0 for any number. */
  maxPerAddress: number;
  /** Connections taken in one second of the wall clock, over all acceptors; 0 for any number. */
  maxAcceptsPerSecond: number;
  /** Shakes of one connection, and so of one user, in one second of the acceptor's clock; 0 for any number. */
  maxShakesPerSecond: number;
  /** Requests that one connection may have under way to the workers. */
  maxInFlight: number;
  /** Bytes queued towards one connection before it counts as a slow consumer and is closed. */
  maxQueuedBytes: number;
  /** The longest extended frame that is read. */
  maxFrameBytes: number;
}

/** What an operator is told of one limit, and what it may be. */
export interface NetLimitRule {
  /** Its name on the command line and in a config file. */
  flag: string;
  byDefault: number;
  low: number;
  high: number;
  /** What it bounds. */
  describe: string;
  /** Why the default is what it is. */
  reason: string;
}

const HOUR = 3600;

/** Every limit, in the order in which they are told. */
export const NET_LIMITS = {
  maxPerAddress: {
    flag: 'max-per-address',
    byDefault: 0,
    low: 0,
    high: 10_000_000,
    describe: 'connections from one address (IPv6: one /64 network) at the most; 0 means any',
    reason: 'a carrier puts tens of thousands of phones behind one address',
  },
  maxAcceptsPerSecond: {
    flag: 'max-accepts',
    byDefault: 0,
    low: 0,
    high: 1_000_000,
    describe: 'connections taken in one second; whoever comes then is closed at once; 0 means any',
    reason: 'after a restart everybody comes back at once, and should get in',
  },
  tlsTimeoutSeconds: {
    flag: 'tls-timeout',
    byDefault: 10,
    low: 1,
    high: HOUR,
    describe: 'seconds that a TLS handshake may take, and a peer to read what fills its queue',
    reason: 'a slow phone can',
  },
  loginTimeoutSeconds: {
    flag: 'login-timeout',
    byDefault: 30,
    low: 1,
    high: HOUR,
    describe: 'seconds that a connection may take to log in',
    reason: 'existing clients take one',
  },
  idleTimeoutSeconds: {
    flag: 'idle-timeout',
    byDefault: 0,
    low: 0,
    high: 24 * HOUR,
    describe: 'seconds for which a user may send nothing, not even a PING; 0 means for ever',
    reason: 'users wait for packets in silence; the kernel asks after 15 minutes whether a peer is still there',
  },
  frameTimeoutSeconds: {
    flag: 'frame-timeout',
    byDefault: 10,
    low: 1,
    high: HOUR,
    describe: 'seconds that one frame may take to become whole',
    reason: 'it fits into a few network packets',
  },
  closeTimeoutSeconds: {
    flag: 'close-timeout',
    byDefault: 2,
    low: 1,
    high: HOUR,
    describe: 'seconds that a peer may take to close its side once the server has closed its own',
    reason: 'some round trips',
  },
  maxShakesPerSecond: {
    flag: 'max-shakes',
    byDefault: 0,
    low: 0,
    high: 65_535,
    describe: 'shakes of one user in one second; more are answered OVERLOAD; 0 means any',
    reason: 'a shake that does not win costs a microsecond, and load tests send thousands',
  },
  maxInFlight: {
    flag: 'max-in-flight',
    byDefault: 1024,
    low: 1,
    high: 4096,
    describe: 'requests that one connection may have under way; more are answered busy',
    reason: 'more than any honest client pipelines, an eighth of what one worker is sent',
  },
  maxQueuedBytes: {
    flag: 'max-queued-bytes',
    byDefault: 256 * 1024,
    low: 32 * 1024,
    high: 16 * 1024 * 1024,
    describe: 'bytes that may wait for one connection to read them before it is closed',
    reason: 'about 9,000 replies to shakes',
  },
  maxFrameBytes: {
    flag: 'max-frame-bytes',
    byDefault: MAX_FRAME_BYTES,
    low: 1024,
    high: MAX_FRAME_BYTES,
    describe: 'bytes of the longest extended frame that is read',
    reason: 'a SEND to thousands of users fits',
  },
} as const satisfies Record<keyof NetLimits, NetLimitRule>;

export const NET_LIMIT_NAMES = Object.keys(NET_LIMITS) as (keyof NetLimits)[];

export const DEFAULT_NET_LIMITS = Object.fromEntries(
  NET_LIMIT_NAMES.map((name) => [name, NET_LIMITS[name].byDefault]),
) as unknown as NetLimits;
