// Small journals for the tests of the ledger's files: their batches, and where each begins and ends.

import { BatchBuilder } from '../../lib/ledger/batch-builder.ts';
import type { JournalFiles } from '../../lib/ledger/journal-files.ts';
import { firstPosition, type JournalPosition } from '../../lib/ledger/journal-position.ts';
import { type JournalEnd, type ReadOptions, readJournal } from '../../lib/ledger/journal-reader.ts';
import type { RecordSink } from '../../lib/ledger/record-sink.ts';
import { SegmentWriter } from '../../lib/ledger/segment-writer.ts';

/** The time of the first batch; each later one is a second later. */
export const NOW_MS = 1_800_000_000_000;

export interface Batch {
  segment: number;
  offset: number;
  bytes: Uint8Array;
  /** The first words of its records' payloads. */
  firstWords: number[];
}

/** Appends batches one by one, and knows what it appended. */
export class SmallJournal {
  readonly batches: Batch[] = [];
  readonly writer: SegmentWriter;
  readonly builder: BatchBuilder;
  /** A number for the next record. */
  #next: number;

  constructor(files: JournalFiles, position: JournalPosition = firstPosition(), segmentBytes = 2 ** 20, syncs = true) {
    this.builder = new BatchBuilder(position);
    this.writer = new SegmentWriter(files, position, { node: 1, segmentBytes, syncs, nowMs: NOW_MS });
    this.#next = position.nextSequence;
  }

  /** Appends and syncs a batch with a record for each length given, in words. */
  append(...payloadWords: number[]): Batch {
    const firstWords = payloadWords.map((count) => this.#addRecord(count));
    const bytes = this.builder.finish(NOW_MS + this.builder.nextBatch * 1000);
    this.writer.append(bytes, this.builder);
    const { segment, offset } = this.writer;
    this.writer.sync();
    const batch = { segment, offset: offset - bytes.length, bytes: bytes.slice(), firstWords };
    this.builder.commit();
    this.batches.push(batch);
    return batch;
  }

  #addRecord(payloadWords: number): number {
    const first = this.#next++;
    const at = this.builder.beginRecord(6, payloadWords);
    // No word is zero, and so no sector is.
    for (let i = 0; i < payloadWords; i++) this.builder.words[at + i] = i === 0 ? first : 0x0101_0101 + i * 7919;
    this.builder.endRecord();
    return first;
  }
}

/** A record as a sink got it. */
export interface SeenRecord {
  type: number;
  sequence: number;
  payload: number[];
  timeMs: number;
}

/** Keeps all records. */
export class RecordCollector implements RecordSink {
  readonly records: SeenRecord[] = [];

  onRecord(type: number, sequence: number, words: Int32Array, at: number, payloadWords: number, timeMs: number): void {
    this.records.push({ type, sequence, payload: [...words.subarray(at, at + payloadWords)], timeMs });
  }

  get sequences(): number[] {
    return this.records.map(({ sequence }) => sequence);
  }

  get firstWords(): number[] {
    return this.records.map(({ payload }) => payload[0]);
  }
}

/** Reads all of a journal, or from a position: where it ended, and the first words of its records' payloads. */
export function readAll(
  files: JournalFiles,
  from: JournalPosition = firstPosition(),
  options: ReadOptions = {},
): { end: JournalEnd; firstWords: number[] } {
  const sink = new RecordCollector();
  const end = readJournal(files, from, sink, options);
  return { end, firstWords: sink.firstWords };
}

/** Where a file's last byte that is not zero ends. */
export function contentEnd(bytes: Uint8Array): number {
  return bytes.findLastIndex((byte) => byte !== 0) + 1;
}
