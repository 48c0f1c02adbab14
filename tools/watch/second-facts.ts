// What a merged second says, by the names that a viewer has for it. What nobody has reported is undefined.

import type { LatencySummary } from '../../lib/monitor/latency-log.ts';
import type { LiveSecond } from '../../lib/monitor/live.ts';

type Side = LiveSecond['server'];

/** A count a second; a side that has reported has counted 0 of what it does not name. */
export function rateOf(side: Side, ...names: string[]): number | undefined {
  if (side === undefined) return undefined;
  return names.reduce((sum, name) => sum + (side.rates[name] ?? 0), 0);
}

/** Requests a second that a server has read, of every kind. */
export function requestsRead(side: Side): number | undefined {
  if (side === undefined) return undefined;
  return rateOf(side, ...Object.keys(side.rates).filter((name) => name.startsWith('requests')));
}

/** One count by another, such as microseconds by syncs. */
export function meanOf(side: Side, sum: string, count: string): number | undefined {
  const times = rateOf(side, count);
  return times === undefined || times === 0 ? undefined : rateOf(side, sum)! / times;
}

/** Latency of shakes as the clients see it, or the server if there are no clients. */
export function shakeLatency({ client, server }: LiveSecond): LatencySummary | undefined {
  return client?.latency.shake ?? server?.latency.shake;
}

/** The time of a second, in this machine's zone: 12:34:56. */
export function timeOf(second: number): string {
  return new Date(second * 1000).toTimeString().slice(0, 8);
}
