// The options of a server: their defaults, their bounds, and what this machine allows.

import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { isLoopback } from './access/loopback.ts';
import { SEGMENT_BYTES } from './ledger/limits.ts';
import { RESERVED_DESCRIPTORS } from './net/limits.ts';
import { DEFAULT_NET_LIMITS, NET_LIMITS, type NetLimits } from './net/net-limits.ts';
import type { TransportName } from './net/transport.ts';
import { DEFAULT_MAX_SHARES, MAX_PACKET_SLOTS, MAX_SHARES } from './packets/limits.ts';
import { MAX_RECONNECT_SECONDS } from './protocol/limits.ts';
import { readTarget } from './protocol/target.ts';
import { WAIT_STRATEGIES, type WaitStrategyName } from './ring/wait-strategy.ts';
import { ServerError } from './server-error.ts';

export interface ServerOptions {
  /** Where clients connect; port 0 lets the system choose. */
  host: string;
  port: number;
  /**
   * Who may be which user. `open`: whoever says so; `token`: who shows a token that a key of the data directory has signed.
   */
  auth: 'open' | 'token';
  /** Whether `open` may listen beyond this machine. */
  openToNetwork: boolean;
  /** PEM files of a certificate and its key: connections are TLS then. '' for none. */
  tlsCert: string;
  tlsKey: string;
  /** Where the control API listens; port 0 lets the system choose. */
  controlHost: string;
  controlPort: number;
  /** Whether the control API asks for a token on loopback too; beyond, it always does. */
  controlAuth: 'auto' | 'token';
  /** SETs: shards of the users. */
  sets: number;
  /** Threads that own connections, and threads that own SETs. */
  acceptors: number;
  workers: number;
  /** Connections in all; 0 means as many as the descriptors allow. */
  maxConnections: number;
  /** Other limits of connections than DEFAULT_NET_LIMITS; can be changed while it runs. */
  netLimits?: Partial<NetLimits>;
  /** Sent packets that the table holds. */
  packetSlots: number;
  /** Cents that one drop or send of the house may cost; 0 for no bound. */
  maxCampaignCents: number;
  /** Shares that one sent packet may have. */
  maxShares: number;
  /** Who answers a shake that cannot win. */
  losingShake: 'acceptor' | 'worker';
  /** What connections are, each with the next where it does not work: io_uring, Node's bare handles, its sockets. */
  transport: TransportName;
  waitStrategy: WaitStrategyName;
  /** Directory of the server's files; made if it is missing. */
  data: string;
  /**
   * What a reply that tells of money waits for. `fsync`: the record is on the disk; `buffered`: it is with the system, and
   * survives the process but not the machine; `memory`: nothing is written, and nothing survives.
   */
  durability: 'fsync' | 'buffered' | 'memory';
  /** Closed segments of the journal that are kept; 0 for all. */
  keepSegments: number;
  /** Bytes after which a segment of the journal is closed. */
  segmentBytes: number;
  /** Whether a sample is taken every second, and whether it is written into a run log in the data directory. */
  samples: boolean;
  runLog: boolean;
  /** Address of another monitor that gets the samples, such as http://10.0.0.5:8990; '' for none. */
  monitor: string;
  /** The control token that this other monitor asks for; '' for none. */
  monitorToken: string;
  /** A module that exports a wallet, see docs/WALLET.md; '' for the balances of this server. */
  wallet: string;
  /** A module that exports a chat service, see docs/CHAT.md; `builtin` for the one of this server, `none` for none. */
  chat: string;
  /** How long a stop may take, in seconds; these three can be changed while it runs. */
  drainSeconds: number;
  /** After how many seconds extended sessions are told to come back when the server stops. */
  reconnectSeconds: number;
  /** Where they are told to go, as host:port; '' for the same address. */
  drainTo: string;
}

/** Whether a server with these options has a chat service. */
export function hasChat({ chat }: ServerOptions): boolean {
  return chat !== 'none';
}

export const TRANSPORTS = ['uring', 'handle', 'socket'] as const satisfies readonly TransportName[];

export const AUTHS = ['open', 'token'] as const;

export const CONTROL_AUTHS = ['auto', 'token'] as const;

export const DURABILITIES = ['fsync', 'buffered', 'memory'] as const;

export const DEFAULT_SERVER_OPTIONS: ServerOptions = {
  host: '127.0.0.1',
  port: 1025,
  auth: 'open',
  openToNetwork: false,
  tlsCert: '',
  tlsKey: '',
  controlHost: '127.0.0.1',
  controlPort: 8989,
  controlAuth: 'auto',
  sets: 256,
  acceptors: 1,
  workers: 1,
  maxConnections: 0,
  packetSlots: MAX_PACKET_SLOTS,
  maxCampaignCents: 0,
  maxShares: DEFAULT_MAX_SHARES,
  losingShake: 'acceptor',
  transport: 'uring',
  waitStrategy: 'park',
  data: './data',
  durability: 'fsync',
  keepSegments: 0,
  segmentBytes: SEGMENT_BYTES,
  samples: true,
  runLog: true,
  monitor: '',
  monitorToken: '',
  wallet: '',
  drainSeconds: 10,
  reconnectSeconds: 2,
  drainTo: '',
  chat: 'builtin',
};

const MAX_SETS = 65_536;
const MAX_THREADS = 64;

/** The longest stop in seconds: what a supervisor may be asked to wait. */
const MAX_DRAIN_SECONDS = 600;

/** Segments are some thousand records at the least, and what a reader takes in a few seconds at the most. */
const LEAST_SEGMENT_BYTES = 64 * 1024;
const MAX_SEGMENT_BYTES = 1024 * 1024 * 1024;

