// What a serving process prints on stdout at each interval: the rates, percentiles by kind of request, and the histogram of shakes.

import type { JsHistogram } from 'hdr-histogram-js';
import { summarize } from './latency-log.ts';
import { formatLatencies } from './latency-table.ts';
import { formatCount, formatMs } from './text-table.ts';

/** What happened in an interval, beside the latencies. Counts, not rates. */
export interface IntervalCounts {
  seconds: number;
  /** Open now. */
  connections: number;
  shakes: number;
  won: number;
  overload: number;
  grabs: number;
  notices: number;
}

/** Characters of the longest bar. */
const BAR_WIDTH = 40;

/** The report as lines; none when nothing happened. @param at the end of the interval */
export function formatInterval(
  at: Date,
  counts: IntervalCounts,
  latencies: ReadonlyMap<string, JsHistogram>,
): string[] {
  if (latencies.size === 0) return [];
  const perSecond = (count: number) => `${formatCount(count / counts.seconds)}/s`;
  const lines = [
    `${at.toISOString()}  connections ${formatCount(counts.connections)}  shakes ${perSecond(counts.shakes)}  ` +
      `won ${perSecond(counts.won)}  overload ${perSecond(counts.overload)}  grabs ${perSecond(counts.grabs)}  ` +
      `notices ${perSecond(counts.notices)}`,
  ];
  const summaries = [...latencies].map(([kind, histogram]) => [kind, summarize(histogram)] as const);
  lines.push(...formatLatencies('in the server, ms', summaries).map((line) => `  ${line}`));
  const shakes = latencies.get('shake');
  if (shakes !== undefined) lines.push(...drawHistogram(shakes));
  return lines;
}

/**
 * A histogram of microseconds drawn as bars: one line a power of two, from the first that has anything to the last.
 * The bars grow with the logarithm of the count, so that one slow request in a million still shows.
 */
export function drawHistogram(histogram: JsHistogram): string[] {
  const counts: number[] = [];
  for (let power = 0, seen = 0; seen < histogram.totalCount; power++) {
    const from = histogram.countsArrayIndex(power === 0 ? 0 : 2 ** (power - 1));
    const to = histogram.countsArrayIndex(2 ** power);
    let count = 0;
    for (let index = from; index < to; index++) count += histogram.getCountAtIndex(index);
    counts.push(count);
    seen += count;
  }
  const scale = BAR_WIDTH / Math.log(Math.max(...counts) + 1);
  const rows = counts.map((count, power) => ({
    label: `< ${formatMs(2 ** power)} ms`,
    bar: '#'.repeat(Math.min(BAR_WIDTH, Math.ceil(Math.log(count + 1) * scale))),
    count,
  }));
  return rows
    .slice(counts.findIndex((count) => count > 0))
    .map(({ label, bar, count }) => `${label.padStart(14)}  ${bar.padEnd(BAR_WIDTH)}  ${formatCount(count)}`);
}
