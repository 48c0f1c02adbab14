// From what recovery found in the data directory to what each part of a server starts with.

import type { Holds } from './ledger/holds-file.ts';
import type { RecoveredKey } from './ledger/recovered-state.ts';
import type { Recovery } from './ledger/recovery.ts';
import type { DropCampaigns } from './packets/drop-campaigns.ts';
import type { PacketTable } from './packets/packet-table.ts';
import type { SendCampaigns } from './packets/send-campaigns.ts';
import type { SentPackets } from './packets/sent-packets.ts';
import { signatureOf } from './protocol/send-words.ts';
import type { KeyUse } from './sets/request-keys.ts';
import type { RestoredUsers } from './sets/restored-users.ts';

/** What the users of each worker had; all empty without a recovery. @param slotOfDrop where each open drop is now */
export function restoreUsers(
  recovery: Recovery | undefined,
  sets: number,
  workers: number,
  slotOfDrop: (dropId: number) => number,
): RestoredUsers[] {
  const workerOf = (userId: number) => (userId % sets) % workers;
  const parts = Array.from({ length: workers }, () => ({
    userIds: [] as number[],
    balances: [] as number[],
    notices: [] as number[],
    wins: [] as RestoredUsers['wins'],
    keys: [] as RestoredUsers['keys'],
  }));
  if (recovery !== undefined) {
    const { state, openPackets } = recovery;
    for (const [userId, cents] of state.balances) {
      const part = parts[workerOf(userId)];
      part.userIds.push(userId);
      part.balances.push(cents);
    }
    for (const [userId, packetId] of state.listNotices(openPackets)) {
      parts[workerOf(userId)].notices.push(userId, packetId);
    }
    for (const [dropId, { wins }] of state.drops) {
      for (const [userId, count] of wins) {
        parts[workerOf(userId)].wins.push({ slot: slotOfDrop(dropId), dropId, userId, count });
      }
    }
    for (const [userId, keys] of state.keys) {
      for (const key of keys) parts[workerOf(userId)].keys.push({ userId, key: key.key, use: toUse(key) });
    }
  }
  return parts.map(({ userIds, balances, notices, wins, keys }) => ({
    userIds: Int32Array.from(userIds),
    balances: Float64Array.from(balances),
    notices: Int32Array.from(notices),
    wins,
    keys,
  }));
}

/** Takes up the drops, sends and packets where they stood. @throws {CampaignError} no_room */
export async function restoreCampaigns(
  { state, openPackets }: Recovery,
  holds: Holds,
  table: PacketTable,
  drops: DropCampaigns,
  sends: SendCampaigns,
  packets: SentPackets,
  nowMs: number,
): Promise<void> {
  drops.continueFrom(state.lastDropId, state.nextNumber, holds.drops);
  sends.continueFrom(state.lastSendId, holds.sends);
  for (const drop of state.drops.values()) await drops.restore(drop, nowMs);
  for (const packetId of openPackets) {
    packets.restore(packetId, state.sendOf(packetId), table.facts(packetId)!.expiresAt);
  }
  for (const send of state.listSends(openPackets)) sends.restore(send, nowMs);
}

/** In one sentence, for the log. */
export function describeRecovery({ state, end, hasSnapshot, seconds, openPackets }: Recovery): string {
  const torn = end.tornBytes > 0 ? `, cut ${end.tornBytes} bytes that a crash left incomplete` : '';
  const from = hasSnapshot ? ' behind the snapshot' : '';
  return (
    `recovered ${end.records} records${from} in ${seconds.toFixed(2)} s${torn}: ${state.balances.size} users, ` +
    `${state.drops.size} open drops, ${openPackets.length} open packets`
  );
}

function toUse(key: RecoveredKey): KeyUse {
  if (key.kind !== 'send') return { kind: key.kind, signature: key.cents, packetId: 0 };
  const { packet, id } = key.opening;
  const signature = signatureOf({
    users: [...packet.invited],
    totalCents: packet.totalCents,
    shares: packet.shares,
    mode: packet.mode,
    expiresInSeconds: packet.expiresAt - packet.createdAt,
    note: Buffer.from(packet.note).toString('utf8'),
  });
  return { kind: 'send', signature, packetId: id };
}
