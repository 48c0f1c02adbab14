// Packs and unpacks the MessagePack body of an extended frame, and refuses what no honest peer sends.
//
// A body is walked once before it is unpacked: exactly one value, no extension types, string keys, bounded depth, and
// every announced length covered by bytes that are there. So unpacking allocates in proportion to the frame.
// Format: https://github.com/msgpack/msgpack/blob/master/spec.md

import { Packr, Unpackr } from 'msgpackr';
import { writeHeader } from './classic.ts';
import { BODY_OFFSET } from './classic-layout.ts';
import { MAX_BODY_DEPTH, MAX_FRAME_BYTES } from './limits.ts';

// A field that is undefined is left out: msgpackr would pack it as an extension, which no reader of ours accepts.
// (An options object of its own, since the types of msgpackr lack skipValues.)
const packOptions = { useRecords: false, variableMapSize: true, skipValues: [undefined] };
const packr = new Packr(packOptions);
// Raw bytes are copied out: what is unpacked outlives the receive buffer.
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number', copyBuffers: true });

/** Remaining items per open container, innermost last. A map of n entries counts 2n items: keys and values in turn. */
const remaining = new Float64Array(MAX_BODY_DEPTH);
/** 1 where the open container is a map. */
const isMap = new Uint8Array(MAX_BODY_DEPTH);

/**
 * Tells whether the bytes from `offset` to `end` are exactly one MessagePack value that is safe to unpack.
 * Never throws, never allocates.
 */
export function isSafeBody(bytes: Uint8Array, offset: number, end: number): boolean {
  let depth = 0;
  let at = offset;
  for (;;) {
    if (at >= end) return false;
    const head = bytes[at];
    const mustBeKey = depth > 0 && isMap[depth - 1] === 1 && remaining[depth - 1] % 2 === 0;
    if (mustBeKey && !isStringHead(head)) return false;
    const items = containerItems(bytes, at, end);
    if (items === REFUSED) return false;
    if (items === NOT_A_CONTAINER) {
      at += scalarBytes(bytes, at, end);
      if (at > end) return false;
    } else {
      at += containerHeadBytes(head);
      if (items > end - at) return false;
      if (items > 0) {
        if (depth === MAX_BODY_DEPTH) return false;
        remaining[depth] = items;
        isMap[depth] = isMapHead(head) ? 1 : 0;
        depth++;
        continue;
      }
    }
    while (depth > 0 && --remaining[depth - 1] === 0) depth--;
    if (depth === 0) return at === end;
  }
}

/** Unpacks the body of the extended frame of `length` bytes at `offset`; `undefined` if it is empty or not safe. */
export function unpackBody(bytes: Uint8Array, offset: number, length: number): unknown {
  const start = offset + BODY_OFFSET;
  const end = offset + length;
  if (!isSafeBody(bytes, start, end)) return undefined;
  return unpackr.unpack(bytes.subarray(start, end));
}

/** Unpacks a value that one thread packed for another, or that `isSafeBody` has judged. */
export function unpackValue(bytes: Uint8Array): unknown {
  return unpackr.unpack(bytes);
}

/**
 * Packs the body of an extended frame.
 * @throws {RangeError} if the frame around it would be longer than MAX_FRAME_BYTES
 */
export function packValue(value: unknown): Uint8Array {
  const body = packr.pack(value);
  const length = BODY_OFFSET + body.length;
  if (length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${length} bytes is over ${MAX_FRAME_BYTES}`);
  return body;
}

/**
 * Builds a whole extended frame around one value.
 * @throws {RangeError} if the frame would be longer than MAX_FRAME_BYTES: callers bound what they put into a body.
 */
export function packFrame(opcode: number, stampHigh: number, stampLow: number, value: unknown): Uint8Array {
  const body = packValue(value);
  const length = BODY_OFFSET + body.length;
  const frame = new Uint8Array(length);
  writeHeader(frame, 0, length, opcode, stampHigh, stampLow);
  frame.set(body, BODY_OFFSET);
  return frame;
}

const NOT_A_CONTAINER = -1;
const REFUSED = -2;

/** Items of the array or map at `at`, NOT_A_CONTAINER for a scalar, REFUSED for extensions, 0xc1 and cut heads. */
function containerItems(bytes: Uint8Array, at: number, end: number): number {
  const head = bytes[at];
  if (head >= 0x80 && head <= 0x8f) return 2 * (head & 0x0f);
  if (head >= 0x90 && head <= 0x9f) return head & 0x0f;
  if (head === 0xdc || head === 0xde)
    return at + 3 > end ? REFUSED : bigEndian(bytes, at + 1, 2) * (head === 0xde ? 2 : 1);
  if (head === 0xdd || head === 0xdf)
    return at + 5 > end ? REFUSED : bigEndian(bytes, at + 1, 4) * (head === 0xdf ? 2 : 1);
  if (head === 0xc1 || (head >= 0xc7 && head <= 0xc9) || (head >= 0xd4 && head <= 0xd8)) return REFUSED;
  return NOT_A_CONTAINER;
}

function containerHeadBytes(head: number): number {
  if (head < 0xa0) return 1;
  return head === 0xdc || head === 0xde ? 3 : 5;
}

/** Bytes of the scalar at `at`, head and payload; past `end` when it is cut. */
function scalarBytes(bytes: Uint8Array, at: number, end: number): number {
  const head = bytes[at];
  if (head <= 0x7f || head >= 0xe0 || head === 0xc0 || head === 0xc2 || head === 0xc3) return 1;
  if (head >= 0xa0 && head <= 0xbf) return 1 + (head & 0x1f);
  const width = LENGTH_WIDTHS[head];
  if (width > 0) return at + 1 + width > end ? end - at + 1 : 1 + width + bigEndian(bytes, at + 1, width);
  return FIXED_BYTES[head];
}

/** Bytes of the length field of bin 8/16/32 and str 8/16/32. */
const LENGTH_WIDTHS = new Uint8Array(256);
LENGTH_WIDTHS.set([1, 2, 4], 0xc4);
LENGTH_WIDTHS.set([1, 2, 4], 0xd9);

/** Bytes of float 32/64 and of unsigned and signed integers, head included. */
const FIXED_BYTES = new Uint8Array(256);
FIXED_BYTES.set([5, 9, 2, 3, 5, 9, 2, 3, 5, 9], 0xca);

function isStringHead(head: number): boolean {
  return (head >= 0xa0 && head <= 0xbf) || (head >= 0xd9 && head <= 0xdb);
}

function isMapHead(head: number): boolean {
  return (head >= 0x80 && head <= 0x8f) || head === 0xde || head === 0xdf;
}

function bigEndian(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value = value * 256 + bytes[at + i];
  return value;
}
