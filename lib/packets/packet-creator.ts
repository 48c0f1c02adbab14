// Creates sent packets in the slots that one thread owns, and reuses slots whose packet is over and accounted for.
//
// The last KEPT_PACKETS packets that are over stay readable; the slots of older ones are used again before fresh ones are,
// so the memory in use follows the packets that are open, not those that ever were.

import assert from 'node:assert/strict';
import { BlockArena, NO_BLOCK } from './block-arena.ts';
import { KEPT_PACKETS } from './limits.ts';
import { MAX_GENERATION, packetIdOf, slotOf } from './packet-id.ts';
import {
  BUILDING,
  CREATED_AT_WORD,
  CURSOR_MASK,
  EXPIRES_AT_WORD,
  FIRST_WORD_WORD,
  GENERATION_SHIFT,
  INVITED_WORD,
  MAX_WORD,
  MIN_WORD,
  MODE_WORD,
  NOBODY,
  PACKET_ROW_WORDS,
  SEED_WORD,
  SENDER_WORD,
  SHARES_WORD,
  STATE_WORD,
  TOTAL_WORD,
} from './packet-layout.ts';
import type { PacketTable } from './packet-table.ts';
import { SPLIT_MODES, type SplitRequest, split } from './split.ts';

/** A packet to be. */
export interface NewPacket extends SplitRequest {
  /** -1 for the house. */
  senderId: number;
  /** Unix seconds. */
  createdAt: number;
  expiresAt: number;
  /** Who may grab; nobody listed means everybody. */
  invited: readonly number[];
  /** 32 random bytes. */
  seed: Uint8Array;
}

/** Returned by `create` when slots or arena are used up. An outcome, not an error. */
export const NO_ROOM = -1;

/** Owned by one thread; owners have slots and regions of the arena of their own. */
export class PacketCreator {
  readonly #table: PacketTable;
  readonly #arena: BlockArena;
  /** The slots given back, as a queue in a circle: `#freeCount` of them from `#freeHead` on. */
  readonly #free: Int32Array;
  readonly #firstSlot: number;
  readonly #endSlot: number;
  /** Slots from here on were never used. */
  #freshSlot: number;
  /** By slot: 1 from its creation to its return. */
  readonly #isOccupied: Uint8Array;
  #freeHead = 0;
  #freeCount = 0;
  /** How many of them, from the head on, have already lost their old packet. */
  #strippedCount = 0;

  /** @param firstSlot the first of `slots` slots that this thread owns @param firstWord likewise of the arena's words */
  constructor(table: PacketTable, firstSlot: number, slots: number, firstWord: number, words: number) {
    assert(firstSlot + slots <= table.slots && firstWord + words <= table.blocks.length, 'the parts lie in the table');
    this.#table = table;
    this.#arena = new BlockArena(firstWord, words);
    this.#free = new Int32Array(slots);
    this.#firstSlot = firstSlot;
    this.#endSlot = firstSlot + slots;
    this.#freshSlot = firstSlot;
    this.#isOccupied = new Uint8Array(slots);
  }

  /** Slots that a packet can be created in now. */
  get freeSlots(): number {
    return this.#freeCount + this.#endSlot - this.#freshSlot;
  }

  /** Splits a packet and opens it. Returns its id, or NO_ROOM. The numbers have been checked: see isSplittable. */
  create(packet: NewPacket): number {
    if (this.freeSlots === 0) return NO_ROOM;
    const words = 2 * packet.shares + packet.invited.length;
    let first = this.#arena.allocate(words);
    while (first === NO_BLOCK && this.#strippedCount < this.#freeCount) {
      this.#stripNext();
      first = this.#arena.allocate(words);
    }
    if (first === NO_BLOCK) return NO_ROOM;
    const slot = this.#takeSlot();
    const row = slot * PACKET_ROW_WORDS;
    const generation = this.#table.rows[row + STATE_WORD] >>> GENERATION_SHIFT;
    this.#isOccupied[slot - this.#firstSlot] = 1;
    this.#fill(row, first, packet);
    // PUBLISH state: makes the row and the block visible; pairs with the load of the state in PacketTable.
    Atomics.store(this.#table.rows, row + STATE_WORD, generation << GENERATION_SHIFT);
    return packetIdOf(generation, slot);
  }

  /** Gives a slot back. Its packet is closed or empty, has all its claims, and has been accounted for. */
  retire(packetId: number): void {
    assert(this.#table.hasAllClaims(packetId), 'nobody is still reading his share');
    assert(!this.#table.isOpen(packetId), 'the packet is over');
    assert(this.#isOccupied[slotOf(packetId) - this.#firstSlot] === 1, 'its slot has not been given back before');
    this.#isOccupied[slotOf(packetId) - this.#firstSlot] = 0;
    this.#free[(this.#freeHead + this.#freeCount) % this.#free.length] = slotOf(packetId);
    this.#freeCount++;
  }

  /** A slot without a packet, being built under its next generation. There is one. */
  #takeSlot(): number {
    const kept = this.#freshSlot < this.#endSlot ? KEPT_PACKETS : 0;
    if (this.#strippedCount === 0 && this.#freeCount > kept) this.#stripNext();
    if (this.#strippedCount === 0) {
      Atomics.store(
        this.#table.rows,
        this.#freshSlot * PACKET_ROW_WORDS + STATE_WORD,
        (1 << GENERATION_SHIFT) | BUILDING,
      );
      return this.#freshSlot++;
    }
    const slot = this.#free[this.#freeHead];
    this.#freeHead = (this.#freeHead + 1) % this.#free.length;
    this.#freeCount--;
    this.#strippedCount--;
    return slot;
  }

  /** Takes the next returned slot's old packet away: its id is unknown from here on, and its block is free. */
  #stripNext(): void {
    const { rows } = this.#table;
    const row = this.#free[(this.#freeHead + this.#strippedCount++) % this.#free.length] * PACKET_ROW_WORDS;
    const last = rows[row + STATE_WORD] >>> GENERATION_SHIFT;
    const generation = last === MAX_GENERATION ? 1 : last + 1;
    // The state first: whoever still reads the old packet finds another generation when it looks again.
    Atomics.store(rows, row + STATE_WORD, (generation << GENERATION_SHIFT) | BUILDING);
    this.#arena.free(rows[row + FIRST_WORD_WORD], 2 * rows[row + SHARES_WORD] + rows[row + INVITED_WORD]);
  }

  #fill(row: number, first: number, packet: NewPacket): void {
    const { rows, blocks } = this.#table;
    assert(packet.shares < CURSOR_MASK, 'the cursor can count the shares');
    rows[row + FIRST_WORD_WORD] = first;
    rows[row + SHARES_WORD] = packet.shares;
    rows[row + INVITED_WORD] = packet.invited.length;
    rows[row + TOTAL_WORD] = packet.totalCents;
    rows[row + SENDER_WORD] = packet.senderId;
    rows[row + EXPIRES_AT_WORD] = packet.expiresAt;
    rows[row + CREATED_AT_WORD] = packet.createdAt;
    rows[row + MODE_WORD] = SPLIT_MODES.indexOf(packet.mode);
    rows[row + MIN_WORD] = packet.minCents;
    rows[row + MAX_WORD] = packet.maxCents;
    new Uint8Array(rows.buffer, 4 * (row + SEED_WORD), packet.seed.length).set(packet.seed);
    split(packet, packet.seed, blocks, first);
    blocks.fill(NOBODY, first + packet.shares, first + 2 * packet.shares);
    blocks.set(packet.invited, first + 2 * packet.shares);
  }
}
