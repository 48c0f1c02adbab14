// Where sent packets lie in shared memory. All cells are Int32 words. One row of 32 words (128 bytes) a slot:
//
// | word   | name         | who writes       | who reads   | how                                                     |
// |--------|--------------|------------------|-------------|---------------------------------------------------------|
// | 0      | state        | creator, workers | all         | atomic; see below                                       |
// | 1      | first word   | creator          | all         | plain; the block in the arena of shares                 |
// | 2      | shares       | creator          | all         | plain                                                   |
// | 3      | invited      | creator          | all         | plain; how many users, 0 = everybody                    |
// | 4      | total        | creator          | all         | plain; cents                                            |
// | 5      | sender       | creator          | all         | plain; user id, -1 = the house                          |
// | 6      | expires at   | creator          | all         | plain; Unix seconds, unsigned                           |
// | 7      | created at   | creator          | all         | plain; Unix seconds, unsigned                           |
// | 8      | mode         | creator          | all         | plain; index into SPLIT_MODES                           |
// | 9      | least share  | creator          | all         | plain; cents                                            |
// | 10     | most share   | creator          | all         | plain; cents                                            |
// | 11     | note bytes   | creator          | all         | plain; 0 = no note                                      |
// | 12     | has order    | creator          | all         | plain; 1 if the block has an order                      |
// | 16..23 | seed         | creator          | all         | plain; 32 bytes                                         |
//
// state = generation (11 bits) << 21 | closed (1 bit) << 20 | cursor (20 bits). A grab adds one to the cursor, expiry
// sets the closed bit, and reuse puts the next generation in: all by compare-and-exchange on this one word, so that a
// grab and the refund can never both have a share, and a grab of an old id can never take from a new packet. (A blind
// add could: it cannot be taken back from whoever got the slot since.)
//
// The block of a packet in the arena: shares words of cents, shares words of claims, invited words of user ids, the note's
// UTF-8, and shares words of order. Claim i is the user who took the share at place i, or -1; written once, by that user's
// worker, after it read the amount and published the record of the grab. The order says which share of the split lies at
// each place; it is there only for a packet that was taken up again after a restart with gaps among its claims (shares
// whose grabs never became durable: they are free again, and lie behind the others). Without it share i is at place i.
//
// Beside the rows lies `changes`, a bit a slot, 32 to a word, all atomic: whoever grabs or closes sets it, behind the change of the
// state, and the creator takes it.
//
// The plain fields are written while the state says "being built" under the new generation. A reader loads the state,
// reads fields, and looks at the state again: the same generation means that the fields were that packet's.

import assert from 'node:assert/strict';

export const PACKET_ROW_WORDS = 32;
export const STATE_WORD = 0;
export const FIRST_WORD_WORD = 1;
export const SHARES_WORD = 2;
export const INVITED_WORD = 3;
export const TOTAL_WORD = 4;
export const SENDER_WORD = 5;
export const EXPIRES_AT_WORD = 6;
export const CREATED_AT_WORD = 7;
export const MODE_WORD = 8;
export const MIN_WORD = 9;
export const MAX_WORD = 10;
export const NOTE_BYTES_WORD = 11;
export const HAS_ORDER_WORD = 12;
export const SEED_WORD = 16;
export const SEED_WORDS = 8;

export const GENERATION_SHIFT = 21;
export const CLOSED_BIT = 1 << 20;
export const CURSOR_MASK = CLOSED_BIT - 1;
/** Closed, with a cursor that no packet reaches: the row is being filled. */
export const BUILDING = CLOSED_BIT | CURSOR_MASK;

export const NOBODY = -1;

const ascending = [
  STATE_WORD,
  FIRST_WORD_WORD,
  SHARES_WORD,
  INVITED_WORD,
  TOTAL_WORD,
  SENDER_WORD,
  EXPIRES_AT_WORD,
  CREATED_AT_WORD,
  MODE_WORD,
  MIN_WORD,
  MAX_WORD,
  NOTE_BYTES_WORD,
  HAS_ORDER_WORD,
  SEED_WORD,
  SEED_WORD + SEED_WORDS,
];
assert(
  ascending.every((word, i) => i === 0 || word > ascending[i - 1]) && ascending.at(-1)! <= PACKET_ROW_WORDS,
  'the cells of a packet ascend and fit',
);

/** Words of a packet's block. */
export function countBlockWords(shares: number, invited: number, noteBytes: number, hasOrder: boolean): number {
  return 2 * shares + invited + Math.ceil(noteBytes / 4) + (hasOrder ? shares : 0);
}
