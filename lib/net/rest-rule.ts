// When an acceptor rests a moment between two turns of its loop, so that the next turn finds several requests.
//
// A turn costs the same whether it finds one request or ten: the poll, the way into JavaScript, caches that went cold. At
// some thousands of requests a second each would have a turn of its own, and half of its cost would be that turn's. A rest
// of about two arrivals, and never longer than a tenth of a millisecond, shares it among several. It is worth nothing while
// requests come seldom, or while turns are full anyway; and while connections are being made each turn makes one, so that
// resting would only hold them up.

import { ArrivalRate } from '../handles/arrival-rate.ts';

/** The longest rest, in milliseconds; the system's timer adds about 0.05. */
const MOST_MS = 0.1;

/** How many requests a rest waits for. */
const WANTED_READS = 2;

/** Reads of a turn from which on it was full enough. */
const FULL_READS = 8;

/** Owned by one acceptor, whose thread it puts to sleep. */
export class RestRule {
  readonly #rest: (ms: number) => void;
  readonly #arrivals: ArrivalRate;

  /** @param now milliseconds of any clock that only goes forward @param rest blocks the thread so many milliseconds */
  constructor(now?: () => number, rest: (ms: number) => void = blockThread) {
    this.#arrivals = new ArrivalRate(now);
    this.#rest = rest;
  }

  /** Whether every turn's end is to be told: at this rate a rest may be worth it. */
  // HOT
  get isOn(): boolean {
    return this.#arrivals.isHigh;
  }

  /** A connection was opened. */
  countOpen(): void {
    this.#arrivals.countOpen();
  }

  /**
   * A turn's work is done. Rests if that is worth it.
   *
   * @param newReads reads since the end that was told last @param turnReads reads of this turn alone
   */
  // HOT
  endTurn(newReads: number, turnReads: number): void {
    this.#arrivals.countReads(newReads);
    if (turnReads >= FULL_READS || !this.#arrivals.isWorthWaiting) return;
    this.#rest(Math.min(WANTED_READS / this.#arrivals.perMs, MOST_MS));
  }
}

const word = new Int32Array(new SharedArrayBuffer(4));

function blockThread(ms: number): void {
  Atomics.wait(word, 0, 0, ms);
}
