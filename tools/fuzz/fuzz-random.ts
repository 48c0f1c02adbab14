// Random numbers of a fuzz run: the seed and a name give the same ones on every machine, and drawing them is cheap.

import { hash } from 'node:crypto';

/** Mulberry32 with a start that is hashed from a seed and a name. */
export class FuzzRandom {
  #state: number;

  constructor(seed: number, name: string) {
    this.#state = hash('sha256', `${seed}/${name}`, 'buffer').readInt32BE(0);
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return low + Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * (high - low + 1));
  }

  /** True once in `count` times. */
  oneIn(count: number): boolean {
    return this.between(1, count) === 1;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.between(0, from.length - 1)];
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count);
    for (let i = 0; i < count; i++) bytes[i] = this.between(0, 255);
    return bytes;
  }
}
