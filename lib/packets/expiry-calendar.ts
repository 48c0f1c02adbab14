// Says which packets are due to expire: a timing wheel with a slot for every second that has any packet, emptied when the
// clock passes it. (A wheel of a fixed size would have to turn for a packet that expires beyond it; a map of seconds does not.)
//
// The lists are linked through arrays by slot, so entering a packet costs the same however many there are,
// and the memory is bounded by the slots of the packet table.

import { slotOf } from './packet-id.ts';

const NONE = -1;

/** Owned by one thread. Times are whole Unix seconds. */
export class ExpiryCalendar {
  /** The first slot of each second's list. */
  readonly #heads = new Map<number, number>();
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** By slot: the second whose list it is in, or 0. */
  readonly #secondOf: Float64Array;
  /** By slot: the id that was entered. */
  readonly #idOf: Int32Array;
  /** Everything up to and including this second has been taken out. */
  #doneSecond: number;

  constructor(slots: number, nowSecond: number) {
    this.#next = new Int32Array(slots);
    this.#previous = new Int32Array(slots);
    this.#secondOf = new Float64Array(slots);
    this.#idOf = new Int32Array(slots);
    this.#doneSecond = nowSecond;
  }

  /**
   * Enters a packet, in place of the one that had its slot before. One that is due already comes out with the next second
   * that has not been taken out.
   */
  add(packetId: number, expiresAt: number): void {
    const second = Math.max(expiresAt, this.#doneSecond + 1);
    const slot = slotOf(packetId);
    if (this.#secondOf[slot] !== 0) this.#unlink(slot);
    const head = this.#heads.get(second) ?? NONE;
    this.#next[slot] = head;
    this.#previous[slot] = NONE;
    if (head !== NONE) this.#previous[head] = slot;
    this.#heads.set(second, slot);
    this.#secondOf[slot] = second;
    this.#idOf[slot] = packetId;
  }

  /** The packets whose second has come, earlier seconds first; each once. A clock that steps back takes nothing out. */
  takeDue(nowSecond: number): number[] {
    const due: number[] = [];
    // After a long sleep it is cheaper to look through the lists than through the seconds.
    if (nowSecond - this.#doneSecond > this.#heads.size) {
      const seconds = [...this.#heads.keys()].filter((second) => second <= nowSecond).sort((a, b) => a - b);
      for (const second of seconds) this.#takeSecond(second, due);
    } else {
      for (let second = this.#doneSecond + 1; second <= nowSecond; second++) this.#takeSecond(second, due);
    }
    this.#doneSecond = Math.max(this.#doneSecond, nowSecond);
    return due;
  }

  #unlink(slot: number): void {
    const second = this.#secondOf[slot];
    const next = this.#next[slot];
    const previous = this.#previous[slot];
    if (next !== NONE) this.#previous[next] = previous;
    if (previous !== NONE) this.#next[previous] = next;
    else if (next !== NONE) this.#heads.set(second, next);
    else this.#heads.delete(second);
  }

  #takeSecond(second: number, into: number[]): void {
    for (let slot = this.#heads.get(second) ?? NONE; slot !== NONE; slot = this.#next[slot]) {
      into.push(this.#idOf[slot]);
      this.#secondOf[slot] = 0;
    }
    this.#heads.delete(second);
  }
}
