// Reads one segment from its first byte to its last: header, every batch, chain links, checksums, lengths, numbers, and each
// record by itself. Streams: no more of the file is in memory than the largest batch.
//
// Judges and hands on, in order, every batch that is whole; what does not add up goes to the findings, one for a batch.
// Behind a batch that cannot be read the visitor hears nothing more, since balances follow only from a prefix, but the
// checks go on as far as the lengths can be followed.

import { hash } from 'node:crypto';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { crc32 } from './checksum.ts';
import { FileWindow } from './file-window.ts';
import { FindingList } from './findings.ts';
import {
  BATCH_BYTES,
  BATCH_CRC_AT,
  BATCH_MAGIC,
  BATCH_TRAILER,
  BATCH_TRAILER_BYTES,
  CHAIN_BYTES,
  FORMAT_VERSION,
  MOST_BATCH_BYTES,
  RECORD_BYTES,
  RECORD_CRC_BYTES,
  readU64,
  SEGMENT_BYTES,
  SEGMENT_CRC_AT,
  SEGMENT_MAGIC,
} from './journal-format.ts';
import { checkRecord } from './record-check.ts';
import { judgeTail } from './torn-tail.ts';

/** A server may be writing the tail at this moment: what looks like damage there is looked at again so often. */
const TAIL_READS = 5;
const TAIL_PAUSE_MS = 20;

/** Hears of every batch that is whole, then of its records. */
export interface BatchVisitor {
  batch(batch: number, firstSequence: number): void;
  /** @param at where the payload begins  @param words of the payload */
  record(type: number, view: DataView, at: number, words: number): void;
}

/** What a segment, or a part of it, leaves to what follows; a field is undefined where damage hides it. */
export interface JournalEnd {
  batch: number | undefined;
  sequence: number | undefined;
  chain: string | undefined;
  timeMs: number | undefined;
}

/** What the header says, or undefined if it cannot be read. */
export interface SegmentStart {
  node: number;
  batch: number;
  sequence: number;
  chain: string;
}

export interface SegmentReport {
  segment: number;
  start: SegmentStart | undefined;
  /** Time of the first batch, if there is one that can be read. */
  firstTimeMs: number | undefined;
  /** Number of the batch, sequence of the record, that must come next; chain and time of the last batch. */
  end: JournalEnd;
  batches: number;
  bytes: number;
  tornBytes: number;
  /** Nothing is in the file; the server may have been killed before it wrote the header of its last segment. */
  unwritten: boolean;
  /** Whether something could not be read: the visitor heard only of what came before. */
  damaged: boolean;
  findings: { kept: FindingList['kept']; count: number };
}

/** Reads a segment. @param last whether no segment follows: only then may a tail be torn or zeros */
export function readSegment(path: string, segment: number, last: boolean, visitor: BatchVisitor): SegmentReport {
  const descriptor = openSync(path, 'r');
  try {
    return new SegmentReader(descriptor, segment, last, visitor).read();
  } finally {
    closeSync(descriptor);
  }
}

/** What was wrong with a batch. */
interface Fault {
  text: string;
  sequence?: number;
  /** Whether the length of the batch can be trusted, so that the next one is found. */
  framed: boolean;
}

class SegmentReader {
  readonly #descriptor: number;
  readonly #segment: number;
  readonly #last: boolean;
  readonly #visitor: BatchVisitor;
  readonly #fileBytes: number;
  readonly #window: FileWindow;
  readonly #findings = new FindingList();
  #expected: JournalEnd = { batch: undefined, sequence: undefined, chain: undefined, timeMs: undefined };
  #firstTimeMs: number | undefined;
  #position = SEGMENT_BYTES;
  #batches = 0;
  #tornBytes = 0;
  #damaged = false;

  constructor(descriptor: number, segment: number, last: boolean, visitor: BatchVisitor) {
    this.#descriptor = descriptor;
    this.#segment = segment;
    this.#last = last;
    this.#visitor = visitor;
    this.#fileBytes = fstatSync(descriptor).size;
    this.#window = new FileWindow(descriptor, this.#fileBytes);
  }

