// A second reader and a random writer of MessagePack, sharing no code with lib/protocol: what the tests compare with.
//
// The writer draws every legal width of lengths and numbers, not only the shortest. The reader is the plainest recursive
// one; it returns undefined for whatever a peer may not send.

import type { Random } from './seeded.ts';

/** A value and bytes that say it. */
export interface Written {
  value: unknown;
  bytes: number[];
}

/** Draws a value that nests at most `depth` arrays and maps, as bytes in any legal form. */
export function writeRandom(random: Random, depth: number): Written {
  const kind = random.between(0, depth > 0 ? 8 : 6);
  if (kind === 7) return writeArray(random, depth);
  if (kind === 8) return writeMap(random, depth);
  if (kind === 6) return writeText(random, drawText(random));
  if (kind === 5) return writeRaw(random);
  if (kind === 4) return writeFloat(random);
  if (kind >= 2) return writeInteger(random);
  return random.pick([
    { value: null, bytes: [0xc0] },
    { value: false, bytes: [0xc2] },
    { value: true, bytes: [0xc3] },
  ]);
}

function drawText(random: Random): string {
  const length = random.pick([0, 1, 3, 7, 15, 16, 31, 32, 60, 70, 300]);
  let text = '';
  while (text.length < length)
    text += random.pick(['a', 'Z', '0', '_', ' ', '\0', '\u007f', 'é', 'ß', '红', '包', '\uffff', '🧧']);
  return text;
}

function writeText(random: Random, text: string): Written {
  const utf8 = [...Buffer.from(text, 'utf8')];
  return { value: text, bytes: [...writeLength(random, utf8.length, [0xa0, 31], [0xd9, 0xda, 0xdb]), ...utf8] };
}

function writeRaw(random: Random): Written {
  const raw = random.bytes(random.pick([0, 1, 32, 255, 256, 300]));
  return { value: raw, bytes: [...writeLength(random, raw.length, [0, -1], [0xc4, 0xc5, 0xc6]), ...raw] };
}

function writeFloat(random: Random): Written {
  const view = new DataView(new ArrayBuffer(9));
  const value = random.pick([0, 0.5, -1.25, 1e10, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 42]);
  const isDouble = random.between(0, 1) === 1;
  if (isDouble) view.setFloat64(1, value);
  else view.setFloat32(1, value);
  view.setUint8(0, isDouble ? 0xcb : 0xca);
  return { value: isDouble ? value : Math.fround(value), bytes: [...new Uint8Array(view.buffer, 0, isDouble ? 9 : 5)] };
}

const INTEGERS = [0, 1, 31, 32, 63, 64, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];

function writeInteger(random: Random): Written {
  const value = random.pick(INTEGERS) * random.pick([1, 1, -1]) + 0;
  const forms: number[][] = [];
  if (value >= 0 && value <= 127) forms.push([value]);
  if (value < 0 && value >= -32) forms.push([value + 256]);
  for (const [i, bits] of [8, 16, 32, 64].entries()) {
    if (value >= 0 && value < 2 ** bits) forms.push([0xcc + i, ...bigEndian(BigInt(value), bits / 8)]);
    const half = 2 ** (bits - 1);
    if (value >= -half && value < half) forms.push([0xd0 + i, ...bigEndian(BigInt(value), bits / 8)]);
  }
  return { value, bytes: random.pick(forms) };
}

function writeArray(random: Random, depth: number): Written {
  const items = Array.from({ length: random.pick([0, 0, 1, 1, 2, 3, 15, 16]) }, () => writeRandom(random, depth - 1));
  const head = writeLength(random, items.length, [0x90, 15], [0, 0xdc, 0xdd]);
  return { value: items.map((item) => item.value), bytes: [head, ...items.map((item) => item.bytes)].flat() };
}

function writeMap(random: Random, depth: number): Written {
  const value: Record<string, unknown> = {};
  const parts: number[][] = [];
  for (let left = random.pick([0, 0, 1, 1, 2, 3, 15, 16]); left > 0; left--) {
    const key = `${drawText(random)}${left}`;
    const item = writeRandom(random, depth - 1);
    value[key] = item.value;
    parts.push(writeText(random, key).bytes, item.bytes);
  }
  const head = writeLength(random, parts.length / 2, [0x80, 15], [0, 0xde, 0xdf]);
  return { value, bytes: [head, ...parts].flat() };
}

