// Gathers the latency histograms that the threads send: one since the start and one for the present interval, by kind.

import type { JsHistogram } from 'hdr-histogram-js';
import { decodeLatency, encodeLatency } from './latency-coding.ts';
import { buildMicroseconds } from './microseconds.ts';

/** Percentiles of a histogram, in microseconds. */
export interface LatencySummary {
  count: number;
  meanUs: number;
  p50Us: number;
  p90Us: number;
  p99Us: number;
  p999Us: number;
  maxUs: number;
}

/** A histogram in few buckets, the way Prometheus has them. */
export interface LatencyBuckets {
  /** By bound: how many took no longer. */
  cumulative: number[];
  count: number;
  sumUs: number;
}

/**
 * One column of a heat map: how many took how long. Bucket 0 ends at HEAT_FIRST_US, each further one at 10^(1/8) times the
 * end of the one before; what is longer than all is in the last one.
 */
export interface HeatRow {
  /** The first bucket that has anything; the buckets from there on are in `counts`. */
  first: number;
  counts: number[];
}

/** The end of the first bucket of a heat map in microseconds, buckets a decade, and buckets in all: up to a minute. */
export const HEAT_FIRST_US = 10;
export const HEAT_PER_DECADE = 8;
export const HEAT_BUCKETS = 56;

/** Main thread. `kinds` is fixed at the start; histograms of other kinds are an error of the caller. */
export class LatencyLog<Kind extends string> {
  readonly kinds: readonly Kind[];
  readonly #total = new Map<Kind, JsHistogram>();
  readonly #intervals: LatencyInterval<Kind>[] = [];

  constructor(kinds: readonly Kind[]) {
    this.kinds = kinds;
    for (const kind of kinds) this.#total.set(kind, buildMicroseconds());
  }

  /** Adds what one thread has timed since it last sent. */
  add(histograms: Partial<Record<Kind, string>>): void {
    for (const kind of this.kinds) {
      const encoded = histograms[kind];
      if (encoded === undefined) continue;
      const histogram = decodeLatency(encoded);
      this.#total.get(kind)!.add(histogram);
      for (const interval of this.#intervals) interval.add(kind, histogram);
    }
  }

  /** Everything since the start. */
  summarizeTotal(kind: Kind): LatencySummary {
    return summarize(this.#total.get(kind)!);
  }

  /** Everything since the start, in buckets. @param boundsUs upper bounds in microseconds, ascending */
  countTotal(kind: Kind, boundsUs: readonly number[]): LatencyBuckets {
    return countBuckets(this.#total.get(kind)!, boundsUs);
  }

  /** Begins to gather intervals, for one reader. */
  openInterval(): LatencyInterval<Kind> {
    const interval = new LatencyInterval<Kind>();
    this.#intervals.push(interval);
    return interval;
  }
}

/** What was timed since one reader last took it. */
export class LatencyInterval<Kind extends string> {
  #histograms = new Map<Kind, JsHistogram>();

  /** For the log. */
  add(kind: Kind, histogram: JsHistogram): void {
    let sum = this.#histograms.get(kind);
    if (sum === undefined) {
      sum = buildMicroseconds();
      this.#histograms.set(kind, sum);
    }
    sum.add(histogram);
  }

  /** Ends the interval: its histograms, for the kinds that had any. */
  take(): Map<Kind, JsHistogram> {
    const taken = this.#histograms;
    this.#histograms = new Map();
    return taken;
  }

  /** The same, encoded for a sample. */
  takeEncoded(): Record<string, string> {
    return Object.fromEntries([...this.take()].map(([kind, histogram]) => [kind, encodeLatency(histogram)]));
  }
}

/** The percentiles of a histogram of microseconds; all 0 when it is empty. */
export function summarize(histogram: JsHistogram): LatencySummary {
  if (histogram.totalCount === 0) {
    return { count: 0, meanUs: 0, p50Us: 0, p90Us: 0, p99Us: 0, p999Us: 0, maxUs: 0 };
  }
  return {
    count: histogram.totalCount,
    meanUs: Math.round(histogram.mean),
    p50Us: histogram.getValueAtPercentile(50),
    p90Us: histogram.getValueAtPercentile(90),
    p99Us: histogram.getValueAtPercentile(99),
    p999Us: histogram.getValueAtPercentile(99.9),
    maxUs: histogram.maxValue,
  };
}

/** A histogram of microseconds in buckets; a value within a thousandth of a bound may be counted on its other side. */
export function countBuckets(histogram: JsHistogram, boundsUs: readonly number[]): LatencyBuckets {
  const cumulative: number[] = [];
  let count = 0;
  const { recordedValuesIterator: values } = histogram;
  values.reset();
  while (values.hasNext()) {
    const { valueIteratedTo, countAddedInThisIterationStep } = values.next();
    while (cumulative.length < boundsUs.length && boundsUs[cumulative.length] < valueIteratedTo) cumulative.push(count);
    count += countAddedInThisIterationStep;
  }
  while (cumulative.length < boundsUs.length) cumulative.push(count);
  return { cumulative, count, sumUs: count === 0 ? 0 : histogram.mean * count };
}

/** The column of a heat map that a histogram of microseconds is. */
export function heatRow(histogram: JsHistogram): HeatRow {
  const { cumulative, count } = countBuckets(histogram, HEAT_BOUNDS_US);
  const counts = HEAT_BOUNDS_US.map((_, i) => cumulative[i] - (i === 0 ? 0 : cumulative[i - 1]));
  counts.push(count - cumulative[cumulative.length - 1]);
  const first = counts.findIndex((inBucket) => inBucket > 0);
  if (first < 0) return { first: 0, counts: [] };
  let end = counts.length;
  while (counts[end - 1] === 0) end--;
  return { first, counts: counts.slice(first, end) };
}

/** The end of a bucket of a heat map, in microseconds. */
export function heatBoundUs(bucket: number): number {
  return HEAT_FIRST_US * 10 ** (bucket / HEAT_PER_DECADE);
}

const HEAT_BOUNDS_US = Array.from({ length: HEAT_BUCKETS - 1 }, (_, bucket) => heatBoundUs(bucket));
