// Sends over real shared memory and the packets below them, for the tests of send-campaigns.ts and sent-packets.ts.

import { DEFAULT_MAX_SHARES } from '../../lib/packets/limits.ts';
import { PacketCreator } from '../../lib/packets/packet-creator.ts';
import { allocatePackets, PacketTable } from '../../lib/packets/packet-table.ts';
import { SendCampaigns } from '../../lib/packets/send-campaigns.ts';
import type { SendSpec } from '../../lib/packets/send-spec.ts';
import { SentPackets } from '../../lib/packets/sent-packets.ts';
import { InstantLog } from './instant-log.ts';
import { seed, seedBytes } from './seed.ts';

/** When the clock of a test begins. */
export const START_MS = 1_800_000_000_250;
export const START_SECOND = Math.floor(START_MS / 1000);

/** A send with everyday numbers. */
export const everyday: SendSpec = { count: 4, rate: 10, shares: 3, total: 600, users: [0, 999] };

/**
 * Sends over real shared memory. `told` is what users were told, in order; `refunds` what went back to users who sent;
 * `over` which packets were over, in order. `tick` is what a server does every few milliseconds.
 */
export function openSends(slots: number, words = slots * 64, drawSeed = seedSource()) {
  const memory = allocatePackets(slots, words);
  const table = new PacketTable(memory);
  const creator = new PacketCreator(table, 0, slots, 0, words);
  const log = new InstantLog();
  const told: { userId: number; packetId: number }[] = [];
  const refunds: { userId: number; cents: number }[] = [];
  const over: number[] = [];
  const packets: SentPackets = new SentPackets(
    table,
    creator,
    log,
    {
      tellUser: (userId, packetId) => told.push({ userId, packetId }),
      refund: (userId, cents) => refunds.push({ userId, cents }),
      onOver: (packetId, sendId, shares, claimedCents, refundedCents) => {
        over.push(packetId);
        sends.onOver(packetId, sendId, shares, claimedCents, refundedCents);
      },
    },
    START_SECOND,
  );
  const sends: SendCampaigns = new SendCampaigns(table, packets, log, drawSeed, DEFAULT_MAX_SHARES);
  const tick = (nowMs: number, mayCreate = true) => {
    packets.tick(nowMs);
    // What the first turn logged is durable by now, unless the test holds the log: the second accounts for it.
    packets.tick(nowMs);
    sends.tick(nowMs, mayCreate);
    packets.settle();
  };
  const totalsOf = (notices: typeof told) =>
    sum([...new Set(notices.map(({ packetId }) => packetId))].map((packetId) => packets.view(packetId)!.totalCents));
  return { memory, table, creator, log, packets, sends, tick, told, refunds, over, totalsOf };
}

/** Draws the same seeds in the same order in every run with one SEED. */
export function seedSource(): () => Uint8Array {
  let seeds = 0;
  return () => seedBytes(seed, seeds++);
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
