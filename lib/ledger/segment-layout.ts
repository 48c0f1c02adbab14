// Where things lie in a segment of the journal, outside its records. Offsets in bytes; every number little-endian, every
// piece a multiple of 4 bytes long. docs/JOURNAL.md has the same tables for readers outside this code.
//
// Segment header, 84 bytes, once at the start of each file:
// | offset | size | name           | meaning                                                                |
// |--------|------|----------------|------------------------------------------------------------------------|
// | 0      | 8    | magic          | the characters HBJOURN1                                                |
// | 8      | 4    | version        | 1                                                                      |
// | 12     | 4    | node           | the node that wrote it                                                 |
// | 16     | 4    | segment        | its number, from 1 on                                                  |
// | 20     | 4    | reserved       | 0                                                                      |
// | 24     | 8    | first batch    | number of the first batch in this segment                              |
// | 32     | 8    | first sequence | sequence of the first record in this segment                           |
// | 40     | 8    | created        | Unix milliseconds                                                      |
// | 48     | 32   | chain          | SHA-256 of the last batch of the segment before; zeros in segment 1    |
// | 80     | 4    | CRC-32         | of bytes 0 to 79                                                       |
//
// Batch: header of 76 bytes, records, trailer of 4 bytes:
// | offset | size | name           | meaning                                                                |
// |--------|------|----------------|------------------------------------------------------------------------|
// | 0      | 4    | magic          | the characters BTCH                                                    |
// | 4      | 4    | bytes          | of the whole batch, header and trailer included                        |
// | 8      | 8    | batch          | its number: 1, 2, 3, ... over all segments                             |
// | 16     | 8    | first sequence | of its first record                                                    |
// | 24     | 4    | records        | how many                                                               |
// | 28     | 4    | reserved       | 0                                                                      |
// | 32     | 8    | time           | Unix milliseconds; never below that of the batch before                |
// | 40     | 32   | chain          | SHA-256 of all bytes of the batch before; zeros in batch 1             |
// | 72     | 4    | CRC-32         | of bytes 0 to 71                                                       |
// | 76     | ...  | records        | see record-layout.ts                                                   |
// | end-4  | 4    | trailer        | the characters DONE                                                    |
//
// A u64 is written as two words, low then high; all values are below 2^53.

import assert from 'node:assert/strict';

export const SEGMENT_MAGIC = 'HBJOURN1';
export const JOURNAL_VERSION = 1;

export const SEGMENT_VERSION_OFFSET = 8;
export const SEGMENT_NODE_OFFSET = 12;
export const SEGMENT_NUMBER_OFFSET = 16;
export const SEGMENT_RESERVED_OFFSET = 20;
export const SEGMENT_FIRST_BATCH_OFFSET = 24;
export const SEGMENT_FIRST_SEQUENCE_OFFSET = 32;
export const SEGMENT_CREATED_OFFSET = 40;
export const SEGMENT_CHAIN_OFFSET = 48;
export const SEGMENT_CRC_OFFSET = 80;
export const SEGMENT_HEADER_BYTES = 84;

/** BTCH and DONE as little-endian words. */
export const BATCH_MAGIC = 0x4843_5442;
export const BATCH_TRAILER = 0x454e_4f44;

export const BATCH_BYTES_OFFSET = 4;
export const BATCH_NUMBER_OFFSET = 8;
export const BATCH_FIRST_SEQUENCE_OFFSET = 16;
export const BATCH_RECORDS_OFFSET = 24;
export const BATCH_RESERVED_OFFSET = 28;
export const BATCH_TIME_OFFSET = 32;
export const BATCH_CHAIN_OFFSET = 40;
export const BATCH_CRC_OFFSET = 72;
export const BATCH_HEADER_BYTES = 76;
export const BATCH_TRAILER_BYTES = 4;

export const CHAIN_BYTES = 32;

assert(SEGMENT_CHAIN_OFFSET + CHAIN_BYTES === SEGMENT_CRC_OFFSET, 'the chain of a segment header ends at its CRC');
assert(BATCH_CHAIN_OFFSET + CHAIN_BYTES === BATCH_CRC_OFFSET, 'the chain of a batch header ends at its CRC');
assert(SEGMENT_HEADER_BYTES % 4 === 0 && BATCH_HEADER_BYTES % 4 === 0, 'whole words');

/** The directory of the segments in the data directory. */
export const JOURNAL_NAME = 'journal';

/** The name of a segment's file: its number in ten digits. */
export function segmentName(segment: number): string {
  return `${String(segment).padStart(10, '0')}.journal`;
}

/** The number in a segment's file name, or 0 if it is not one. */
export function segmentNumber(name: string): number {
  const match = /^(\d{10})\.journal$/.exec(name);
  return match === null ? 0 : Number(match[1]);
}
