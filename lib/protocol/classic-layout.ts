// The classic frames, byte for byte. All fields are big-endian and unsigned.
//
// | offset | size | name   | meaning                                                        |
// |--------|------|--------|----------------------------------------------------------------|
// | 0      | 2    | length | of the whole frame, header included                            |
// | 2      | 2    | opcode | see opcodes.ts                                                 |
// | 4      | 8    | stamp  | opaque; a reply echoes its request's, else Unix seconds        |
// | 12     | ...  | body   | u32 fields (classic) or one MessagePack value (extended)       |

import assert from 'node:assert/strict';
import { Opcode } from './opcodes.ts';

export const OPCODE_OFFSET = 2;
export const STAMP_OFFSET = 4;
export const BODY_OFFSET = 12;
export const HEADER_BYTES = 12;

/** Body fields of every classic frame, in order; each is a u32. */
export const CLASSIC_FIELDS = {
  LOGIN: ['userId'],
  LOGIN_RESULT: ['userId', 'result'],
  SHAKE: ['userId'],
  SHAKE_RESULT: ['userId', 'result', 'packetId', 'amountCents'],
  NOTICE: ['packetId', 'totalCents', 'shares', 'userId1', 'userId2', 'userId3'],
  GRAB: ['userId', 'packetId'],
  GRAB_RESULT: ['packetId', 'amountCents'],
} as const;

export const LOGIN_BYTES = 16;
export const LOGIN_RESULT_BYTES = 20;
export const SHAKE_BYTES = 16;
export const SHAKE_RESULT_BYTES = 28;
export const NOTICE_BYTES = 36;
export const GRAB_BYTES = 20;
export const GRAB_RESULT_BYTES = 20;

/** The length that each classic opcode must have, by opcode. */
export const CLASSIC_FRAME_BYTES: readonly number[] = [
  LOGIN_BYTES,
  LOGIN_RESULT_BYTES,
  SHAKE_BYTES,
  SHAKE_RESULT_BYTES,
  NOTICE_BYTES,
  GRAB_BYTES,
  GRAB_RESULT_BYTES,
];

for (const [name, fields] of Object.entries(CLASSIC_FIELDS)) {
  const opcode = Opcode[name as keyof typeof CLASSIC_FIELDS];
  assert(CLASSIC_FRAME_BYTES[opcode] === HEADER_BYTES + 4 * fields.length, `${name} has a u32 for each field`);
}
