// The open drops in shared memory: how a shake takes a packet, and how main releases, moves and takes back packets.
//
// A packet of a drop has no number until it is won: what is released to a SET is only a count. The winner's worker takes
// one from the count by compare-and-exchange and then gives it the drop's next number, which fixes id and amount. So
// stock that nobody fetches can be moved to another SET, and the amounts won so far are always the first ones.

import assert from 'node:assert/strict';
import {
  ASSIGNED_WORD,
  DROP_ID_WORD,
  DROP_RELEASED_WORD,
  DROP_SET_WORDS,
  DROP_SETS_WORD,
  DROP_TAKEN_WORD,
  FIRST_AMOUNT_WORD,
  FIRST_NUMBER_WORD,
  NUMBERS_WORD,
  SETTLED_WORD,
  WINS_PER_USER_WORD,
} from './drop-layout.ts';
import { DROP_ARENA_WORDS, MAX_OPEN_DROPS } from './limits.ts';
import { shakePacketIdOf } from './packet-id.ts';
import { Stock } from './stock.ts';

/** What the threads share about drops. Can be sent through workerData. */
export interface DropMemory {
  sets: number;
  rows: SharedArrayBuffer;
  /** The amounts of every open drop, each drop's in one run. */
  amounts: SharedArrayBuffer;
  stock: SharedArrayBuffer;
}

/** The part of a drop that workers need. */
export interface OpenDrop {
  /** 1 to 2^31 - 1, never used again. */
  id: number;
  /** Where its amounts begin in the arena of amounts. */
  firstAmount: number;
  /** The number of its first packet. */
  firstNumber: number;
  /** How often one user may win; 0 for any number of times. */
  winsPerUser: number;
  /** Where the list of its numbers lies in the arena, if they are not 0, 1, 2, ...; see drop-layout.ts. */
  numbers?: number;
}

export function allocateDrops(sets: number): DropMemory {
  const rowWords = DROP_SETS_WORD + DROP_SET_WORDS * sets;
  return {
    sets,
    rows: new SharedArrayBuffer(4 * rowWords * MAX_OPEN_DROPS),
    amounts: new SharedArrayBuffer(4 * 2 * DROP_ARENA_WORDS),
    stock: Stock.allocate(sets),
  };
}

/** One thread's view of the drops. */
export class DropTable {
  readonly stock: Stock;
  readonly sets: number;
  /** The arena of amounts in cents; main fills a drop's run before it opens the drop. */
  readonly amounts: Int32Array;
  /** Of the packet that `take` took last: its drop, its number in it, its id on the wire, and its amount in cents. */
  takenDropId = 0;
  takenNumber = 0;
  takenPacketId = 0;
  takenAmountCents = 0;
  readonly #rows: Int32Array;
  readonly #rowWords: number;

  constructor(memory: DropMemory) {
    this.sets = memory.sets;
    this.stock = new Stock(memory.stock);
    this.amounts = new Int32Array(memory.amounts);
    this.#rows = new Int32Array(memory.rows);
    this.#rowWords = DROP_SETS_WORD + DROP_SET_WORDS * memory.sets;
  }

