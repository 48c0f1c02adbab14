// Reads the journal and verifies every byte of it, as docs/JOURNAL.md says. Used by recovery, and by the task that makes
// snapshots; it never changes a file.
//
// A record reaches the sink only when its whole batch is verified. What a killed server left of its last batch is
// measured, not read. Everything else that does not add up stops the reading: LedgerError `damaged`, `missing`, `version`.
// Memory is bounded: a chunk of 1 MiB, or of the longest batch.

import { hash } from 'node:crypto';
import { findBatchFault, isBatchHeader, isChain, judgeBatchHeader } from './batch-check.ts';
import type { JournalFiles } from './journal-files.ts';
import type { JournalPosition } from './journal-position.ts';
import { crcOfWords, readU64 } from './journal-words.ts';
import { LedgerError } from './ledger-error.ts';
import { READ_BYTES } from './limits.ts';
import { RECORD_FRAME_BYTES, RECORD_PAYLOAD_OFFSET, RECORD_TYPE_OFFSET } from './record-layout.ts';
import type { RecordSink } from './record-sink.ts';
import {
  BATCH_BYTES_OFFSET,
  BATCH_HEADER_BYTES,
  BATCH_RECORDS_OFFSET,
  BATCH_TIME_OFFSET,
  JOURNAL_VERSION,
  SEGMENT_CHAIN_OFFSET,
  SEGMENT_CRC_OFFSET,
  SEGMENT_FIRST_BATCH_OFFSET,
  SEGMENT_FIRST_SEQUENCE_OFFSET,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  SEGMENT_NUMBER_OFFSET,
  SEGMENT_RESERVED_OFFSET,
  SEGMENT_VERSION_OFFSET,
  segmentName,
  segmentNumber,
} from './segment-layout.ts';
import { damageAt, measureTornBatch, measureTornSegment } from './torn-tail.ts';

export interface ReadOptions {
  /** Stops after this segment, which is closed: the position is then the start of the next. */
  untilSegment?: number;
  /** Stops after this batch, if it comes. */
  untilBatch?: number;
  /** Told about once a MiB how far the reading is. */
  onProgress?: (segment: number, offset: number) => void;
}

/** Where the reading ended: where a SegmentWriter goes on. */
export interface JournalEnd extends JournalPosition {
  /** Records and batches that were read. */
  records: number;
  batches: number;
  /** Bytes of a torn tail behind the position, without the zeros at its end. */
  tornBytes: number;
}

/**
 * Reads from a position to the end, and hands each record to the sink. An empty directory is an empty journal if `from`
 * is the first position.
 * @throws LedgerError `damaged`, `missing` or `version`; the sink then has the records of the whole batches before
 */
export function readJournal(
  files: JournalFiles,
  from: JournalPosition,
  sink: RecordSink,
  options: ReadOptions = {},
): JournalEnd {
  return new JournalReader(files, from, sink, options).read();
}

class JournalReader {
  readonly #files: JournalFiles;
  readonly #sink: RecordSink;
  readonly #untilSegment: number;
  readonly #untilBatch: number;
  readonly #onProgress: ReadOptions['onProgress'];
  readonly #end: JournalEnd;
  /** A chunk of the segment: its bytes from #chunkOffset on, of which #chunkFilled are there. */
  #words = new Int32Array(0);
  #bytes = new Uint8Array(this.#words.buffer);
  #chunkOffset = 0;
  #chunkFilled = 0;
  /** Of the segment that is being read. */
  #name = '';
  #size = 0;
  #mayBeTorn = false;

  constructor(files: JournalFiles, from: JournalPosition, sink: RecordSink, options: ReadOptions) {
    this.#files = files;
    this.#sink = sink;
    this.#untilSegment = options.untilSegment ?? Number.POSITIVE_INFINITY;
    this.#untilBatch = options.untilBatch ?? Number.POSITIVE_INFINITY;
    this.#onProgress = options.onProgress;
    this.#end = { ...from, chain: Uint8Array.from(from.chain), records: 0, batches: 0, tornBytes: 0 };
  }

