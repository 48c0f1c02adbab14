// Seeds of campaigns and packets: random bytes of the system, drawn for many at once, since a call for each costs more than
// the split of a packet.

import { randomFillSync } from 'node:crypto';
import { SEED_BYTES } from './seeded-random.ts';

/** Seeds that one call draws. */
const DRAWN = 128;

/** Owned by one thread. */
export class SeedSource {
  readonly #pool = new Uint8Array(DRAWN * SEED_BYTES);
  #next = this.#pool.length;

  /** 32 bytes that nobody else gets, and that are forgotten here. */
  draw(): Uint8Array {
    if (this.#next === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    const seed = this.#pool.slice(this.#next, this.#next + SEED_BYTES);
    this.#pool.fill(0, this.#next, this.#next + SEED_BYTES);
    this.#next += SEED_BYTES;
    return seed;
  }
}
