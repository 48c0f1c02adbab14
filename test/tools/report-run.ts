// Makes up run logs for the tests of the report: a server and a load client in phases of different rates, from a seed.

import { writeFileSync } from 'node:fs';
import { encodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds } from '../../lib/monitor/microseconds.ts';
import type { RunHeader, RunLogLine, RunMark, RunVerdict } from '../../lib/monitor/run-log.ts';
import type { Role, Sample } from '../../lib/monitor/sample.ts';
import { TestRandom } from '../packets/seed.ts';

/** Unix second of the first sample. */
export const FIRST_SECOND = 1_790_000_000;

/** Shakes whose latency is drawn from the seed, of each second; the others are counted, not drawn. */
const DRAWN_LATENCIES = 400;

const MEAN_PACKET_CENTS = 550;

export interface SyntheticRun {
  seed: number;
  /** Shakes a second, and how many seconds of it. */
  phases: readonly { qps: number; seconds: number }[];
  packetsPerSecond: number;
  roles?: readonly Role[];
  /** Seconds since the first without a sample. */
  gap?: { from: number; until: number };
  header?: Partial<RunHeader>;
  marks?: readonly RunMark[];
  verdict?: RunVerdict;
}

/** The lines of a log. */
export function makeRunLines(run: SyntheticRun): RunLogLine[] {
  const random = new TestRandom(run.seed);
  const lines: RunLogLine[] = [
    {
      type: 'run',
      name: 'synthetic',
      startedAt: new Date(FIRST_SECOND * 1000).toISOString(),
      program: 'hongbao/0.1.0',
      machine: { cpus: 4, cpu: 'Made-up CPU', memoryBytes: 8 * 2 ** 30, platform: 'linux x64', node: 'v26.10.0' },
      ...run.header,
    },
    ...(run.marks ?? []).map((mark) => ({ type: 'mark' as const, ...mark })),
  ];
  let at = 0;
  for (const { qps, seconds } of run.phases) {
    for (let i = 0; i < seconds; i++, at++) {
      if (run.gap !== undefined && at >= run.gap.from && at < run.gap.until) continue;
      const shakes = Math.round(qps * (0.985 + 0.03 * nextShare(random)));
      const packets = Math.round(run.packetsPerSecond * (0.95 + 0.1 * nextShare(random)));
      for (const role of run.roles ?? ['server', 'client']) {
        const sample =
          role === 'server' ? serverSample(random, at, shakes, packets) : clientSample(random, at, shakes, packets);
        lines.push({ type: 'sample', sample });
      }
    }
  }
  if (run.verdict !== undefined) lines.push({ type: 'verdict', ...run.verdict });
  return lines;
}

/** Writes a log. @param torn what a killed process left behind the last line */
export function writeRunLog(path: string, lines: readonly RunLogLine[], torn = ''): void {
  writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join('') + torn);
}

function serverSample(random: TestRandom, at: number, shakes: number, packets: number): Sample {
  const sent = Math.round(packets / 10);
  return {
    source: 'server-1025',
    run: 'server-run',
    role: 'server',
    sequence: at,
    second: FIRST_SECOND + at,
    seconds: 1,
    counts: {
      requestsShake: shakes,
      requestsGrab: packets,
      requestsPing: Math.round(shakes / 30),
      packetsReleased: packets,
      releasedCents: packets * MEAN_PACKET_CENTS,
      packetsSent: sent,
      sentCents: sent * MEAN_PACKET_CENTS,
      shakesShed: Math.round(shakes / 100),
      shakesWon: packets,
      shakesWonCents: packets * MEAN_PACKET_CENTS,
      grabsWon: sent,
      grabsWonCents: sent * MEAN_PACKET_CENTS,
      journalBatches: 180 + between(random, 0, 60),
      journalSyncs: 150,
      journalSyncUs: 150 * between(random, 900, 2200),
      nicRxPackets: Math.round(shakes * 1.04) + between(random, 0, 300),
      nicTxPackets: Math.round(shakes * 0.97) + between(random, 0, 300),
    },
    gauges: {
      connections: Math.min(10_000, (at + 1) * 2500),
      gcMaxUs: nextShare(random) < 0.1 ? between(random, 3000, 9000) : between(random, 200, 1500),
      loopDelayMaxUs: between(random, 1000, 12_000),
    },
    latency: { shake: drawLatency(random, 250, shakes), grab: drawLatency(random, 2500, packets) },
  };
}

function clientSample(random: TestRandom, at: number, shakes: number, packets: number): Sample {
  const grabbed = Math.round(packets / 10);
  return {
    source: 'load-1',
    run: 'load-run',
    role: 'client',
    sequence: at,
    second: FIRST_SECOND + at,
    seconds: 1,
    counts: {
      sent: shakes,
      answered: Math.max(0, shakes - between(random, 0, 40)),
      won: packets,
      wonCents: packets * MEAN_PACKET_CENTS,
      grabsSent: grabbed,
      grabsWon: grabbed,
      grabCents: grabbed * MEAN_PACKET_CENTS,
    },
    gauges: {
      connected: Math.min(10_000, (at + 1) * 2400),
      gcMaxUs: between(random, 300, 4000),
      loopDelayMaxUs: between(random, 2000, 20_000),
    },
    latency: { shake: drawLatency(random, 900, shakes), grab: drawLatency(random, 4000, grabbed) },
  };
}

/** Skewed to the right, as latencies are; one in a hundred is ten times as long. */
function drawLatency(random: TestRandom, typicalUs: number, count: number): string {
  const histogram = buildMicroseconds();
  const drawn = Math.min(count, DRAWN_LATENCIES);
  for (let i = 0; i < drawn; i++) {
    const stretch = nextShare(random) < 0.01 ? 10 : 1;
    const us = Math.round(typicalUs * stretch * Math.exp(1.2 * (nextShare(random) + nextShare(random) - 1)));
    histogram.recordValueWithCount(us, Math.round(count / drawn));
  }
  return encodeLatency(histogram);
}

/** From 0 up to 1. */
function nextShare(random: TestRandom): number {
  return between(random, 0, 2 ** 20) / 2 ** 20;
}

function between(random: TestRandom, from: number, until: number): number {
  return from + random.below(until - from);
}
