// How long requests wait in a worker's rings: the first of each batch is timed, for it has waited longest.

import type { CounterWriter } from '../ring/counters.ts';
import { WorkerCount, WorkerSum } from './worker-counters.ts';

/** The worst wait stays on show for one to two of these, in microseconds. */
const WINDOW_US = 1_000_000;

/** Owned by one worker thread. Times are those of sharedClockUs. */
export class RingWait {
  readonly #counters: CounterWriter;
  #windowStartUs: number;
  #worstUs = 0;
  #shownUs = 0;

  constructor(counters: CounterWriter, nowUs: number) {
    this.#counters = counters;
    this.#windowStartUs = nowUs;
  }

  /** The first request of a batch is taken. */
  // HOT
  record(receivedUs: number, nowUs: number): void {
    const waitUs = Math.max(0, (nowUs - receivedUs) | 0);
    this.#counters.add(WorkerCount.ringBatches, 1);
    this.#counters.addToSum(WorkerSum.ringWaitMicroseconds, waitUs);
    if (waitUs <= this.#worstUs) return;
    this.#worstUs = waitUs;
    if (waitUs > this.#shownUs) this.#show(waitUs);
  }

  /** Call it a few times a second: lets go of the worst of an earlier window. */
  keepTime(nowUs: number): void {
    if (((nowUs - this.#windowStartUs) | 0) < WINDOW_US) return;
    this.#windowStartUs = nowUs;
    this.#show(this.#worstUs);
    this.#worstUs = 0;
  }

  #show(us: number): void {
    this.#counters.add(WorkerCount.ringWaitWorstMicroseconds, us - this.#shownUs);
    this.#shownUs = us;
  }
}
