// Writes and reads the classic frames. Pure bytes: the caller owns the buffer and has checked that there is room.
//
// Stamps travel as two unsigned 32-bit halves so that nothing on the hot path touches a BigInt.

import {
  BODY_OFFSET,
  GRAB_BYTES,
  GRAB_RESULT_BYTES,
  LOGIN_BYTES,
  LOGIN_RESULT_BYTES,
  NOTICE_BYTES,
  SHAKE_BYTES,
  SHAKE_RESULT_BYTES,
  STAMP_OFFSET,
} from './classic-layout.ts';
import { Opcode } from './opcodes.ts';

const TWO_TO_32 = 2 ** 32;

/** Reads the big-endian u32 at `offset`: 0 to 2^32 - 1. */
// HOT
export function readUint32(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] << 24) | (bytes[offset + 1] << 16) | (bytes[offset + 2] << 8) | bytes[offset + 3]) >>> 0;
}

/** Writes the low 32 bits of `value`, big-endian, at `offset`. Signed words of shared memory may be passed as they are. */
// HOT
export function writeUint32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

/** Writes the 12-byte header of a frame of `length` bytes (12 to 65,535). */
// HOT
export function writeHeader(
  bytes: Uint8Array,
  offset: number,
  length: number,
  opcode: number,
  stampHigh: number,
  stampLow: number,
): void {
  bytes[offset] = length >>> 8;
  bytes[offset + 1] = length;
  bytes[offset + 2] = opcode >>> 8;
  bytes[offset + 3] = opcode;
  writeUint32(bytes, offset + STAMP_OFFSET, stampHigh);
  writeUint32(bytes, offset + STAMP_OFFSET + 4, stampLow);
}

/** The high 32 bits of a stamp given as a number (0 to 2^53 - 1). */
export function stampHighOf(stamp: number): number {
  return Math.floor(stamp / TWO_TO_32) >>> 0;
}

/** Reads the stamp of the frame at `offset` as a number. Exact up to 2^53 - 1, which covers what this code ever sends. */
export function readStamp(bytes: Uint8Array, offset: number): number {
  return readUint32(bytes, offset + STAMP_OFFSET) * TWO_TO_32 + readUint32(bytes, offset + STAMP_OFFSET + 4);
}

/** Writes LOGIN; returns its length in bytes. */
export function writeLogin(bytes: Uint8Array, offset: number, stamp: number, userId: number): number {
  writeHeader(bytes, offset, LOGIN_BYTES, Opcode.LOGIN, stampHighOf(stamp), stamp);
  writeUint32(bytes, offset + BODY_OFFSET, userId);
  return LOGIN_BYTES;
}

/** Writes SHAKE; returns its length in bytes. */
// HOT
export function writeShake(bytes: Uint8Array, offset: number, stamp: number, userId: number): number {
  writeHeader(bytes, offset, SHAKE_BYTES, Opcode.SHAKE, stampHighOf(stamp), stamp);
  writeUint32(bytes, offset + BODY_OFFSET, userId);
  return SHAKE_BYTES;
}

/** Writes GRAB; returns its length in bytes. */
export function writeGrab(bytes: Uint8Array, offset: number, stamp: number, userId: number, packetId: number): number {
  writeHeader(bytes, offset, GRAB_BYTES, Opcode.GRAB, stampHighOf(stamp), stamp);
  writeUint32(bytes, offset + BODY_OFFSET, userId);
  writeUint32(bytes, offset + BODY_OFFSET + 4, packetId);
  return GRAB_BYTES;
}

/** Writes LOGIN_RESULT; returns its length in bytes. */
export function writeLoginResult(
  bytes: Uint8Array,
  offset: number,
  stampHigh: number,
  stampLow: number,
  userId: number,
  result: number,
): number {
  writeHeader(bytes, offset, LOGIN_RESULT_BYTES, Opcode.LOGIN_RESULT, stampHigh, stampLow);
  writeUint32(bytes, offset + BODY_OFFSET, userId);
  writeUint32(bytes, offset + BODY_OFFSET + 4, result);
  return LOGIN_RESULT_BYTES;
}

/** Writes SHAKE_RESULT; returns its length in bytes. */
// HOT
export function writeShakeResult(
  bytes: Uint8Array,
  offset: number,
  stampHigh: number,
  stampLow: number,
  userId: number,
  result: number,
  packetId: number,
  amountCents: number,
): number {
  writeHeader(bytes, offset, SHAKE_RESULT_BYTES, Opcode.SHAKE_RESULT, stampHigh, stampLow);
  writeUint32(bytes, offset + BODY_OFFSET, userId);
  writeUint32(bytes, offset + BODY_OFFSET + 4, result);
  writeUint32(bytes, offset + BODY_OFFSET + 8, packetId);
  writeUint32(bytes, offset + BODY_OFFSET + 12, amountCents);
  return SHAKE_RESULT_BYTES;
}

/** Writes NOTICE; unused user ids are 0. Returns its length in bytes. */
export function writeNotice(
  bytes: Uint8Array,
  offset: number,
  stamp: number,
  packetId: number,
  totalCents: number,
  shares: number,
  userId1: number,
  userId2: number,
  userId3: number,
): number {
  writeHeader(bytes, offset, NOTICE_BYTES, Opcode.NOTICE, stampHighOf(stamp), stamp);
  writeUint32(bytes, offset + BODY_OFFSET, packetId);
  writeUint32(bytes, offset + BODY_OFFSET + 4, totalCents);
  writeUint32(bytes, offset + BODY_OFFSET + 8, shares);
  writeUint32(bytes, offset + BODY_OFFSET + 12, userId1);
  writeUint32(bytes, offset + BODY_OFFSET + 16, userId2);
  writeUint32(bytes, offset + BODY_OFFSET + 20, userId3);
  return NOTICE_BYTES;
}

/** Writes GRAB_RESULT; an amount of 0 means nothing was got. Returns its length in bytes. */
export function writeGrabResult(
  bytes: Uint8Array,
  offset: number,
  stampHigh: number,
  stampLow: number,
  packetId: number,
  amountCents: number,
): number {
  writeHeader(bytes, offset, GRAB_RESULT_BYTES, Opcode.GRAB_RESULT, stampHigh, stampLow);
  writeUint32(bytes, offset + BODY_OFFSET, packetId);
  writeUint32(bytes, offset + BODY_OFFSET + 4, amountCents);
  return GRAB_RESULT_BYTES;
}