  read(): SegmentReport {
    const unwritten = this.#isUnwritten();
    const start = unwritten ? undefined : this.#readHeader();
    if (unwritten) this.#position = this.#fileBytes;
    if (unwritten && !this.#last) this.#addDamage(undefined, 'the file is empty, or all zeros');
    if (start !== undefined) this.#expected = { ...start, timeMs: undefined };
    while (this.#readNext());
    return {
      segment: this.#segment,
      start,
      firstTimeMs: this.#firstTimeMs,
      end: this.#expected,
      batches: this.#batches,
      bytes: unwritten ? 0 : Math.min(this.#position, this.#fileBytes),
      unwritten,
      tornBytes: this.#tornBytes,
      damaged: this.#damaged,
      findings: { kept: this.#findings.kept, count: this.#findings.count },
    };
  }

  /** Whether there is nothing in the file but zeros. */
  #isUnwritten(): boolean {
    const at = this.#window.show(0, 4);
    if (this.#window.available(0) >= 4 && this.#window.view.getUint32(at, true) !== 0) return false;
    return judgeTail(this.#descriptor, 0, this.#fileBytes, undefined).kind === 'zeros';
  }

  /** The header, or undefined with a finding. */
  #readHeader(): SegmentStart | undefined {
    const at = this.#window.show(0, SEGMENT_BYTES);
    const { view, bytes } = this.#window;
    const wrong = this.#window.available(0) < SEGMENT_BYTES ? 'the file has no whole header' : this.#judgeHeader(at);
    if (wrong !== undefined) {
      this.#addDamage(undefined, wrong);
      return undefined;
    }
    return {
      node: view.getUint32(at + 12, true),
      batch: readU64(view, at + 24),
      sequence: readU64(view, at + 32),
      chain: bytes.toString('hex', at + 48, at + 48 + CHAIN_BYTES),
    };
  }

  #judgeHeader(at: number): string | undefined {
    const { view, bytes } = this.#window;
    if (bytes.toString('latin1', at, at + 8) !== SEGMENT_MAGIC) return 'the file is not a segment of a journal';
    if (crc32(view, at, at + SEGMENT_CRC_AT) !== view.getUint32(at + SEGMENT_CRC_AT, true)) {
      return 'the checksum of the header is wrong';
    }
    const version = view.getUint32(at + 8, true);
    if (version !== FORMAT_VERSION) return `version ${version} of the format is not known`;
    const segment = view.getUint32(at + 16, true);
    if (segment !== this.#segment) return `the header says segment ${segment}`;
    return view.getUint32(at + 20, true) === 0 ? undefined : 'the reserved word of the header is not 0';
  }

  /** Reads the batch at the position. Returns false at the end of what can be read. */
  #readNext(): boolean {
    for (let tries = 1; ; tries++) {
      const at = this.#window.show(this.#position, BATCH_BYTES);
      const available = this.#window.available(this.#position);
      if (available === 0) return false;
      const fault = available < BATCH_BYTES ? unframed(`${available} bytes are too few for a batch`) : this.#judge(at);
      if (fault === undefined) return true;
      const tail = this.#last
        ? judgeTail(this.#descriptor, this.#position, this.#fileBytes, this.#expected.batch)
        : undefined;
      if (tail?.kind === 'damage' && tries < TAIL_READS) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, TAIL_PAUSE_MS);
        this.#window.forget();
        continue;
      }
      if (tail === undefined || tail.kind === 'damage') return this.#skip(fault);
      this.#tornBytes = tail.bytes;
      return false;
    }
  }

  /** Judges the batch at this place of the window, and takes it if it can be read. */
  #judge(at: number): Fault | undefined {
    const { view } = this.#window;
    const magic = view.getUint32(at, true);
    if (magic === 0) return unframed('zeros, or a batch without a header, follow the last batch of a closed segment');
    if (magic !== BATCH_MAGIC) return unframed('what stands here is not a batch');
    if (crc32(view, at, at + BATCH_CRC_AT) !== view.getUint32(at + BATCH_CRC_AT, true)) {
      return unframed('the checksum of the batch header is wrong');
    }
    const bytes = view.getUint32(at + 4, true);
    if (bytes < BATCH_BYTES + BATCH_TRAILER_BYTES || bytes > MOST_BATCH_BYTES || bytes % 4 !== 0) {
      return unframed(`a batch cannot have ${bytes} bytes`);
    }
    const start = this.#window.show(this.#position, bytes);
    if (this.#window.available(this.#position) < bytes) return unframed('the file ends inside the batch');
    const records = view.getUint32(start + 24, true);
    const fault = this.#judgeNumbers(start) ?? this.#judgeRecords(start, bytes, records);
    if (fault === undefined) this.#take(start, bytes, records);
    return fault;
  }

  #judgeNumbers(at: number): Fault | undefined {
    const { view } = this.#window;
    const { batch, sequence } = this.#expected;
    const foundBatch = readU64(view, at + 8);
    const foundSequence = readU64(view, at + 16);
    if (batch !== undefined && foundBatch !== batch) return framed(`batch ${batch} must stand here`);
    if (sequence !== undefined && foundSequence !== sequence) {
      return framed(`its first record is ${foundSequence}, and must be ${sequence}`);
    }
    return undefined;
  }

  #judgeRecords(start: number, bytes: number, records: number): Fault | undefined {
    // HOT
    const { view } = this.#window;
    const end = start + bytes - BATCH_TRAILER_BYTES;
    if (view.getUint32(end, true) !== BATCH_TRAILER) return framed('the batch does not end in DONE');
    if (records === 0) return framed('the batch has no records');
    let sequence = readU64(view, start + 16);
    let at = start + BATCH_BYTES;
    for (let i = 0; i < records; i++, sequence++) {
      const size = end - at < RECORD_BYTES + RECORD_CRC_BYTES ? 0 : view.getUint32(at, true);
      if (size < RECORD_BYTES + RECORD_CRC_BYTES || size > end - at || size % 4 !== 0) {
        return framed('the length of the record is wrong', sequence);
      }
      const crcAt = at + size - RECORD_CRC_BYTES;
      if (crc32(view, at, crcAt) !== view.getUint32(crcAt, true)) {
        return framed('the checksum of the record is wrong', sequence);
      }
      const found = readU64(view, at + 8);
      if (found !== sequence) return framed(`the record says that it is ${found}`, sequence);
      const wrong = checkRecord(view, view.getUint32(at + 4, true), at + RECORD_BYTES, payloadWords(size));
      if (wrong !== undefined) return framed(wrong, sequence);
      at += size;
    }
    return at === end ? undefined : framed(`${end - at} bytes follow the last of its ${records} records`);
  }

