// A place between two batches of the journal, with what is needed to go on from there: to read, or to write.

import { CHAIN_BYTES, SEGMENT_HEADER_BYTES } from './segment-layout.ts';

export interface JournalPosition {
  /** Number of the segment, from 1 on. */
  segment: number;
  /** Bytes into it: where the next batch begins. */
  offset: number;
  /** Number of the next batch, and sequence of the next record. */
  nextBatch: number;
  nextSequence: number;
  /** SHA-256 of the batch before; zeros before the first. */
  chain: Uint8Array;
  /** Unix milliseconds of the batch before; 0 before the first. */
  timeMs: number;
}

/** Where an empty journal begins. */
export function firstPosition(): JournalPosition {
  return {
    segment: 1,
    offset: SEGMENT_HEADER_BYTES,
    nextBatch: 1,
    nextSequence: 1,
    chain: new Uint8Array(CHAIN_BYTES),
    timeMs: 0,
  };
}
