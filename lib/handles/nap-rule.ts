// When a thread that has nothing to read naps in the kernel for the next arrival, instead of going back to its event loop.
//
// The way through the loop's poll and back costs more than a request. At some thousands of requests a second the next one is
// there before the loop would have gone round, and a nap ends with it. It is worth nothing while requests come seldom; and
// while connections are being made, which the loop accepts, it would only hold them up.

/** Reads a millisecond from which on napping begins, and below which it ends. */
const BEGIN_RATE = 5;
const END_RATE = 3;

/** No naps this long after a connection was opened, in milliseconds. */
const OPENING_MS = 20;

/** The share of the latest round in the average rate. */
const AVERAGE_SHARE = 1 / 8;

/** Owned by one thread. */
export class NapRule {
  readonly #now: () => number;
  /** Reads a millisecond. */
  #rate = 0;
  #isOn = false;
  #lastMs = 0;
  #lastOpenMs = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds of any clock that only goes forward */
  constructor(now: () => number = performance.now.bind(performance)) {
    this.#now = now;
  }

  /** Whether to nap before the next round. */
  // HOT
  get isOn(): boolean {
    return this.#isOn;
  }

  /** A connection was opened. */
  countOpen(): void {
    this.#lastOpenMs = this.#now();
    this.#isOn = false;
  }

  /** A round has handed over so many reads. */
  // HOT
  countReads(reads: number): void {
    const nowMs = this.#now();
    const passedMs = Math.max(nowMs - this.#lastMs, 0.001);
    this.#lastMs = nowMs;
    this.#rate += (reads / passedMs - this.#rate) * AVERAGE_SHARE;
    this.#isOn = this.#rate >= (this.#isOn ? END_RATE : BEGIN_RATE) && nowMs - this.#lastOpenMs >= OPENING_MS;
  }
}
