// Requests and replies as they lie in a ring slot, between an acceptor, a SET worker and main. All cells are Int32 words.
//
// A message with a body goes on in the slots behind its head, which the body fills from their first word on.
//
// Request (acceptor or main -> SET worker), 16 words:
// | word | name         | meaning                                                                     |
// |------|--------------|-----------------------------------------------------------------------------|
// | 0    | kind         | RequestKind                                                                 |
// | 1    | connection   | index in the acceptor's connection table                                    |
// | 2    | generation   | of that index, so that a late reply never reaches whoever reused it         |
// | 3    | user         | user id                                                                     |
// | 4    | packet       | GRAB, NOTIFY: packet id                                                     |
// | 5, 6 | stamp        | high and low half, echoed                                                   |
// | 7    | received     | the acceptor's clock in microseconds, wrapping; echoed                      |
// | 8    | rich         | LOGIN: 1 for an extended session                                            |
// | 9    | body words   | of the body in the slots that follow; 0 = none                              |
// | 10,11| cents        | of commands from main: low and high word of a u64                           |
//
// Reply (SET worker -> acceptor), 32 words:
// | word   | name       | meaning                                                                     |
// |--------|------------|-----------------------------------------------------------------------------|
// | 0      | kind       | ReplyKind                                                                   |
// | 1, 2   | connection, generation | as in the request                                               |
// | 3      | user       | user id                                                                     |
// | 4      | result     | LoginResult, ShakeResult or GrabStatus                                      |
// | 5      | packet     | packet id                                                                   |
// | 6      | amount     | cents; NOTICE: the packet's total                                           |
// | 7, 8   | stamp      | echoed                                                                      |
// | 9      | received   | echoed                                                                      |
// | 10     | count      | NOTICE: shares; LOGIN: notices that wait                                    |
// | 11..13 | users      | NOTICE: the first three invited users                                       |
// | 14     | sender     | NOTICE: user id or -1                                                       |
// | 15     | expires at | NOTICE: Unix seconds                                                        |
// | 16     | mode       | NOTICE: index of the split                                                  |
// | 17..24 | commitment | NOTICE to an extended session: sha256 of the seed, big-endian words         |
// | 25     | rich       | LOGIN: echoed                                                               |
// | 26     | worker     | which worker's request this answers                                         |
// | 27     | body words | of the body in the slots that follow; 0 = none                              |
// | 28, 29 | cents      | WALLET: balance; TRANSFER: balance after; low and high word of a u64        |
// | 30, 31 | held       | WALLET: held for sends under way; low and high word of a u64                |
//
// What a SET worker says to main is a reply too, in main's reply ring: main is one acceptor more, behind the others. SEND
// and RECORDS are passed on with acceptor in place of `result`, and the body that they came with.
//
// Bodies: SEND (both ways): send-words.ts. NOTICE with a note: the note's UTF-8, its bytes in `result`. SENT and RECORDS from
// main: the packed MessagePack value, its bytes in `count`. TOPUP, WITHDRAW and SENT to a worker: the key's UTF-8, its bytes
// in `rich`. Everything of chat: the packed MessagePack value, its bytes in `rich` of a request and `count` of a reply; CHAT_ANSWER
// has ChatResult in `cents low` and how long to wait in `cents high`; CHAT_PUSH has 1 in `cents low` if it is not to be kept. What a worker says to the chat service is a reply too.
import assert from 'node:assert/strict';

/** Words of a request's slot and of a reply's slot. */
export const REQUEST_WORDS = 16;
export const REPLY_WORDS = 32;

export const RequestKind = {
  LOGIN: 1,
  SHAKE: 2,
  GRAB: 3,
  DISCONNECT: 4,
  // From an acceptor, passed on to main.
  SEND: 5,
  RECORDS: 6,
  WALLET: 7,
  // From main.
  NOTIFY: 8,
  TOPUP: 9,
  WITHDRAW: 10,
  /** A refund of a packet that this user sent: it is durable, and joins the balance. */
  CREDIT: 11,
  /** Holds cents of the balance for a send; answered RESERVED. */
  RESERVE: 12,
  /** What was held is spent, or free again. */
  COMMIT: 13,
  CANCEL: 14,
  /** The outcome of a SEND, for its request key: packet 0 means that nothing was sent. */
  SENT: 15,
  // From an acceptor, passed on to the chat service: opcode in `packet`, bytes of the body in `rich`.
  CHAT: 16,
  // From the chat service: id of the request in `stamp low`, opcode in `packet`, bytes of the body in `rich`.
  /** Answers a CHAT. */
  CHAT_ANSWER: 17,
  /** A frame for a user, at his next extended session if he has none. */
  CHAT_PUSH: 18,
  /** Asks to be told whether this user is here, now and whenever that changes; answered PRESENCE. */
  CHAT_WATCH: 19,
  /** Asks for what is known of a packet; answered CHAT_PACKET. */
  CHAT_PACKET: 20,
} as const;
export type RequestKind = (typeof RequestKind)[keyof typeof RequestKind];

