// Requests and replies as they lie in a ring slot, between an acceptor, a SET worker and main. All cells are Int32 words.
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

import assert from 'node:assert/strict';

/** Words of a request's slot and of a reply's slot. */
export const REQUEST_WORDS = 16;
export const REPLY_WORDS = 32;

export const RequestKind = { LOGIN: 1, SHAKE: 2, GRAB: 3, DISCONNECT: 4, NOTIFY: 5 } as const;
export type RequestKind = (typeof RequestKind)[keyof typeof RequestKind];

/** The first four answer a request; NOTICE and REPLACED come unasked. */
export const ReplyKind = { LOGIN: 1, SHAKE: 2, GRAB: 3, NOT_LOGGED_IN: 4, NOTICE: 5, REPLACED: 6 } as const;
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

assert(REQUEST_RICH < REQUEST_WORDS, 'a request fits its slot');
assert(REPLY_COMMITMENT + COMMITMENT_WORDS === REPLY_RICH && REPLY_RICH < REPLY_WORDS, 'a reply fits its slot');
