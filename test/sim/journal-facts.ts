// Reads records out of journal segments, written from docs/JOURNAL.md alone: no code of the ledger. It looks for whole
// batches only, and is used only where a server has just made what there is durable, so nothing in it can be torn.

import type { FakeDisk } from '../ledger/fake-disk.ts';

const SEGMENT_BYTES = 84;
const BATCH_BYTES = 76;
const RECORD_BYTES = 16;
const CRC_BYTES = 4;

/** A record: its type, its sequence, and the words of its payload. */
export interface Fact {
  type: number;
  sequence: number;
  words: Int32Array;
}

/** Reads on in segments that grow. */
export class FactReader {
  readonly #disk: FakeDisk;
  /** By segment: up to where it has been read. */
  readonly #offsets = new Map<string, number>();

  constructor(disk: FakeDisk) {
    this.#disk = disk;
  }

  /** Every record of a segment that was not read before. */
  readOn(name: string): Fact[] {
    const from = this.#offsets.get(name) ?? SEGMENT_BYTES;
    const bytes = new Uint8Array(Math.max(0, this.#disk.size(name) - from));
    this.#disk.read(name, from, bytes);
    const view = new DataView(bytes.buffer);
    const facts: Fact[] = [];
    let at = 0;
    while (at + BATCH_BYTES <= bytes.length && readTag(bytes, at) === 'BTCH') {
      const end = at + view.getUint32(at + 4, true);
      if (end > bytes.length || readTag(bytes, end - 4) !== 'DONE') break;
      for (let record = at + BATCH_BYTES; record < end - 4; record += view.getUint32(record, true)) {
        facts.push(readFact(view, record));
      }
      at = end;
    }
    this.#offsets.set(name, from + at);
    return facts;
  }
}

/** Every record on a disk. */
export function readAllFacts(disk: FakeDisk): Fact[] {
  const reader = new FactReader(disk);
  return disk.list().flatMap((name) => reader.readOn(name));
}

/** A u64 in two words, the low one first. */
export function joinU64(low: number, high: number): number {
  return (high >>> 0) * 2 ** 32 + (low >>> 0);
}

/** A text: its bytes in one word, then those bytes. */
export function readText(words: Int32Array, at: number): string {
  return Buffer.from(words.buffer, words.byteOffset + 4 * (at + 1), words[at]).toString('utf8');
}

function readTag(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function readFact(view: DataView, at: number): Fact {
  const words = new Int32Array((view.getUint32(at, true) - RECORD_BYTES - CRC_BYTES) / 4);
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(at + RECORD_BYTES + 4 * i, true);
  const sequence = joinU64(view.getUint32(at + 8, true), view.getUint32(at + 12, true));
  return { type: view.getUint32(at + 4, true), sequence, words };
}