  /**
   * Takes one packet of a SET out of a drop slot for a user, if there is one and `mayWin` allows it; the fields `taken*`
   * then say which. The SET's worker only. Call `settle` once the winner has been credited.
   * @param mayWin told the drop's id and its winsPerUser; false leaves the packet where it is
   */
  take(slot: number, set: number, userId: number, mayWin: MayWin): boolean {
    const row = slot * this.#rowWords;
    const cell = row + DROP_SETS_WORD + DROP_SET_WORDS * set;
    for (;;) {
      // The order matters: taken, released, id, compare-and-exchange. If the exchange succeeds then taken did not move
      // since it was read; closing the drop would have moved it; so the id read in between is that of the packet.
      const taken = Atomics.load(this.#rows, cell + DROP_TAKEN_WORD);
      if (Atomics.load(this.#rows, cell + DROP_RELEASED_WORD) === taken) return false;
      const dropId = Atomics.load(this.#rows, row + DROP_ID_WORD);
      if (dropId === 0 || !mayWin(dropId, this.#rows[row + WINS_PER_USER_WORD], userId)) return false;
      if (Atomics.compareExchange(this.#rows, cell + DROP_TAKEN_WORD, taken, (taken + 1) | 0) !== taken) continue;
      const place = Atomics.add(this.#rows, row + ASSIGNED_WORD, 1);
      const numbers = this.#rows[row + NUMBERS_WORD];
      const number = numbers === 0 ? place : this.amounts[numbers - 1 + place];
      this.takenDropId = dropId;
      this.takenNumber = number;
      this.takenPacketId = shakePacketIdOf((this.#rows[row + FIRST_NUMBER_WORD] >>> 0) + number);
      this.takenAmountCents = this.amounts[this.#rows[row + FIRST_AMOUNT_WORD] + place];
      this.stock.remove(set, 1);
      return true;
    }
  }

  /**
   * The SET's worker, after it credited a taken packet and published the record of it: from here on main may close the
   * drop, with a record of its own that is to come behind, and reuse the slot and the amounts.
   */
  settle(slot: number): void {
    Atomics.add(this.#rows, slot * this.#rowWords + SETTLED_WORD, 1);
  }

  /** Main: opens a drop in a free slot. Its amounts are in place. */
  open(slot: number, drop: OpenDrop): void {
    const row = slot * this.#rowWords;
    assert(Atomics.load(this.#rows, row + DROP_ID_WORD) === 0, 'the slot is free');
    this.#rows[row + FIRST_AMOUNT_WORD] = drop.firstAmount;
    this.#rows[row + FIRST_NUMBER_WORD] = drop.firstNumber;
    this.#rows[row + WINS_PER_USER_WORD] = drop.winsPerUser;
    this.#rows[row + NUMBERS_WORD] = drop.numbers === undefined ? 0 : drop.numbers + 1;
    Atomics.store(this.#rows, row + ASSIGNED_WORD, 0);
    Atomics.store(this.#rows, row + SETTLED_WORD, 0);
    // PUBLISH drop id: makes the fields above visible; pairs with the load of the drop id in take().
    Atomics.store(this.#rows, row + DROP_ID_WORD, drop.id);
  }

  /** Main: lets `packets` more be won in a SET. */
  release(slot: number, set: number, packets: number): void {
    Atomics.add(this.#rows, this.#cellOf(slot, set) + DROP_RELEASED_WORD, packets);
    this.stock.add(set, packets);
  }

  /** Main: takes back up to `most` packets that nobody in the SET has won; returns how many. They can be released again. */
  takeBack(slot: number, set: number, most: number): number {
    const cell = this.#cellOf(slot, set);
    for (;;) {
      const taken = Atomics.load(this.#rows, cell + DROP_TAKEN_WORD);
      const packets = Math.min(most, (Atomics.load(this.#rows, cell + DROP_RELEASED_WORD) - taken) | 0);
      if (packets === 0) return 0;
      const after = (taken + packets) | 0;
      if (Atomics.compareExchange(this.#rows, cell + DROP_TAKEN_WORD, taken, after) !== taken) continue;
      this.stock.remove(set, packets);
      return packets;
    }
  }

  /** The packets of a SET that nobody has taken. Main. */
  countLeft(slot: number, set: number): number {
    const cell = this.#cellOf(slot, set);
    const taken = Atomics.load(this.#rows, cell + DROP_TAKEN_WORD);
    return (Atomics.load(this.#rows, cell + DROP_RELEASED_WORD) - taken) | 0;
  }

  /** The `taken` sequence of a SET: unchanged between two looks means that nobody fetched anything. Main. */
  takenSequence(slot: number, set: number): number {
    return Atomics.load(this.#rows, this.#cellOf(slot, set) + DROP_TAKEN_WORD);
  }

  /** Packets that winners have been credited with. Main. */
  countSettled(slot: number): number {
    return Atomics.load(this.#rows, slot * this.#rowWords + SETTLED_WORD);
  }

  /** Main: no packet of this slot can be taken any more. All its stock has been taken back before. */
  close(slot: number): void {
    Atomics.store(this.#rows, slot * this.#rowWords + DROP_ID_WORD, 0);
  }

  #cellOf(slot: number, set: number): number {
    return slot * this.#rowWords + DROP_SETS_WORD + DROP_SET_WORDS * set;
  }
}

/** Decides whether a user may win from a drop: see DropTable.take. */
export type MayWin = (dropId: number, winsPerUser: number, userId: number) => boolean;
