// Tells a torn tail from damage: what is left in the last segment behind its last whole batch. See docs/JOURNAL.md.
//
// A disk writes whole sectors of 512 bytes, in any order, and the server writes a batch only when the one before is
// synced. So a torn batch has nothing behind it, sectors of it are missing or zeros, and every sector that did arrive is
// as it was written. Whatever contradicts this is damage. Only read when something is left: none of this is hot.

import { type BatchFault, isBatchHeader, MIN_BATCH_BYTES } from './batch-check.ts';
import type { JournalFiles } from './journal-files.ts';
import type { JournalPosition } from './journal-position.ts';
import { readU64, writeU64 } from './journal-words.ts';
import { LedgerError } from './ledger-error.ts';
import { MAX_BATCH_BYTES, READ_BYTES } from './limits.ts';
import { RECORD_FRAME_BYTES } from './record-layout.ts';
import {
  BATCH_CHAIN_OFFSET,
  BATCH_FIRST_SEQUENCE_OFFSET,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_NUMBER_OFFSET,
  BATCH_RESERVED_OFFSET,
  CHAIN_BYTES,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  segmentName,
} from './segment-layout.ts';

/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

/** A sector that a batch has a part of holds at least a magic, a trailer, or words of a record: so many bytes not zero. */
const MIN_SECTOR_CONTENT = 4;

/** A batch whose header is good and which is not whole. */
export interface BrokenBatch {
  /** As its header says. */
  bytes: number;
  /** The first thing that does not add up. */
  fault: BatchFault;
}

/** The refusal of a journal in which something does not add up. */
export function damageAt(segment: number, offset: number, what: string): LedgerError {
  return new LedgerError('damaged', `the journal is damaged: ${segmentName(segment)}, offset ${offset}: ${what}`);
}

/**
 * The bytes of the torn batch at `position`, up to the last one that is not zero; 0 if there is nothing but zeros.
 * @param size of the segment's file
 * @param broken the batch at `position`, if its header is good
 * @throws LedgerError `damaged` if it is not just torn
 */
export function measureTornBatch(
  files: JournalFiles,
  position: JournalPosition,
  size: number,
  broken: BrokenBatch | undefined,
): number {
  const { segment, offset } = position;
  const length = findContentEnd(files, segment, offset, size) - offset;
  if (length === 0) return 0;
  const longest = broken?.bytes ?? MAX_BATCH_BYTES;
  if (length > longest) throw damageAt(segment, offset, 'a batch that is not whole, and something behind it');
  // Zeros stand for what is behind the end of the file.
  const tail = new Tail(files, segment, offset, size, Math.max(length, broken?.bytes ?? BATCH_HEADER_BYTES));
  if (broken !== undefined) {
    const { what, from, to } = broken.fault;
    if (!tail.hasLost(from, to)) throw damageAt(segment, offset + from, `in batch ${position.nextBatch}, ${what}`);
    return length;
  }
  if (!tail.hasLost(0, BATCH_HEADER_BYTES)) throw damageAt(segment, offset, 'not the header of a batch');
  const wrong = findWrongHeaderByte(tail, position);
  if (wrong >= 0) throw damageAt(segment, offset + wrong, `not the header of batch ${position.nextBatch}`);
  const stray = findStraySector(tail, length);
  if (stray >= 0) throw damageAt(segment, offset + stray, 'bytes that no batch wrote');
  const later = findLaterBatch(tail, length, position);
  if (later >= 0) throw damageAt(segment, offset, `no batch, but a later one at offset ${offset + later}`);
  return length;
}

/**
 * The bytes of the torn header of a segment that was just created, like `measureTornBatch`.
 * @throws LedgerError `damaged` if it is not just torn
 */
export function measureTornSegment(files: JournalFiles, segment: number, size: number): number {
  const length = findContentEnd(files, segment, 0, size);
  if (length === 0) return 0;
  const there = Buffer.alloc(Math.min(size, SEGMENT_MAGIC.length));
  files.read(segmentName(segment), 0, there);
  if (size < SEGMENT_HEADER_BYTES && SEGMENT_MAGIC.startsWith(there.toString('latin1'))) return length;
  throw damageAt(segment, 0, 'not the header of a segment');
}

/** What is left behind the last whole batch, in memory, with the sectors it lies in. */
class Tail {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly #offset: number;
  /** Bytes from its start to the end of the file. */
  readonly #left: number;

