// What a server and its clients tell of themselves, made up, for the tests of `hongbao watch`.

import type { LatencySummary } from '../../lib/monitor/latency-log.ts';
import type { LiveSecond, LiveState } from '../../lib/monitor/live.ts';

export const NOON = 1_800_000_000;

export const HELLO = { program: 'hongbao 9.9.9', server: 'server-1' };

function makeLatency(p50Us: number): Record<string, LatencySummary & { heat: { first: number; counts: number[] } }> {
  const summary = { count: 500, meanUs: p50Us, p50Us, p90Us: p50Us * 2, p99Us: p50Us * 4, p999Us: p50Us * 8 };
  return { shake: { ...summary, maxUs: p50Us * 16, heat: { first: 3, counts: [500] } } };
}

/** A second as a server reports it. @param sent shakes of a client, if one has reported too */
export function makeSecond(second: number, shakes: number, sent?: number): LiveSecond {
  const made: LiveSecond = {
    second,
    server: {
      sources: 1,
      rates: {
        requestsShake: shakes,
        requestsGrab: 6,
        shakesWon: 2,
        shakesNone: shakes - 5,
        shakesOverload: 3,
        packetsReleased: 4,
        ringWaitUs: 1000,
        ringBatches: 10,
        journalSyncUs: 5000,
        journalSyncs: 2,
        cpuUs: 250_000,
      },
      gauges: { connections: 1234, level: 1, ringWaitMaxUs: 777, differenceCents: 0 },
      latency: makeLatency(100),
    },
  };
  if (sent !== undefined) {
    const rates = { sent, answered: sent - 1, won: 2, overload: 3, grabsSent: 6, grabsAnswered: 6 };
    made.client = { sources: 1, rates, gauges: { connected: 1200 }, latency: makeLatency(200) };
  }
  return made;
}

export function makeLive(changes: Partial<LiveState> = {}): LiveState {
  const source = { source: 'server-1', role: 'server', state: 'here', lastSecond: NOON, lost: 0 } as const;
  return {
    nowMs: NOON * 1000,
    sources: [source, { ...source, source: 'client-1', role: 'client', qps: 30_000 }],
    refused: {},
    money: { funded: 500_000, claimed: 300_000, refunded: 50_000, outstanding: 150_000, difference: 0 },
    drops: [],
    sends: [],
    ...changes,
  };
}
