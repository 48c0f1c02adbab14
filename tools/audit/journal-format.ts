// The journal's numbers, as docs/JOURNAL.md has them: offsets and sizes of segment, batch and record, and the record types.
//
// | piece   | bytes | what                                                                                       |
// |---------|-------|--------------------------------------------------------------------------------------------|
// | segment | 84    | magic 8, version, node, segment, reserved, first batch u64, first sequence u64, created u64,   |
// |         |       | chain 32, CRC-32                                                                           |
// | batch   | 76    | magic, bytes, batch u64, first sequence u64, records, reserved, time u64, chain 32, CRC-32;  |
// |         |       | then the records, then the trailer                                                         |
// | record  | 16    | bytes, type, sequence u64; then the payload, then CRC-32                                   |
//
// This room is a second reader: it is written from the document alone and shares no code with the writer.

export const SEGMENT_MAGIC = 'HBJOURN1';
export const FORMAT_VERSION = 1;
export const SEGMENT_BYTES = 84;
export const SEGMENT_CRC_AT = 80;

export const BATCH_MAGIC = 0x48435442; // 'BTCH', read as a little-endian word
export const BATCH_TRAILER = 0x454e4f44; // 'DONE'
export const BATCH_BYTES = 76;
export const BATCH_CRC_AT = 72;
export const BATCH_TRAILER_BYTES = 4;
export const MOST_BATCH_BYTES = 16 * 2 ** 20;

export const RECORD_BYTES = 16;
export const RECORD_CRC_BYTES = 4;

export const CHAIN_BYTES = 32;
export const SECTOR_BYTES = 512;

export const DROP_OPEN = 1;
export const WIN = 2;
export const DROP_CLOSE = 3;
export const SEND_OPEN = 4;
export const PACKET_OPEN = 5;
export const GRAB = 6;
export const PACKET_CLOSE = 7;
export const TOPUP = 8;
export const WITHDRAW = 9;
export const NOTICE_DROPPED = 10;
export const RESERVE = 11;
export const SETTLE = 12;

/** The name of each record type, by its number. */
export const RECORD_NAMES = [
  '',
  'DROP_OPEN',
  'WIN',
  'DROP_CLOSE',
  'SEND_OPEN',
  'PACKET_OPEN',
  'GRAB',
  'PACKET_CLOSE',
  'TOPUP',
  'WITHDRAW',
  'NOTICE_DROPPED',
  'RESERVE',
  'SETTLE',
] as const;

/** The modes of a split, by their number. */
export const SPLIT_MODES = ['lucky', 'line', 'equal'] as const;
export type SplitMode = (typeof SPLIT_MODES)[number];

/** The sender of a packet that the house sent. */
export const HOUSE = 0xffff_ffff;
export const MOST_USER = 0x7fff_ffff;

/** The words of payloads that are read in more than one place. */
export const DROP_OPEN_SEED_WORD = 12;
export const SEND_OPEN_SEED_WORD = 14;
export const PACKET_OPEN_SEED_WORD = 14;
export const PACKET_OPEN_INVITED_WORD = 22;

/** Two words as one number; the document promises that it is below 2^53, and checkRecord sees to it. */
export function joinWords(low: number, high: number): number {
  return low + high * 2 ** 32;
}

/** A u64 at this offset. A value of 2^53 or more comes out rounded, and equal to nothing that is expected. */
export function readU64(view: DataView, at: number): number {
  return joinWords(view.getUint32(at, true), view.getUint32(at + 4, true));
}
