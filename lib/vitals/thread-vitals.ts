// How a thread with an event loop fares: its pauses for garbage collection, and how late its event loop is.
//
// Runs on the thread that it watches, and wakes it 20 times a second: about a thousandth of a core. Node's own histogram of
// the event loop's delay forgets, when it is reset, what it is in the middle of: a delay that spans two looks would be lost.

import { PerformanceObserver } from 'node:perf_hooks';

/** Of the time since the last look. Microseconds; a gcPauses of 0 comes with gcUs and gcMaxUs 0. */
export interface ThreadVitals {
  gcPauses: number;
  gcUs: number;
  gcMaxUs: number;
  /** The longest that something due had to wait for the loop. */
  loopDelayMaxUs: number;
}

export const NO_VITALS: ThreadVitals = { gcPauses: 0, gcUs: 0, gcMaxUs: 0, loopDelayMaxUs: 0 };

/** How often the event loop is tried, in milliseconds. */
const LOOP_MS = 50;

export class ThreadWatch {
  readonly #loop: NodeJS.Timeout;
  #loopAtMs = performance.now();
  #loopDelayMaxMs = 0;
  readonly #observer: PerformanceObserver;
  #gc = { pauses: 0, ms: 0, maxMs: 0 };

  constructor() {
    this.#observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) this.#addPause(duration);
    });
    this.#observer.observe({ entryTypes: ['gc'] });
    this.#loop = setInterval(() => this.#tryLoop(), LOOP_MS).unref();
  }

  /** What happened since the last call. */
  take(): ThreadVitals {
    for (const { duration } of this.#observer.takeRecords()) this.#addPause(duration);
    const { pauses, ms, maxMs } = this.#gc;
    this.#gc = { pauses: 0, ms: 0, maxMs: 0 };
    // What is late at this moment counts too, and is counted once.
    this.#tryLoop();
    const loopMs = this.#loopDelayMaxMs;
    this.#loopDelayMaxMs = 0;
    return {
      gcPauses: pauses,
      gcUs: Math.round(ms * 1000),
      gcMaxUs: Math.round(maxMs * 1000),
      loopDelayMaxUs: Math.round(loopMs * 1000),
    };
  }

  stop(): void {
    this.#observer.disconnect();
    clearInterval(this.#loop);
  }

  #tryLoop(): void {
    const nowMs = performance.now();
    this.#loopDelayMaxMs = Math.max(this.#loopDelayMaxMs, nowMs - this.#loopAtMs - LOOP_MS);
    this.#loopAtMs = nowMs;
  }

  #addPause(ms: number): void {
    this.#gc.pauses++;
    this.#gc.ms += ms;
    this.#gc.maxMs = Math.max(this.#gc.maxMs, ms);
  }
}

/** The vitals of several threads: pauses add up, the worst is the worst of any. */
export function addVitals(a: ThreadVitals, b: ThreadVitals): ThreadVitals {
  return {
    gcPauses: a.gcPauses + b.gcPauses,
    gcUs: a.gcUs + b.gcUs,
    gcMaxUs: Math.max(a.gcMaxUs, b.gcMaxUs),
    loopDelayMaxUs: Math.max(a.loopDelayMaxUs, b.loopDelayMaxUs),
  };
}
