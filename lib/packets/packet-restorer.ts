// Puts the sent packets of an earlier run back into the table, from their records in the order they were written.
//
// Main thread, before any other thread looks at the table. A share that was taken in memory but whose grab was never
// recorded is free again: the packet then gets an order, in which the free shares lie behind those that were grabbed.

import { type NewPacket, NO_ROOM, type PacketCreator } from './packet-creator.ts';
import { generationOf, slotOf } from './packet-id.ts';
import {
  CLOSED_BIT,
  countBlockWords,
  FIRST_WORD_WORD,
  GENERATION_SHIFT,
  INVITED_WORD,
  MAX_WORD,
  MIN_WORD,
  MODE_WORD,
  NOBODY,
  NOTE_BYTES_WORD,
  PACKET_ROW_WORDS,
  SEED_WORD,
  SEED_WORDS,
  SENDER_WORD,
  SHARES_WORD,
  STATE_WORD,
  TOTAL_WORD,
} from './packet-layout.ts';
import type { PacketTable } from './packet-table.ts';
import { SPLIT_MODES, split } from './split.ts';

/** See the head of this file. Use it once. */
export class PacketRestorer {
  readonly #table: PacketTable;
  readonly #creator: PacketCreator;
  /** By slot: the packet that has it, and whether it was closed. In the order of opening: a slot that comes again moves behind. */
  readonly #bySlot = new Map<number, { packetId: number; isClosed: boolean; sharesLeft: number }>();

  constructor(table: PacketTable, creator: PacketCreator) {
    this.#table = table;
    this.#creator = creator;
  }

  /** Takes up a packet; for room, packets that are over go first. NO_ROOM if the table is too small for it, else its id. */
  open(packetId: number, packet: NewPacket): number {
    this.#bySlot.delete(slotOf(packetId));
    while (!this.#creator.adopt(packetId, packet)) {
      if (slotOf(packetId) >= this.#table.slots || !this.#dropOldestOver(packetId)) return NO_ROOM;
    }
    this.#bySlot.set(slotOf(packetId), { packetId, isClosed: false, sharesLeft: packet.shares });
    return packetId;
  }

  /** A user has a share, by its place in the split. False if the packet is not the one in its slot. */
  claim(packetId: number, share: number, userId: number): boolean {
    const row = this.#rowOf(packetId);
    if (row < 0 || share >= this.#table.rows[row + SHARES_WORD]) return false;
    this.#table.blocks[this.#claimsOf(row) + share] = userId;
    this.#bySlot.get(slotOf(packetId))!.sharesLeft--;
    return true;
  }

  /** The packet was closed: what is left has gone back. Returns its sender; undefined if it is not the one in its slot. */
  close(packetId: number): number | undefined {
    const entry = this.#bySlot.get(slotOf(packetId));
    if (entry === undefined || entry.packetId !== packetId) return undefined;
    entry.isClosed = true;
    return this.#table.rows[slotOf(packetId) * PACKET_ROW_WORDS + SENDER_WORD];
  }

  /** Lets everybody see the packets. Returns the ids of those that can still be grabbed, the oldest first; NO_ROOM if the arena is full. */
  finish(): number[] | typeof NO_ROOM {
    // Giving orders may cost packets that are over their place, so nothing is told of any before all have theirs.
    for (const { packetId } of this.#bySlot.values()) if (!this.#settle(packetId)) return NO_ROOM;
    const open: number[] = [];
    const over: number[] = [];
    for (const { packetId, isClosed, sharesLeft } of this.#bySlot.values()) {
      const row = slotOf(packetId) * PACKET_ROW_WORDS;
      const taken = this.#table.rows[row + SHARES_WORD] - sharesLeft;
      const state = (generationOf(packetId) << GENERATION_SHIFT) | taken | (isClosed ? CLOSED_BIT : 0);
      Atomics.store(this.#table.rows, row + STATE_WORD, state);
      (this.#table.isOpen(packetId) ? open : over).push(packetId);
    }
    this.#creator.endAdoption(over);
    return open;
  }

  /** Lets the oldest packet that is over go, as the creator would have, for the sake of another. False if there is none. */
  #dropOldestOver(sake: number): boolean {
    for (const [slot, { packetId, isClosed, sharesLeft }] of this.#bySlot) {
      if (packetId === sake || (!isClosed && sharesLeft > 0)) continue;
      this.#creator.abandon(slot);
      this.#bySlot.delete(slot);
      return true;
    }
    return false;
  }

  /** Splits a packet again and brings the shares that were grabbed to the front. False if there is no room. */
  #settle(packetId: number): boolean {
    const { rows, blocks } = this.#table;
    const row = slotOf(packetId) * PACKET_ROW_WORDS;
    const shares = rows[row + SHARES_WORD];
    const claims = blocks.slice(this.#claimsOf(row), this.#claimsOf(row) + shares);
    const taken = claims.reduce((count, userId) => (userId === NOBODY ? count : count + 1), 0);
    const amounts = new Int32Array(shares);
    split(this.#requestOf(row), this.#seedOf(row), amounts);
    const isInOrder = claims.subarray(0, taken).every((userId) => userId !== NOBODY);
    if (isInOrder) {
      blocks.set(amounts, rows[row + FIRST_WORD_WORD]);
      return true;
    }
    while (!this.#creator.giveOrder(packetId)) if (!this.#dropOldestOver(packetId)) return false;
    const first = rows[row + FIRST_WORD_WORD];
    const order = first + countBlockWords(shares, rows[row + INVITED_WORD], rows[row + NOTE_BYTES_WORD], false);
    let front = 0;
    let back = taken;
    for (let share = 0; share < shares; share++) {
      const place = claims[share] === NOBODY ? back++ : front++;
      blocks[first + place] = amounts[share];
      blocks[first + shares + place] = claims[share];
      blocks[order + place] = share;
    }
    return true;
  }

  #rowOf(packetId: number): number {
    return this.#bySlot.get(slotOf(packetId))?.packetId === packetId ? slotOf(packetId) * PACKET_ROW_WORDS : -1;
  }

  #claimsOf(row: number): number {
    return this.#table.rows[row + FIRST_WORD_WORD] + this.#table.rows[row + SHARES_WORD];
  }

  #requestOf(row: number) {
    const { rows } = this.#table;
    return {
      mode: SPLIT_MODES[rows[row + MODE_WORD]],
      totalCents: rows[row + TOTAL_WORD],
      shares: rows[row + SHARES_WORD],
      minCents: rows[row + MIN_WORD],
      maxCents: rows[row + MAX_WORD],
    };
  }

  #seedOf(row: number): Uint8Array {
    return new Uint8Array(this.#table.rows.slice(row + SEED_WORD, row + SEED_WORD + SEED_WORDS).buffer);
  }
}
