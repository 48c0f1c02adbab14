// Appends batches to the journal, segment after segment. Used by the journal thread, which may block.
//
// What it guarantees: when sync returns, all batches are on the disk, if it syncs at all. A batch is written only once the
// one before it is synced; a segment is closed, cut to its exact length and synced before the next one exists; the header
// of a segment is synced before a batch follows it. So only the last batch of the last segment can ever be torn.
// A failed write or sync is final: after it nobody knows what the disk holds, so every later call fails as well.

import assert from 'node:assert/strict';
import type { JournalFile, JournalFiles } from './journal-files.ts';
import type { JournalPosition } from './journal-position.ts';
import { crcOfWords, readU64, writeU64 } from './journal-words.ts';
import { LedgerError } from './ledger-error.ts';
import { PREALLOCATE_BYTES, PREALLOCATE_LEFT_BYTES } from './limits.ts';
import {
  BATCH_TIME_OFFSET,
  JOURNAL_VERSION,
  SEGMENT_CHAIN_OFFSET,
  SEGMENT_CRC_OFFSET,
  SEGMENT_CREATED_OFFSET,
  SEGMENT_FIRST_BATCH_OFFSET,
  SEGMENT_FIRST_SEQUENCE_OFFSET,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  SEGMENT_NODE_OFFSET,
  SEGMENT_NUMBER_OFFSET,
  SEGMENT_VERSION_OFFSET,
  segmentName,
} from './segment-layout.ts';

/** What the zeros ahead end on: whole sectors, so that a file that ends within one has been cut. */
const PAGE_BYTES = 4096;

export interface SegmentWriterOptions {
  /** Number of this node, for the headers. */
  node: number;
  /** A segment that would grow beyond this is closed, unless it has no batch yet. */
  segmentBytes: number;
  /** Whether `sync` waits for the disk. Opening and closing a segment always do. */
  syncs: boolean;
  /** The time of a segment that is created on opening. */
  nowMs: number;
}

/** What the header of a segment says of the batches before it; a BatchBuilder and a JournalPosition both have it. */
export type SegmentStart = Readonly<Pick<JournalPosition, 'nextBatch' | 'nextSequence' | 'chain'>>;

/** See the head of this file. */
export class SegmentWriter {
  readonly #files: JournalFiles;
  readonly #options: SegmentWriterOptions;
  readonly #zeros = new Uint8Array(PREALLOCATE_BYTES);
  #file: JournalFile | undefined;
  #segment: number;
  #offset: number;
  /** Up to here the file is written, zeros included. */
  #writtenTo: number;
  #isSynced = true;
  #failure: LedgerError | undefined;

