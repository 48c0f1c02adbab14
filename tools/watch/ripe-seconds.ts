// Holds each second back until its late samples are in, and gives it away once.

import type { LiveSecond } from '../../lib/monitor/live.ts';

/** A second is ripe when a later one has come, or after so long, in milliseconds. */
const RIPE_MS = 1500;

export class RipeSeconds {
  readonly #waiting = new Map<number, { latest: LiveSecond; sinceMs: number }>();
  #last = -1;

  /** Takes what came, also a second that came before and has changed. @param nowMs of a clock that only goes forward */
  add(seconds: readonly LiveSecond[], nowMs: number): void {
    for (const latest of seconds) {
      if (latest.second <= this.#last) continue;
      const sinceMs = this.#waiting.get(latest.second)?.sinceMs ?? nowMs;
      this.#waiting.set(latest.second, { latest, sinceMs });
    }
  }

  /** The seconds that are ripe by now, in order; a second that comes again afterwards is too late. */
  take(nowMs: number): LiveSecond[] {
    const newest = Math.max(...this.#waiting.keys());
    const ripe = [...this.#waiting]
      .filter(([second, { sinceMs }]) => second < newest || nowMs - sinceMs >= RIPE_MS)
      .map(([, { latest }]) => latest)
      .sort((a, b) => a.second - b.second);
    for (const { second } of ripe) {
      this.#waiting.delete(second);
      this.#last = second;
    }
    return ripe;
  }
}