/** The fewest connections that make a server worth starting. */
const LEAST_CONNECTIONS = 16;

/** What can be changed while a server runs. */
export type LiveOptions = Pick<
  ServerOptions,
  'netLimits' | 'keepSegments' | 'drainSeconds' | 'reconnectSeconds' | 'drainTo'
>;

/** Checks options against their bounds, and not against this machine. @throws {ServerError} bad_option, for the first mistake */
export function checkOptions(options: ServerOptions): void {
  checkWhole('--port', options.port, 0, 65_535);
  checkWhole('--control-port', options.controlPort, 0, 65_535);
  checkWhole('--sets', options.sets, 1, MAX_SETS);
  checkWhole('--acceptors', options.acceptors, 1, MAX_THREADS);
  checkWhole('--workers', options.workers, 1, Math.min(MAX_THREADS, options.sets));
  checkWhole('--packet-slots', options.packetSlots, 1, MAX_PACKET_SLOTS);
  checkWhole('--max-shares', options.maxShares, 1, MAX_SHARES);
  checkWhole('--max-campaign-cents', options.maxCampaignCents, 0, Number.MAX_SAFE_INTEGER);
  checkWhole('--max-connections', options.maxConnections, 0, 10_000_000);
  checkWhole('--keep-segments', options.keepSegments, 0, 1_000_000);
  checkWhole('--segment-bytes', options.segmentBytes, LEAST_SEGMENT_BYTES, MAX_SEGMENT_BYTES);
  if (!DURABILITIES.includes(options.durability)) {
    throw new ServerError('bad_option', `--durability must be one of ${DURABILITIES.join(', ')}`);
  }
  if (!TRANSPORTS.includes(options.transport)) {
    throw new ServerError('bad_option', `--transport must be one of ${TRANSPORTS.join(', ')}`);
  }
  checkAccess(options);
  checkWhole('--drain-seconds', options.drainSeconds, 1, MAX_DRAIN_SECONDS);
  checkWhole('--reconnect-seconds', options.reconnectSeconds, 0, MAX_RECONNECT_SECONDS);
  if (options.drainTo !== '' && readTarget(options.drainTo) === undefined) {
    throw new ServerError('bad_option', `--drain-to must be host:port, not ${options.drainTo}`);
  }
  for (const [name, value] of Object.entries(options.netLimits ?? {})) {
    const { flag, low, high } = NET_LIMITS[name as keyof NetLimits];
    checkWhole(`--${flag}`, value, low, high);
  }
  if (!Object.hasOwn(WAIT_STRATEGIES, options.waitStrategy)) {
    throw new ServerError('bad_option', `--wait must be one of ${Object.keys(WAIT_STRATEGIES).join(', ')}`);
  }
  if (options.monitor !== '' && !isHttpUrl(options.monitor)) {
    throw new ServerError(
      'bad_option',
      `--monitor must be an address such as http://127.0.0.1:8990, not ${options.monitor}`,
    );
  }
}

/** The limits of connections that options settle on. */
export function netLimitsOf({ netLimits }: Pick<ServerOptions, 'netLimits'>): NetLimits {
  return { ...DEFAULT_NET_LIMITS, ...netLimits };
}

/**
 * Checks the options against their bounds and this machine, makes the data directory, and settles maxConnections.
 * @throws {ServerError} bad_option, descriptors, data
 */
export function settleOptions(given: Partial<ServerOptions>): ServerOptions {
  const options = { ...DEFAULT_SERVER_OPTIONS, ...given };
  checkOptions(options);
  const mostConnections = countDescriptors() - RESERVED_DESCRIPTORS;
  const wanted = options.maxConnections === 0 ? mostConnections : options.maxConnections;
  if (wanted > mostConnections || wanted < LEAST_CONNECTIONS) {
    const needed = Math.max(wanted, LEAST_CONNECTIONS);
    throw new ServerError(
      'descriptors',
      `this process may open ${mostConnections + RESERVED_DESCRIPTORS} files, which is enough for ` +
        `${Math.max(0, mostConnections)} connections, not for ${needed}; raise it with: ulimit -n ${needed + RESERVED_DESCRIPTORS}`,
    );
  }
  makeDataDirectory(options.data);
  return { ...options, maxConnections: wanted };
}

/** How many descriptors this process may have open. Node raises the soft limit to the hard one when it starts. */
export function countDescriptors(): number {
  const printed = execFileSync('/bin/sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
  return printed === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(printed);
}

/** Whether a text is an address that samples can be sent to. */
export function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}

function checkWhole(name: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new ServerError('bad_option', `${name} must be a whole number from ${low} to ${high}`);
}

/** @throws {ServerError} bad_option */
function checkAccess({ auth, host, openToNetwork, controlAuth, tlsCert, tlsKey }: ServerOptions): void {
  if (!AUTHS.includes(auth)) throw new ServerError('bad_option', `--auth must be one of ${AUTHS.join(', ')}`);
  if (!CONTROL_AUTHS.includes(controlAuth)) {
    throw new ServerError('bad_option', `--control-auth must be one of ${CONTROL_AUTHS.join(', ')}`);
  }
  if ((tlsCert === '') !== (tlsKey === '')) {
    throw new ServerError('bad_option', '--tls-cert and --tls-key go together');
  }
  if (auth === 'open' && !isLoopback(host) && !openToNetwork) {
    throw new ServerError(
      'bad_option',
      `at ${host} anybody could play any user: say --auth token, or listen on 127.0.0.1; ` +
        'in a network where everybody is trusted, say --open-to-network',
    );
  }
}

function makeDataDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new ServerError('data', `cannot use the data directory ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
