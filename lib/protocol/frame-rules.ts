// Which frames each side accepts, and how long each may be: the one place where a frame's header is judged.

import { CLASSIC_FRAME_BYTES, HEADER_BYTES } from './classic-layout.ts';
import { MAX_FRAME_BYTES } from './limits.ts';
import { FIRST_EXTENDED_OPCODE, Opcode } from './opcodes.ts';

/** Why a header is refused. 0 is the absence of a fault, so that the hot path tests one number. */
export const FrameFault = {
  NONE: 0,
  /** The length field is below 12, or is not the one length that this classic opcode has. */
  WRONG_LENGTH: 1,
  /** The length field of an extended frame is above MAX_FRAME_BYTES. */
  OVERSIZE: 2,
  /** This side does not accept the opcode. */
  UNKNOWN_OPCODE: 3,
} as const;
export type FrameFault = (typeof FrameFault)[keyof typeof FrameFault];

/** Accepted lengths by opcode: 0 = refused, positive = exactly this many bytes, negative = at most that many. */
export type FrameRules = Int16Array;

function acceptOnly(opcodes: readonly Opcode[]): FrameRules {
  const rules = new Int16Array(Math.max(...opcodes) + 1);
  for (const opcode of opcodes) {
    rules[opcode] = opcode < FIRST_EXTENDED_OPCODE ? CLASSIC_FRAME_BYTES[opcode] : -MAX_FRAME_BYTES;
  }
  return rules;
}

/** What a server accepts from its clients. */
export const SERVER_RULES: FrameRules = acceptOnly([
  Opcode.LOGIN,
  Opcode.SHAKE,
  Opcode.GRAB,
  Opcode.HELLO,
  Opcode.PING,
  Opcode.SEND,
  Opcode.WALLET,
  Opcode.RECORDS,
]);

/** What a client accepts from its server. */
export const CLIENT_RULES: FrameRules = acceptOnly([
  Opcode.LOGIN_RESULT,
  Opcode.SHAKE_RESULT,
  Opcode.NOTICE,
  Opcode.GRAB_RESULT,
  Opcode.WELCOME,
  Opcode.RICH_NOTICE,
  Opcode.RICH_GRAB_RESULT,
  Opcode.PONG,
  Opcode.ERROR,
  Opcode.SLOW_DOWN,
  Opcode.GOING_AWAY,
  Opcode.SENT,
  Opcode.WALLET_RESULT,
  Opcode.RECORDS_RESULT,
]);

/** Judges a header: FrameFault.NONE, or why the frame is refused. */
// HOT
export function judgeHeader(rules: FrameRules, length: number, opcode: number): FrameFault {
  const rule = opcode < rules.length ? rules[opcode] : 0;
  if (rule === length) return length === 0 ? FrameFault.UNKNOWN_OPCODE : FrameFault.NONE;
  if (rule === 0) return FrameFault.UNKNOWN_OPCODE;
  if (rule > 0 || length < HEADER_BYTES) return FrameFault.WRONG_LENGTH;
  return length > -rule ? FrameFault.OVERSIZE : FrameFault.NONE;
}
