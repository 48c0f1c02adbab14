// Makes a sample of each second of a load test, for a monitor: what its threads counted and timed, and how they fared.
//
// On the coordinator's thread. The threads hand in their histograms of a second at its end; a moment later all are there.

import type { JsHistogram } from 'hdr-histogram-js';
import { encodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds } from '../../lib/monitor/microseconds.ts';
import type { Sample } from '../../lib/monitor/sample.ts';
import { SampleMaker, type SampleOrigin } from '../../lib/monitor/sample-maker.ts';
import { ProcessWatch } from '../../lib/vitals/process-vitals.ts';
import { everySecond } from '../../lib/vitals/second-timer.ts';
import type { ThreadVitals } from '../../lib/vitals/thread-vitals.ts';
import { emptyTotals, type LoadTotals } from './load-totals.ts';

/** When in a second the sample is taken, in milliseconds. */
const OFFSET_MS = 60;

/** What a load client times, encoded. */
export interface LoadLatency {
  shake: string;
  grab: string;
}

export interface LoadSamplerParts {
  origin: SampleOrigin;
  /** Shakes a second that are asked for at this moment. */
  readQps: () => number;
  onSample: (sample: Sample) => void;
}

export class LoadSampler {
  readonly #parts: LoadSamplerParts;
  readonly #watch = new ProcessWatch();
  readonly #maker: SampleMaker;
  #latency = { shake: buildMicroseconds(), grab: buildMicroseconds() };
  #readTotals: () => LoadTotals = emptyTotals;
  readonly #stopTimer: () => void;

  constructor(parts: LoadSamplerParts) {
    this.#parts = parts;
    this.#maker = new SampleMaker(parts.origin, {});
    this.#stopTimer = everySecond(OFFSET_MS, () => this.#sample(false));
  }

  /** For the coordinator: where the counts are. */
  attach(readTotals: () => LoadTotals): void {
    this.#readTotals = readTotals;
  }

  /** For the coordinator: what one thread timed since it last told, and how it fared. */
  add(shake: JsHistogram, grab: JsHistogram, vitals: ThreadVitals): void {
    this.#latency.shake.add(shake);
    this.#latency.grab.add(grab);
    this.#watch.add(vitals);
  }

  /** Makes the last sample. */
  stop(): void {
    this.#stopTimer();
    this.#sample(true);
    this.#watch.stop();
  }

  #sample(isLast: boolean): void {
    const { connected, ...totals } = this.#readTotals();
    const vitals = this.#watch.take();
    const { shake, grab } = this.#latency;
    const latency: Record<string, string> = {};
    for (const [kind, histogram] of [
      ['shake', shake],
      ['grab', grab],
    ] as [string, JsHistogram][]) {
      if (histogram.totalCount === 0) continue;
      latency[kind] = encodeLatency(histogram);
      histogram.reset();
    }
    const gauges = { connected, qps: this.#parts.readQps(), ...vitals.gauges };
    this.#parts.onSample(this.#maker.make({ totals, counts: vitals.counts, gauges, latency }, isLast));
  }
}