  /** The batch can be read: checks its place in the chain, and hands it on. */
  #take(start: number, bytes: number, records: number): void {
    const { view } = this.#window;
    const batch = readU64(view, start + 8);
    const firstSequence = readU64(view, start + 16);
    this.#checkLinks(start, batch);
    this.#expected = {
      batch: batch + 1,
      sequence: firstSequence + records,
      chain: hash('sha256', this.#window.bytes.subarray(start, start + bytes), 'hex'),
      timeMs: readU64(view, start + 32),
    };
    this.#firstTimeMs ??= this.#expected.timeMs;
    this.#batches++;
    this.#position += bytes;
    if (this.#damaged) return;
    this.#visitor.batch(batch, firstSequence);
    let at = start + BATCH_BYTES;
    for (let i = 0; i < records; i++) {
      const size = view.getUint32(at, true);
      this.#visitor.record(view.getUint32(at + 4, true), view, at + RECORD_BYTES, payloadWords(size));
      at += size;
    }
  }

  #checkLinks(start: number, batch: number): void {
    const { view, bytes } = this.#window;
    const { chain, timeMs } = this.#expected;
    const place = { segment: this.#segment, batch };
    if (chain !== undefined && bytes.toString('hex', start + 40, start + 40 + CHAIN_BYTES) !== chain) {
      this.#findings.add(place, 'the chain is broken: this is not the batch that was written after the one before');
    }
    if (timeMs !== undefined && readU64(view, start + 32) < timeMs) {
      this.#findings.add(place, 'its time is below that of the batch before');
    }
    if (view.getUint32(start + 28, true) !== 0) this.#findings.add(place, 'the reserved word of the batch is not 0');
  }

  /** The batch cannot be read: adds what is wrong, and goes to the next one if it can be found. */
  #skip(fault: Fault): boolean {
    const at = this.#window.show(this.#position, BATCH_BYTES);
    const { view } = this.#window;
    const batch = fault.framed ? readU64(view, at + 8) : this.#expected.batch;
    this.#addDamage(batch, fault.text, fault.sequence);
    const unknown = { batch: undefined, sequence: undefined, chain: undefined, timeMs: undefined };
    this.#expected = unknown;
    if (!fault.framed || batch === undefined) return false;
    this.#expected = { ...unknown, batch: batch + 1, sequence: readU64(view, at + 16) + view.getUint32(at + 24, true) };
    this.#batches++;
    this.#position += view.getUint32(at + 4, true);
    return true;
  }

  #addDamage(batch: number | undefined, text: string, sequence?: number): void {
    this.#damaged = true;
    this.#findings.add({ segment: this.#segment, batch, sequence }, text);
  }
}

function framed(text: string, sequence?: number): Fault {
  return sequence === undefined ? { text, framed: true } : { text, sequence, framed: true };
}

function unframed(text: string): Fault {
  return { text, framed: false };
}

function payloadWords(recordBytes: number): number {
  return (recordBytes - RECORD_BYTES - RECORD_CRC_BYTES) / 4;
}
