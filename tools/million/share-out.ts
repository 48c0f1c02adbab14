// Shares a whole run out over pairs of a server and a client: users, shakes, packets, so that the parts add up exactly.

import type { UserRange } from '../../clients/load/load-options.ts';

/** What all pairs together are asked for. Rates are a second. */
export interface WholeLoad {
  connections: number;
  qps: number;
  durationSeconds: number;
  dropRate: number;
  sendRate: number;
}

/** What one pair has to do. */
export interface PairLoad {
  /** Its own users; each pair has the same number of them, give or take one. */
  users: UserRange;
  /** Shakes a second. */
  qps: number;
  /** Packets of its drop, and packets of its send, over the whole time. */
  dropPackets: number;
  sentPackets: number;
}

/** Whole numbers that add up to `total` and differ by one at the most; the larger ones come first. */
export function shareOut(total: number, parts: number): number[] {
  const least = Math.floor(total / parts);
  const larger = total - least * parts;
  return Array.from({ length: parts }, (_, i) => (i < larger ? least + 1 : least));
}

/** The load of each pair. */
export function sharePairs(load: WholeLoad, pairs: number): PairLoad[] {
  const connections = shareOut(load.connections, pairs);
  const qps = shareOut(load.qps, pairs);
  const drops = shareOut(Math.round(load.dropRate * load.durationSeconds), pairs);
  const sends = shareOut(Math.round(load.sendRate * load.durationSeconds), pairs);
  let first = 0;
  return connections.map((count, i) => {
    const users: UserRange = [first, first + count - 1];
    first += count;
    return { users, qps: qps[i], dropPackets: drops[i], sentPackets: sends[i] };
  });
}
