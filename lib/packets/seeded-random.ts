// The random numbers of a split: a stream that anybody can recompute from the revealed 32-byte seed.
//
// Block k (k = 0, 1, ...) is sha256(seed || k as big-endian u32) and gives eight big-endian u32 words, used in order.
// A number in [low, high] is drawn by rejection: with span = high - low + 1, take the next word w; if w is at or above
// the largest multiple of span that fits in 2^32, take another; the result is low + w mod span.

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';

export const SEED_BYTES = 32;

const TWO_TO_32 = 2 ** 32;
const BLOCK_WORDS = 8;

/** sha256 of a seed: published with the packet, before anybody grabs. 32 bytes. */
export function commitTo(seed: Uint8Array): Buffer {
  return hash('sha256', seed, 'buffer');
}

/** See the head of this file. */
export class SeededRandom {
  readonly #input = Buffer.alloc(SEED_BYTES + 4);
  #block: Buffer = Buffer.alloc(0);
  #blockIndex = 0;
  #word = BLOCK_WORDS;

  constructor(seed: Uint8Array) {
    assert(seed.length === SEED_BYTES, 'a seed has 32 bytes');
    this.#input.set(seed);
  }

  /** A uniform integer from `low` to `high`, both included; high - low is below 2^32. */
  drawBetween(low: number, high: number): number {
    const span = high - low + 1;
    assert(span >= 1 && span <= TWO_TO_32, 'the range holds 1 to 2^32 integers');
    const limit = TWO_TO_32 - (TWO_TO_32 % span);
    for (;;) {
      const word = this.#nextWord();
      if (word < limit) return low + (word % span);
    }
  }

  #nextWord(): number {
    if (this.#word === BLOCK_WORDS) {
      this.#input.writeUInt32BE(this.#blockIndex++, SEED_BYTES);
      this.#block = hash('sha256', this.#input, 'buffer');
      this.#word = 0;
    }
    return this.#block.readUInt32BE(4 * this.#word++);
  }
}
