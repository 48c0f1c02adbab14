// Sends over real shared memory for the tests of send-campaigns.ts.

import { DEFAULT_MAX_SHARES } from '../../lib/packets/limits.ts';
import { PacketCreator } from '../../lib/packets/packet-creator.ts';
import { allocatePackets, PacketTable } from '../../lib/packets/packet-table.ts';
import { SendCampaigns } from '../../lib/packets/send-campaigns.ts';
import { seed, seedBytes } from './seed.ts';

/** When the clock of a test begins. */
export const START_MS = 1_800_000_000_250;
export const START_SECOND = Math.floor(START_MS / 1000);

/** Sends over real shared memory; `told` is what users were told, in order. */
export function openSends(slots: number, words = slots * 64) {
  const table = new PacketTable(allocatePackets(slots, words));
  const creator = new PacketCreator(table, 0, slots, 0, words);
  const told: { userId: number; packetId: number }[] = [];
  let seeds = 0;
  const sends = new SendCampaigns(
    table,
    creator,
    () => seedBytes(seed, seeds++),
    (userId, packetId) => told.push({ userId, packetId }),
    DEFAULT_MAX_SHARES,
    START_SECOND,
  );
  const totalsOf = (notices: typeof told) =>
    sum([...new Set(notices.map(({ packetId }) => packetId))].map((packetId) => sends.packet(packetId).totalCents));
  return { sends, table, told, totalsOf };
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
