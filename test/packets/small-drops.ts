// Memory for the drops of a test: a small arena of amounts, and sequences that are about to wrap.

import { DROP_RELEASED_WORD, DROP_SET_WORDS, DROP_SETS_WORD, DROP_TAKEN_WORD } from '../../lib/packets/drop-layout.ts';
import type { DropMemory } from '../../lib/packets/drop-table.ts';
import { MAX_OPEN_DROPS } from '../../lib/packets/limits.ts';
import { Stock } from '../../lib/packets/stock.ts';
import { RELEASED_WORD, STOCK_ROW_WORDS, TAKEN_WORD } from '../../lib/packets/stock-layout.ts';

/** Where sequences may start: at the beginning, before the highest Int32, before the wrap to 0. */
export const STARTS = [0, 0x7fff_fffd, -3] as const;

/** @param start the value of all sequences, of which none may matter */
export function allocateSmallDrops(sets: number, amountWords: number, start = 0): DropMemory {
  const rowWords = DROP_SETS_WORD + DROP_SET_WORDS * sets;
  const rows = new Int32Array(new SharedArrayBuffer(4 * rowWords * MAX_OPEN_DROPS));
  for (let slot = 0; slot < MAX_OPEN_DROPS; slot++) {
    for (let set = 0; set < sets; set++) {
      const cell = slot * rowWords + DROP_SETS_WORD + DROP_SET_WORDS * set;
      rows[cell + DROP_RELEASED_WORD] = start;
      rows[cell + DROP_TAKEN_WORD] = start;
    }
  }
  const stock = Stock.allocate(sets);
  const stockRows = new Int32Array(stock);
  for (let set = 0; set < sets; set++) {
    stockRows[STOCK_ROW_WORDS * set + RELEASED_WORD] = start;
    stockRows[STOCK_ROW_WORDS * set + TAKEN_WORD] = start;
  }
  return {
    sets,
    rows: rows.buffer as SharedArrayBuffer,
    amounts: new SharedArrayBuffer(4 * amountWords),
    stock,
  };
}
