// What a send is asked to be: its numbers, and whether they go together.

import { CampaignError } from './campaign-error.ts';
import { DEFAULT_MAX_CENTS, DEFAULT_MIN_CENTS, MAX_AMOUNT_CENTS, MAX_RECIPIENTS, SHARE_ARENA_WORDS } from './limits.ts';
import { isSplittable, type SplitMode } from './split.ts';

export interface SendSpec {
  /** Packets. */
  count: number;
  /** Packets a second. */
  rate: number;
  /** Shares of each packet, which is also how many users each is sent to, unless `recipients` says another number. */
  shares: number;
  /** Users that each packet is sent to, at least as many as it has shares: those who come first get one. */
  recipients?: number | undefined;
  /** Cents of each packet: a fixed number, or bounds between which each is drawn. */
  total: number | readonly [number, number];
  /** First and last user id; recipients are taken in turn. */
  users: readonly [number, number];
  mode?: SplitMode | undefined;
  expiresInSeconds?: number | undefined;
  /** Unix milliseconds before which nothing is created; left out, it begins at once. */
  startMs?: number | undefined;
  /** Cents that it puts into packets at the most: it is cut short before the packet that would pass them. */
  cap?: number | undefined;
}

/** Checks the numbers against each other and against the room there is. @throws {CampaignError} bad_request */
export function checkSend(spec: SendSpec, slots: number, maxShares: number): void {
  const { count, shares, total, users } = spec;
  const [lowCents, highCents] = boundsOf(total);
  const fail = (message: string): never => {
    throw new CampaignError('bad_request', message);
  };
  if (shares > maxShares) fail(`shares must be at most ${maxShares}`);
  if (count > slots) fail(`count must be at most ${slots}: so many packets can be open at once`);
  const { recipients = shares } = spec;
  if (recipients < shares || recipients > MAX_RECIPIENTS) {
    fail(`recipients must be at least the shares, and at most ${MAX_RECIPIENTS}`);
  }
  if (count * (3 * shares + recipients) > SHARE_ARENA_WORDS) {
    fail(`count * (3 * shares + recipients) must be at most ${SHARE_ARENA_WORDS}: there is no room for more`);
  }
  if (lowCents > highCents) fail('the first bound of total must not be above the second');
  if (highCents > MAX_AMOUNT_CENTS) fail(`total must be at most ${MAX_AMOUNT_CENTS} cents`);
  if (spec.cap !== undefined && spec.cap < lowCents) fail('cap must be at least the total of one packet');
  if (users[0] > users[1]) fail('users must be [first, last] with first at most last');
  for (const totalCents of [lowCents, highCents]) {
    const request = {
      mode: 'equal',
      totalCents,
      shares,
      minCents: DEFAULT_MIN_CENTS,
      maxCents: DEFAULT_MAX_CENTS,
    } as const;
    if (isSplittable(request)) continue;
    fail(
      `total must lie between shares * ${DEFAULT_MIN_CENTS} = ${shares * DEFAULT_MIN_CENTS} ` +
        `and shares * ${DEFAULT_MAX_CENTS} = ${shares * DEFAULT_MAX_CENTS} cents`,
    );
  }
}

/** The least and the most that a packet has, in cents. */
export function boundsOf(total: SendSpec['total']): readonly [number, number] {
  return typeof total === 'number' ? [total, total] : total;
}
