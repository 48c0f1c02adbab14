// What the packets that are not over add up to, for many of them, several times a second.
//
// Whoever grabs from a packet or closes it leaves a mark (see PacketTable.takeChanges), so that a look reads those with a mark
// only, and of a million packets that wait for their users nothing but a bit each.

import { slotOf } from './packet-id.ts';
import type { PacketTable } from './packet-table.ts';

/** No packet has this id: its generation would be 0. */
const NO_PACKET = 0;

/** Owned by the creator of packets. */
export class LiveTotals {
  /** Packets that can still be grabbed, cents of their shares and of closed ones that nobody took, and shares that were taken. */
  open = 0;
  leftCents = 0;
  grabbedShares = 0;
  readonly #table: PacketTable;
  /** Behind the last slot that ever had a packet. */
  #endSlot = 0;
  /** By slot: the packet that is counted, and its share in the sums. */
  readonly #ids: Uint32Array;
  readonly #isOpen: Uint8Array;
  readonly #leftCents: Float64Array;
  readonly #grabbedShares: Int32Array;

  constructor(table: PacketTable) {
    this.#table = table;
    this.#ids = new Uint32Array(table.slots);
    this.#isOpen = new Uint8Array(table.slots);
    this.#leftCents = new Float64Array(table.slots);
    this.#grabbedShares = new Int32Array(table.slots);
  }

  /** A packet can be grabbed from now on. */
  add(packetId: number): void {
    const slot = slotOf(packetId);
    this.#ids[slot] = packetId;
    this.#endSlot = Math.max(this.#endSlot, slot + 1);
    this.#count(slot);
  }

  /** Brings the sums up to date. */
  look(): void {
    this.#table.takeChanges(this.#endSlot, this.#onChange);
  }

  /** A packet is over: the sums are without it. */
  forget(packetId: number): void {
    const slot = slotOf(packetId);
    this.#ids[slot] = NO_PACKET;
    this.#change(slot, 0, 0, 0);
  }

  /** Cents of the shares of a packet that nobody had taken at the last look. */
  leftOf(packetId: number): number {
    return this.#leftCents[slotOf(packetId)];
  }

  readonly #onChange = (slot: number): void => {
    if (this.#ids[slot] !== NO_PACKET) this.#count(slot);
  };

  #count(slot: number): void {
    const table = this.#table;
    const packetId = this.#ids[slot];
    this.#change(slot, table.isOpen(packetId) ? 1 : 0, table.sumLeft(packetId), table.countGrabbed(packetId));
  }

  #change(slot: number, open: number, leftCents: number, grabbedShares: number): void {
    this.open += open - this.#isOpen[slot];
    this.leftCents += leftCents - this.#leftCents[slot];
    this.grabbedShares += grabbedShares - this.#grabbedShares[slot];
    this.#isOpen[slot] = open;
    this.#leftCents[slot] = leftCents;
    this.#grabbedShares[slot] = grabbedShares;
  }
}
