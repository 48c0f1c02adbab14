// The consuming end of a ring: see how many slots are ready, read them in place, release them in one atomic store.

import { Ring, type RingMemory } from './ring.ts';
import { CURSOR_WORD, GATING_WORD } from './ring-layout.ts';

/** Owned by one thread. */
export class Consumer {
  /** The ring's memory; read only slots that `available` counted and that are not released yet. */
  readonly words: Int32Array;
  readonly #ring: Ring;
  /** The next sequence to read. */
  #next: number;
  /** The last cursor seen; re-read only when it says empty. Never ahead of the real one. */
  #cachedCursor: number;

  constructor(memory: RingMemory) {
    this.#ring = new Ring(memory);
    this.words = this.#ring.words;
    this.#next = Atomics.load(this.words, GATING_WORD);
    this.#cachedCursor = this.#next;
  }

  /** Slots ready to be read: 0 to capacity. Re-reads the producer's cursor only when nothing was left of the last look. */
  // HOT
  available(): number {
    const left = (this.#cachedCursor - this.#next) | 0;
    if (left > 0) return left;
    // ACQUIRE cursor: the slots below it are filled; pairs with PUBLISH cursor in Producer.publish().
    this.#cachedCursor = Atomics.load(this.words, CURSOR_WORD);
    return (this.#cachedCursor - this.#next) | 0;
  }

  /** Like `available`, but always with a new look at the producer's cursor: everything published before the call counts. */
  refresh(): number {
    // ACQUIRE cursor: as in available().
    this.#cachedCursor = Atomics.load(this.words, CURSOR_WORD);
    return (this.#cachedCursor - this.#next) | 0;
  }

  /** The place in `words` of the slot `index` places behind the next one; index < available(). */
  // HOT
  slotAt(index: number): number {
    return this.#ring.slotAt(this.#next + index);
  }

  /** Slots that a body of so many words takes behind its head. */
  // HOT
  countBodySlots(words: number): number {
    return words === 0 ? 0 : Math.ceil(words / this.#ring.slotWords);
  }

  /** A copy of the body of `words` words behind the slot `index` places behind the next one. */
  copyBody(index: number, words: number): Int32Array {
    const { slotWords } = this.#ring;
    const body = new Int32Array(words);
    for (let from = 0; from < words; from += slotWords) {
      const slot = this.slotAt(index + 1 + from / slotWords);
      body.set(this.words.subarray(slot, slot + Math.min(slotWords, words - from)), from);
    }
    return body;
  }

  /** Gives `count` slots back to the producer. They must not be read afterwards. */
  // HOT
  release(count: number): void {
    this.#next = (this.#next + count) | 0;
    // RELEASE gating: our reads of these slots are done; pairs with ACQUIRE gating in Producer.claim().
    Atomics.store(this.words, GATING_WORD, this.#next);
  }

  /** Passes over `count` slots without giving them back: for a consumer that has failed and never will. */
  skip(count: number): void {
    this.#next = (this.#next + count) | 0;
  }
}
