// The storage of a ring: a power-of-two number of fixed-size slots and two sequences in one SharedArrayBuffer.
//
// Storage only. The rules of who may touch which slot when are in producer.ts and consumer.ts; exactly one thread may
// hold a Producer for a ring and exactly one a Consumer.

import assert from 'node:assert/strict';
import { CURSOR_WORD, GATING_WORD, SLOTS_WORD } from './ring-layout.ts';

/** What a thread needs to open a ring that another thread allocated. Can be sent through workerData. */
export interface RingMemory {
  buffer: SharedArrayBuffer;
  /** Words (4 bytes) in a slot. */
  slotWords: number;
}

/**
 * Allocates the memory of an empty ring.
 * @param capacity slots, a power of two from 2 to 2^24
 * @param slotWords words in a slot, 1 to 1024
 * @param firstSequence the sequence to start from; only tests, which start just below 2^31, give one
 */
export function allocateRing(capacity: number, slotWords: number, firstSequence = 0): RingMemory {
  assert(Number.isInteger(Math.log2(capacity)) && capacity >= 2 && capacity <= 2 ** 24, 'capacity is a power of two');
  assert(Number.isInteger(slotWords) && slotWords >= 1 && slotWords <= 1024, 'a slot has 1 to 1024 words');
  const buffer = new SharedArrayBuffer(4 * (SLOTS_WORD + capacity * slotWords));
  const ring = new Ring({ buffer, slotWords });
  ring.setSequences(firstSequence);
  return { buffer, slotWords };
}

/** One thread's view of a ring. */
export class Ring {
  readonly words: Int32Array;
  readonly slotWords: number;
  /** Slots. */
  readonly capacity: number;
  readonly #mask: number;

  constructor(memory: RingMemory) {
    this.words = new Int32Array(memory.buffer);
    this.slotWords = memory.slotWords;
    this.capacity = (this.words.length - SLOTS_WORD) / memory.slotWords;
    assert(Number.isInteger(Math.log2(this.capacity)), 'the ring has a power-of-two number of slots');
    this.#mask = this.capacity - 1;
  }

  /** The place in `words` of the slot that a sequence falls on. Sequences wrap at 2^32; any int32 will do. */
  // HOT
  slotAt(sequence: number): number {
    return SLOTS_WORD + (sequence & this.#mask) * this.slotWords;
  }

  /** Slots that are published and not released at this moment, as a third thread sees it: a look at two sequences that move. */
  countUsed(): number {
    // The gating sequence first: what is published in between makes the ring look fuller, never emptier than empty.
    const gating = Atomics.load(this.words, GATING_WORD);
    return Math.min(this.capacity, (Atomics.load(this.words, CURSOR_WORD) - gating) | 0);
  }

  /** Sets both sequences of a ring that no thread uses yet. */
  setSequences(sequence: number): void {
    for (let word = 0; word < SLOTS_WORD; word++) this.words[word] = sequence;
  }
}
