// Tries how a SEND travels between threads: it comes out as it went in, and its signature tells it from others.

import fc from 'fast-check';
import t from 'tap';
import { readSend, type Send, SPLIT_NAMES } from '../../lib/protocol/extended.ts';
import { decodeSend, encodeSend, MAX_SEND_WORDS, signatureOf } from '../../lib/protocol/send-words.ts';
import { checkProperty } from '../packets/check-property.ts';
import { printSeed } from '../packets/seed.ts';

printSeed(t);

const wholes = (low: number, high: number) => fc.oneof(fc.integer({ min: low, max: high }), fc.constantFrom(low, high));
/** Any text of up to `most` characters of any width. */
const texts = (most: number) => fc.string({ unit: 'binary', maxLength: most });

const sends: fc.Arbitrary<Send> = fc.record({
  users: fc.uniqueArray(wholes(0, 2 ** 31 - 1), { minLength: 1, maxLength: 1000, size: 'medium' }),
  totalCents: wholes(1, 2 ** 31 - 1),
  shares: wholes(1, 2 ** 31 - 1),
  key: texts(64).filter((text) => text !== '' && Buffer.byteLength(text) <= 64),
  mode: fc.constantFrom(...SPLIT_NAMES),
  expiresInSeconds: wholes(1, 2_592_000),
  note: texts(25),
});

const longest: Send = {
  users: Array.from({ length: 1000 }, (_, i) => i),
  totalCents: 2 ** 31 - 1,
  shares: 2 ** 31 - 1,
  key: '🧧'.repeat(16),
  mode: 'equal',
  expiresInSeconds: 2_592_000,
  note: '🧧'.repeat(25),
};

t.test('what is drawn here are sends', async (t) => {
  await checkProperty(
    t,
    'readSend takes each',
    fc.property(sends, (send) => readSend(send) !== undefined),
    500,
  );
});

t.test('a send comes out of its words as it went in, wherever they lie, also in shared memory', async (t) => {
  const property = fc.property(sends, fc.nat({ max: 40 }), fc.boolean(), (send, at, isShared) => {
    const words = encodeSend(send);
    const bytes = 4 * (at + words.length + 7);
    const around = new Int32Array(isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes), 4).fill(-1);
    around.set(words, at);
    const decoded = decodeSend(around, at, words.length);
    around.fill(0x5a5a_5a5a);
    return isSame(decoded, send);
  });
  await checkProperty(t, 'any send', property, 1000);
});

t.test('the words of a send are those of the table', (t) => {
  const words = encodeSend({
    users: [7, 2 ** 31 - 1],
    totalCents: 1000,
    shares: 3,
    key: 'abcde',
    mode: 'line',
    expiresInSeconds: 60,
    note: '福',
  });
  t.strictSame(
    [...words],
    [1000, 3, 1, 60, 2, 7, 2 ** 31 - 1, 5, 0x6463_6261, 0x65, 3, 0x8f_a6e7],
    'total, shares, mode, expires in, users, key, note',
  );
  const without = encodeSend({ ...longest, users: [7], key: 'abcd', note: '' });
  t.strictSame([...without].slice(4), [1, 7, 4, 0x6463_6261, 0], 'a note without bytes is its length');
  t.end();
});

t.test('the longest send fills the words that are said to be the most', (t) => {
  t.equal(encodeSend(longest).length, MAX_SEND_WORDS);
  t.strictSame(decodeSend(encodeSend(longest), 0, MAX_SEND_WORDS), longest);
  t.throws(() => encodeSend({ ...longest, users: [...longest.users, 1000] }), { code: 'ERR_ASSERTION' });
  t.end();
});

t.test('words that are too few or too many for their send stop the process', (t) => {
  const words = encodeSend(longest);
  const longer = new Int32Array(words.length + 1);
  longer.set(words);
  t.throws(() => decodeSend(words, 0, words.length - 1), { code: 'ERR_ASSERTION' });
  t.throws(() => decodeSend(longer, 0, longer.length), { code: 'ERR_ASSERTION' });
  t.end();
});

t.test('the signature is a whole number of 31 bits that the key has no part in', async (t) => {
  const property = fc.property(sends, fc.string(), (send, key) => {
    const { key: _, ...content } = send;
    const signature = signatureOf(content);
    const isInRange = Number.isInteger(signature) && signature >= 0 && signature < 2 ** 31;
    return isInRange && signatureOf(send) === signature && signatureOf({ ...send, key } as Send) === signature;
  });
  await checkProperty(t, 'any send with any key', property, 500);
});

t.test('a send that differs in one field, or in the order of its users, has another signature', (t) => {
  const send: Send = { ...longest, users: [1, 2, 3], note: 'note', mode: 'lucky', expiresInSeconds: 60 };
  const others: Partial<Send>[] = [
    { users: [1, 2] },
    { users: [1, 2, 3, 0] },
    { users: [3, 2, 1] },
    { totalCents: send.totalCents - 1 },
    { shares: 1 },
    { mode: 'line' },
    { mode: 'equal' },
    { expiresInSeconds: 61 },
    { note: 'not' },
    { note: 'note\0' },
    { note: '' },
  ];
  const signatures = others.map((other) => signatureOf({ ...send, ...other }));
  t.equal(new Set([signatureOf(send), ...signatures]).size, 1 + others.length);
  t.equal(signatureOf({ ...send }), signatureOf(send), 'the same content has the same');
  t.end();
});

t.test('the signature is the CRC-32 of the words with an empty key, without its highest bit', (t) => {
  const send: Send = {
    ...longest,
    users: [5],
    totalCents: 6,
    shares: 2,
    mode: 'lucky',
    expiresInSeconds: 60,
    note: '',
  };
  const words = [6, 2, 0, 60, 1, 5, 0, 0];
  t.equal(signatureOf(send), crcPlainly(Buffer.from(Int32Array.from(words).buffer)) & 0x7fff_ffff);
  t.end();
});

function isSame(a: Send, b: Send): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}

/** CRC-32, bit by bit. */
function crcPlainly(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb8_8320;
  }
  return ~crc;
}
