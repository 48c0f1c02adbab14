// Writes records as a journal on a real disk, for the tests of snapshot and history.

import { join } from 'node:path';
import { BatchBuilder } from '../../lib/ledger/batch-builder.ts';
import { firstPosition } from '../../lib/ledger/journal-position.ts';
import { NodeFiles } from '../../lib/ledger/node-files.ts';
import { SegmentWriter } from '../../lib/ledger/segment-writer.ts';
import type { TestRecord } from './snapshot-records.ts';

/** Milliseconds of batch 1; each one after that is a millisecond later. */
export const FIRST_MS = 1_700_000_000_000;

export class TestJournal {
  readonly files: NodeFiles;
  readonly #builder = new BatchBuilder(firstPosition());
  readonly #writer: SegmentWriter;

  /** @param data the data directory */
  constructor(data: string, segmentBytes: number) {
    this.files = new NodeFiles(join(data, 'journal'));
    this.#writer = new SegmentWriter(this.files, firstPosition(), {
      node: 1,
      segmentBytes,
      syncs: false,
      nowMs: FIRST_MS,
    });
  }

  /** Number of the last batch. */
  get lastBatch(): number {
    return this.#builder.nextBatch - 1;
  }

  /** Number of the newest segment that is closed. */
  get closedSegment(): number {
    return this.#writer.segment - 1;
  }

  /** Appends one batch; returns the sequence of its first record. */
  append(records: readonly TestRecord[]): number {
    const builder = this.#builder;
    const first = builder.nextSequence;
    for (const { type, words } of records) {
      const at = builder.beginRecord(type, words.length);
      builder.words.set(words, at);
      builder.endRecord();
    }
    const nowMs = FIRST_MS + this.lastBatch;
    this.#writer.append(builder.finish(nowMs), builder);
    builder.commit();
    return first;
  }
}
