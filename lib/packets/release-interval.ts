// How often packets are released and created.
//
// Each time costs nearly the same for one packet as for a dozen: main, workers and the journal wake, and find their code
// and data cold. So packets are gathered, but for no longer than a person could notice; and where there are many, or each is
// sent to many, they come in smaller portions, since all notices of a portion leave at once, ahead of others' replies.

/** Packets that are worth a time of their own. */
const PORTION_PACKETS = 40;

/** Notices that others' replies may wait for. */
const PORTION_NOTICES = 400;

/** The least time between two portions, and the most, in milliseconds: no packet is later than this. */
const LEAST_MS = 10;
const MOST_MS = 100;

/**
 * Milliseconds from one time to the next, 10 to 100.
 * @param packets that all drops and sends release and create in a second; 0 if none does
 * @param notices that tell users of them in a second
 */
export function releaseIntervalMs(packets: number, notices: number): number {
  const portionsPerSecond = Math.max(packets / PORTION_PACKETS, notices / PORTION_NOTICES);
  return Math.max(LEAST_MS, Math.min(MOST_MS, 1000 / portionsPerSecond));
}
