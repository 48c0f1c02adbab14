// The operator of a soak: every few seconds a drop for the load's users, packets for them to grab, and packets that nobody
// takes, so that refunds and reused slots are part of it.

import { setTimeout as sleep } from 'node:timers/promises';
import { callControl } from '../control-client.ts';

/** How often it starts a round, in milliseconds, and how much of a round things are released in, in seconds. */
const ROUND_MS = 5000;
const RELEASE_SECONDS = 4;

/** Packets a second of each kind, and what is in them. */
const RATE = 40;
const DROP_CENTS = 30_000;
const SEND_CENTS: [number, number] = [100, 900];
const SHARES = 3;

/** How long packets live that nobody takes, in seconds; those of the load are grabbed at once. */
const SHORT_SECONDS = 2;
const LONG_SECONDS = 600;

export class SoakOperator {
  rounds = 0;
  readonly troubles: string[] = [];
  readonly #control: string;
  readonly #loadUsers: [number, number];
  readonly #absentUsers: [number, number];
  #living: Promise<void> = Promise.resolve();
  #isOver = false;

  /** @param loadUsers first and last user of the load @param absentUsers of some who never come */
  constructor(control: string, loadUsers: [number, number], absentUsers: [number, number]) {
    this.#control = control;
    this.#loadUsers = loadUsers;
    this.#absentUsers = absentUsers;
  }

  start(): void {
    this.#living = this.#live().catch((error: Error) => void this.troubles.push(error.message));
  }

  /** Starts nothing new; resolves once all that was started is out. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#living;
  }

  async #live(): Promise<void> {
    while (!this.#isOver) {
      const count = RATE * RELEASE_SECONDS;
      const roundAt = performance.now();
      const drop = (await this.#post('/drops', { count, rate: RATE, budget: DROP_CENTS })) as { id: number };
      const send = { count, rate: RATE, shares: SHARES, total: SEND_CENTS };
      await this.#post('/sends', { ...send, users: this.#loadUsers, expiresInSeconds: LONG_SECONDS });
      await this.#post('/sends', { ...send, users: this.#absentUsers, expiresInSeconds: SHORT_SECONDS });
      await sleep(Math.max(0, ROUND_MS - (performance.now() - roundAt)));
      await this.#closeDrop(drop.id);
      this.rounds++;
    }
  }

  /** Closes a drop, if it is not over by itself: what is left of it goes back. */
  async #closeDrop(id: number): Promise<void> {
    await this.#post(`/drops/${id}/close`).catch((error: Error) => {
      if (error.message !== `drop ${id} is closed`) throw error;
    });
  }

  #post(path: string, body: object = {}): Promise<unknown> {
    return callControl(this.#control, 'POST', path, body);
  }
}
