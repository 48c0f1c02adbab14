// The published test vectors, docs/protocol-vectors.json, typed and turned into bytes for the tests.

import { readFileSync } from 'node:fs';
import type { SplitMode } from '../../lib/packets/split.ts';

/** One frame: what it says and its bytes. */
export interface FrameVector {
  name: string;
  direction: 'to server' | 'to client';
  opcode: number;
  /** The u32 fields of a classic frame, by name. */
  fields: Record<string, number>;
  stamp: bigint;
  /** The value of an extended frame; undefined for a classic one. */
  body: unknown;
  bytes: Uint8Array;
}

/** What a server refuses. */
export interface RefusedVector {
  name: string;
  bytes: Uint8Array;
  fault: 'WRONG_LENGTH' | 'OVERSIZE' | 'UNKNOWN_OPCODE' | 'body';
  why: string;
}

/** The shares that a seed gives. */
export interface SplitVector {
  name: string;
  mode: SplitMode;
  totalCents: number;
  shares: number;
  minCents: number;
  maxCents: number;
  seed: Uint8Array;
  commitment: string;
  amountsCents: number[];
}

interface VectorsFile {
  frames: {
    name: string;
    direction: FrameVector['direction'];
    opcode: string;
    fields: { stamp: string; body?: unknown } & Record<string, unknown>;
    hex: string;
  }[];
  refused: (Omit<RefusedVector, 'bytes'> & { hex: string })[];
  splits: (Omit<SplitVector, 'seed'> & { seed: string })[];
}

const file: VectorsFile = JSON.parse(
  readFileSync(new URL('../../docs/protocol-vectors.json', import.meta.url), 'utf8'),
);

export const frameVectors: FrameVector[] = file.frames.map(({ name, direction, opcode, fields, hex }) => {
  const { stamp, body, ...words } = fields;
  return {
    name,
    direction,
    opcode: Number(opcode),
    fields: words as Record<string, number>,
    stamp: BigInt(stamp),
    body: withBytes(body),
    bytes: fromHex(hex),
  };
});

export const refusedVectors: RefusedVector[] = file.refused.map(({ hex, ...rest }) => ({
  ...rest,
  bytes: fromHex(hex),
}));

export const splitVectors: SplitVector[] = file.splits.map((vector) => ({ ...vector, seed: fromHex(vector.seed) }));

/** The frames that a server accepts. */
export const framesToServer: Uint8Array[] = frameVectors
  .filter((vector) => vector.direction === 'to server')
  .map((vector) => vector.bytes);

/** A plain Uint8Array of the bytes that `hex` names. */
export function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** Turns {"bin": hex} into raw bytes, one level deep: our bodies have no more. */
function withBytes(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body;
  return Object.fromEntries(
    Object.entries(body).map(([key, value]) => [key, typeof value?.bin === 'string' ? fromHex(value.bin) : value]),
  );
}
