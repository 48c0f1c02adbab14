// Splits a total into shares, in integer cents: `lucky`, `line` and `equal`.
//
// Pure: the randomness comes from a seed, so anybody who is later given the seed can repeat the split. Every split adds
// up to the total exactly, keeps every share within its bounds, and gives every place in the queue the same
// distribution (the shares are shuffled), so that being first or last is worth the same.

import assert from 'node:assert/strict';
import { SeededRandom } from './seeded-random.ts';

/** The splits by the names of the control API; the index is the number in shared memory. */
export const SPLIT_MODES = ['lucky', 'line', 'equal'] as const;
export type SplitMode = (typeof SPLIT_MODES)[number];

/** What to split. */
export interface SplitRequest {
  mode: SplitMode;
  /** Cents, shares*minCents to shares*maxCents. */
  totalCents: number;
  /** At least 1. */
  shares: number;
  /** The least and the most that one share may be, in cents; 1 <= minCents <= maxCents < 2^31. */
  minCents: number;
  maxCents: number;
}

/**
 * Writes the shares into `into`, from `at` on.
 * @param seed 32 bytes; `equal` does not use it
 * @param into Int32Array with room for `request.shares` words; may lie in shared memory that no other thread reads yet
 */
export function split(request: SplitRequest, seed: Uint8Array, into: Int32Array, at = 0): void {
  assert(isSplittable(request), 'the total lies between shares * minCents and shares * maxCents');
  const random = new SeededRandom(seed);
  if (request.mode === 'equal') splitEqually(request, into, at);
  else if (request.mode === 'lucky') splitByDoubleMean(request, random, into, at);
  else splitByCuts(request, random, into, at);
}

/** Tells whether a split with these numbers exists. The check of bad input is the caller's, with its own words. */
export function isSplittable({ totalCents, shares, minCents, maxCents }: SplitRequest): boolean {
  const { isSafeInteger } = Number;
  if (!isSafeInteger(totalCents) || !isSafeInteger(shares)) return false;
  if (!isSafeInteger(minCents) || !isSafeInteger(maxCents)) return false;
  return shares >= 1 && minCents >= 1 && shares * minCents <= totalCents && totalCents <= shares * maxCents;
}

/**
 * Double mean: each share is uniform between the minimum and about twice the mean of what is left; the last takes the
 * rest; then the shares are shuffled. The bounds also keep the rest splittable: never below the minimum, never above
 * the maximum for each share to come.
 */
function splitByDoubleMean(request: SplitRequest, random: SeededRandom, into: Int32Array, at: number): void {
  const { shares, minCents, maxCents } = request;
  let restCents = request.totalCents;
  for (let left = shares; left > 1; left--) {
    const low = Math.max(minCents, restCents - (left - 1) * maxCents);
    const high = Math.min(Math.floor((2 * restCents) / left) - minCents, maxCents, restCents - (left - 1) * minCents);
    const share = random.drawBetween(low, high);
    into[at + shares - left] = share;
    restCents -= share;
  }
  into[at + shares - 1] = restCents;
  shuffle(random, into, at, shares);
}

/**
 * Line cut: a line of R cents is cut at shares - 1 distinct points of 1..R-1, and the pieces are the shares. A minimum
 * above one cent is set aside first and added to every piece. What a piece has above the maximum is handed to the pieces
 * that have room; the shuffle then makes all places alike.
 */
function splitByCuts(request: SplitRequest, random: SeededRandom, into: Int32Array, at: number): void {
  const { totalCents, shares, minCents, maxCents } = request;
  const end = at + shares;
  const setAside = minCents - 1;
  const line = totalCents - shares * setAside;
  const cuts = drawDistinct(random, shares - 1, line - 1);
  cuts.push(line);
  let overCents = 0;
  for (let i = 0; i < shares; i++) {
    const piece = cuts[i] - (i === 0 ? 0 : cuts[i - 1]) + setAside;
    into[at + i] = Math.min(piece, maxCents);
    overCents += piece - into[at + i];
  }
  for (let i = at; overCents > 0; i = i + 1 === end ? at : i + 1) {
    const moved = random.drawBetween(0, Math.min(overCents, maxCents - into[i]));
    into[i] += moved;
    overCents -= moved;
  }
  shuffle(random, into, at, shares);
}

/** Everybody the same; the first (total mod shares) places get one cent more. */
function splitEqually(request: SplitRequest, into: Int32Array, at: number): void {
  const { totalCents, shares } = request;
  const base = Math.floor(totalCents / shares);
  const extra = totalCents % shares;
  for (let i = 0; i < shares; i++) into[at + i] = i < extra ? base + 1 : base;
}

/** `count` distinct integers of 1..high, ascending, each set equally likely (Floyd, "A sample of brilliance", 1987). */
function drawDistinct(random: SeededRandom, count: number, high: number): number[] {
  const drawn = new Set<number>();
  for (let top = high - count + 1; top <= high; top++) {
    const candidate = random.drawBetween(1, top);
    drawn.add(drawn.has(candidate) ? top : candidate);
  }
  return [...drawn].sort((a, b) => a - b);
}

/** Fisher and Yates, as Durstenfeld's in-place form. */
function shuffle(random: SeededRandom, into: Int32Array, at: number, count: number): void {
  for (let last = count - 1; last > 0; last--) {
    const other = random.drawBetween(0, last);
    const kept = into[at + last];
    into[at + last] = into[at + other];
    into[at + other] = kept;
  }
}
