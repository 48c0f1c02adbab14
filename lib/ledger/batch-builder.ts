// Builds one batch at a time: what the journal thread writes and syncs together. One buffer serves all batches; it grows
// with the longest of them, up to MAX_BATCH_BYTES.
//
// For each record: beginRecord, store its payload in `words`, endRecord. Then finish, write the bytes, commit. The
// position between two batches (`nextBatch`, `nextSequence`, `chain`, `timeMs`) moves on only in commit.

import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import type { JournalPosition } from './journal-position.ts';
import { crcOfWords, writeU64 } from './journal-words.ts';
import { BATCH_FULL_BYTES, MAX_BATCH_BYTES } from './limits.ts';
import {
  RECORD_FRAME_BYTES,
  RECORD_PAYLOAD_OFFSET,
  RECORD_SEQUENCE_OFFSET,
  RECORD_TYPE_OFFSET,
} from './record-layout.ts';
import {
  BATCH_BYTES_OFFSET,
  BATCH_CHAIN_OFFSET,
  BATCH_CRC_OFFSET,
  BATCH_FIRST_SEQUENCE_OFFSET,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  BATCH_NUMBER_OFFSET,
  BATCH_RECORDS_OFFSET,
  BATCH_TIME_OFFSET,
  BATCH_TRAILER,
  BATCH_TRAILER_BYTES,
} from './segment-layout.ts';

/** Bytes the buffer starts with: a thousand records or more. */
const FIRST_BYTES = 64 * 1024;

const HEADER_WORDS = BATCH_HEADER_BYTES / 4;
const TRAILER_WORDS = BATCH_TRAILER_BYTES / 4;
const FRAME_WORDS = RECORD_FRAME_BYTES / 4;
const PAYLOAD_WORD = RECORD_PAYLOAD_OFFSET / 4;

/** No record is begun. */
const NONE = -1;

/** See the head of this file. */
export class BatchBuilder {
  /** Where the payload of a record goes; another array after each `beginRecord`, perhaps. */
  words = new Int32Array(FIRST_BYTES / 4);
  #bytes = new Uint8Array(this.words.buffer);
  /** Where the next record begins. */
  #end = HEADER_WORDS;
  #recordCount = 0;
  /** Where the record under way began. */
  #begun = NONE;
  #isFinished = false;

  #nextBatch: number;
  #nextSequence: number;
  readonly #chain: Uint8Array;
  #timeMs: number;
  /** The time that `finish` wrote. */
  #batchTimeMs = 0;

  constructor(start: JournalPosition) {
    this.#nextBatch = start.nextBatch;
    this.#nextSequence = start.nextSequence;
    this.#chain = Uint8Array.from(start.chain);
    this.#timeMs = start.timeMs;
  }

  /** Number of the batch that is being built. */
  get nextBatch(): number {
    return this.#nextBatch;
  }

  /** Sequence of the first record of the batch that is being built: the n-th one, from 0, has `nextSequence + n`. */
  get nextSequence(): number {
    return this.#nextSequence;
  }

  /** SHA-256 of the batch before. Its content changes with each commit. */
  get chain(): Uint8Array {
    return this.#chain;
  }

  /** Unix milliseconds of the batch before. */
  get timeMs(): number {
    return this.#timeMs;
  }

  get recordCount(): number {
    return this.#recordCount;
  }

  /** Bytes of the batch as it is now, header and trailer included. */
  get byteLength(): number {
    return (this.#end + TRAILER_WORDS) * 4;
  }

  /** Whether the batch should be written before it takes another record. */
  get isFull(): boolean {
    return this.byteLength >= BATCH_FULL_BYTES;
  }

  /** Begins a record; returns where in `words` its payload goes. The caller stores all of it: what is there is old. */
  // HOT
  beginRecord(type: number, payloadWords: number): number {
    assert(this.#begun === NONE && !this.#isFinished, 'one record at a time, and none once the batch is finished');
    const at = this.#end;
    const end = at + FRAME_WORDS + payloadWords;
    if ((end + TRAILER_WORDS) * 4 > this.#bytes.length) this.#grow((end + TRAILER_WORDS) * 4);
    const { words } = this;
    words[at] = (end - at) * 4;
    words[at + RECORD_TYPE_OFFSET / 4] = type;
    writeU64(words, at + RECORD_SEQUENCE_OFFSET / 4, this.#nextSequence + this.#recordCount);
    this.#begun = at;
    this.#end = end;
    return at + PAYLOAD_WORD;
  }

  /** Ends the record whose payload is stored now. */
  // HOT
  endRecord(): void {
    assert(this.#begun !== NONE, 'a record was begun');
    const crcAt = this.#end - 1;
    this.words[crcAt] = crcOfWords(this.words, this.#begun, crcAt - this.#begun);
    this.#begun = NONE;
    this.#recordCount++;
  }

  /** Completes the batch and returns it. The bytes are good until the next `beginRecord`. */
  finish(nowMs: number): Uint8Array {
    assert(this.#begun === NONE && this.#recordCount > 0, 'a batch has at least one record, all of them ended');
    this.#batchTimeMs = Math.max(Math.floor(nowMs), this.#timeMs);
    const { words } = this;
    words[0] = BATCH_MAGIC;
    words[BATCH_BYTES_OFFSET / 4] = this.byteLength;
    writeU64(words, BATCH_NUMBER_OFFSET / 4, this.#nextBatch);
    writeU64(words, BATCH_FIRST_SEQUENCE_OFFSET / 4, this.#nextSequence);
    words[BATCH_RECORDS_OFFSET / 4] = this.#recordCount;
    writeU64(words, BATCH_TIME_OFFSET / 4, this.#batchTimeMs);
    this.#bytes.set(this.#chain, BATCH_CHAIN_OFFSET);
    words[BATCH_CRC_OFFSET / 4] = crcOfWords(words, 0, BATCH_CRC_OFFSET / 4);
    words[this.#end] = BATCH_TRAILER;
    this.#isFinished = true;
    return this.#bytes.subarray(0, this.byteLength);
  }

  /** To be called once the bytes that `finish` returned are where they are safe: begins the next batch. */
  commit(): void {
    assert(this.#isFinished, 'a batch is finished before it is committed');
    this.#chain.set(hash('sha256', this.#bytes.subarray(0, this.byteLength), 'buffer'));
    this.#timeMs = this.#batchTimeMs;
    this.#nextBatch++;
    this.#nextSequence += this.#recordCount;
    this.#recordCount = 0;
    this.#end = HEADER_WORDS;
    this.#isFinished = false;
  }

  #grow(needed: number): void {
    assert(needed <= MAX_BATCH_BYTES, 'a batch is at most 16 MiB long');
    const size = Math.min(Math.max(needed, this.#bytes.length * 2), MAX_BATCH_BYTES);
    const words = new Int32Array(size / 4);
    words.set(this.words.subarray(0, this.#end));
    this.words = words;
    this.#bytes = new Uint8Array(words.buffer);
  }
}
