// The seed of a run (from the environment variable SEED, else drawn) and the numbers that follow from one.

/** The seed to use; print it, so that SEED=<it> repeats the run. */
export function readSeed(): number {
  const given = process.env.SEED;
  if (given === undefined || given === '') return (Math.random() * 2 ** 31) | 0;
  const seed = Number(given);
  if (!Number.isInteger(seed)) throw new Error(`SEED is no integer: ${given}`);
  return seed | 0;
}

/** Mixes two int32 into one that looks like neither: seeds for threads, payload words. */
export function mix(a: number, b: number): number {
  let x = Math.imul(a ^ Math.imul(b + 1, 0x9e3779b1), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** A small seeded generator: `below(n)` is 0 to n - 1. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    return ((mix(this.#state, 1) >>> 0) % limit) | 0;
  }
}