  read(): JournalEnd {
    const end = this.#end;
    const last = this.#findLast();
    while (end.segment <= Math.min(last, this.#untilSegment) && end.nextBatch <= this.#untilBatch) {
      this.#mayBeTorn = end.segment === last && this.#untilSegment === Number.POSITIVE_INFINITY;
      if (!this.#readSegment() || this.#mayBeTorn) break;
      end.segment++;
      end.offset = SEGMENT_HEADER_BYTES;
    }
    return end;
  }

  /** Number of the last segment, once it is clear that none is missing up to it; 0 if there is none at all. */
  #findLast(): number {
    const { segment, nextBatch } = this.#end;
    const all = this.#files.list().map(segmentNumber);
    const isEmpty = all.length === 0 && nextBatch === 1 && this.#untilSegment === Number.POSITIVE_INFINITY;
    if (isEmpty) return 0;
    const numbers = all.filter((number) => number >= segment);
    const until = Number.isFinite(this.#untilSegment) ? this.#untilSegment : Math.max(segment, all.at(-1) ?? 0);
    for (let number = segment; number <= until; number++) {
      if (numbers[number - segment] !== number) {
        throw new LedgerError('missing', `the journal is not whole: ${segmentName(number)} is not there`);
      }
    }
    return numbers.at(-1) ?? 0;
  }

  /** Reads the segment of the position to its end. Returns false if there is nothing to read behind that. */
  #readSegment(): boolean {
    const end = this.#end;
    this.#name = segmentName(end.segment);
    this.#size = this.#files.size(this.#name);
    this.#chunkFilled = 0;
    if (!this.#readSegmentHeader()) return false;
    if (this.#size < end.offset)
      throw damageAt(end.segment, this.#size, `the file ends, but ${end.offset} bytes were read before`);
    while (end.offset < this.#size) {
      if (end.nextBatch > this.#untilBatch) return false;
      if (!this.#readBatch()) return false;
    }
    return true;
  }

  /** Returns false if the header of this segment is torn. */
  #readSegmentHeader(): boolean {
    const end = this.#end;
    const at = this.#load(0, SEGMENT_HEADER_BYTES);
    const words = this.#words;
    const magic = Buffer.from(words.buffer, at * 4, SEGMENT_MAGIC.length).toString('latin1');
    const crc = crcOfWords(words, at, SEGMENT_CRC_OFFSET / 4);
    if (magic !== SEGMENT_MAGIC || crc !== words[at + SEGMENT_CRC_OFFSET / 4] || this.#size < SEGMENT_HEADER_BYTES) {
      if (!this.#mayBeTorn || end.offset !== SEGMENT_HEADER_BYTES)
        throw damageAt(end.segment, 0, 'not the header of a segment');
      end.tornBytes = measureTornSegment(this.#files, end.segment, this.#size);
      return false;
    }
    const version = words[at + SEGMENT_VERSION_OFFSET / 4];
    if (version !== JOURNAL_VERSION) {
      throw new LedgerError('version', `${this.#name} has version ${version} of the journal; this server knows 1`);
    }
    const wrong = this.#judgeSegmentHeader(at);
    if (wrong !== undefined) throw damageAt(end.segment, 0, wrong);
    return true;
  }

  /** What is wrong with a header that is as it was written. */
  #judgeSegmentHeader(at: number): string | undefined {
    const words = this.#words;
    const end = this.#end;
    const segment = words[at + SEGMENT_NUMBER_OFFSET / 4];
    if (segment !== end.segment) return `the header of segment ${segment}`;
    if (words[at + SEGMENT_RESERVED_OFFSET / 4] !== 0) return 'a reserved word that is not 0';
    const batch = readU64(words, at + SEGMENT_FIRST_BATCH_OFFSET / 4);
    const sequence = readU64(words, at + SEGMENT_FIRST_SEQUENCE_OFFSET / 4);
    if (end.offset > SEGMENT_HEADER_BYTES) {
      return batch < end.nextBatch && sequence < end.nextSequence ? undefined : 'a segment that begins later';
    }
    if (batch !== end.nextBatch) return `first batch ${batch} where ${end.nextBatch} was to come`;
    if (sequence !== end.nextSequence) return `first sequence ${sequence} where ${end.nextSequence} was to come`;
    if (!isChain(words, at + SEGMENT_CHAIN_OFFSET / 4, end.chain))
      return 'a segment that does not follow the one before';
    return undefined;
  }

  /** Reads the batch at the position and moves on behind it. Returns false if it is torn, or if only zeros follow. */
  #readBatch(): boolean {
    const end = this.#end;
    const { segment, offset } = end;
    let at = this.#load(offset, BATCH_HEADER_BYTES);
    if (!isBatchHeader(this.#words, at)) {
      if (!this.#mayBeTorn) throw damageAt(segment, offset, 'not the header of a batch');
      end.tornBytes = measureTornBatch(this.#files, end, this.#size, undefined);
      return false;
    }
    const wrong = judgeBatchHeader(this.#words, at, end);
    if (wrong !== undefined) throw damageAt(segment, offset, wrong);
    const bytes = this.#words[at + BATCH_BYTES_OFFSET / 4];
    at = this.#load(offset, bytes);
    const fault = findBatchFault(this.#words, at, end.nextSequence);
    if (fault !== undefined) {
      if (!this.#mayBeTorn) throw damageAt(segment, offset + fault.from, `in batch ${end.nextBatch}, ${fault.what}`);
      end.tornBytes = measureTornBatch(this.#files, end, this.#size, { bytes, fault });
      return false;
    }
    this.#deliver(at);
    end.chain.set(hash('sha256', this.#bytes.subarray(at * 4, at * 4 + bytes), 'buffer'));
    end.offset += bytes;
    end.nextBatch++;
    end.batches++;
    return true;
  }

  /** Hands the records of a whole batch to the sink. */
  // HOT
  #deliver(start: number): void {
    const words = this.#words;
    const end = this.#end;
    const records = words[start + BATCH_RECORDS_OFFSET / 4];
    const timeMs = readU64(words, start + BATCH_TIME_OFFSET / 4);
    let at = start + BATCH_HEADER_BYTES / 4;
    for (let i = 0; i < records; i++) {
      const type = words[at + RECORD_TYPE_OFFSET / 4];
      const payloadWords = (words[at] - RECORD_FRAME_BYTES) / 4;
      this.#sink.onRecord(type, end.nextSequence + i, words, at + RECORD_PAYLOAD_OFFSET / 4, payloadWords, timeMs);
      at += words[at] / 4;
    }
    end.timeMs = timeMs;
    end.nextSequence += records;
    end.records += records;
  }

  /** Has `length` bytes of the segment in the chunk, zeros for those behind its end; returns the word they begin at. */
  #load(offset: number, length: number): number {
    const skipped = offset - this.#chunkOffset;
    if (skipped >= 0 && skipped + length <= this.#chunkFilled) return skipped / 4;
    const kept = this.#bytes.subarray(skipped < 0 ? this.#chunkFilled : skipped, this.#chunkFilled);
    let target = this.#bytes;
    const wanted = Math.max(length, Math.min(READ_BYTES, this.#size));
    if (wanted > target.length) {
      this.#words = new Int32Array(Math.ceil(wanted / 4));
      target = new Uint8Array(this.#words.buffer);
    }
    target.set(kept);
    const there = this.#files.read(this.#name, offset + kept.length, target.subarray(kept.length));
    this.#bytes = target;
    this.#chunkOffset = offset;
    this.#chunkFilled = kept.length + there;
    if (this.#chunkFilled < length) target.fill(0, this.#chunkFilled, length);
    this.#onProgress?.(this.#end.segment, offset);
    return 0;
  }
}
