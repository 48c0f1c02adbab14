// The steps of a packet as the threads of a server do them: prepared and published, grabbed and the claim left.

import { type NewPacket, NO_ROOM, type PacketCreator } from '../../lib/packets/packet-creator.ts';
import { GrabOutcome, type PacketTable } from '../../lib/packets/packet-table.ts';

/** Prepares a packet and publishes it at once. */
export function createPacket(creator: PacketCreator, packet: NewPacket): number {
  const packetId = creator.prepare(packet);
  if (packetId !== NO_ROOM) creator.publish(packetId);
  return packetId;
}

/** Grabs, and leaves the claim at once. */
export function grabShare(table: PacketTable, packetId: number, userId: number): GrabOutcome {
  const outcome = table.grab(packetId, userId);
  if (outcome === GrabOutcome.WON) table.leaveClaim(userId);
  return outcome;
}
