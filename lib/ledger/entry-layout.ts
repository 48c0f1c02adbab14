// An entry on its way to the journal thread: a record, the reply that tells of it, or both. All cells are Int32 words.
//
// First slot, 64 words:
// | word   | name      | meaning                                                                          |
// |--------|-----------|----------------------------------------------------------------------------------|
// | 0      | slots     | how many slots the entry takes                                                   |
// | 1      | type      | RecordType, or 0: no record, only a reply that must not overtake earlier records |
// | 2      | payload   | words of the record's payload                                                    |
// | 3      | target    | whose reply ring the reply goes to; -1: no reply                                 |
// | 4      | wakes     | 1: the producer is to be rung once the entry is durable                          |
// | 5      | if lost   | what the reply's result becomes if the record cannot be written                  |
// | 8..31  | payload   | its first 24 words                                                               |
// | 32..63 | reply     | the slot of a reply ring, as it is                                               |
//
// The rest of a payload fills the slots that follow, 64 words each. Plain words, between claim and publish.

import assert from 'node:assert/strict';

export const ENTRY_WORDS = 64;
export const ENTRY_SLOTS = 0;
export const ENTRY_TYPE = 1;
export const ENTRY_PAYLOAD_WORDS = 2;
export const ENTRY_TARGET = 3;
export const ENTRY_WAKES = 4;
export const ENTRY_IF_LOST = 5;
export const ENTRY_PAYLOAD = 8;
export const ENTRY_FIRST_WORDS = 24;
export const ENTRY_REPLY = 32;
export const ENTRY_REPLY_WORDS = 32;

/** In `type`: there is no record. */
export const NO_RECORD = 0;
/** In `target`: there is no reply. */
export const NO_TARGET = -1;

assert(ENTRY_IF_LOST < ENTRY_PAYLOAD && ENTRY_PAYLOAD + ENTRY_FIRST_WORDS === ENTRY_REPLY, 'the cells ascend');
assert(ENTRY_REPLY + ENTRY_REPLY_WORDS === ENTRY_WORDS, 'the reply ends the slot');

/** Slots of an entry whose record has a payload of so many words. */
export function countEntrySlots(payloadWords: number): number {
  return payloadWords <= ENTRY_FIRST_WORDS ? 1 : 1 + Math.ceil((payloadWords - ENTRY_FIRST_WORDS) / ENTRY_WORDS);
}
