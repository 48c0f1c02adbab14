// The accounts that hold what nobody has still to be given: the outside world and the users. And where the audit stands.

import type { FindingList, Place } from './findings.ts';
import { IdTable } from './id-table.ts';

/** The record that is being booked, and what is wrong with it. */
export class Desk {
  segment = 0;
  batch = 0;
  sequence = 0;
  /** The file beside the journal that the records are from, if they are. */
  file: string | undefined;
  readonly #findings: FindingList;

  constructor(findings: FindingList) {
    this.#findings = findings;
  }

  report(text: string): void {
    const { segment, batch, sequence, file } = this;
    const place: Place = file === undefined ? { segment, batch, sequence } : { file, sequence };
    this.#findings.add(place, text);
  }

  /** Reports what is wrong with a whole batch, or a whole file. */
  reportBatch(text: string): void {
    const { segment, batch, file } = this;
    this.#findings.add(file === undefined ? { segment, batch } : { file }, text);
  }
}

/** Movements of money, by the kind of account that they touch. */
export interface Movements {
  funding: number;
  users: number;
  drops: number;
  packets: number;
}

export class Accounts {
  fundingCents = 0;
  usersCents = 0;
  readonly movements: Movements = { funding: 0, users: 0, drops: 0, packets: 0 };
  /** While records are read whose money is in the opening balances already: nothing moves. */
  frozen = false;
  readonly #table = new IdTable();
  #cents = new Float64Array(64);
  /** Users whose balance went below zero in this batch. */
  readonly #below = new Set<number>();

  get users(): number {
    return this.#table.size;
  }

  moveFunding(cents: number): void {
    if (this.frozen) return;
    this.fundingCents += cents;
    this.movements.funding++;
  }

  moveUser(user: number, cents: number): void {
    if (this.frozen) return;
    this.#add(user, cents);
    this.movements.users++;
  }

  /** Sets what a user has before the first record. */
  setUser(user: number, cents: number): void {
    this.#add(user, cents);
  }

  /** What a user has; 0 if nothing was ever booked. */
  centsOf(user: number): number {
    const place = this.#table.find(user);
    return place < 0 ? 0 : this.#cents[place];
  }

  /** Goes through all users that something was booked for. */
  *balances(): Generator<[user: number, cents: number]> {
    for (let place = 0; place < this.#table.size; place++) yield [this.#table.idAt(place), this.#cents[place]];
  }

  /** At the end of a batch: reports every user who is below zero. */
  reportBelowZero(desk: Desk): void {
    if (this.#below.size === 0) return;
    for (const user of this.#below) {
      if (this.centsOf(user) < 0) desk.reportBatch(`user ${user} is at ${this.centsOf(user)} cents, below zero`);
    }
    this.#below.clear();
  }

  #add(user: number, cents: number): void {
    const place = this.#table.add(user);
    if (place >= this.#cents.length) {
      const grown = new Float64Array(this.#cents.length * 2);
      grown.set(this.#cents);
      this.#cents = grown;
    }
    this.#cents[place] += cents;
    this.usersCents += cents;
    if (this.#cents[place] < 0) this.#below.add(user);
  }
}