  /**
   * Goes on where the reading ended: what lies behind `position` is cut off. The segment is created if it is not there,
   * and its header is written anew as long as no batch follows it, since it may be torn.
   * @throws LedgerError `write`
   */
  constructor(files: JournalFiles, position: JournalPosition, options: SegmentWriterOptions) {
    this.#files = files;
    this.#options = options;
    this.#segment = position.segment;
    this.#offset = position.offset;
    this.#writtenTo = position.offset;
    try {
      this.#open(position);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Number of the segment that is being written. */
  get segment(): number {
    return this.#segment;
  }

  /** Where its next batch goes. */
  get offset(): number {
    return this.#offset;
  }

  /**
   * Appends one batch, to a new segment if this one is full. It is not durable before `sync`.
   * @param before the state before this batch
   * @throws LedgerError `write`, now and from then on
   */
  append(batch: Uint8Array, before: SegmentStart): void {
    this.sync();
    let file = this.#writable();
    try {
      const isEmpty = this.#offset === SEGMENT_HEADER_BYTES;
      if (!isEmpty && this.#offset + batch.length > this.#options.segmentBytes) {
        this.#closeFile(file);
        this.#segment++;
        file = this.#files.create(segmentName(this.#segment));
        this.#start(file, before, readTime(batch));
      }
      this.#write(file, batch);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Makes what was appended durable. Returns whether there was anything to do. @throws LedgerError `write` */
  sync(): boolean {
    const file = this.#writable();
    if (this.#isSynced || !this.#options.syncs) return false;
    try {
      file.sync();
    } catch (error) {
      throw this.#fail(error);
    }
    this.#isSynced = true;
    return true;
  }

  /** Cuts the segment to its exact length and syncs it. @throws LedgerError `write` */
  close(): void {
    const file = this.#writable();
    try {
      this.#closeFile(file);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #open(position: JournalPosition): void {
    const name = segmentName(this.#segment);
    const names = this.#files.list();
    const last = names.at(-1);
    assert(last === undefined || last <= name, 'only the last segment is written to');
    const isThere = last === name;
    const hasBatches = this.#offset > SEGMENT_HEADER_BYTES;
    assert(!hasBatches || (isThere && this.#files.size(name) >= this.#offset), 'the position lies in the segment');
    if (!isThere) {
      this.#start(this.#files.create(name), position, this.#options.nowMs);
      return;
    }
    this.#file = this.#files.open(name);
    this.#file.truncate(hasBatches ? this.#offset : 0);
    // What is cut off must be gone before anything is written: a crash could leave parts of both.
    this.#file.sync();
    if (hasBatches) this.#files.syncDirectory();
    else this.#start(this.#file, position, this.#options.nowMs);
  }

  /** Makes a file without batches the segment that is written from now on. */
  #start(file: JournalFile, before: SegmentStart, nowMs: number): void {
    this.#file = file;
    this.#offset = SEGMENT_HEADER_BYTES;
    this.#writtenTo = SEGMENT_HEADER_BYTES;
    file.write(encodeHeader(this.#segment, this.#options.node, before, nowMs), 0);
    file.sync();
    this.#files.syncDirectory();
  }

  #write(file: JournalFile, batch: Uint8Array): void {
    this.#isSynced = false;
    file.write(batch, this.#offset);
    this.#offset += batch.length;
    this.#writtenTo = Math.max(this.#writtenTo, this.#offset);
    if (this.#writtenTo - this.#offset < PREALLOCATE_LEFT_BYTES) this.#writeZeros(file);
  }

  /** Writes the next zeros ahead, up to the end of a page, but not beyond the end of a full segment. */
  #writeZeros(file: JournalFile): void {
    const limit = Math.min(this.#writtenTo + PREALLOCATE_BYTES, this.#options.segmentBytes);
    const count = limit - (limit % PAGE_BYTES) - this.#writtenTo;
    if (count <= 0) return;
    file.write(this.#zeros.subarray(0, count), this.#writtenTo);
    this.#writtenTo += count;
  }

  #closeFile(file: JournalFile): void {
    file.truncate(this.#offset);
    file.sync();
    this.#isSynced = true;
    this.#file = undefined;
    file.close();
  }

  #writable(): JournalFile {
    if (this.#failure !== undefined) throw this.#failure;
    assert(this.#file !== undefined, 'a closed writer is not used');
    return this.#file;
  }

  /** Remembers the failure for good and gives the file back as it is. */
  #fail(cause: unknown): LedgerError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const place = `segment ${this.#segment}, offset ${this.#offset}`;
    this.#failure = new LedgerError('write', `the journal cannot be written (${place}): ${reason}`, { cause });
    try {
      this.#file?.close();
    } catch {
      // What counts is the failure before.
    }
    this.#file = undefined;
    return this.#failure;
  }
}

function encodeHeader(segment: number, node: number, before: SegmentStart, nowMs: number): Uint8Array {
  const words = new Int32Array(SEGMENT_HEADER_BYTES / 4);
  const bytes = new Uint8Array(words.buffer);
  bytes.set(Buffer.from(SEGMENT_MAGIC, 'latin1'));
  words[SEGMENT_VERSION_OFFSET / 4] = JOURNAL_VERSION;
  words[SEGMENT_NODE_OFFSET / 4] = node;
  words[SEGMENT_NUMBER_OFFSET / 4] = segment;
  writeU64(words, SEGMENT_FIRST_BATCH_OFFSET / 4, before.nextBatch);
  writeU64(words, SEGMENT_FIRST_SEQUENCE_OFFSET / 4, before.nextSequence);
  writeU64(words, SEGMENT_CREATED_OFFSET / 4, Math.floor(nowMs));
  bytes.set(before.chain, SEGMENT_CHAIN_OFFSET);
  words[SEGMENT_CRC_OFFSET / 4] = crcOfWords(words, 0, SEGMENT_CRC_OFFSET / 4);
  return bytes;
}

/** Unix milliseconds that a batch says. */
function readTime(batch: Uint8Array): number {
  return readU64(new Int32Array(batch.buffer, batch.byteOffset + BATCH_TIME_OFFSET, 2), 0);
}
