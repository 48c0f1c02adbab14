// Lays out percentiles as a text table: a row a kind of request, in milliseconds.

import type { LatencySummary } from './latency-log.ts';
import { formatCount, formatMs, formatTable } from './text-table.ts';

/** The table as lines. @param title what the times are, such as 'in the server, ms' */
export function formatLatencies(title: string, summaries: readonly (readonly [string, LatencySummary])[]): string[] {
  const heading = [title, 'count', 'mean', 'p50', 'p90', 'p99', 'p99.9', 'max'];
  const rows = summaries.map(([name, s]) => [
    name,
    formatCount(s.count),
    ...[s.meanUs, s.p50Us, s.p90Us, s.p99Us, s.p999Us, s.maxUs].map(formatMs),
  ]);
  return formatTable([heading, ...rows]);
}
