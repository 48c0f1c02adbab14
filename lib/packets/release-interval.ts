// How often packets are released and created.
//
// Each time costs nearly the same for one packet as for a dozen: main, workers and the journal wake, and find their code
// and data cold. So packets are gathered, but for no longer than a person could notice; and where there are many, they come
// in as small portions as the cost allows, since all notices of a portion leave at once, ahead of others' replies.

/** Packets that are worth a time of their own. */
const PORTION = 16;

/** The least time between two portions, and the most that is waited for a full one, in milliseconds. */
const LEAST_MS = 10;
const GATHER_MS = 40;

/** Where few packets are due, there are so many times for each, so that it is little later than its place in the second. */
const TIMES_PER_PACKET = 2;

/** The most, in milliseconds: no packet is later than this. */
const MOST_MS = 100;

/**
 * Milliseconds from one time to the next.
 * @param perSecond packets that all drops and sends release and create in a second; 0 if none does
 */
export function releaseIntervalMs(perSecond: number): number {
  if (perSecond === 0) return MOST_MS;
  const portionMs = Math.max(LEAST_MS, Math.min(GATHER_MS, (1000 * PORTION) / perSecond));
  return Math.max(portionMs, Math.min(MOST_MS, 1000 / TIMES_PER_PACKET / perSecond));
}
