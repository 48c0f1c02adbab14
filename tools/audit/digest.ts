// What the thread that checks a segment hands to the books: the payloads of its records, one row behind the other, and the
// splits that their seeds stand for. Two flat arrays, so that handing over copies nothing.
//
// Row: word 0 = type | words << 8, then so many words: the payload (of a PACKET_OPEN without its note). Type 0 is a place:
// batch u64, sequence of the next record u64. Splits lie in the order of the DROP_OPEN and PACKET_OPEN rows.

import { move, transferableSymbol, valueSymbol } from 'piscina';
import {
  DROP_OPEN,
  DROP_OPEN_SEED_WORD,
  PACKET_OPEN,
  PACKET_OPEN_INVITED_WORD,
  PACKET_OPEN_SEED_WORD,
} from './journal-format.ts';
import { readDropTerms, readPacketTerms } from './record-check.ts';
import type { BatchVisitor } from './segment-parser.ts';
import { deriveSplit, type SplitTerms } from './split-check.ts';

/** The row that says where the next records are. */
export const PLACE_ROW = 0;

const SEED_BYTES = 32;
const FIRST_CAPACITY = 2 ** 16;

export interface Digest {
  rows: Uint32Array<ArrayBuffer>;
  rowWords: number;
  splits: Int32Array<ArrayBuffer>;
}

/** Makes the digest of what it hears. */
export class DigestWriter implements BatchVisitor {
  #rows = new Uint32Array(FIRST_CAPACITY);
  #rowWords = 0;
  #splits = new Int32Array(FIRST_CAPACITY);
  #splitWords = 0;

  batch(batch: number, firstSequence: number): void {
    this.#reserveRow(5);
    const rows = this.#rows;
    let at = this.#rowWords;
    rows[at++] = PLACE_ROW | (4 << 8);
    rows[at++] = batch;
    rows[at++] = batch / 2 ** 32;
    rows[at++] = firstSequence;
    rows[at++] = firstSequence / 2 ** 32;
    this.#rowWords = at;
  }

  record(type: number, view: DataView, at: number, words: number): void {
    // HOT
    const kept = type === PACKET_OPEN ? wordsBeforeNote(view, at) : words;
    this.#reserveRow(kept + 1);
    const rows = this.#rows;
    let to = this.#rowWords;
    rows[to++] = type | (kept << 8);
    for (let from = at; from < at + kept * 4; from += 4) rows[to++] = view.getUint32(from, true);
    this.#rowWords = to;
    if (type === DROP_OPEN) this.#addSplit(readDropTerms(view, at), view, at + DROP_OPEN_SEED_WORD * 4);
    else if (type === PACKET_OPEN) this.#addSplit(readPacketTerms(view, at), view, at + PACKET_OPEN_SEED_WORD * 4);
  }

  finish(): Digest {
    return { rows: this.#rows, rowWords: this.#rowWords, splits: this.#splits };
  }

  #addSplit(terms: SplitTerms, view: DataView, seedAt: number): void {
    const split = deriveSplit(terms, new Uint8Array(view.buffer, view.byteOffset + seedAt, SEED_BYTES));
    const needed = this.#splitWords + split.length;
    if (needed > this.#splits.length) {
      const grown = new Int32Array(Math.max(needed, this.#splits.length * 2));
      grown.set(this.#splits.subarray(0, this.#splitWords));
      this.#splits = grown;
    }
    this.#splits.set(split, this.#splitWords);
    this.#splitWords = needed;
  }

  #reserveRow(words: number): void {
    const needed = this.#rowWords + words;
    if (needed <= this.#rows.length) return;
    const grown = new Uint32Array(Math.max(needed, this.#rows.length * 2));
    grown.set(this.#rows.subarray(0, this.#rowWords));
    this.#rows = grown;
  }
}

/** What a task returns so that the arrays of its answer are moved to the thread that asked, instead of copied. */
export function handOver<Answer extends { digest: Digest }>(answer: Answer): unknown {
  const { rows, splits } = answer.digest;
  const movable = { [transferableSymbol]: [rows.buffer, splits.buffer], [valueSymbol]: answer };
  return move(movable as unknown as ArrayBuffer);
}

/** Words of a PACKET_OPEN up to the end of its key. */
function wordsBeforeNote(view: DataView, at: number): number {
  const keyWord = PACKET_OPEN_INVITED_WORD + 1 + view.getUint32(at + PACKET_OPEN_INVITED_WORD * 4, true);
  return keyWord + 1 + Math.ceil(view.getUint32(at + keyWord * 4, true) / 4);
}
