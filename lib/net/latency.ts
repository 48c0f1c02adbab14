// The time that requests spend in the server, from the read that brought them to the write that answers, per acceptor.

import { build, encodeIntoCompressedBase64, type Histogram } from 'hdr-histogram-js';

/** What is timed apart. */
export const LATENCY_KINDS = ['login', 'shake', 'grab'] as const;
export type LatencyKind = (typeof LATENCY_KINDS)[number];

/** The longest time that is told apart, in microseconds: a minute. Longer ones are counted as this. */
export const MAX_LATENCY_US = 60_000_000;

/** A histogram of microseconds with three significant digits. */
export function buildLatencyHistogram(): Histogram {
  return build({ lowestDiscernibleValue: 1, highestTrackableValue: MAX_LATENCY_US, numberOfSignificantValueDigits: 3 });
}

/** Owned by one acceptor. */
export class LatencyRecorder {
  readonly #histograms: Record<LatencyKind, Histogram> = {
    login: buildLatencyHistogram(),
    shake: buildLatencyHistogram(),
    grab: buildLatencyHistogram(),
  };

  /** Records `count` requests that took `us` microseconds each. */
  // HOT
  record(kind: LatencyKind, us: number, count: number): void {
    this.#histograms[kind].recordValueWithCount(Math.min(Math.max(us, 1), MAX_LATENCY_US), count);
  }

  /** What was recorded since the last call, encoded for another thread; kinds with nothing are left out. */
  take(): Partial<Record<LatencyKind, string>> {
    const taken: Partial<Record<LatencyKind, string>> = {};
    for (const kind of LATENCY_KINDS) {
      const histogram = this.#histograms[kind];
      if (histogram.totalCount === 0) continue;
      taken[kind] = encodeIntoCompressedBase64(histogram);
      histogram.reset();
    }
    return taken;
  }
}