/** Kinds below NOTICE answer a request; the others come unasked. */
export const ReplyKind = {
  LOGIN: 1,
  SHAKE: 2,
  GRAB: 3,
  NOT_LOGGED_IN: 4,
  SENT: 5,
  WALLET: 6,
  RECORDS: 7,
  // To main.
  TRANSFER: 8,
  RESERVED: 9,
  NOTICE: 10,
  REPLACED: 11,
  // To main: what an acceptor asked for and main answers.
  PASS_SEND: 12,
  PASS_RECORDS: 13,
  /** Answers a CHAT; ChatResult in `result`. Not counted with the replies: see WorkerLink.requestChat. */
  CHAT: 14,
  CHAT_PUSH: 15,
  // To the chat service.
  PASS_CHAT: 16,
  /** Whether a user is logged in: `result` is 1 or 0. */
  PRESENCE: 17,
  /** What a NOTICE of a packet says; `result` is -1 if there is no such packet, or it is over. */
  CHAT_PACKET: 18,
} as const;
export type ReplyKind = (typeof ReplyKind)[keyof typeof ReplyKind];

export const REQUEST_KIND = 0;
export const REQUEST_CONNECTION = 1;
export const REQUEST_GENERATION = 2;
export const REQUEST_USER = 3;
export const REQUEST_PACKET = 4;
export const REQUEST_STAMP_HIGH = 5;
export const REQUEST_STAMP_LOW = 6;
export const REQUEST_RECEIVED = 7;
export const REQUEST_RICH = 8;
export const REQUEST_BODY = 9;
export const REQUEST_CENTS_LOW = 10;
export const REQUEST_CENTS_HIGH = 11;

export const REPLY_KIND = 0;
export const REPLY_CONNECTION = 1;
export const REPLY_GENERATION = 2;
export const REPLY_USER = 3;
export const REPLY_RESULT = 4;
export const REPLY_PACKET = 5;
export const REPLY_AMOUNT = 6;
export const REPLY_STAMP_HIGH = 7;
export const REPLY_STAMP_LOW = 8;
export const REPLY_RECEIVED = 9;
export const REPLY_COUNT = 10;
export const REPLY_USERS = 11;
export const REPLY_SENDER = 14;
export const REPLY_EXPIRES_AT = 15;
export const REPLY_MODE = 16;
export const REPLY_COMMITMENT = 17;
export const COMMITMENT_WORDS = 8;
export const REPLY_RICH = 25;
export const REPLY_WORKER = 26;
export const REPLY_BODY = 27;
export const REPLY_CENTS_LOW = 28;
export const REPLY_CENTS_HIGH = 29;
export const REPLY_HELD_LOW = 30;
export const REPLY_HELD_HIGH = 31;

/** The result of a CHAT: why there is no answer of the service, if there is none. */
export const ChatResult = {
  ANSWERED: 0,
  /** Not tried: too much is under way. */
  BUSY: 1,
  /** The service is down, or gave no answer in time. */
  UNAVAILABLE: 2,
  /** Not tried: this user asks for too much. `amount` is how long to wait, in milliseconds. */
  RATE: 3,
  /** The session that asked has ended, or never began. */
  NOT_LOGGED_IN: 4,
} as const;
export type ChatResult = (typeof ChatResult)[keyof typeof ChatResult];

/** The result of RESERVED and TRANSFER. */
export const TransferResult = {
  DONE: 0,
  /** The key was used for this very transfer before. */
  REPEAT: 1,
  INSUFFICIENT: 2,
  /** The key was used for something else. */
  KEY_REUSED: 3,
  /** The user's worker holds as many users as it may. */
  FULL: 4,
  /** Not known: the record could not be written. */
  LOST: 5,
} as const;
export type TransferResult = (typeof TransferResult)[keyof typeof TransferResult];

const TWO_TO_32 = 2 ** 32;

/** The low and the high word of a whole number from 0 to 2^53 - 1, and back. */
export function lowWord(value: number): number {
  return value | 0;
}
export function highWord(value: number): number {
  return Math.floor(value / TWO_TO_32);
}
export function joinWords(low: number, high: number): number {
  return high * TWO_TO_32 + (low >>> 0);
}

assert(REQUEST_CENTS_HIGH < REQUEST_WORDS, 'a request fits its slot');
assert(REPLY_COMMITMENT + COMMITMENT_WORDS === REPLY_RICH && REPLY_HELD_HIGH < REPLY_WORDS, 'a reply fits its slot');
