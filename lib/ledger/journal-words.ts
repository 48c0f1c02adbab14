// How the journal reads and writes its numbers, as words of 4 bytes: u64 and CRC-32. For machines with the low byte first.

import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';

assert(new Uint8Array(Uint32Array.of(1).buffer)[0] === 1, 'the low byte of a word comes first');

const TWO_32 = 2 ** 32;

/** Words from which on zlib is faster than the tables, for all that a call of it costs. */
const ZLIB_WORDS = 96;

/** Four tables of 256 words: what a byte does to the CRC with 0, 1, 2 or 3 bytes behind it. */
const TABLES = makeTables();

/** The u64 whose low word is at `at`. */
// HOT
export function readU64(words: Int32Array, at: number): number {
  return (words[at + 1] >>> 0) * TWO_32 + (words[at] >>> 0);
}

/** Writes a whole number from 0 to 2^53 - 1. */
// HOT
export function writeU64(words: Int32Array, at: number, value: number): void {
  words[at] = value;
  words[at + 1] = value / TWO_32;
}

/** CRC-32 of `count` words from `at` on, as a signed word: the same as zlib's over their bytes. */
// HOT
export function crcOfWords(words: Int32Array, at: number, count: number): number {
  if (count >= ZLIB_WORDS) return crc32(new Uint8Array(words.buffer, words.byteOffset + at * 4, count * 4)) | 0;
  let crc = -1;
  for (let i = at; i < at + count; i++) {
    const mixed = crc ^ words[i];
    crc =
      TABLES[768 + (mixed & 0xff)] ^
      TABLES[512 + ((mixed >>> 8) & 0xff)] ^
      TABLES[256 + ((mixed >>> 16) & 0xff)] ^
      TABLES[mixed >>> 24];
  }
  return ~crc;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(4 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb8_8320;
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256];
    tables[at] = (before >>> 8) ^ tables[before & 0xff];
  }
  return tables;
}
