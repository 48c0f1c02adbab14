// The users beside the load: some come and go, some do not read, some read slowly, some are there and do nothing.
//
// None of them shakes or grabs, and nobody sends to them: so the load client and the server still have the same counts.

import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { HongbaoClient } from '../../clients/client.ts';
import { ClientError } from '../../clients/client-error.ts';
import { writeLogin } from '../../lib/protocol/classic.ts';
import { LOGIN_BYTES } from '../../lib/protocol/classic-layout.ts';
import { packFrame } from '../../lib/protocol/message-pack.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';

/** How long anything may take before it counts as wrong, in milliseconds. */
const PATIENCE_MS = 30_000;

/** How long one who comes and goes stays, and how long until the next, in milliseconds. */
const STAY_MS = 60;
const PAUSE_MS = 20;

/** Bytes of the PINGs of those who do not read: many times what the kernel keeps for them comes together soon. */
const DEAF_BYTES = 12_000;

/** How often one who reads slowly asks and reads, in milliseconds. */
const SLOW_MS = 100;

/** Troubles that are kept in words. */
const KEPT_TROUBLES = 20;

export interface CrowdOptions {
  port: number;
  /** The first of their user ids. */
  firstUser: number;
  churning: number;
  deaf: number;
  slow: number;
  idle: number;
}

/** What they did. */
export interface CrowdCounts {
  /** Sessions that came and went, and how many of these broke off with a reset. */
  sessions: number;
  resets: number;
  /** How often the server closed one who did not read. */
  deafClosed: number;
  slowReads: number;
  idle: number;
}

export class SoakCrowd {
  readonly counts: CrowdCounts = { sessions: 0, resets: 0, deafClosed: 0, slowReads: 0, idle: 0 };
  readonly troubles: string[] = [];
  readonly #options: CrowdOptions;
  readonly #idle: HongbaoClient[] = [];
  #lives: Promise<void>[] = [];
  #isOver = false;

  constructor(options: CrowdOptions) {
    this.#options = options;
  }

  /** Lets everybody in; resolves once the idle ones are there. */
  async start(): Promise<void> {
    const { firstUser, churning, deaf, slow, idle } = this.#options;
    let userId = firstUser;
    for (let i = 0; i < idle; i++) await this.#admitIdle(userId++);
    const lives: (() => Promise<void>)[] = [];
    for (let i = 0; i < churning; i++, userId++) lives.push(this.#churn.bind(this, userId));
    for (let i = 0; i < deaf; i++, userId++) lives.push(this.#beDeaf.bind(this, userId));
    for (let i = 0; i < slow; i++, userId++) lives.push(this.#readSlowly.bind(this, userId));
    this.#lives = lives.map((live) => live().catch((error: Error) => this.#report(error.stack ?? error.message)));
  }

  /** Lets everybody go, and looks whether the idle ones were there to the end. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#lives);
    for (const client of this.#idle) {
      await client.ping().catch((error: Error) => this.#report(`an idle user at the end: ${error.message}`));
      client.close();
    }
  }

  async #admitIdle(userId: number): Promise<void> {
    const client = await this.#join();
    client.on('disconnect', () => this.#isOver || this.#report(`idle user ${userId} was let go`));
    if (userId % 2 === 0) await client.hello(userId);
    else await client.login(userId);
    this.#idle.push(client);
    this.counts.idle++;
  }

  /** Comes, looks into the wallet, and goes: in good order, or not. */
  async #churn(userId: number): Promise<void> {
    for (let visit = 0; !this.#isOver; visit++) {
      const client = await this.#join();
      try {
        if (visit % 2 === 0) await client.hello(userId);
        else await client.login(userId);
        const { balanceCents, reservedCents } = await client.wallet();
        if (balanceCents !== 0 || reservedCents !== 0) this.#report(`user ${userId} has ${balanceCents} cents`);
        await client.ping();
        await sleep(STAY_MS);
        // What is under way when it leaves goes to nobody.
        if (visit % 3 === 0) {
          this.counts.resets++;
          client.wallet().catch(ignoreClosed);
        }
      } finally {
        client.close();
      }
      this.counts.sessions++;
      await sleep(PAUSE_MS);
    }
  }

  /** Asks and never reads, until the server has enough; then again. */
  async #beDeaf(userId: number): Promise<void> {
    while (!this.#isOver) {
      const socket = await openSocket(this.#options.port, userId);
      const ping = packFrame(Opcode.PING, 0, 0, new Uint8Array(DEAF_BYTES));
      const startedAt = performance.now();
      while (!this.#isOver && !socket.destroyed) {
        if (socket.write(ping)) await sleep(0);
        else await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), sleep(SLOW_MS)]);
        if (performance.now() - startedAt < PATIENCE_MS) continue;
        this.#report(`user ${userId} does not read, and is still there after ${PATIENCE_MS} ms`);
        break;
      }
      if (socket.destroyed && !this.#isOver) this.counts.deafClosed++;
      socket.destroy();
      await sleep(SLOW_MS);
    }
  }

  /** Asks little and reads late: a user on a bad line, who is to be kept. */
  async #readSlowly(userId: number): Promise<void> {
    const socket = await openSocket(this.#options.port, userId);
    const ping = packFrame(Opcode.PING, 0, 0, new Uint8Array(DEAF_BYTES));
    while (!this.#isOver) {
      if (socket.destroyed) return this.#report(`slow user ${userId} was let go`);
      socket.write(ping);
      await sleep(SLOW_MS);
      // One buffer at a time: the rest waits in the kernel and in the server.
      if (socket.read() !== null) this.counts.slowReads++;
    }
    socket.destroy();
  }

  #join(): Promise<HongbaoClient> {
    return HongbaoClient.connect({ port: this.#options.port, reconnect: false, timeoutMs: PATIENCE_MS });
  }

  #report(trouble: string): void {
    if (this.troubles.length < KEPT_TROUBLES) this.troubles.push(trouble);
  }
}

/** A connection that is logged in and does not read by itself. */
function openSocket(port: number, userId: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      // A reset by the server is what some of these are here for; that it is destroyed says the same.
      socket.on('error', () => {});
      const login = new Uint8Array(LOGIN_BYTES);
      writeLogin(login, 0, 1, userId);
      socket.pause();
      socket.write(login);
      resolve(socket);
    });
  });
}

function ignoreClosed(error: unknown): void {
  if (!(error instanceof ClientError && error.code === 'closed')) throw error;
}
