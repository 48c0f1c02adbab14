// Where the open drops lie in shared memory. All cells are Int32 words. One row a drop slot:
//
// | word            | name         | who writes    | who reads   | how                                                 |
// |-----------------|--------------|---------------|-------------|-----------------------------------------------------|
// | 0               | drop id      | main          | workers     | atomic; 0 = closed                                  |
// | 1               | first amount | main          | workers     | plain, before the drop id is published              |
// | 2               | first number | main          | workers     | plain, before the drop id is published              |
// | 3               | winsPerUser  | main          | workers     | plain, before the drop id is published; 0 = any     |
// | 4               | numbers      | main          | workers     | plain, before the drop id is published; see below   |
// | 32              | assigned     | workers       | main        | atomic add: packets given a number                  |
// | 64              | settled      | workers       | main        | atomic add: packets credited to their winner        |
// | 96 + 2*set      | released     | main          | workers     | atomic add; wraps, never reset                      |
// | 96 + 2*set + 1  | taken        | worker, main  | worker, main| compare-and-exchange; wraps, never reset            |
//
// `numbers` is 0, or the place, plus one, of a list in the arena of amounts: the numbers of the packets that were not won
// when a drop was taken up again after a restart. Without it the packets won have the numbers 0, 1, 2, ...
//
// `taken` has two writers: the SET's worker takes one packet for a winner, main takes back what it moves or refunds. Both
// take by compare-and-exchange against `released`, so every packet is taken once. That neither column is ever reset,
// also when another drop gets the slot, is what keeps a compare-and-exchange from succeeding on the wrong drop.

import assert from 'node:assert/strict';
import { CACHE_WORDS } from '../ring/ring-layout.ts';

export const DROP_ID_WORD = 0;
export const FIRST_AMOUNT_WORD = 1;
export const FIRST_NUMBER_WORD = 2;
export const WINS_PER_USER_WORD = 3;
export const NUMBERS_WORD = 4;
export const ASSIGNED_WORD = CACHE_WORDS;
export const SETTLED_WORD = ASSIGNED_WORD + CACHE_WORDS;
export const DROP_SETS_WORD = SETTLED_WORD + CACHE_WORDS;
export const DROP_SET_WORDS = 2;
export const DROP_RELEASED_WORD = 0;
export const DROP_TAKEN_WORD = 1;

assert(
  WINS_PER_USER_WORD < NUMBERS_WORD &&
    NUMBERS_WORD < ASSIGNED_WORD &&
    ASSIGNED_WORD < SETTLED_WORD &&
    SETTLED_WORD < DROP_SETS_WORD,
  'ascending',
);
