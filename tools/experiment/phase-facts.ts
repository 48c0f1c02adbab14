// What was reached at each rate, from the load client's samples.

import type { JsHistogram } from 'hdr-histogram-js';
import { decodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds } from '../../lib/monitor/microseconds.ts';
import type { Sample } from '../../lib/monitor/sample.ts';

/** Shakes of one phase as the clients saw them. */
export interface PhaseFacts {
  qps: number;
  /** How long of the phase is counted. */
  seconds: number;
  sentPerSecond: number;
  answeredPerSecond: number;
  /** From when each shake was due, in microseconds. */
  p50Us: number;
  p99Us: number;
  p999Us: number;
}

/** Seconds at the beginning of a phase that are not counted into its rate: a change takes effect within the first. */
const LEFT_OUT_SECONDS = 1;

/**
 * @param fromMs when the phase began, in Unix milliseconds @param untilMs when it ended
 * @param samples of the load client, in any order
 */
export function readPhase(qps: number, fromMs: number, untilMs: number, samples: readonly Sample[]): PhaseFacts {
  let seconds = 0;
  let sent = 0;
  let answered = 0;
  const latency: JsHistogram = buildMicroseconds();
  for (const sample of samples) {
    const atMs = sample.second * 1000;
    if (atMs < fromMs + LEFT_OUT_SECONDS * 1000 || atMs + 1000 > untilMs) continue;
    seconds += sample.seconds;
    sent += sample.counts.sent;
    answered += sample.counts.answered;
    if (sample.latency.shake !== undefined) latency.add(decodeLatency(sample.latency.shake));
  }
  const percentile = (p: number) => (latency.totalCount === 0 ? 0 : latency.getValueAtPercentile(p));
  return {
    qps,
    seconds,
    sentPerSecond: seconds === 0 ? 0 : sent / seconds,
    answeredPerSecond: seconds === 0 ? 0 : answered / seconds,
    p50Us: percentile(50),
    p99Us: percentile(99),
    p999Us: percentile(99.9),
  };
}
