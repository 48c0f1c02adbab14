// Samples for the tests of lib/monitor and lib/control: everyday ones, of which each test says what matters to it.

import { encodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds } from '../../lib/monitor/microseconds.ts';
import type { Sample } from '../../lib/monitor/sample.ts';

/** A second of the tests' clock. */
export const SECOND = 1_800_000_000;

export function makeSample(parts: Partial<Sample> = {}): Sample {
  return {
    source: 'server:1',
    run: 'aaa',
    role: 'server',
    sequence: 0,
    second: SECOND,
    seconds: 1,
    counts: {},
    gauges: {},
    latency: {},
    ...parts,
  };
}

/** An encoded histogram: each value so many times. */
export function encodeValues(values: Record<number, number>): string {
  const histogram = buildMicroseconds();
  for (const [value, count] of Object.entries(values)) histogram.recordValueWithCount(Number(value), count);
  return encodeLatency(histogram);
}
