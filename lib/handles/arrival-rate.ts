// Whether so much arrives that a thread does well to wait for it a moment, instead of going round its event loop.
//
// The way through the loop's poll and back costs more than a request. At some thousands of requests a second the next one is
// there before the loop would have gone round; while requests come seldom a wait is worth nothing, and while connections are
// being made, which the loop does, it would only hold them up.

/** Reads a millisecond from which on it is many, and below which it is no more. */
const BEGIN_RATE = 5;
const END_RATE = 3;

/** So long after a connection was opened others are likely to follow, in milliseconds. */
const OPENING_MS = 20;

/** The share of the latest turn in the average. */
const AVERAGE_SHARE = 1 / 8;

/** Owned by one thread. */
export class ArrivalRate {
  readonly #now: () => number;
  #perMs = 0;
  #isHigh = false;
  #isOpening = false;
  #lastMs = 0;
  #lastOpenMs = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds of any clock that only goes forward */
  constructor(now: () => number = performance.now.bind(performance)) {
    this.#now = now;
  }

  /** Reads a millisecond, on the average. */
  // HOT
  get perMs(): number {
    return this.#perMs;
  }

  // HOT
  get isHigh(): boolean {
    return this.#isHigh;
  }

  /** When a turn was counted last, in milliseconds of the clock. */
  // HOT
  get latestMs(): number {
    return this.#lastMs;
  }

  /** The clock. */
  // HOT
  nowMs(): number {
    return this.#now();
  }

  /** Whether a wait is worth it: much arrives, and no connections are being made. */
  // HOT
  get isWorthWaiting(): boolean {
    return this.#isHigh && !this.#isOpening;
  }

  /** A connection was opened. */
  countOpen(): void {
    this.#lastOpenMs = this.#now();
    this.#isOpening = true;
  }

  /** A turn is over, with so many reads since the last one that was counted. */
  // HOT
  countReads(reads: number): void {
    const nowMs = this.#now();
    const passedMs = Math.max(nowMs - this.#lastMs, 0.001);
    this.#lastMs = nowMs;
    this.#perMs += (reads / passedMs - this.#perMs) * AVERAGE_SHARE;
    this.#isHigh = this.#perMs >= (this.#isHigh ? END_RATE : BEGIN_RATE);
    this.#isOpening = nowMs - this.#lastOpenMs < OPENING_MS;
  }
}
