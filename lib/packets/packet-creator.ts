// Creates sent packets in the slots that one thread owns, and reuses slots whose packet is over and accounted for.
//
// The last KEPT_PACKETS packets that are over stay readable; the slots of older ones are used again before fresh ones are,
// so the memory in use follows the packets that are open, not those that ever were.

import assert from 'node:assert/strict';
import { BlockArena, NO_BLOCK } from './block-arena.ts';
import { KEPT_PACKETS } from './limits.ts';
import { generationOf, MAX_GENERATION, packetIdOf, slotOf } from './packet-id.ts';
import {
  BUILDING,
  CREATED_AT_WORD,
  CURSOR_MASK,
  countBlockWords,
  EXPIRES_AT_WORD,
  FIRST_WORD_WORD,
  GENERATION_SHIFT,
  HAS_ORDER_WORD,
  INVITED_WORD,
  MAX_WORD,
  MIN_WORD,
  MODE_WORD,
  NOBODY,
  NOTE_BYTES_WORD,
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
  /** UTF-8. */
  note: Uint8Array;
}

/** Returned by `create` when slots or arena are used up. An outcome, not an error. */
export const NO_ROOM = -1;

/** Owned by one thread; owners have slots and regions of the arena of their own. */
export class PacketCreator {
  readonly #table: PacketTable;
  /** Bytes of the table's rows and blocks. */
  readonly #rowBytes: Uint8Array;
  readonly #blockBytes: Uint8Array;
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
    this.#rowBytes = new Uint8Array(table.rows.buffer, table.rows.byteOffset, table.rows.byteLength);
    this.#blockBytes = new Uint8Array(table.blocks.buffer, table.blocks.byteOffset, table.blocks.byteLength);
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

