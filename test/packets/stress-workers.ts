// Starts the Workers of a stress test, lets them go at once, stops them, and gathers what they report.

import { Worker } from 'node:worker_threads';

/** Words of the shared control block. */
const RUNNING_WORD = 0;
const READY_WORD = 1;

/** How long the threads may take to come up, and to report after they were stopped. */
const PATIENCE_MS = 30_000;

/** In the main thread: the Workers of one test. */
export class StressWorkers<Report> {
  readonly #control = new Int32Array(new SharedArrayBuffer(8));
  readonly #reports: Promise<Report>[] = [];

  /** @param workerData what Worker `index` is told */
  constructor(file: URL, workers: number, workerData: (index: number) => object) {
    for (let index = 0; index < workers; index++) {
      const data = { ...workerData(index), control: this.#control.buffer };
      const worker = new Worker(file, { workerData: data, execArgv: [] });
      const report = new Promise<Report>((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      report.catch(() => {});
      this.#reports.push(report);
    }
  }

  /** Waits until all stand ready, and lets them go. */
  async start(): Promise<void> {
    const giveUpAt = Date.now() + PATIENCE_MS;
    while (Atomics.load(this.#control, READY_WORD) < this.#reports.length) {
      if (Date.now() > giveUpAt) throw new Error('the Workers did not come up');
      const failed = Promise.all(this.#reports).then(() => {});
      await Promise.race([failed, new Promise((resolve) => setTimeout(resolve, 2))]);
    }
    Atomics.store(this.#control, RUNNING_WORD, 1);
    Atomics.notify(this.#control, RUNNING_WORD);
  }

  /** Tells all to stop, and gives their reports. */
  async stop(): Promise<Report[]> {
    Atomics.store(this.#control, RUNNING_WORD, 2);
    return Promise.all(this.#reports);
  }
}

/** In a Worker: waits for the start; then `isRunning` until main says stop. */
export function awaitStart(memory: SharedArrayBuffer): { isRunning: () => boolean } {
  const control = new Int32Array(memory);
  Atomics.add(control, READY_WORD, 1);
  Atomics.wait(control, RUNNING_WORD, 0, PATIENCE_MS);
  return { isRunning: () => Atomics.load(control, RUNNING_WORD) === 1 };
}

/** In the main thread: stands still for a moment, so that the others run. */
export function pauseThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