  constructor(files: JournalFiles, segment: number, offset: number, size: number, length: number) {
    this.words = new Int32Array(Math.ceil(length / 4));
    this.bytes = new Uint8Array(this.words.buffer);
    this.#offset = offset;
    this.#left = size - offset;
    files.read(segmentName(segment), offset, this.bytes);
  }

  /** Whether one of these bytes lies behind the end of the file, or in a sector of which this tail's part is zeros. */
  hasLost(from: number, to: number): boolean {
    if (to > this.#left) return true;
    for (let at = from; at < to; at = this.sectorEnd(at)) {
      if (this.contentOfSector(at) === 0) return true;
    }
    return false;
  }

  /** How many bytes that are not zero the sector of the byte at `at` has, from this tail's start on. */
  contentOfSector(at: number): number {
    const from = Math.max(this.sectorEnd(at) - SECTOR_BYTES, 0);
    let count = 0;
    for (const byte of this.bytes.subarray(from, this.sectorEnd(at))) {
      if (byte !== 0) count++;
    }
    return count;
  }

  /** Whether the file ends within the sector of the byte at `at`. */
  isCut(at: number): boolean {
    return this.sectorEnd(at) > this.#left;
  }

  /** Where the sector of the byte at `at` ends. */
  sectorEnd(at: number): number {
    return at + SECTOR_BYTES - ((this.#offset + at) % SECTOR_BYTES);
  }
}

/** Where the file's last byte that is not zero ends, looking no further back than `from`. */
function findContentEnd(files: JournalFiles, segment: number, from: number, size: number): number {
  const chunk = new Uint8Array(Math.min(READ_BYTES, Math.max(size - from, 0)));
  for (let end = size; end > from; ) {
    const start = Math.max(end - chunk.length, from);
    const part = chunk.subarray(0, end - start);
    files.read(segmentName(segment), start, part);
    const last = part.findLastIndex((byte) => byte !== 0);
    if (last >= 0) return start + last + 1;
    end = start;
  }
  return from;
}

/** The first byte of the header, of those in sectors that arrived, that is not what it must be at this position; or -1. */
function findWrongHeaderByte(tail: Tail, position: JournalPosition): number {
  const expected = new Int32Array(BATCH_HEADER_BYTES / 4);
  const expectedBytes = new Uint8Array(expected.buffer);
  expected[0] = BATCH_MAGIC;
  writeU64(expected, BATCH_NUMBER_OFFSET / 4, position.nextBatch);
  writeU64(expected, BATCH_FIRST_SEQUENCE_OFFSET / 4, position.nextSequence);
  expectedBytes.set(position.chain, BATCH_CHAIN_OFFSET);
  const known = [
    [0, 4],
    [BATCH_NUMBER_OFFSET, BATCH_FIRST_SEQUENCE_OFFSET + 8],
    [BATCH_RESERVED_OFFSET, BATCH_RESERVED_OFFSET + 4],
    [BATCH_CHAIN_OFFSET, BATCH_CHAIN_OFFSET + CHAIN_BYTES],
  ];
  for (const [from, to] of known) {
    for (let at = from; at < to; at++) {
      if (tail.bytes[at] !== expectedBytes[at] && !tail.hasLost(at, at + 1)) return at;
    }
  }
  return -1;
}

/** The first sector with less in it than any batch leaves in a sector, but not nothing; or -1. */
function findStraySector(tail: Tail, length: number): number {
  for (let at = 0; at < length; at = tail.sectorEnd(at)) {
    const count = tail.contentOfSector(at);
    if (count !== 0 && count < MIN_SECTOR_CONTENT && !tail.isCut(at)) return at;
  }
  return -1;
}

/**
 * The place of a header that a later batch could have here; or -1. Its number and its sequence must be ones that fit in
 * between, so that no text in a record is taken for it by chance or by design.
 */
function findLaterBatch(tail: Tail, length: number, position: JournalPosition): number {
  const { words } = tail;
  for (let at = MIN_BATCH_BYTES; at + BATCH_HEADER_BYTES <= length; at += 4) {
    if (words[at / 4] !== BATCH_MAGIC || !isBatchHeader(words, at / 4)) continue;
    const batches = readU64(words, (at + BATCH_NUMBER_OFFSET) / 4) - position.nextBatch;
    const records = readU64(words, (at + BATCH_FIRST_SEQUENCE_OFFSET) / 4) - position.nextSequence;
    if (batches < 1 || batches > at / MIN_BATCH_BYTES) continue;
    if (records >= batches && records <= at / RECORD_FRAME_BYTES) return at;
  }
  return -1;
}
