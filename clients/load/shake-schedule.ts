// When the open loop of one load thread shakes: the slot rule over a time in which the rate may change.
//
// A change holds from a whole second on. The slot rule numbers each second by itself, so all clients that change at the same
// second agree on who shakes when, before it and after it, and nothing is due twice or never.

import { dueMs, firstNumberAt, type Population, userOf } from './slot-rule.ts';

/** Nobody's shake is due. */
export const NOBODY = -1;

/** A rate from a moment on, in Unix milliseconds. */
interface RateChange {
  qps: number;
  fromMs: number;
}

/** Owned by one load thread. */
export class ShakeSchedule {
  readonly #population: Population;
  /** Later than the present rate, in the order of their times. */
  #changes: RateChange[] = [];
  #untilMs = 0;
  /** The next request by the slot rule, and the first that the present rate does not send any more. */
  #nextNumber = 0;
  #endNumber = 0;
  /** When the shake that `takeDue` gave was due, in Unix milliseconds with fractions. */
  dueMs = 0;

  /** @param population at its first rate, in requests a second; 0 sends nothing */
  constructor(population: Population) {
    this.#population = { ...population };
  }

  /** Begins: what is due from `fromMs` on and before `untilMs`, in Unix milliseconds. */
  start(fromMs: number, untilMs: number): void {
    this.#untilMs = untilMs;
    while (this.#changes.length > 0 && this.#changes[0].fromMs <= fromMs) {
      this.#population.qps = this.#changes.shift()!.qps;
    }
    this.#begin(fromMs);
  }

  /** From `fromMs` (Unix milliseconds, a whole second) on the rate is another. Changes that were to come after it are dropped. */
  change(qps: number, fromMs: number): void {
    this.#changes = this.#changes.filter((change) => change.fromMs < fromMs);
    this.#changes.push({ qps, fromMs });
    this.#endNumber = Math.min(this.#endNumber, this.#endOfRate());
  }

  /** Takes the next shake that is due by a moment (Unix milliseconds). Returns its user id, or NOBODY. */
  // HOT
  takeDue(nowMs: number): number {
    while (this.#nextNumber >= this.#endNumber) {
      if (this.#changes.length === 0 || this.#changes[0].fromMs > nowMs || this.#changes[0].fromMs >= this.#untilMs) {
        return NOBODY;
      }
      const { qps, fromMs } = this.#changes.shift()!;
      this.#population.qps = qps;
      this.#begin(fromMs);
    }
    const due = dueMs(this.#population, this.#nextNumber);
    if (due > nowMs) return NOBODY;
    this.dueMs = due;
    return userOf(this.#population, this.#nextNumber++);
  }

  #begin(fromMs: number): void {
    this.#nextNumber = firstNumberAt(this.#population, fromMs);
    this.#endNumber = this.#endOfRate();
  }

  #endOfRate(): number {
    const endMs = Math.min(this.#untilMs, this.#changes[0]?.fromMs ?? Number.POSITIVE_INFINITY);
    return firstNumberAt(this.#population, endMs);
  }
}
