// A SEND as it lies in the slots of a ring, between an acceptor, a SET worker and main. All cells are Int32 words.
//
// | word | name       | meaning                                                     |
// |------|------------|-------------------------------------------------------------|
// | 0    | total      | cents                                                       |
// | 1    | shares     | into how many it is split                                   |
// | 2    | mode       | index of the split                                          |
// | 3    | expires in | seconds                                                     |
// | 4    | count      | number of users                                             |
// | 5    | users      | so many user ids                                            |
// | ...  | key        | text                                                        |
// | ...  | note       | text; without bytes if there is none                        |
//
// A text is one word with its bytes of UTF-8, then those bytes, padded with zeros to a word. What is encoded here was
// judged by readSend or read from a record; what is decoded here was encoded here.

import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import { type Send, SPLIT_NAMES } from './extended.ts';
import { MAX_KEY_BYTES, MAX_NOTE_BYTES, MAX_SEND_USERS } from './limits.ts';

const SEND_TOTAL = 0;
const SEND_SHARES = 1;
const SEND_MODE = 2;
const SEND_EXPIRES_IN = 3;
const SEND_COUNT = 4;
const SEND_USERS = 5;

/** Words of the longest send. */
export const MAX_SEND_WORDS =
  SEND_USERS + MAX_SEND_USERS + countTextWords(MAX_KEY_BYTES) + countTextWords(MAX_NOTE_BYTES);

/** Writes a send as words. */
export function encodeSend(send: Send): Int32Array {
  const words = layOut(send);
  assert(words.length <= MAX_SEND_WORDS, 'a send is not longer than the longest');
  return words;
}

/** Reads the send that fills `count` words from `at` on. It refers to none of them afterwards. */
export function decodeSend(words: Int32Array, at: number, count: number): Send {
  const keyAt = at + SEND_USERS + words[at + SEND_COUNT];
  const noteAt = keyAt + countTextWords(words[keyAt]);
  assert(noteAt + countTextWords(words[noteAt]) === at + count, 'a send fills its words');
  return {
    users: Array.from(words.subarray(at + SEND_USERS, keyAt)),
    totalCents: words[at + SEND_TOTAL],
    shares: words[at + SEND_SHARES],
    key: readText(words, keyAt),
    mode: SPLIT_NAMES[words[at + SEND_MODE]],
    expiresInSeconds: words[at + SEND_EXPIRES_IN],
    note: readText(words, noteAt),
  };
}

/** A number from 0 to 2^31 - 1 that tells sends apart: by it a key that comes again with another content is noticed. */
export function signatureOf(send: Omit<Send, 'key'>): number {
  const words = layOut({ ...send, key: '' });
  return crc32(new Uint8Array(words.buffer)) & 0x7fff_ffff;
}

function layOut({ users, totalCents, shares, key, mode, expiresInSeconds, note }: Send): Int32Array {
  const keyAt = SEND_USERS + users.length;
  const noteAt = keyAt + countTextWords(Buffer.byteLength(key));
  const words = new Int32Array(noteAt + countTextWords(Buffer.byteLength(note)));
  words[SEND_TOTAL] = totalCents;
  words[SEND_SHARES] = shares;
  words[SEND_MODE] = SPLIT_NAMES.indexOf(mode);
  words[SEND_EXPIRES_IN] = expiresInSeconds;
  words[SEND_COUNT] = users.length;
  words.set(users, SEND_USERS);
  writeText(words, keyAt, key);
  writeText(words, noteAt, note);
  return words;
}

/** Words of a text of so many bytes, its length included. */
function countTextWords(bytes: number): number {
  return 1 + Math.ceil(bytes / 4);
}

function writeText(words: Int32Array, at: number, text: string): void {
  words[at] = Buffer.from(words.buffer, words.byteOffset + 4 * (at + 1)).write(text);
}

function readText(words: Int32Array, at: number): string {
  return Buffer.from(words.buffer, words.byteOffset + 4 * (at + 1), words[at]).toString();
}
