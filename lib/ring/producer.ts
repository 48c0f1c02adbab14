// The producing end of a ring: claim slots, fill them with plain stores, publish them in one atomic store.

import assert from 'node:assert/strict';
import { Ring, type RingMemory } from './ring.ts';
import { CURSOR_WORD, GATING_WORD } from './ring-layout.ts';

/** Returned by `claim` when every slot still belongs to the consumer. An outcome, not an error. */
export const FULL = -1;

/** Owned by one thread. */
export class Producer {
  /** The ring's memory; write only into slots that `claim` returned and that are not published yet. */
  readonly words: Int32Array;
  readonly #ring: Ring;
  /** Everything below this sequence is claimed. */
  #claimed: number;
  /** Everything below this sequence is published. */
  #published: number;
  /** The last gating sequence seen; re-read only when it says full. Never ahead of the real one. */
  #cachedGating: number;

  constructor(memory: RingMemory) {
    this.#ring = new Ring(memory);
    this.words = this.#ring.words;
    this.#claimed = Atomics.load(this.words, CURSOR_WORD);
    this.#published = this.#claimed;
    this.#cachedGating = Atomics.load(this.words, GATING_WORD);
  }

  get capacity(): number {
    return this.#ring.capacity;
  }

  /** Claims the next slot: its place in `words`, or FULL. */
  // HOT
  claim(): number {
    if (((this.#claimed - this.#cachedGating) | 0) >= this.#ring.capacity) {
      // ACQUIRE gating: the consumer has read what it released before we write over it; pairs with release() there.
      this.#cachedGating = Atomics.load(this.words, GATING_WORD);
      if (((this.#claimed - this.#cachedGating) | 0) >= this.#ring.capacity) return FULL;
    }
    const slot = this.#ring.slotAt(this.#claimed);
    this.#claimed = (this.#claimed + 1) | 0;
    return slot;
  }

  /** Whether `slots` more can be claimed now: ask before a message that takes several. */
  // HOT
  hasRoom(slots: number): boolean {
    if (((this.#claimed + slots - this.#cachedGating) | 0) <= this.#ring.capacity) return true;
    this.#cachedGating = Atomics.load(this.words, GATING_WORD);
    return ((this.#claimed + slots - this.#cachedGating) | 0) <= this.#ring.capacity;
  }

  /** The sequence that the next claim gets: everything below it is claimed. */
  get claimedSequence(): number {
    return this.#claimed;
  }

  /** Everything below this sequence has been released. Reads the consumer's sequence. */
  get releasedSequence(): number {
    // ACQUIRE gating: as in hasReleased().
    this.#cachedGating = Atomics.load(this.words, GATING_WORD);
    return this.#cachedGating;
  }

  /** Tells whether the consumer has released everything below a sequence. */
  hasReleased(sequence: number): boolean {
    if (((this.#cachedGating - sequence) | 0) >= 0) return true;
    // ACQUIRE gating: what the consumer did before it released these slots has happened; pairs with release() there.
    this.#cachedGating = Atomics.load(this.words, GATING_WORD);
    return ((this.#cachedGating - sequence) | 0) >= 0;
  }

  /**
   * Claims as many slots as `body` fills and copies it into them, as the continuation of the slot claimed last. Make
   * sure of the room first: see hasRoom and countBodySlots.
   */
  claimBody(body: Int32Array): void {
    const { slotWords } = this.#ring;
    for (let from = 0; from < body.length; from += slotWords) {
      const slot = this.claim();
      assert(slot !== FULL, 'the room for a body was made sure of before its head was claimed');
      this.words.set(body.subarray(from, from + slotWords), slot);
    }
  }

  /** Slots that a body of so many words takes behind its head. */
  countBodySlots(words: number): number {
    return Math.ceil(words / this.#ring.slotWords);
  }

  /** Makes every claimed slot visible to the consumer. Returns false if there was nothing to publish. */
  // HOT
  publish(): boolean {
    if (this.#claimed === this.#published) return false;
    this.#published = this.#claimed;
    // PUBLISH cursor: makes the slot stores above visible; pairs with ACQUIRE cursor in Consumer.available().
    Atomics.store(this.words, CURSOR_WORD, this.#published);
    return true;
  }

  /** Slots claimed or published that the consumer has not released: 0 to capacity. Reads the consumer's sequence. */
  countOccupied(): number {
    this.#cachedGating = Atomics.load(this.words, GATING_WORD);
    return (this.#claimed - this.#cachedGating) | 0;
  }
}
