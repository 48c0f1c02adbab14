// Where things lie in a ring's SharedArrayBuffer. All cells are Int32 words.
//
// | word           | size   | name            | who writes | who reads | how                                   |
// |----------------|--------|-----------------|------------|-----------|---------------------------------------|
// | 0              | 1      | cursor          | producer   | consumer  | atomic                                |
// | 32             | 1      | gating sequence | consumer   | producer  | atomic                                |
// | 64 + s*words   | words  | slot s          | producer   | consumer  | plain, between claim and publish      |
//
// The cursor and the gating sequence each have 128 bytes of their own (two cache lines: x86 fetches them in pairs), so
// that neither side's store takes the line from under the other's.

import assert from 'node:assert/strict';

export const CACHE_WORDS = 32;
export const CURSOR_WORD = 0;
export const GATING_WORD = CURSOR_WORD + CACHE_WORDS;
export const SLOTS_WORD = GATING_WORD + CACHE_WORDS;

assert(CURSOR_WORD < GATING_WORD && GATING_WORD < SLOTS_WORD, 'the cells of a ring ascend');
assert(GATING_WORD - CURSOR_WORD >= CACHE_WORDS && SLOTS_WORD - GATING_WORD >= CACHE_WORDS, 'each has its own lines');
