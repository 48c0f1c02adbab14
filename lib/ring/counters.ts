// Shared counters: one block a thread, written by that thread alone, read by any. Values here, names with their owners.
//
// | cell                  | words | who writes | how                                                      |
// |-----------------------|-------|------------|----------------------------------------------------------|
// | count i               | 1     | the owner  | plain; wraps at 2^32, the reader adds up the differences |
// | sum j                 | 3     | the owner  | atomic: high, low, high again (see addToSum)             |
//
// Counts suit what happens less than 2^31 times between two reads. Sums are for cents: exact up to 2^53.

import assert from 'node:assert/strict';
import { CACHE_WORDS } from './ring-layout.ts';

const SUM_WORDS = 3;
/** How often a reader looks at a sum that is just being changed before it takes the value it knows. */
const MOST_LOOKS = 100;

const LOW_BITS = 31;
const LOW_LIMIT = 2 ** LOW_BITS;

/** The names of a block's cells; the index of a name is the index of its cell. */
export interface CounterNames {
  counts: readonly string[];
  sums: readonly string[];
}

/** Allocates a zeroed block, padded so that two threads' blocks never share a cache line. */
export function allocateCounters(names: CounterNames): SharedArrayBuffer {
  const words = names.counts.length + SUM_WORDS * names.sums.length;
  return new SharedArrayBuffer(4 * CACHE_WORDS * (Math.ceil(words / CACHE_WORDS) + 1));
}

/** The owner's side. */
export class CounterWriter {
  readonly #words: Int32Array;
  readonly #sumsWord: number;
  /** The sums as plain numbers: the owner never has to read them back from shared memory. */
  readonly #sums: Float64Array;

  constructor(memory: SharedArrayBuffer, names: CounterNames) {
    this.#words = new Int32Array(memory);
    this.#sumsWord = names.counts.length;
    this.#sums = new Float64Array(names.sums.length);
  }

  /** Adds to a count. `by` may be negative (a gauge). */
  // HOT
  add(count: number, by: number): void {
    this.#words[count] = (this.#words[count] + by) | 0;
  }

  /** Adds cents (0 to 2^53 in all) to a sum. */
  addToSum(sum: number, by: number): void {
    assert(by >= 0, 'a sum only grows: that is what lets a reader trust it');
    this.#sums[sum] += by;
    const value = this.#sums[sum];
    const high = Math.floor(value / LOW_LIMIT);
    const word = this.#sumsWord + SUM_WORDS * sum;
    // A reader that goes the other way round and finds both highs equal has a low that belongs to them.
    Atomics.store(this.#words, word, high);
    Atomics.store(this.#words, word + 1, value % LOW_LIMIT);
    Atomics.store(this.#words, word + 2, high);
  }
}

/** A reader's side: totals over any number of blocks with the same names. Read it more often than a count can wrap. */
export class CounterReader {
  readonly #names: CounterNames;
  readonly #blocks: Int32Array[];
  readonly #last: Int32Array[];
  readonly #totals: Float64Array;
  readonly #lastSums: Float64Array[];

  constructor(memories: readonly SharedArrayBuffer[], names: CounterNames) {
    this.#names = names;
    this.#blocks = memories.map((memory) => new Int32Array(memory));
    this.#last = memories.map(() => new Int32Array(names.counts.length));
    this.#totals = new Float64Array(names.counts.length);
    this.#lastSums = memories.map(() => new Float64Array(names.sums.length));
  }

  /** Takes in what was counted since the last call. */
  update(): void {
    for (let b = 0; b < this.#blocks.length; b++) {
      const last = this.#last[b];
      for (let i = 0; i < last.length; i++) {
        const now = Atomics.load(this.#blocks[b], i);
        this.#totals[i] += (now - last[i]) | 0;
        last[i] = now;
      }
    }
  }

  /** The total of a count over all blocks, as of the last `update`. */
  count(index: number): number {
    return this.#totals[index];
  }

  /** What a count of each block stands at now, for a gauge: one that goes up and down and never wraps. */
  gauges(index: number): number[] {
    return this.#blocks.map((block) => Atomics.load(block, index));
  }

  /** The total of a sum over all blocks, as of now; of a block whose owner was stopped in mid-addition, as of before. */
  sum(index: number): number {
    let total = 0;
    for (let b = 0; b < this.#blocks.length; b++) {
      const sum = readSum(this.#blocks[b], this.#names.counts.length + SUM_WORDS * index);
      if (sum >= 0) this.#lastSums[b][index] = sum;
      total += this.#lastSums[b][index];
    }
    return total;
  }
}

/** The sum at `word`, or -1 if its owner was between two stores at every look. */
function readSum(block: Int32Array, word: number): number {
  for (let look = 0; look < MOST_LOOKS; look++) {
    const highAfter = Atomics.load(block, word + 2);
    const low = Atomics.load(block, word + 1);
    const highBefore = Atomics.load(block, word);
    // Unequal only while the owner is between its stores and the high part moves: once in 2^31 cents.
    if (highAfter === highBefore) return highBefore * LOW_LIMIT + low;
  }
  return -1;
}
