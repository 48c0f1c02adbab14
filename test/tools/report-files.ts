// Reads back what a report wrote, with code of its own: pixels of a PNG, and the characters that a font has glyphs for.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';

const PNG_SIGNATURE = '89504e470d0a1a0a';
const TRUECOLOR_ALPHA = 6;
const BYTES_PER_PIXEL = 4;
const WHITE = 0xffff_ffff;

export interface Picture {
  width: number;
  height: number;
  /** How many colours it has, and how many pixels are not white. */
  colors: number;
  inkedPixels: number;
}

/** Decodes a PNG of 8 bits a channel with transparency, not interlaced. */
export function readPng(path: string): Picture {
  const file = readFileSync(path);
  assert.equal(file.toString('hex', 0, 8), PNG_SIGNATURE);
  const header = { width: 0, height: 0 };
  const data: Buffer[] = [];
  for (let at = 8; at < file.length; ) {
    const length = file.readUint32BE(at);
    const type = file.toString('latin1', at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') {
      header.width = body.readUint32BE(0);
      header.height = body.readUint32BE(4);
      assert.deepEqual([body[8], body[9], body[12]], [8, TRUECOLOR_ALPHA, 0]);
    }
    if (type === 'IDAT') data.push(body);
    at += length + 12;
  }
  const pixels = undoFilters(inflateSync(Buffer.concat(data)), header.width, header.height);
  const words = new Uint32Array(pixels.buffer, pixels.byteOffset, header.width * header.height);
  return {
    ...header,
    colors: new Set(words).size,
    inkedPixels: words.reduce((count, word) => (word === WHITE ? count : count + 1), 0),
  };
}

/** Each row begins with the number of the filter that made its bytes differences. */
function undoFilters(rows: Buffer, width: number, height: number): Buffer {
  const stride = width * BYTES_PER_PIXEL;
  assert.equal(rows.length, (stride + 1) * height);
  const pixels = Buffer.from(new ArrayBuffer(stride * height));
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x >= BYTES_PER_PIXEL ? pixels[at - BYTES_PER_PIXEL] : 0;
      const up = y > 0 ? pixels[at - stride] : 0;
      const upLeft = y > 0 && x >= BYTES_PER_PIXEL ? pixels[at - stride - BYTES_PER_PIXEL] : 0;
      pixels[at] = rows[y * (stride + 1) + 1 + x] + guess(filter, left, up, upLeft);
    }
  }
  return pixels;
}

/** What a filter takes a byte to be, from its neighbours. */
function guess(filter: number, left: number, up: number, upLeft: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return up;
  if (filter === 3) return (left + up) >> 1;
  const a = Math.abs(up - upLeft);
  const b = Math.abs(left - upLeft);
  const c = Math.abs(left + up - 2 * upLeft);
  if (a <= b && a <= c) return left;
  return b <= c ? up : upLeft;
}

/** The characters of an OpenType font: its character map in format 4 or 12. */
export function readFontCharacters(path: string): Set<string> {
  const font = readFileSync(path);
  const cmap = findTable(font, 'cmap');
  const characters = new Set<string>();
  for (let i = 0; i < font.readUint16BE(cmap + 2); i++) {
    const map = cmap + font.readUint32BE(cmap + 4 + i * 8 + 4);
    const format = font.readUint16BE(map);
    const ranges = format === 4 ? readFormat4(font, map) : format === 12 ? readFormat12(font, map) : [];
    for (const [from, to] of ranges) {
      for (let code = from; code <= to; code++) characters.add(String.fromCodePoint(code));
    }
  }
  return characters;
}

function findTable(font: Buffer, tag: string): number {
  for (let i = 0; i < font.readUint16BE(4); i++) {
    const entry = 12 + i * 16;
    if (font.toString('latin1', entry, entry + 4) === tag) return font.readUint32BE(entry + 8);
  }
  throw new Error(`the font has no ${tag}`);
}

/** Segments from `start` to `end`; a subset has none in which a glyph is missing. */
function readFormat4(font: Buffer, map: number): [number, number][] {
  const bytes = font.readUint16BE(map + 6);
  const ranges: [number, number][] = [];
  for (let at = 0; at < bytes; at += 2) {
    const end = font.readUint16BE(map + 14 + at);
    const start = font.readUint16BE(map + 16 + bytes + at);
    if (start !== 0xffff) ranges.push([start, end]);
  }
  return ranges;
}

function readFormat12(font: Buffer, map: number): [number, number][] {
  return Array.from({ length: font.readUint32BE(map + 12) }, (_, i) => {
    const group = map + 16 + i * 12;
    return [font.readUint32BE(group), font.readUint32BE(group + 4)];
  });
}
