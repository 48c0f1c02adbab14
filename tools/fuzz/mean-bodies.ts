// MessagePack bodies that no honest client sends, and some that one might: built byte by byte, so that nothing is too wrong.

import type { FuzzRandom } from './fuzz-random.ts';

const b = (...bytes: number[]) => Buffer.from(bytes);

/** Text in the shortest form for its length. */
function text(value: string | Buffer): Buffer {
  const bytes: Buffer = typeof value === 'string' ? Buffer.from(value) : value;
  const { length } = bytes;
  const head = length < 32 ? b(0xa0 | length) : length < 256 ? b(0xd9, length) : b(0xda, length >> 8, length & 255);
  return Buffer.concat([head, bytes]);
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xcb;
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = 0xce;
  bytes.writeUInt32BE(value, 1);
  return bytes;
}

const FF = 0xff;

/** Values that are well-formed, but seldom what is asked for. */
const ODD_VALUES: readonly Buffer[] = [
  b(0xc0),
  b(0xc2),
  b(0xc3),
  b(0x00),
  b(0xff),
  double(Number.NaN),
  double(-0),
  double(0.5),
  double(Number.POSITIVE_INFINITY),
  double(2 ** 53),
  double(2 ** 63),
  b(0xca, 0x7f, 0xc0, 0, 0),
  b(0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0),
  b(0xcf, FF, FF, FF, FF, FF, FF, FF, FF),
  b(0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0),
  b(0xd3, 0, 0, 0, 0, 0, 0, 0, 1),
  uint32(2 ** 31),
  uint32(2 ** 31 - 1),
  uint32(2 ** 32 - 1),
  b(0x80),
  b(0x90),
  text(''),
  text('1'),
  text('红包🧧'),
  text('\0'),
  text('x'.repeat(65)),
  text('x'.repeat(1025)),
  text(b(0xed, 0xa0, 0x80)),
  text(b(0xff, 0xfe)),
  b(0xc4, 0),
  b(0xc4, 2, 1, 2),
  Buffer.concat([b(0x93), uint32(5), uint32(5), uint32(6)]),
  Buffer.concat([b(0x81), text('__proto__'), b(0x81), text('isAdmin'), b(0xc3)]),
];

/** Bytes that are no value, or none that a peer may send. */
const BROKEN_VALUES: readonly Buffer[] = [
  b(0xc1),
  b(0xd4, 1, 2),
  b(0xd6, FF, 0, 0, 0, 0),
  b(0xc7, 3, 5, 1, 2, 3),
  b(0xc9, FF, FF, FF, FF, 1),
  b(0xdd, FF, FF, FF, FF),
  b(0xdf, FF, FF, FF, FF),
  b(0xdd, 0x7f, FF, FF, FF, 0xc0),
  b(0xdb, FF, FF, FF, FF, 0x41),
  b(0xc6, FF, FF, FF, FF),
  b(0xdc, FF),
  b(0xda, FF, FF),
  b(0xd9),
  b(0xcb, 0x7f),
  b(0x82, 0xa1, 0x61),
  b(0x81, 0x01, 0x02),
  b(0x81, 0x90, 0xc0),
  b(0x81, 0xc4, 1, 0x61, 0xc0),
];

/** The keys that a HELLO, SEND or RECORDS may have, and some that every object has. */
const KEYS = [
  'version',
  'userId',
  'token',
  'users',
  'totalCents',
  'shares',
  'key',
  'mode',
  'expiresInSeconds',
  'note',
  'packetId',
  'limit',
  'before',
  '__proto__',
  'constructor',
  'toString',
  'length',
  '',
];

/** A value, odd or ordinary, now and then broken. */
function drawValue(random: FuzzRandom, depth: number): Buffer {
  const kind = random.between(0, 12);
  if (kind === 0 && random.oneIn(3)) return random.pick(BROKEN_VALUES);
  if (kind <= 2 && depth > 0) {
    const items = random.between(0, 4);
    return Buffer.concat([b(0x90 | items), ...Array.from({ length: items }, () => drawValue(random, depth - 1))]);
  }
  if (kind <= 4 && depth > 0) return drawMap(random, depth - 1);
  if (kind <= 9) return random.pick(ODD_VALUES);
  return uint32(random.between(0, 2 ** 32 - 1));
}

/** A map of known keys with any values; keys may come twice. */
function drawMap(random: FuzzRandom, depth: number): Buffer {
  const entries = random.between(0, 6);
  const parts: Buffer[] = [b(0x80 | entries)];
  for (let i = 0; i < entries; i++) parts.push(text(random.pick(KEYS)), drawValue(random, depth));
  return Buffer.concat(parts);
}

/** Arrays or maps in one another, around any depth that matters. */
function drawNest(random: FuzzRandom): Buffer {
  const depth = random.pick([1, 7, 8, 9, 10, 100, 1000, 16_000]);
  const level = random.oneIn(2) ? b(0x91) : b(0x81, 0xa1, 0x61);
  return Buffer.concat([
    ...Array.from({ length: Math.floor(depth / (level.length > 1 ? 3 : 1)) || 1 }, () => level),
    b(0xc0),
  ]);
}

/** A whole body. */
export function drawBody(random: FuzzRandom): Buffer {
  switch (random.between(0, 7)) {
    case 0:
      return drawNest(random);
    case 1:
      return random.pick(BROKEN_VALUES);
    case 2:
      return Buffer.concat([random.pick(ODD_VALUES), random.pick(ODD_VALUES)]);
    case 3:
      return random.bytes(random.between(0, 40));
    case 4:
      return random.pick(ODD_VALUES);
    case 5:
      return drawValue(random, 3);
    default:
      return drawMap(random, random.between(1, 3));
  }
}

/** A body that is one value of the format in any case: what a PING may carry. */
export function drawSafeBody(random: FuzzRandom): Buffer {
  if (!random.oneIn(20)) return random.pick(ODD_VALUES);
  return Buffer.concat([b(0xc5, 0x1f, 0x40), random.bytes(8000)]);
}

/** A body with one of its values replaced by another, found by the key before it. */
export function replaceValue(random: FuzzRandom, body: Buffer): Buffer {
  const key = text(random.pick(KEYS));
  const at = body.indexOf(key);
  if (at < 0 || body.length === 0) return body;
  const from = at + key.length;
  // The old value stays behind the new one under another key, so that the count of entries is still right.
  const head = body[0] >= 0x80 && body[0] < 0x8f ? b(body[0] + 1) : body.subarray(0, 1);
  const value = random.pick(ODD_VALUES);
  return Buffer.concat([head, body.subarray(1, from), value, text('old'), body.subarray(from)]);
}
