// What a drop is asked to be: its numbers, and whether they go together.

import { CampaignError } from './campaign-error.ts';
import {
  DEFAULT_MAX_CENTS,
  DEFAULT_MIN_CENTS,
  DROP_ARENA_WORDS,
  MAX_AMOUNT_CENTS,
  MAX_BUDGET_CENTS,
} from './limits.ts';
import { isSplittable, type SplitRequest } from './split.ts';

export interface DropSpec {
  /** Packets. */
  count: number;
  /** Packets a second. */
  rate: number;
  /** Cents over all packets. */
  budget: number;
  /** Bounds of one packet, in cents. */
  min?: number | undefined;
  max?: number | undefined;
  /** How often one user may win; left out: any number of times. */
  winsPerUser?: number | undefined;
  /** Unix milliseconds before which nothing is released; left out, it begins at once. */
  startMs?: number | undefined;
}

/** Checks the numbers against each other and gives the split they ask for. @throws {CampaignError} bad_request */
export function toSplit(spec: DropSpec): SplitRequest {
  const { count, budget } = spec;
  if (count > DROP_ARENA_WORDS) {
    throw new CampaignError('bad_request', `count must be at most ${DROP_ARENA_WORDS}`);
  }
  if (budget > MAX_BUDGET_CENTS) {
    throw new CampaignError('bad_request', `budget must be at most ${MAX_BUDGET_CENTS} cents`);
  }
  const minCents = spec.min ?? DEFAULT_MIN_CENTS;
  const maxCents = spec.max ?? Math.max(DEFAULT_MAX_CENTS, minCents);
  if (maxCents > MAX_AMOUNT_CENTS || minCents > maxCents) {
    throw new CampaignError('bad_request', `min must be at most max, and max at most ${MAX_AMOUNT_CENTS} cents`);
  }
  const request: SplitRequest = { mode: 'lucky', totalCents: budget, shares: count, minCents, maxCents };
  if (!isSplittable(request)) {
    throw new CampaignError(
      'bad_request',
      `budget must lie between count * min = ${count * minCents} and count * max = ${count * maxCents} cents`,
    );
  }
  return request;
}
