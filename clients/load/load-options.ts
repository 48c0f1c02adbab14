// What a load test is asked to do, with defaults and checks.

/** First and last user id, both included. */
export type UserRange = readonly [number, number];

export interface LoadOptions {
  /** Servers; the users are spread over them in turn. */
  targets: { host: string; port: number }[];
  /** The users of this client: one connection each. */
  users: UserRange;
  /** The users of all load clients together: what `qps` is spread over. */
  population: UserRange;
  /** How many users of other populations connect from this machine: local addresses go on behind theirs. Left out, none. */
  usersBefore?: number;
  /** Open loop: shakes a second over the whole population. 0 sends none: connections that wait for notices. */
  qps: number;
  /** Closed loop: every connection keeps `pipeline` shakes under way, as fast as the server answers. */
  closed: boolean;
  pipeline: number;
  /** How long to shake, in seconds. */
  durationSeconds: number;
  /**
   * Open loop: how often it looks what is due, in milliseconds; while answers come, up to ten times as often. Many clients on
   * one machine look less often.
   */
  paceMs: number;
  /** Open loop: a shake that was due so long ago is not sent any more, in milliseconds; left out, it is sent however late. */
  giveUpMs?: number;
  /** Open loop: who has so many shakes unanswered does not shake; left out, he shakes all the same. */
  mostUnanswered?: number;
  threads: number;
  /** Whether to grab every packet that a notice tells of. */
  grab: boolean;
  /** Whether the threads tell every second what they timed and how they fared: for samples. */
  sampled?: boolean;
  /**
   * Data directory of the server, whose keys sign a token for each user: they say HELLO then, not LOGIN. The threads read the
   * keys themselves, so that no key is in what is printed of these options.
   */
  tokenKeys?: string;
  /** TLS; `ca` is a PEM text of who signs the server's certificate, undefined for those that Node trusts. */
  tls?: { ca: string | undefined };
  /** How long to wait at the end for replies and notices that are under way, in seconds. */
  drainSeconds: number;
}

/** Shakes a second at the most. */
export const MOST_QPS = 1_000_000;

/** Descriptors that a load client keeps for itself: the others are connections. */
export const LOAD_DESCRIPTORS = 64;

/** How often a load client that has the machine to itself looks what is due, in milliseconds. */
export const PACE_MS = 1;

/** Connections from one source address: past about 14,000 the kernel's search for a free port slows to a crawl. */
const CONNECTIONS_PER_ADDRESS = 10_000;

/** Addresses in a row of the last byte. */
const ADDRESSES_PER_ROW = 250;

/**
 * Which loopback address the `number`-th user of the population connects from: so all load clients on a machine that share
 * a population spread over the addresses together. Undefined lets the system choose.
 */
export function localAddressOf(number: number): string | undefined {
  const address = Math.floor(number / CONNECTIONS_PER_ADDRESS);
  if (address === 0) return undefined;
  return `127.0.${Math.floor(address / ADDRESSES_PER_ROW)}.${1 + (address % ADDRESSES_PER_ROW)}`;
}

/** Reads `host:port`, `:port` or `port`. Returns undefined if it is none of these. */
export function parseTarget(text: string): { host: string; port: number } | undefined {
  const match = /^(?:(.*):)?(\d{1,5})$/.exec(text);
  if (match === null || Number(match[2]) > 65_535) return undefined;
  const host = (match[1] ?? '').replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' ? '127.0.0.1' : host, port: Number(match[2]) };
}

/** Reads `first:last`. Returns undefined if it is not two user ids in order. */
export function parseUsers(text: string): UserRange | undefined {
  const match = /^(\d{1,10}):(\d{1,10})$/.exec(text);
  if (match === null) return undefined;
  const [first, last] = [Number(match[1]), Number(match[2])];
  return first <= last && last <= 0x7fff_ffff ? [first, last] : undefined;
}

/** How many users a range has. */
export function countUsers([first, last]: UserRange): number {
  return last - first + 1;
}

/** The part of a range that thread `index` of `threads` takes. Parts differ by one user at most. */
export function partOf([first, last]: UserRange, index: number, threads: number): UserRange {
  const users = last - first + 1;
  return [first + Math.floor((users * index) / threads), first + Math.floor((users * (index + 1)) / threads) - 1];
}
