// When an acceptor rests a moment between two turns of its loop, so that the next turn finds several requests.
//
// A turn costs the same whether it finds one request or ten: the poll, the way into JavaScript, caches that went cold. At
// some thousands of requests a second each would have a turn of its own, and half of its cost would be that turn's. A rest
// of about two arrivals, and never longer than a tenth of a millisecond, shares it among several. It is worth nothing while
// requests come seldom, or while turns are full anyway; and while connections are being made each turn makes one, so that
// resting would only hold them up.

/** The longest rest, in milliseconds; the system's timer adds about 0.05. */
const MOST_MS = 0.1;

/** How many requests a rest waits for. */
const WANTED_READS = 2;

/** Reads of a turn from which on it was full enough. */
const FULL_READS = 8;

/** Reads a millisecond from which on resting begins, and below which it ends. */
const BEGIN_RATE = 5;
const END_RATE = 3;

/** No rest this long after a connection was opened, in milliseconds. */
const OPENING_MS = 20;

/** The share of the latest turn in the average rate. */
const AVERAGE_SHARE = 1 / 8;

/** Owned by one acceptor, whose thread it puts to sleep. */
export class RestRule {
  readonly #now: () => number;
  readonly #rest: (ms: number) => void;
  /** Reads a millisecond. */
  #rate = 0;
  #isOn = false;
  #lastEndMs = 0;
  #lastOpenMs = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds of any clock that only goes forward @param rest blocks the thread so many milliseconds */
  constructor(now: () => number = performance.now.bind(performance), rest: (ms: number) => void = blockThread) {
    this.#now = now;
    this.#rest = rest;
  }

  /** Whether every turn's end is to be told: at this rate a rest may be worth it. */
  // HOT
  get isOn(): boolean {
    return this.#isOn;
  }

  /** A connection was opened. */
  countOpen(): void {
    this.#lastOpenMs = this.#now();
  }

  /**
   * A turn's work is done. Rests if that is worth it.
   *
   * @param newReads reads since the end that was told last @param turnReads reads of this turn alone
   */
  // HOT
  endTurn(newReads: number, turnReads: number): void {
    const nowMs = this.#now();
    const passedMs = Math.max(nowMs - this.#lastEndMs, 0.001);
    this.#lastEndMs = nowMs;
    this.#rate += (newReads / passedMs - this.#rate) * AVERAGE_SHARE;
    this.#isOn = this.#rate >= (this.#isOn ? END_RATE : BEGIN_RATE);
    if (!this.#isOn || turnReads >= FULL_READS || nowMs - this.#lastOpenMs < OPENING_MS) return;
    this.#rest(Math.min(WANTED_READS / this.#rate, MOST_MS));
  }
}

const word = new Int32Array(new SharedArrayBuffer(4));

function blockThread(ms: number): void {
  Atomics.wait(word, 0, 0, ms);
}
