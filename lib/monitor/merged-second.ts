// One second as all processes together saw it: made of their samples, by role.

import type { JsHistogram } from 'hdr-histogram-js';
import { decodeLatency } from './latency-coding.ts';
import { type HeatRow, heatRow, type LatencySummary, summarize } from './latency-log.ts';
import { ROLES, type Sample } from './sample.ts';
import { mergeGauge } from './sample-fields.ts';

/** Percentiles of one kind of request in one second, and its row of the heat map. */
export interface MergedLatency extends LatencySummary {
  heat: HeatRow;
}

/** What the processes of one role counted in one second. */
export interface MergedSide {
  /** Processes that have reported. */
  sources: number;
  /** Events counted, by name. */
  counts: Record<string, number>;
  /** Events a second, by name: each process's count over its own interval. */
  rates: Record<string, number>;
  /** By name: added up, or the largest, as the gauge is. */
  gauges: Record<string, number>;
  /** By kind of request. */
  latency: Record<string, MergedLatency>;
}

export interface MergedSecond {
  /** Unix seconds. */
  second: number;
  server?: MergedSide;
  client?: MergedSide;
}

/** Puts together the samples of one second; several of one process, when its clock was set back, count as well. */
export function mergeSecond(second: number, samples: readonly Sample[]): MergedSecond {
  const merged: MergedSecond = { second };
  for (const role of ROLES) {
    const side = mergeSide(samples.filter((sample) => sample.role === role));
    if (side !== undefined) merged[role] = side;
  }
  return merged;
}

/** All seconds that the samples are about, in order. Seconds without a sample are not there. */
export function mergeSamples(samples: Iterable<Sample>): MergedSecond[] {
  const bySecond = new Map<number, Sample[]>();
  for (const sample of samples) {
    const same = bySecond.get(sample.second);
    if (same === undefined) bySecond.set(sample.second, [sample]);
    else same.push(sample);
  }
  return [...bySecond].sort(([a], [b]) => a - b).map(([second, same]) => mergeSecond(second, same));
}

function mergeSide(samples: readonly Sample[]): MergedSide | undefined {
  if (samples.length === 0) return undefined;
  const side: MergedSide = { sources: 0, counts: {}, rates: {}, gauges: {}, latency: {} };
  const histograms = new Map<string, JsHistogram>();
  const gaugesBySource = new Map<string, Record<string, number>>();
  for (const { source, run, seconds, counts, gauges, latency } of samples) {
    for (const [name, count] of Object.entries(counts)) {
      add(side.counts, name, count);
      add(side.rates, name, count / seconds);
    }
    // Of several samples of one process the last one has its gauges.
    gaugesBySource.set(`${source}/${run}`, gauges);
    for (const [kind, encoded] of Object.entries(latency)) {
      const histogram = decodeLatency(encoded);
      const merged = histograms.get(kind);
      if (merged === undefined) histograms.set(kind, histogram);
      else merged.add(histogram);
    }
  }
  for (const gauges of gaugesBySource.values()) {
    for (const [name, value] of Object.entries(gauges)) {
      side.gauges[name] = Object.hasOwn(side.gauges, name) ? mergeGauge(name, side.gauges[name], value) : value;
    }
  }
  for (const [kind, histogram] of histograms)
    side.latency[kind] = { ...summarize(histogram), heat: heatRow(histogram) };
  side.sources = gaugesBySource.size;
  return side;
}

/** Names come from outside: what every object has, such as `constructor`, is none of them. */
function add(sums: Record<string, number>, name: string, value: number): void {
  sums[name] = (Object.hasOwn(sums, name) ? sums[name] : 0) + value;
}