/** A length in any form that can hold it: within the head byte, or behind one of three (0 = there is no such form). */
function writeLength(random: Random, length: number, [short, most]: [number, number], heads: number[]): number[] {
  const forms: number[][] = length <= most ? [[short + length]] : [];
  for (const [i, head] of heads.entries()) {
    if (head !== 0 && length < 2 ** (8 << i)) forms.push([head, ...bigEndian(BigInt(length), 1 << i)]);
  }
  return random.pick(forms);
}

function bigEndian(value: bigint, width: number): number[] {
  return Array.from({ length: width }, (_, i) => Number((value >> BigInt(8 * (width - 1 - i))) & 0xffn));
}

/** Tells whether the bytes are exactly one value without extensions, with string keys, and at most `depth` deep. */
export function isOneValue(bytes: Uint8Array, depth: number): boolean {
  return skipValue(bytes, 0, depth) === bytes.length;
}

/** The offset behind the value at `at`, or NaN. Empty arrays and maps hold nothing and so do not count as a level. */
function skipValue(bytes: Uint8Array, at: number, depth: number): number {
  const head = bytes[at];
  const sized = SIZED.find((form) => head >= form.from && head <= form.to);
  if (sized === undefined) return Number.NaN;
  let next = at + 1 + sized.width;
  if (next > bytes.length) return Number.NaN;
  const size =
    sized.width === 0 ? head - sized.from : Number(`0x${Buffer.from(bytes.subarray(at + 1, next)).toString('hex')}`);
  if (sized.holds === 'bytes') return next + size <= bytes.length ? next + size : Number.NaN;
  if (sized.holds === 'nothing') return next;
  if (size > 0 && depth === 0) return Number.NaN;
  for (let i = 0; i < size; i++) {
    if (sized.holds === 'pairs') {
      if (!STRING_HEADS.has(bytes[next])) return Number.NaN;
      next = skipValue(bytes, next, 0);
    }
    next = skipValue(bytes, next, depth - 1);
    if (Number.isNaN(next)) return next;
  }
  return next;
}

const STRING_HEADS = new Set([...Array.from({ length: 32 }, (_, i) => 0xa0 + i), 0xd9, 0xda, 0xdb]);

/** The forms of the format, extensions and 0xc1 left out; `width` counts the bytes between the head and what it holds. */
const SIZED: { from: number; to: number; width: number; holds: 'nothing' | 'bytes' | 'items' | 'pairs' }[] = [
  { from: 0x00, to: 0x7f, width: 0, holds: 'nothing' },
  { from: 0x80, to: 0x8f, width: 0, holds: 'pairs' },
  { from: 0x90, to: 0x9f, width: 0, holds: 'items' },
  { from: 0xa0, to: 0xbf, width: 0, holds: 'bytes' },
  { from: 0xc0, to: 0xc0, width: 0, holds: 'nothing' },
  { from: 0xc2, to: 0xc3, width: 0, holds: 'nothing' },
  { from: 0xc4, to: 0xc4, width: 1, holds: 'bytes' },
  { from: 0xc5, to: 0xc5, width: 2, holds: 'bytes' },
  { from: 0xc6, to: 0xc6, width: 4, holds: 'bytes' },
  { from: 0xca, to: 0xca, width: 4, holds: 'nothing' },
  { from: 0xcb, to: 0xcb, width: 8, holds: 'nothing' },
  { from: 0xcc, to: 0xcc, width: 1, holds: 'nothing' },
  { from: 0xcd, to: 0xcd, width: 2, holds: 'nothing' },
  { from: 0xce, to: 0xce, width: 4, holds: 'nothing' },
  { from: 0xcf, to: 0xcf, width: 8, holds: 'nothing' },
  { from: 0xd0, to: 0xd0, width: 1, holds: 'nothing' },
  { from: 0xd1, to: 0xd1, width: 2, holds: 'nothing' },
  { from: 0xd2, to: 0xd2, width: 4, holds: 'nothing' },
  { from: 0xd3, to: 0xd3, width: 8, holds: 'nothing' },
  { from: 0xd9, to: 0xd9, width: 1, holds: 'bytes' },
  { from: 0xda, to: 0xda, width: 2, holds: 'bytes' },
  { from: 0xdb, to: 0xdb, width: 4, holds: 'bytes' },
  { from: 0xdc, to: 0xdc, width: 2, holds: 'items' },
  { from: 0xdd, to: 0xdd, width: 4, holds: 'items' },
  { from: 0xde, to: 0xde, width: 2, holds: 'pairs' },
  { from: 0xdf, to: 0xdf, width: 4, holds: 'pairs' },
  { from: 0xe0, to: 0xff, width: 0, holds: 'nothing' },
];
