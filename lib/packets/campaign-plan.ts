// What a drop or a send would do, without doing it: how much, when, and what it can cost.

import { DEFAULT_EXPIRY_SECONDS } from './limits.ts';
import type { SplitRequest } from './split.ts';

export interface CampaignPlan {
  packets: number;
  /** A second. */
  rate: number;
  /** ISO 8601: when the first and the last packet come, if nothing holds it up. */
  firstAt: string;
  lastAt: string;
  /** When the last share can be grabbed; of a send. */
  endsAt?: string;
  /** Cents: of one packet, and of all. What nobody takes goes back. */
  packetCents: { least: number; most: number; mean: number };
  costCents: { least: number; most: number };
}

/** The latest time that a date can say. */
const LATEST_MS = 8.64e15;

interface Timing {
  rate: number;
  startMs: number;
}

/** @param split of the whole drop */
export function planDrop(split: SplitRequest, { rate, startMs }: Timing): CampaignPlan {
  const { shares: count, totalCents, minCents, maxCents } = split;
  return {
    packets: count,
    rate,
    ...times(count, rate, startMs),
    // Of one: what is left when all others have the least, or the most.
    packetCents: {
      least: Math.max(minCents, totalCents - (count - 1) * maxCents),
      most: Math.min(maxCents, totalCents - (count - 1) * minCents),
      mean: totalCents / count,
    },
    // Nobody may shake; everybody may.
    costCents: { least: 0, most: totalCents },
  };
}

/** @param count packets that fit under its cap @param capCents Infinity for none */
export function planSend(
  spec: { count: number; shares: number; lowCents: number; highCents: number; expiresInSeconds?: number | undefined },
  { rate, startMs }: Timing,
  capCents: number,
): CampaignPlan {
  const { count, lowCents, highCents, expiresInSeconds = DEFAULT_EXPIRY_SECONDS } = spec;
  const { firstAt, lastAt } = times(count, rate, startMs);
  return {
    packets: count,
    rate,
    firstAt,
    lastAt,
    endsAt: new Date(Math.min(LATEST_MS, Date.parse(lastAt) + expiresInSeconds * 1000)).toISOString(),
    packetCents: { least: lowCents, most: highCents, mean: (lowCents + highCents) / 2 },
    costCents: { least: 0, most: Math.min(capCents, count * highCents) },
  };
}

function times(count: number, rate: number, startMs: number): { firstAt: string; lastAt: string } {
  const at = (packet: number) => new Date(Math.min(LATEST_MS, startMs + (packet / rate) * 1000)).toISOString();
  return { firstAt: at(1), lastAt: at(count) };
}
