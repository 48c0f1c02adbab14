// Random numbers for the seeded tests: the seed comes from the environment variable SEED or is drawn, and is printed.

import { randomInt } from 'node:crypto';

/** Run a test again with `SEED=<the printed number>`. */
export const seed = process.env.SEED === undefined ? randomInt(2 ** 32) : Number(process.env.SEED);

/** Mulberry32: small, fast, and the same everywhere. */
export class Random {
  #state: number;

  constructor(start: number) {
    this.#state = start >>> 0;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return low + Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * (high - low + 1));
  }

  pick<T>(items: readonly T[]): T {
    return items[this.between(0, items.length - 1)];
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.between(0, 255));
  }
}
