// What of a service's failures goes to the log: the first few of each second say it all.

import { MAX_LOG_LINES_PER_SECOND } from './limits.ts';

/** Owned by the service's thread. */
export class ErrorLog {
  readonly #tell: (message: string) => void;
  readonly #readMs: () => number;
  #second = -1;
  #lines = 0;

  /** @param tell hands a line on @param readMs a clock that never steps back, in milliseconds */
  constructor(tell: (message: string) => void, readMs: () => number = () => performance.now()) {
    this.#tell = tell;
    this.#readMs = readMs;
  }

  /** @param error whatever was thrown */
  add(error: unknown): void {
    const second = Math.floor(this.#readMs() / 1000);
    if (second !== this.#second) this.#lines = 0;
    this.#second = second;
    if (++this.#lines > MAX_LOG_LINES_PER_SECOND) return;
    this.#tell(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}
