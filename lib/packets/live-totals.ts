// What the packets that are not over add up to, for many of them, several times a second.
//
// The state word of a packet changes with every grab, at its close, and with the next packet in its slot. So a packet whose
// state is the one of the last look is as it was, and its share in the sums stays: of a million packets that wait for their
// users a look reads one word each, and none of their shares.

import { slotOf } from './packet-id.ts';
import type { PacketTable } from './packet-table.ts';

/** No packet's state: it has the generation 0. */
const UNSEEN = 0;

/** Owned by the creator of packets. */
export class LiveTotals {
  /** Packets that can still be grabbed, cents of their shares and of closed ones that nobody took, and shares that were taken. */
  open = 0;
  leftCents = 0;
  grabbedShares = 0;
  readonly #table: PacketTable;
  /** By slot: the state that the packet's share in the sums goes with, and that share. */
  readonly #states: Int32Array;
  readonly #isOpen: Uint8Array;
  readonly #leftCents: Float64Array;
  readonly #grabbedShares: Int32Array;

  constructor(table: PacketTable) {
    this.#table = table;
    this.#states = new Int32Array(table.slots);
    this.#isOpen = new Uint8Array(table.slots);
    this.#leftCents = new Float64Array(table.slots);
    this.#grabbedShares = new Int32Array(table.slots);
  }

  /** Brings the sums up to date with a packet that is not over. */
  // HOT
  look(packetId: number): void {
    const slot = slotOf(packetId);
    const state = this.#table.readState(slot);
    if (state !== this.#states[slot]) this.#count(packetId, slot, state);
  }

  /** A packet is over: the sums are without it. */
  forget(packetId: number): void {
    const slot = slotOf(packetId);
    this.#states[slot] = UNSEEN;
    this.#change(slot, 0, 0, 0);
  }

  /** Cents of the shares of a packet that nobody had taken at the last look. */
  leftOf(packetId: number): number {
    return this.#leftCents[slotOf(packetId)];
  }

  #count(packetId: number, slot: number, state: number): void {
    // What is read now may be newer than the state; then that differs at the next look as well.
    this.#states[slot] = state;
    const table = this.#table;
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
