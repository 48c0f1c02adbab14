// Judges the bytes of a batch, as docs/JOURNAL.md says they must be. Pure: words in, findings out. Between two batches
// there is a position; the header must be the one that follows it.

import type { JournalPosition } from './journal-position.ts';
import { crcOfWords, readU64 } from './journal-words.ts';
import { MAX_BATCH_BYTES } from './limits.ts';
import { RECORD_FRAME_BYTES, RECORD_SEQUENCE_OFFSET } from './record-layout.ts';
import {
  BATCH_BYTES_OFFSET,
  BATCH_CHAIN_OFFSET,
  BATCH_CRC_OFFSET,
  BATCH_FIRST_SEQUENCE_OFFSET,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_NUMBER_OFFSET,
  BATCH_RECORDS_OFFSET,
  BATCH_RESERVED_OFFSET,
  BATCH_TIME_OFFSET,
  BATCH_TRAILER,
  BATCH_TRAILER_BYTES,
  CHAIN_BYTES,
} from './segment-layout.ts';

/** The shortest batch: one record without payload. */
export const MIN_BATCH_BYTES = BATCH_HEADER_BYTES + RECORD_FRAME_BYTES + BATCH_TRAILER_BYTES;

/**
 * What does not add up in a batch, and which of its bytes say so: those from `from` up to, not including, `to`. There are
 * none if pieces that are as they were written contradict each other.
 */
export interface BatchFault {
  what: string;
  from: number;
  to: number;
}

/** Whether the header of some batch begins at this word: its magic and its CRC-32 are right. */
export function isBatchHeader(words: Int32Array, at: number): boolean {
  return words[at] === BATCH_MAGIC && words[at + BATCH_CRC_OFFSET / 4] === crcOfWords(words, at, BATCH_CRC_OFFSET / 4);
}

/** What is wrong with the header of a batch at this position; undefined if it follows. */
export function judgeBatchHeader(words: Int32Array, at: number, position: JournalPosition): string | undefined {
  const bytes = words[at + BATCH_BYTES_OFFSET / 4];
  if (bytes < MIN_BATCH_BYTES || bytes > MAX_BATCH_BYTES || bytes % 4 !== 0) return `a batch of ${bytes} bytes`;
  const batch = readU64(words, at + BATCH_NUMBER_OFFSET / 4);
  if (batch !== position.nextBatch) return `batch ${batch} where ${position.nextBatch} was to come`;
  const sequence = readU64(words, at + BATCH_FIRST_SEQUENCE_OFFSET / 4);
  if (sequence !== position.nextSequence) return `sequence ${sequence} where ${position.nextSequence} was to come`;
  if (words[at + BATCH_RECORDS_OFFSET / 4] < 1) return 'a batch without records';
  if (words[at + BATCH_RESERVED_OFFSET / 4] !== 0) return 'a reserved word that is not 0';
  if (readU64(words, at + BATCH_TIME_OFFSET / 4) < position.timeMs) return 'a batch from before the batch before';
  if (!isChain(words, at + BATCH_CHAIN_OFFSET / 4, position.chain))
    return 'a batch that does not follow the one before';
  return undefined;
}

/** Whether the words from `at` on are these 32 bytes. */
export function isChain(words: Int32Array, at: number, chain: Uint8Array): boolean {
  const bytes = Buffer.from(words.buffer, words.byteOffset + at * 4, CHAIN_BYTES);
  return bytes.equals(chain);
}

/** The first thing after its header that does not add up in the batch at this word; undefined if it is whole. */
// HOT
export function findBatchFault(words: Int32Array, start: number, firstSequence: number): BatchFault | undefined {
  const trailerAt = start + words[start + BATCH_BYTES_OFFSET / 4] / 4 - 1;
  const records = words[start + BATCH_RECORDS_OFFSET / 4];
  let at = start + BATCH_HEADER_BYTES / 4;
  for (let i = 0; i < records; i++) {
    const bytes = words[at];
    if (bytes < RECORD_FRAME_BYTES || bytes % 4 !== 0 || at + bytes / 4 > trailerAt) {
      return faultOf(`a record of ${bytes} bytes`, start, at, at + 1);
    }
    const crcAt = at + bytes / 4 - 1;
    if (words[crcAt] !== crcOfWords(words, at, crcAt - at)) {
      return faultOf('the CRC-32 of a record', start, at, crcAt + 1);
    }
    if (readU64(words, at + RECORD_SEQUENCE_OFFSET / 4) !== firstSequence + i) {
      return faultOf('the sequence of a record', start, start, start);
    }
    at = crcAt + 1;
  }
  if (at !== trailerAt) return faultOf('more bytes than its records have', start, start, start);
  if (words[trailerAt] !== BATCH_TRAILER) return faultOf('its trailer', start, trailerAt, trailerAt + 1);
  return undefined;
}

function faultOf(what: string, start: number, from: number, to: number): BatchFault {
  return { what, from: (from - start) * 4, to: (to - start) * 4 };
}
