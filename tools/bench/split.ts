// The axis of the split alone: what it costs to split a packet, by its shares. Every split is checked, off the clock.

import { randomBytes } from 'node:crypto';
import { DEFAULT_MAX_CENTS, DEFAULT_MIN_CENTS } from '../../lib/packets/limits.ts';
import { SEED_BYTES } from '../../lib/packets/seeded-random.ts';
import { SPLIT_MODES, type SplitMode, split } from '../../lib/packets/split.ts';
import type { Run } from './growth/axis.ts';
import { type AxisMaker, pick } from './growth/settings.ts';

const SHARES = [2, 10, 100];

/** Cents of a packet for each of its shares. */
const CENTS_PER_SHARE = 100;

/** Splits between two looks at the clock, and the part of the measured time that a run takes. */
const SPLITS = 1000;
const TIME_PART = 0.1;

export const splitAxis: AxisMaker = (settings) => ({
  varies: 'shares',
  series: SPLIT_MODES.map((mode) => ({ title: `split alone, ${mode}`, cost: 'ns per share' })),
  points: pick(SHARES, settings).map((shares) => ({
    label: `${shares}`,
    async open() {
      const seconds = settings.seconds * TIME_PART;
      return { measures: SPLIT_MODES.map((mode) => async () => runSplits(mode, shares, seconds)), async close() {} };
    },
  })),
});

/** Splits packets for about so many seconds. The cost is in nanoseconds per share. */
export function runSplits(mode: SplitMode, shares: number, seconds: number): Run {
  const request = {
    mode,
    shares,
    totalCents: CENTS_PER_SHARE * shares,
    minCents: DEFAULT_MIN_CENTS,
    maxCents: DEFAULT_MAX_CENTS,
  };
  const seed = randomBytes(SEED_BYTES);
  const into = new Int32Array(SPLITS * shares);
  let splits = 0;
  let wrong = 0;
  let spentMs = 0;
  while (spentMs < seconds * 1000) {
    into.fill(0);
    const startedAt = performance.now();
    for (let i = 0; i < SPLITS; i++) {
      seed.writeUInt32BE(splits + i);
      split(request, seed, into, i * shares);
    }
    spentMs += performance.now() - startedAt;
    for (let i = 0; i < SPLITS; i++) {
      if (!isRight(into.subarray(i * shares, (i + 1) * shares), request.totalCents)) wrong++;
    }
    splits += SPLITS;
  }
  return {
    cost: (spentMs * 1e6) / (splits * shares),
    figures: { 'shares/s': (splits * shares * 1000) / spentMs, 'packets/s': (splits * 1000) / spentMs },
    faults: wrong === 0 ? [] : [`${wrong} of ${splits} splits do not add up, or leave their bounds`],
  };
}

function isRight(shares: Int32Array, totalCents: number): boolean {
  let sum = 0;
  for (const share of shares) {
    if (share < DEFAULT_MIN_CENTS || share > DEFAULT_MAX_CENTS) return false;
    sum += share;
  }
  return sum === totalCents;
}
