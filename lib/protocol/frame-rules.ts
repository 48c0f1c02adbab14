// Which frames each side accepts, and how long each may be: the one place where a frame's header is judged.

import { FIRST_CHAT_OPCODE, isChatRequest, LAST_CHAT_OPCODE } from './chat.ts';
import { CLASSIC_FRAME_BYTES, HEADER_BYTES } from './classic-layout.ts';
import { MAX_CHAT_FRAME_BYTES, MAX_FRAME_BYTES } from './limits.ts';
import { FIRST_EXTENDED_OPCODE, Opcode } from './opcodes.ts';

/** Why a header is refused. 0 is the absence of a fault, so that the hot path tests one number. */
export const FrameFault = {
  NONE: 0,
  /** The length field is below 12, or is not the one length that this classic opcode has. */
  WRONG_LENGTH: 1,
  /** The length field of an extended frame is above what this side reads. */
  OVERSIZE: 2,
  /** This side does not accept the opcode. */
  UNKNOWN_OPCODE: 3,
} as const;
export type FrameFault = (typeof FrameFault)[keyof typeof FrameFault];

/** Accepted lengths by opcode: 0 = refused, positive = exactly this many bytes, negative = at most that many. */
export type FrameRules = Int16Array;

/**
 * @param longest the longest extended frame that this side accepts @param chatBytes the longest chat frame
 * @param asks whether chat frames are requests, or all the others
 */
function acceptOnly(opcodes: readonly Opcode[], longest: number, chatBytes: number, asks: boolean): FrameRules {
  const rules = new Int16Array(LAST_CHAT_OPCODE + 1);
  for (const opcode of opcodes) {
    rules[opcode] = opcode < FIRST_EXTENDED_OPCODE ? CLASSIC_FRAME_BYTES[opcode] : -longest;
  }
  for (let opcode = FIRST_CHAT_OPCODE; opcode <= LAST_CHAT_OPCODE; opcode++) {
    if (isChatRequest(opcode) === asks) rules[opcode] = -Math.min(longest, chatBytes);
  }
  return rules;
}

/** What a server accepts from its clients. @param longest bytes of an extended frame, at most MAX_FRAME_BYTES */
export function makeServerRules(longest: number): FrameRules {
  return acceptOnly(
    [Opcode.LOGIN, Opcode.SHAKE, Opcode.GRAB, Opcode.HELLO, Opcode.PING, Opcode.SEND, Opcode.WALLET, Opcode.RECORDS],
    longest,
    MAX_CHAT_FRAME_BYTES,
    true,
  );
}

/** What a server accepts whose operator has not lowered the limit. */
export const SERVER_RULES: FrameRules = makeServerRules(MAX_FRAME_BYTES);

/** What a client accepts from its server. */
export const CLIENT_RULES: FrameRules = acceptOnly(
  [
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
  ],
  MAX_FRAME_BYTES,
  MAX_FRAME_BYTES,
  false,
);

/** Judges a header: FrameFault.NONE, or why the frame is refused. */
// HOT
export function judgeHeader(rules: FrameRules, length: number, opcode: number): FrameFault {
  const rule = opcode < rules.length ? rules[opcode] : 0;
  if (rule === length) return length === 0 ? FrameFault.UNKNOWN_OPCODE : FrameFault.NONE;
  if (rule === 0) return FrameFault.UNKNOWN_OPCODE;
  if (rule > 0 || length < HEADER_BYTES) return FrameFault.WRONG_LENGTH;
  return length > -rule ? FrameFault.OVERSIZE : FrameFault.NONE;
}
