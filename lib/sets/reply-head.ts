// The words that every reply has in common: whose it is, and what of its request it echoes.

import {
  REPLY_BODY,
  REPLY_CONNECTION,
  REPLY_GENERATION,
  REPLY_KIND,
  REPLY_RECEIVED,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_WORKER,
  REQUEST_CONNECTION,
  REQUEST_GENERATION,
  REQUEST_RECEIVED,
  REQUEST_STAMP_HIGH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  type ReplyKind,
} from '../protocol/slot-layout.ts';

/** Fills the head of the reply at `place` of `out` to the request at `slot` of `words`; it has no body. */
// HOT
export function fillReplyHead(
  out: Int32Array,
  place: number,
  words: Int32Array,
  slot: number,
  kind: ReplyKind,
  worker: number,
): void {
  out[place + REPLY_KIND] = kind;
  out[place + REPLY_CONNECTION] = words[slot + REQUEST_CONNECTION];
  out[place + REPLY_GENERATION] = words[slot + REQUEST_GENERATION];
  out[place + REPLY_USER] = words[slot + REQUEST_USER];
  out[place + REPLY_STAMP_HIGH] = words[slot + REQUEST_STAMP_HIGH];
  out[place + REPLY_STAMP_LOW] = words[slot + REQUEST_STAMP_LOW];
  out[place + REPLY_RECEIVED] = words[slot + REQUEST_RECEIVED];
  out[place + REPLY_WORKER] = worker;
  out[place + REPLY_BODY] = 0;
}
