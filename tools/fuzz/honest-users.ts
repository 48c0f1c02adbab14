// Honest users beside the fuzzer: they shake, grab and send through the client library, keep books of their own, and compare
// them with the server's, to the cent. Nothing that the fuzzer does may reach them.

import { setTimeout as sleep } from 'node:timers/promises';
import { HongbaoClient } from '../../clients/client.ts';
import { callControl } from '../control-client.ts';
import { FuzzRandom } from './fuzz-random.ts';
import { HONEST_FIRST_USER, PATIENCE_MS } from './limits.ts';

/** What each has at the start, in cents. */
const START_CENTS = 1_000_000;

/** Packets live longer than any run: nothing comes back meanwhile. */
const LIFE_SECONDS = 86_400;

/** How long one pauses between two steps, in milliseconds. */
const PAUSE_MS = 5;

/** One step in so many compares the books, and one in so many sends. */
const COMPARE_EVERY = 20;
const SEND_EVERY = 10;

const KEPT_TROUBLES = 10;

export interface HonestCounts {
  shakes: number;
  wins: number;
  grabs: number;
  sends: number;
  comparisons: number;
  cents: number;
}

export class HonestUsers {
  readonly counts: HonestCounts = { shakes: 0, wins: 0, grabs: 0, sends: 0, comparisons: 0, cents: 0 };
  readonly troubles: string[] = [];
  readonly #controlUrl: string;
  readonly #users: HonestUser[];
  #living: Promise<unknown> = Promise.resolve();
  #isOver = false;

  constructor(controlUrl: string, seed: number, count: number) {
    this.#controlUrl = controlUrl;
    const users = Array.from({ length: count }, (_, i) => HONEST_FIRST_USER + i);
    this.#users = users.map(
      (userId) => new HonestUser(userId, users, new FuzzRandom(seed, `honest ${userId}`), this.counts),
    );
  }

  async start(port: number): Promise<void> {
    for (const user of this.#users) {
      await callControl(this.#controlUrl, 'POST', `/users/${user.userId}/topup`, { cents: START_CENTS, key: 'start' });
      await user.join(port);
    }
    this.#living = Promise.all(this.#users.map((user) => this.#live(user)));
  }

  /** Lets them finish, compares once more from both sides, and lets them go. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#living;
    for (const user of this.#users) {
      await user.compare().catch((error: Error) => this.#report(user, error));
      const { balanceCents } = (await callControl(this.#controlUrl, 'GET', `/users/${user.userId}`)) as {
        balanceCents: number;
      };
      if (balanceCents !== user.cents) {
        this.#report(user, new Error(`the control API says ${balanceCents} cents, and not ${user.cents}`));
      }
      this.counts.cents += user.cents;
      user.leave();
    }
  }

  async #live(user: HonestUser): Promise<void> {
    try {
      while (!this.#isOver) await user.step();
    } catch (error) {
      this.#report(user, error as Error);
    }
  }

  #report({ userId }: HonestUser, error: Error): void {
    if (this.troubles.length < KEPT_TROUBLES) this.troubles.push(`honest user ${userId}: ${error.message}`);
  }
}

class HonestUser {
  readonly userId: number;
  /** What it has by its own books. */
  cents = START_CENTS;
  readonly #others: readonly number[];
  readonly #random: FuzzRandom;
  readonly #counts: HonestCounts;
  readonly #toGrab: number[] = [];
  readonly #grabbed = new Set<number>();
  #client: HongbaoClient | undefined;
  #sends = 0;

  constructor(userId: number, others: readonly number[], random: FuzzRandom, counts: HonestCounts) {
    this.userId = userId;
    this.#others = others;
    this.#random = random;
    this.#counts = counts;
  }

  async join(port: number): Promise<void> {
    const client = await HongbaoClient.connect({ port, reconnect: false, timeoutMs: PATIENCE_MS });
    client.on('notice', ({ packetId }) => this.#toGrab.push(packetId));
    // One in two is told why a grab gave nothing.
    if (this.userId % 2 === 0) await client.hello(this.userId);
    else await client.login(this.userId);
    this.#client = client;
  }

  leave(): void {
    this.#client?.close();
  }

  async step(): Promise<void> {
    const client = this.#client!;
    const { result, amountCents } = await client.shake();
    this.#counts.shakes++;
    if (result === 'won') {
      this.#counts.wins++;
      this.cents += amountCents;
    }
    for (const packetId of this.#toGrab.splice(0)) await this.#grab(client, packetId);
    if (this.#random.oneIn(SEND_EVERY)) await this.#send(client);
    if (this.#random.oneIn(COMPARE_EVERY)) await this.compare();
    await sleep(PAUSE_MS);
  }

  /**
   * What is reserved for a send that was just answered may still be on its way out of the balance, but not for long.
   * @throws {Error} if the server says another balance than these books
   */
  async compare(): Promise<void> {
    for (const untilMs = performance.now() + PATIENCE_MS; ; await sleep(PAUSE_MS)) {
      const { balanceCents, reservedCents } = await this.#client!.wallet();
      this.#counts.comparisons++;
      const isSame = balanceCents - reservedCents === this.cents;
      if (isSame && reservedCents === 0) return;
      if (isSame && performance.now() < untilMs) continue;
      throw new Error(
        `the server says ${balanceCents} cents, ${reservedCents} of them reserved, and not ${this.cents}`,
      );
    }
  }

  async #grab(client: HongbaoClient, packetId: number): Promise<void> {
    const { amountCents } = await client.grab(packetId);
    this.#counts.grabs++;
    // Told twice and grabbed twice it is the same share.
    if (amountCents === 0 || this.#grabbed.has(packetId)) return;
    this.#grabbed.add(packetId);
    this.cents += amountCents;
  }

  async #send(client: HongbaoClient): Promise<void> {
    const totalCents = this.#random.between(10, 500);
    const shares = this.#random.between(1, 4);
    const key = `${this.userId}/${this.#sends++}`;
    const { status } = await client.send({
      users: [...this.#others],
      totalCents,
      shares,
      key,
      expiresInSeconds: LIFE_SECONDS,
    });
    if (status === 'BUSY' || status === 'INSUFFICIENT') return;
    if (status !== 'SENT') throw new Error(`a send came to ${status}`);
    this.#counts.sends++;
    this.cents -= totalCents;
  }
}
