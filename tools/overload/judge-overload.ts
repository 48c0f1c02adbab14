// Whether a server that was offered far too much did what it should: grabs served throughout, shakes shed, quick recovery.

import type { JsHistogram } from 'hdr-histogram-js';
import { decodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds } from '../../lib/monitor/microseconds.ts';
import type { Sample } from '../../lib/monitor/sample.ts';
import { formatCount, formatMs } from '../../lib/monitor/text-table.ts';
import { type Check, exactly } from '../verdict.ts';

/** Stretches of the run, in Unix milliseconds. */
export interface OverloadTimes {
  /** Half of what it can do; then ten times it; then half again, until the end. */
  calmMs: number;
  floodMs: number;
  againMs: number;
}

export interface OverloadFacts {
  times: OverloadTimes;
  /** Of those who grab, and of the server. */
  grabbers: readonly Sample[];
  server: readonly Sample[];
  grabs: { sent: number; answered: number; won: number; invited: number };
  unansweredShakes: number;
  differenceCents: number;
  auditFindings: number;
}

/** While it is flooded 99% of grabs take no longer than this, in microseconds: a person still waits for it. */
const FLOOD_P99_US = 2_000_000;

/** It has recovered once it sheds nothing, and that no later than this after the flood, in seconds. */
const RECOVERY_SECONDS = 10;

export function judgeOverload(facts: OverloadFacts): Check[] {
  const { times, grabbers, server, grabs } = facts;
  const floodP99Us = percentile(inTime(grabbers, times.floodMs, times.againMs), 99);
  const shed = sum(inTime(server, times.floodMs, times.againMs), 'shakesShed');
  const level = Math.max(0, ...inTime(server, times.floodMs, times.againMs).map(({ gauges }) => gauges.level));
  const lastShed = server.findLast(({ counts, gauges }) => counts.shakesShed > 0 || gauges.level > 0);
  const recoverySeconds = lastShed === undefined ? 0 : Math.max(0, lastShed.second + 1 - times.againMs / 1000);
  return [
    exactly('grabs not answered', 0, grabs.sent - grabs.answered),
    exactly('shares that the invited did not get', 0, grabs.invited - grabs.won),
    {
      what: 'while flooded, 99% of grabs answered within, ms',
      target: formatMs(FLOOD_P99_US),
      reached: formatMs(floodP99Us),
      isPassed: floodP99Us <= FLOOD_P99_US,
    },
    { what: 'the level it rose to', target: '2 or 3', reached: String(level), isPassed: level >= 2 },
    { what: 'shakes shed', target: 'some', reached: formatCount(shed), isPassed: shed > 0 },
    {
      what: 'seconds after the flood until nothing is shed',
      target: String(RECOVERY_SECONDS),
      reached: recoverySeconds.toFixed(1),
      isPassed: recoverySeconds <= RECOVERY_SECONDS,
    },
    exactly('shakes not answered', 0, facts.unansweredShakes),
    exactly('missing in the books, cents', 0, facts.differenceCents),
    exactly('findings of the audit', 0, facts.auditFindings),
  ];
}

function inTime(samples: readonly Sample[], fromMs: number, untilMs: number): Sample[] {
  return samples.filter(({ second }) => second * 1000 >= fromMs && second * 1000 + 1000 <= untilMs);
}

function sum(samples: readonly Sample[], name: string): number {
  return samples.reduce((total, { counts }) => total + (counts[name] ?? 0), 0);
}

/** Of grabs, in microseconds. */
function percentile(samples: readonly Sample[], percent: number): number {
  const all: JsHistogram = buildMicroseconds();
  for (const { latency } of samples) if (latency.grab !== undefined) all.add(decodeLatency(latency.grab));
  return all.totalCount === 0 ? 0 : all.getValueAtPercentile(percent);
}
