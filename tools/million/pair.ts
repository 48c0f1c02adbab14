// One server and the client that talks to it, as the parent of a run sees them.

import { countUsers, type LoadOptions } from '../../clients/load/load-options.ts';
import { emptyTotals, type LoadTotals } from '../../clients/load/load-totals.ts';
import type { Comparison } from '../../clients/load/verify.ts';
import { compareWithServers, readServerCounts, type ServerCounts } from '../../clients/load/verify.ts';
import type { ServerOptions } from '../../lib/server-options.ts';
import { callControl } from '../control-client.ts';
import type { FromClient, FromServer, ToClient, ToServer } from './child-messages.ts';
import type { Child, Family } from './family.ts';
import type { PairLoad } from './share-out.ts';

/**
 * How often a client looks what is due, in milliseconds. A millisecond each would be 50,000 wake-ups a second for the million.
 * It adds half of itself to the median, which counts from when a shake was due; at 20 the two cores were not enough.
 */
const PACE_MS = 100;

/** Where servers listen: users of a test are anybody, so nobody else may reach them. */
const HOST = '127.0.0.1';

/** Cents of a packet on the average, won by a shake or sent. */
const PACKET_CENTS = 300;

/** Users that a sent packet goes to, one share each. */
const SHARES = 3;

/** The last report of a client. */
type ClientReport = Omit<Extract<FromClient, { kind: 'report' }>, 'kind'>;

export class Pair {
  readonly load: PairLoad;
  report: ClientReport = { totals: emptyTotals(), hasStopped: false, quietMs: 0, lastAnswerMs: 0 };
  latency: { shake: string; grab: string } | undefined;
  readonly #family: Family;
  readonly #name: string;
  readonly #index: number;
  #server!: Child<ToServer, FromServer>;
  #client!: Child<ToClient, FromClient>;
  #port = 0;
  #controlUrl = '';
  #countsBefore: ServerCounts | undefined;

  /** @param index from 0 */
  constructor(family: Family, load: PairLoad, index: number) {
    this.#family = family;
    this.load = load;
    this.#index = index;
    this.#name = String(index + 1);
  }

  get serverPid(): number {
    return this.#server.pid;
  }

  get clientPid(): number {
    return this.#client.pid;
  }

  get totals(): LoadTotals {
    return this.report.totals;
  }

  get isConnected(): boolean {
    return this.totals.connected === countUsers(this.load.users);
  }

  /** Starts the server and resolves once it serves. */
  async startServer(options: Pick<ServerOptions, 'data' | 'durability'>): Promise<void> {
    this.#server = this.#family.start<ToServer, FromServer>('server-child', `server ${this.#name}`);
    const serving = this.#server.next('serving');
    this.#server.send({ kind: 'start', options: { ...options, host: HOST, port: 0, controlPort: 0 } });
    const { port, controlPort } = await this.#family.wait(serving);
    this.#port = port;
    this.#controlUrl = `http://${HOST}:${controlPort}`;
  }

  /** Starts the client and resolves once it listens to us; it connects nobody yet. */
  async startClient(): Promise<void> {
    this.#client = this.#family.start<ToClient, FromClient>('client-child', `client ${this.#name}`);
    this.#client.onMessage((message) => {
      if (message.kind === 'report') this.report = message;
    });
    await this.#family.wait(this.#client.next('ready'));
  }

  /** Keeps the server's counts, to compare with later. */
  async readCounts(): Promise<void> {
    this.#countsBefore = await this.#family.wait(readServerCounts([this.#controlUrl]));
  }

  /** Starts connecting; `totals.connected` tells how far it is. */
  connect(durationSeconds: number): void {
    const { users, qps } = this.load;
    const options: LoadOptions = {
      targets: [{ host: HOST, port: this.#port }],
      users,
      // Not the users of all pairs: the rule would let one pair after the other shake, instead of all at the same time.
      population: users,
      // Users of all pairs are numbered through, from 0.
      usersBefore: users[0],
      qps,
      closed: false,
      pipeline: 1,
      durationSeconds,
      threads: 1,
      grab: true,
      drainSeconds: 0,
      paceMs: PACE_MS,
    };
    this.#client.send({ kind: 'connect', options });
  }

  /** Starts the drop and the send of this pair, to be released over the time given. */
  async startPackets(durationSeconds: number): Promise<void> {
    const { users, dropPackets, sentPackets } = this.load;
    if (dropPackets > 0) {
      const drop = { count: dropPackets, rate: dropPackets / durationSeconds, budget: dropPackets * PACKET_CENTS };
      await this.#family.wait(callControl(this.#controlUrl, 'POST', '/drops', drop));
    }
    if (sentPackets > 0) {
      const shares = Math.min(SHARES, countUsers(users));
      const rate = sentPackets / durationSeconds;
      const send = { count: sentPackets, rate, shares, total: PACKET_CENTS, users };
      await this.#family.wait(callControl(this.#controlUrl, 'POST', '/sends', send));
    }
  }

  /**
   * Lets the client shake between two moments in Unix milliseconds.
   * @param pairs how many there are: each client looks at a moment of its own within the pace what is due; all at once, they
   *   would queue for the cores at each pace
   */
  shake(fromMs: number, untilMs: number, pairs: number): void {
    this.#client.send({ kind: 'shake', fromMs, untilMs, offsetMs: (this.#index * PACE_MS) / pairs });
  }

  stopShaking(): void {
    this.#client.send({ kind: 'stop' });
  }

  /** Both ends, row by row. */
  compare(): Promise<Comparison[]> {
    return this.#family.wait(compareWithServers([this.#controlUrl], this.#countsBefore!, this.totals));
  }

  /** Ends the client: closes its connections, keeps its histograms. */
  async endClient(): Promise<void> {
    this.#family.letEnd(this.#client);
    const ended = this.#client.next('ended');
    this.#client.send({ kind: 'end' });
    this.latency = (await this.#family.wait(Promise.race([ended, this.#failIfGone(this.#client)]))).latency;
    await this.#family.wait(this.#client.ended);
  }

  /** Stops the server in good order. */
  async stopServer(): Promise<void> {
    this.#family.letEnd(this.#server);
    this.#server.send({ kind: 'stop' });
    await this.#family.wait(this.#server.ended);
  }

  async #failIfGone({ ended, name }: Child<ToClient, FromClient>): Promise<never> {
    await ended;
    throw new Error(`${name} ended without its histograms`);
  }
}
