// Reads the fields of a record's payload that are longer than a word. See record-layout.ts for where they lie.

import { PACKET_OPEN } from './record-layout.ts';

/** The sender of what the house sends. */
export const HOUSE = -1;

/** A text: its length in bytes, then the bytes. */
export function readText(words: Int32Array, at: number): string {
  return readBytes(words, at + 1, words[at]).toString();
}

/** Words of a text, its length included. */
export function countTextWords(words: Int32Array, at: number): number {
  return 1 + Math.ceil(words[at] / 4);
}

/** A copy of some bytes as they are in memory. */
export function readBytes(words: Int32Array, at: number, bytes: number): Buffer {
  return Buffer.from(Buffer.from(words.buffer, words.byteOffset + 4 * at, bytes));
}

/** Where the key of a PACKET_OPEN lies; the note follows it. @param at where the payload begins */
export function findPacketKey(words: Int32Array, at: number): number {
  return at + PACKET_OPEN.USERS + words[at + PACKET_OPEN.INVITED];
}

/** The sender of a PACKET_OPEN: a user id, or -1 for the house. @param at where the payload begins */
export function readSender(words: Int32Array, at: number): number {
  const word = words[at + PACKET_OPEN.SENDER];
  return word === HOUSE ? HOUSE : word >>> 0;
}
