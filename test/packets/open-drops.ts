// Drops over real shared memory for the tests of drop-campaigns.ts.

import { DropCampaigns, type DropSplitter } from '../../lib/packets/drop-campaigns.ts';
import { DropTable } from '../../lib/packets/drop-table.ts';
import { MAX_OPEN_DROPS } from '../../lib/packets/limits.ts';
import { split } from '../../lib/packets/split.ts';
import { InstantLog } from './instant-log.ts';
import { seed, seedBytes } from './seed.ts';
import { allocateSmallDrops } from './small-drops.ts';

/** When the clock of a test begins. */
export const START_MS = 1_800_000_000_123;

export interface WonPacket {
  dropId: number;
  /** Its place in the split of the drop. */
  number: number;
  packetId: number;
  amountCents: number;
}

/** Splits a drop at once. */
export const splitNow: DropSplitter = async (request, seedOfSplit, memory, at) =>
  split(request, seedOfSplit, new Int32Array(memory), at);

/**
 * Drops over real shared memory, split at once. `win` is a shake; `leftIn` is what a SET has, `left` what all have.
 * @param wins how often each user has won from each drop, by "drop/user"
 */
export function openDrops(sets: number, start = 0, wins = new Map<string, number>()) {
  const table = new DropTable(allocateSmallDrops(sets, 8192, start));
  const log = new InstantLog();
  let splits = 0;
  const drops = new DropCampaigns(table, splitNow, () => seedBytes(seed, splits++), log);
  const mayWin = (dropId: number, winsPerUser: number, userId: number) =>
    winsPerUser === 0 || (wins.get(`${dropId}/${userId}`) ?? 0) < winsPerUser;
  const win = (set: number, userId: number): WonPacket | undefined => {
    for (let slot = 0; slot < MAX_OPEN_DROPS; slot++) {
      if (!table.take(slot, set, userId, mayWin)) continue;
      const key = `${table.takenDropId}/${userId}`;
      wins.set(key, (wins.get(key) ?? 0) + 1);
      table.settle(slot);
      const { takenDropId, takenNumber, takenPacketId, takenAmountCents } = table;
      return { dropId: takenDropId, number: takenNumber, packetId: takenPacketId, amountCents: takenAmountCents };
    }
    return undefined;
  };
  const leftIn = (set: number) => {
    let packets = 0;
    for (let slot = 0; slot < MAX_OPEN_DROPS; slot++) packets += table.countLeft(slot, set);
    return packets;
  };
  const left = () => sum(Array.from({ length: sets }, (_, set) => leftIn(set)));
  return { table, drops, log, win, left, leftIn };
}

export function sum(cents: Iterable<number>): number {
  let total = 0;
  for (const amount of cents) total += amount;
  return total;
}
