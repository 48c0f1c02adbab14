// The seed of a test file's random choices: taken from the environment variable SEED or drawn, and printed either way.

import { createHash, randomInt } from 'node:crypto';

const given = process.env.SEED;

/** Drives fast-check and the threads: another one at every run unless SEED is given. */
export const seed = given === undefined ? randomInt(2 ** 31) : Number(given);

/** Drives the statistical tests: the same at every run unless SEED is given, so that chance fails nobody. */
export const fixedSeed = given === undefined ? 20150218 : Number(given);

/** Says in the test's output how to repeat the run. */
export function printSeed(t: { comment: (text: string) => void }): void {
  t.comment(`SEED=${seed}`);
}

/** 32 bytes that follow from two numbers. */
export function seedBytes(from: number, index: number): Buffer {
  return createHash('sha256').update(`${from}:${index}`).digest();
}

/** A small generator of repeatable random numbers (mulberry32), which is not the one under test. */
export class TestRandom {
  #state: number;

  constructor(from: number) {
    this.#state = from | 0;
  }

  /** A whole number from 0 to `below` - 1. */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }
}
