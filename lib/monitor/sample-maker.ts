// Makes samples: takes the difference of running totals, and puts a second and a number on it.

import type { Role, Sample } from './sample.ts';

/** What a process has counted since its start, and how it stands. */
export interface Totals {
  /** Since the start; they only grow. */
  totals: Record<string, number>;
  /** Of the interval alone. */
  counts: Record<string, number>;
  gauges: Record<string, number>;
  /** Of the interval, by kind, encoded. */
  latency: Record<string, string>;
}

export interface SampleOrigin {
  source: string;
  run: string;
  role: Role;
  controlPort?: number;
}

/** The interval is told to the microsecond. */
const DECIMALS = 1e6;

/** One belongs to one process. */
export class SampleMaker {
  readonly #origin: SampleOrigin;
  readonly #nowMs: () => number;
  readonly #wallMs: () => number;
  #last: Record<string, number>;
  #lastMs: number;
  #sequence = 0;

  /** @param totals at the start @param nowMs a clock that never steps @param wallMs Unix milliseconds */
  constructor(
    origin: SampleOrigin,
    totals: Record<string, number>,
    nowMs: () => number = () => performance.now(),
    wallMs: () => number = () => Date.now(),
  ) {
    this.#origin = origin;
    this.#nowMs = nowMs;
    this.#wallMs = wallMs;
    this.#last = totals;
    this.#lastMs = nowMs();
  }

  /** The sample of the time since the last one. @param isLast the process ends */
  make({ totals, counts, gauges, latency }: Totals, isLast = false): Sample {
    const nowMs = this.#nowMs();
    const elapsedMs = Math.max(1, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    const grown: Record<string, number> = {};
    for (const [name, total] of Object.entries(totals)) grown[name] = Math.max(0, total - (this.#last[name] ?? 0));
    this.#last = totals;
    return {
      ...this.#origin,
      sequence: this.#sequence++,
      // The second in which most of the interval lies, also when the timer was a little late.
      second: Math.max(0, Math.floor((this.#wallMs() - Math.min(elapsedMs, 1000) / 2) / 1000)),
      seconds: Math.round((elapsedMs / 1000) * DECIMALS) / DECIMALS,
      counts: { ...grown, ...counts },
      gauges,
      latency,
      ...(isLast ? { isLast: true as const } : {}),
    };
  }
}
