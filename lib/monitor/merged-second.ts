// One second as all processes together saw it: made of their samples, by role.

import type { JsHistogram } from 'hdr-histogram-js';
import { decodeLatency, type HeatRow, heatRow, type LatencySummary, summarize } from './latency-log.ts';
import { ROLES, type Role, type Sample } from './sample.ts';
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
  for (const { source, seconds, counts, gauges, latency } of samples) {
    for (const [name, count] of Object.entries(counts)) {
      side.counts[name] = (side.counts[name] ?? 0) + count;
      side.rates[name] = (side.rates[name] ?? 0) + count / seconds;
    }
    // Of several samples of one process the last one has its gauges.
    gaugesBySource.set(source, gauges);
    for (const [kind, encoded] of Object.entries(latency)) {
      const histogram = decodeLatency(encoded);
      const merged = histograms.get(kind);
      if (merged === undefined) histograms.set(kind, histogram);
      else merged.add(histogram);
    }
  }
  for (const gauges of gaugesBySource.values()) {
    for (const [name, value] of Object.entries(gauges)) {
      const known = side.gauges[name];
      side.gauges[name] = known === undefined ? value : mergeGauge(name, known, value);
    }
  }
  for (const [kind, histogram] of histograms)
    side.latency[kind] = { ...summarize(histogram), heat: heatRow(histogram) };
  side.sources = gaugesBySource.size;
  return side;
}

/** The side of a role, if it has reported. */
export function sideOf(merged: MergedSecond, role: Role): MergedSide | undefined {
  return merged[role];
}