  /**
   * Splits a packet and puts it into a slot, where nobody finds it until `publish`. Returns its id, or NO_ROOM. The numbers
   * have been checked: see isSplittable.
   */
  prepare(packet: NewPacket): number {
    if (this.freeSlots === 0) return NO_ROOM;
    const first = this.#allocate(countBlockWords(packet.shares, packet.invited.length, packet.note.length, false));
    if (first === NO_BLOCK) return NO_ROOM;
    const slot = this.#takeSlot();
    this.#isOccupied[slot - this.#firstSlot] = 1;
    const row = slot * PACKET_ROW_WORDS;
    this.#fill(row, first, packet);
    split(packet, packet.seed, this.#table.blocks, first);
    return packetIdOf(this.#table.rows[row + STATE_WORD] >>> GENERATION_SHIFT, slot);
  }

  /** Opens a prepared packet: from here on it can be grabbed. */
  publish(packetId: number): void {
    // PUBLISH state: makes the row and the block visible; pairs with the load of the state in PacketTable.
    Atomics.store(
      this.#table.rows,
      slotOf(packetId) * PACKET_ROW_WORDS + STATE_WORD,
      generationOf(packetId) << GENERATION_SHIFT,
    );
  }

  /** Gives a slot back. Its packet is closed or empty, has all its claims, and has been accounted for. */
  retire(packetId: number): void {
    assert(this.#table.hasAllClaims(packetId), 'nobody is still reading his share');
    assert(!this.#table.isOpen(packetId), 'the packet is over');
    assert(this.#isOccupied[slotOf(packetId) - this.#firstSlot] === 1, 'its slot has not been given back before');
    this.#isOccupied[slotOf(packetId) - this.#firstSlot] = 0;
    this.#enqueueFree(slotOf(packetId));
  }

  /**
   * Before anybody uses the table: takes up a packet of an earlier run under its old id, in place of the one that had its
   * slot before. Its shares are not split and nobody finds it yet; packet-restorer.ts does the rest. False if there is no
   * such slot, or no room.
   */
  adopt(packetId: number, packet: NewPacket): boolean {
    const slot = slotOf(packetId);
    if (slot < this.#firstSlot || slot >= this.#endSlot) return false;
    if (this.#isOccupied[slot - this.#firstSlot] === 1) this.abandon(slot);
    const { rows } = this.#table;
    const row = slot * PACKET_ROW_WORDS;
    this.#freshSlot = Math.max(this.#freshSlot, slot + 1);
    rows[row + STATE_WORD] = (generationOf(packetId) << GENERATION_SHIFT) | BUILDING;
    const words = countBlockWords(packet.shares, packet.invited.length, packet.note.length, false);
    const first = this.#arena.allocate(words);
    if (first === NO_BLOCK) return false;
    this.#isOccupied[slot - this.#firstSlot] = 1;
    this.#fill(row, first, packet);
    return true;
  }

  /** Takes an adopted packet that is over out of its slot again, to make room; its id is not used again soon. */
  abandon(slot: number): void {
    const { rows } = this.#table;
    const row = slot * PACKET_ROW_WORDS;
    this.#freeBlock(row);
    this.#isOccupied[slot - this.#firstSlot] = 0;
    rows[row + STATE_WORD] = (nextGeneration(rows[row + STATE_WORD]) << GENERATION_SHIFT) | BUILDING;
  }

  /** Moves an adopted packet into a block that has an order. False if there is no room. */
  giveOrder(packetId: number): boolean {
    const { rows, blocks } = this.#table;
    const row = slotOf(packetId) * PACKET_ROW_WORDS;
    const shares = rows[row + SHARES_WORD];
    const words = countBlockWords(shares, rows[row + INVITED_WORD], rows[row + NOTE_BYTES_WORD], false);
    const first = this.#arena.allocate(words + shares);
    if (first === NO_BLOCK) return false;
    blocks.copyWithin(first, rows[row + FIRST_WORD_WORD], rows[row + FIRST_WORD_WORD] + words);
    this.#freeBlock(row);
    rows[row + FIRST_WORD_WORD] = first;
    rows[row + HAS_ORDER_WORD] = 1;
    return true;
  }

  /** After the last `adopt`: gives back the slots of packets that are over, the oldest first, and those never filled. */
  endAdoption(over: readonly number[]): void {
    for (let slot = this.#firstSlot; slot < this.#freshSlot; slot++) {
      if (this.#isOccupied[slot - this.#firstSlot] === 1) continue;
      const state = slot * PACKET_ROW_WORDS + STATE_WORD;
      if (this.#table.rows[state] === 0) this.#table.rows[state] = (1 << GENERATION_SHIFT) | BUILDING;
      this.#enqueueFree(slot);
      this.#strippedCount++;
    }
    for (const packetId of over) this.retire(packetId);
  }

  #enqueueFree(slot: number): void {
    this.#free[(this.#freeHead + this.#freeCount) % this.#free.length] = slot;
    this.#freeCount++;
  }

  /** A block of the arena, for which old packets make room; NO_BLOCK when there is none left to be had. */
  #allocate(words: number): number {
    let first = this.#arena.allocate(words);
    while (first === NO_BLOCK && this.#strippedCount < this.#freeCount) {
      this.#stripNext();
      first = this.#arena.allocate(words);
    }
    return first;
  }

  #freeBlock(row: number): void {
    const { rows } = this.#table;
    const hasOrder = rows[row + HAS_ORDER_WORD] === 1;
    this.#arena.free(
      rows[row + FIRST_WORD_WORD],
      countBlockWords(rows[row + SHARES_WORD], rows[row + INVITED_WORD], rows[row + NOTE_BYTES_WORD], hasOrder),
    );
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
    const generation = nextGeneration(rows[row + STATE_WORD]);
    // The state first: whoever still reads the old packet finds another generation when it looks again.
    Atomics.store(rows, row + STATE_WORD, (generation << GENERATION_SHIFT) | BUILDING);
    this.#freeBlock(row);
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
    rows[row + NOTE_BYTES_WORD] = packet.note.length;
    rows[row + HAS_ORDER_WORD] = 0;
    this.#rowBytes.set(packet.seed, 4 * (row + SEED_WORD));
    blocks.fill(NOBODY, first + packet.shares, first + 2 * packet.shares);
    blocks.set(packet.invited, first + 2 * packet.shares);
    const noteAt = first + 2 * packet.shares + packet.invited.length;
    this.#blockBytes.set(packet.note, 4 * noteAt);
  }
}

/** The generation that a slot has next. @param state its state word */
function nextGeneration(state: number): number {
  const last = state >>> GENERATION_SHIFT;
  return last === MAX_GENERATION ? 1 : last + 1;
}
