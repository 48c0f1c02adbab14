// Packet ids: 32 bits on the wire, unique on this node while they matter.
//
// Sent packet:  0 | generation (11 bits, 1..2047) | slot (20 bits). A slot's generation grows each time it is reused, so
//               an old id finds nothing instead of somebody else's packet.
// Shake packet: 1 | number (31 bits): drops number their packets from one running count.
//
// Across many nodes an id is node * 2^32 + id; nothing here may assume that this node is the only one.

const SLOT_BITS = 20;
const SLOT_MASK = 2 ** SLOT_BITS - 1;
const SHAKE_BIT = 0x8000_0000;

/** Generations run from 1 to this and then from 1 again. */
export const MAX_GENERATION = 2 ** 11 - 1;

/** Numbers of shake packets run from 0 to 2^31 - 1 and then from 0 again. */
export const SHAKE_NUMBERS = 2 ** 31;

/** The id of a sent packet: 2^20 to 2^31 - 1. */
export function packetIdOf(generation: number, slot: number): number {
  return (generation << SLOT_BITS) | slot;
}

/** The id of a shake packet: 2^31 to 2^32 - 1. */
export function shakePacketIdOf(number: number): number {
  return (SHAKE_BIT | (number % SHAKE_NUMBERS)) >>> 0;
}

/** The slot of a sent packet's id. */
export function slotOf(packetId: number): number {
  return packetId & SLOT_MASK;
}

/** The generation of a sent packet's id; at least 2048 for the id of a shake packet, which no slot has. */
export function generationOf(packetId: number): number {
  return packetId >>> SLOT_BITS;
}
