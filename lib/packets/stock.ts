// The stock of every SET over all open drops: how many shake packets were released to it, and how many are gone.
//
// It exists for one question, asked for every shake on an acceptor thread: can this SET win anything right now? The truth
// about each drop is in drop-table.ts; these totals follow it (see the order of steps in add and remove), so that "no
// stock" is only ever read when there is none, or was none a moment ago.

import { RELEASED_WORD, STOCK_ROW_WORDS, TAKEN_WORD } from './stock-layout.ts';

/** Any thread; what each may call is said at the method. */
export class Stock {
  readonly sets: number;
  readonly #rows: Int32Array;
  readonly #sessions: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.sets = memory.byteLength / (4 * (STOCK_ROW_WORDS + 1));
    this.#rows = new Int32Array(memory, 0, STOCK_ROW_WORDS * this.sets);
    this.#sessions = new Int32Array(memory, 4 * STOCK_ROW_WORDS * this.sets, this.sets);
  }

  /** Memory for so many SETs, all empty. */
  static allocate(sets: number): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * (STOCK_ROW_WORDS + 1) * sets);
  }

  /**
   * Tells whether a shake of this SET may win. Any thread. The loads are plain: a value that is late by a moment gives
   * the answer of that moment, and both words share a cache line.
   */
  // HOT
  hasAny(set: number): boolean {
    const row = STOCK_ROW_WORDS * set;
    return this.#rows[row + RELEASED_WORD] !== this.#rows[row + TAKEN_WORD];
  }

  /** Main, after the packets can be taken from their drop: a shake that sees stock finds it. */
  add(set: number, packets: number): void {
    Atomics.add(this.#rows, STOCK_ROW_WORDS * set + RELEASED_WORD, packets);
  }

  /** The SET's worker or main, after taking packets from their drop. */
  remove(set: number, packets: number): void {
    Atomics.add(this.#rows, STOCK_ROW_WORDS * set + TAKEN_WORD, packets);
  }

  /** The SET's worker: a session began (+1) or ended (-1). */
  addSessions(set: number, by: number): void {
    this.#sessions[set] += by;
  }

  /** Sessions of a SET. Any thread. */
  countSessions(set: number): number {
    return Atomics.load(this.#sessions, set);
  }
}
