// Hands out runs of words from one region of an arena and takes them back: a buddy allocator.
//
// Runs have power-of-two sizes from 8 words up. A run that is too long is halved until it fits; a freed run is joined with
// its other half whenever that is free too, so room given back by many small packets serves large ones again, and the
// other way round. Every step is bounded by the number of sizes. Bookkeeping is private to the owning thread.
// Source: Knowlton, "A fast storage allocator", 1965.

import assert from 'node:assert/strict';

/** Returned when the region has no run of that size left. An outcome, not an error. */
export const NO_BLOCK = -1;

/** The smallest run: 2^3 words, one unit of the bookkeeping. */
const UNIT_BITS = 3;

const NONE = -1;

/** In #freeBits: this unit does not begin a free run. */
const NOT_FREE = 0;

export class BlockArena {
  readonly #first: number;
  /** The free runs of each size as linked lists of units; index = log2 of the words. */
  readonly #heads = new Int32Array(32).fill(NONE);
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** By unit: log2 of the words of the free run that begins here, or NOT_FREE. */
  readonly #freeBits: Uint8Array;

  /** @param first the region's first word @param words how many words it has; less than 8 at the end are not used */
  constructor(first: number, words: number) {
    const units = words >>> UNIT_BITS;
    this.#first = first;
    this.#next = new Int32Array(units);
    this.#previous = new Int32Array(units);
    this.#freeBits = new Uint8Array(units);
    // Cuts the region into the longest runs whose places are multiples of their size: their halves then find each other.
    for (let unit = 0; unit < units; ) {
      const fits = 31 - Math.clz32(units - unit);
      const isAlignedTo = unit === 0 ? fits : 31 - Math.clz32(unit & -unit);
      const bits = Math.min(fits, isAlignedTo);
      this.#push(unit, bits + UNIT_BITS);
      unit += 2 ** bits;
    }
  }

  /** The first word of a run of at least `words` words (1 or more), or NO_BLOCK. Its content is whatever was there. */
  allocate(words: number): number {
    const wanted = sizeBits(words);
    let bits = wanted;
    while (bits < this.#heads.length && this.#heads[bits] === NONE) bits++;
    if (bits === this.#heads.length) return NO_BLOCK;
    const unit = this.#heads[bits];
    this.#take(unit);
    while (bits > wanted) {
      bits--;
      this.#push(unit + unitsOf(bits), bits);
    }
    return this.#first + (unit << UNIT_BITS);
  }

  /** Takes back a run that `allocate(words)` gave, with the same `words`. */
  free(block: number, words: number): void {
    let bits = sizeBits(words);
    let unit = (block - this.#first) >>> UNIT_BITS;
    assert(unit + unitsOf(bits) <= this.#freeBits.length && this.#freeBits[unit] === NOT_FREE, 'the run was given out');
    for (;;) {
      const other = unit ^ unitsOf(bits);
      if (this.#freeBits[other] !== bits) break;
      this.#take(other);
      unit = Math.min(unit, other);
      bits++;
    }
    this.#push(unit, bits);
  }

  #push(unit: number, bits: number): void {
    const head = this.#heads[bits];
    this.#next[unit] = head;
    this.#previous[unit] = NONE;
    if (head !== NONE) this.#previous[head] = unit;
    this.#heads[bits] = unit;
    this.#freeBits[unit] = bits;
  }

  #take(unit: number): void {
    const next = this.#next[unit];
    const previous = this.#previous[unit];
    if (next !== NONE) this.#previous[next] = previous;
    if (previous !== NONE) this.#next[previous] = next;
    else this.#heads[this.#freeBits[unit]] = next;
    this.#freeBits[unit] = NOT_FREE;
  }
}

/** log2 of the words of the smallest run that holds so many. */
function sizeBits(words: number): number {
  return Math.max(UNIT_BITS, 32 - Math.clz32(words - 1));
}

function unitsOf(bits: number): number {
  return 1 << (bits - UNIT_BITS);
}
