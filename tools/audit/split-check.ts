// The three splits of docs/PROTOCOL.md ("Checking a split"), written again from the document: what a seed must have given.

import type { SplitMode } from './journal-format.ts';
import { makeSeedBlock } from './seed-block.ts';

const BLOCK_WORDS = 8;
const WORD_VALUES = 2 ** 32;

/** What a split is made from, besides the seed. */
export interface SplitTerms {
  mode: SplitMode;
  totalCents: number;
  shares: number;
  minCents: number;
  maxCents: number;
}

/** The numbers that follow from a seed: block k is SHA-256(seed, k), read as eight big-endian words. */
export class SeedNumbers {
  readonly #seed = new Int32Array(BLOCK_WORDS);
  readonly #block = new Uint32Array(BLOCK_WORDS);
  #nextBlock = 0;
  #nextWord = BLOCK_WORDS;

  /** @param seed 32 bytes */
  constructor(seed: Uint8Array) {
    const view = new DataView(seed.buffer, seed.byteOffset, seed.length);
    for (let i = 0; i < BLOCK_WORDS; i++) this.#seed[i] = view.getInt32(i * 4);
  }

  /** A whole number from low to high, both included. */
  draw(low: number, high: number): number {
    // HOT
    const span = high - low + 1;
    const limit = WORD_VALUES - (WORD_VALUES % span);
    let word = this.#word();
    while (word >= limit) word = this.#word();
    return low + (word % span);
  }

  #word(): number {
    if (this.#nextWord === BLOCK_WORDS) {
      makeSeedBlock(this.#seed, this.#nextBlock++, this.#block);
      this.#nextWord = 0;
    }
    return this.#block[this.#nextWord++];
  }
}

/** Whether these terms can be split at all: what is wrong with them, or undefined. */
export function judgeTerms({ totalCents, shares, minCents, maxCents }: SplitTerms): string | undefined {
  if (shares < 1) return 'it has no shares';
  if (minCents > maxCents) return `a share of at least ${minCents} and at most ${maxCents} cents cannot be`;
  if (totalCents < shares * minCents || totalCents > shares * maxCents) {
    return `${totalCents} cents are not ${shares} shares of ${minCents} to ${maxCents}`;
  }
  return undefined;
}

/** Makes the split that the seed stands for. The terms must be such that judgeTerms finds nothing. */
export function deriveSplit(terms: SplitTerms, seed: Uint8Array): Int32Array {
  const shares = new Int32Array(terms.shares);
  const numbers = new SeedNumbers(seed);
  if (terms.mode === 'equal') fillEqual(shares, terms);
  else if (terms.mode === 'lucky') fillLucky(shares, terms, numbers);
  else fillLine(shares, terms, numbers);
  if (terms.mode !== 'equal') shuffle(shares, numbers);
  return shares;
}

function fillEqual(shares: Int32Array, { totalCents }: SplitTerms): void {
  const more = totalCents % shares.length;
  shares.fill(Math.floor(totalCents / shares.length));
  for (let i = 0; i < more; i++) shares[i]++;
}

function fillLucky(shares: Int32Array, { totalCents, minCents, maxCents }: SplitTerms, numbers: SeedNumbers): void {
  let rest = totalCents;
  for (let left = shares.length; left >= 2; left--) {
    const low = Math.max(minCents, rest - (left - 1) * maxCents);
    const high = Math.min(Math.floor((2 * rest) / left) - minCents, maxCents, rest - (left - 1) * minCents);
    const share = numbers.draw(low, high);
    shares[shares.length - left] = share;
    rest -= share;
  }
  shares[shares.length - 1] = rest;
}

function fillLine(shares: Int32Array, { totalCents, minCents, maxCents }: SplitTerms, numbers: SeedNumbers): void {
  const count = shares.length;
  const line = totalCents - count * (minCents - 1);
  const cuts = new Set<number>();
  for (let top = line - count + 1; top <= line - 1; top++) {
    const cut = numbers.draw(1, top);
    cuts.add(cuts.has(cut) ? top : cut);
  }
  const ends = Float64Array.from(cuts).sort();
  let over = 0;
  for (let i = 0; i < count; i++) {
    const end = i < ends.length ? ends[i] : line;
    const share = end - (i === 0 ? 0 : ends[i - 1]) + minCents - 1;
    shares[i] = Math.min(share, maxCents);
    over += share - shares[i];
  }
  for (let i = 0; over > 0; i = (i + 1) % count) {
    const added = numbers.draw(0, Math.min(over, maxCents - shares[i]));
    shares[i] += added;
    over -= added;
  }
}

function shuffle(shares: Int32Array, numbers: SeedNumbers): void {
  for (let last = shares.length - 1; last >= 1; last--) {
    const other = numbers.draw(0, last);
    const kept = shares[last];
    shares[last] = shares[other];
    shares[other] = kept;
  }
}
