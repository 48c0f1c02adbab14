// The records of the journal: what each says, where its words lie, and which accounts it moves money between.
//
// Record: 16 bytes, payload, 4 bytes:
// | offset | size | name     | meaning                                          |
// |--------|------|----------|--------------------------------------------------|
// | 0      | 4    | bytes    | of the whole record, a multiple of 4             |
// | 4      | 4    | type     | RecordType                                       |
// | 8      | 8    | sequence | 1, 2, 3, ... over the whole journal              |
// | 16     | ...  | payload  | words, see below                                 |
// | end-4  | 4    | CRC-32   | of everything before it in the record            |
//
// Payloads, in words (4 bytes, little-endian). `u64` takes two words, low first; `f64` two, as IEEE 754 has it; `seed`
// eight, its 32 bytes as they are; `text` one word with its bytes of UTF-8, then those bytes, padded with zeros to a word.
//
// | type | name           | words                                                                  | moves             |
// |------|----------------|------------------------------------------------------------------------|-------------------|
// | 1    | DROP_OPEN      | 0 drop, 1 count, 2 wins per user, 3 min, 4 max, 5 first number,        | funding -> drop   |
// |      |                | 6 rate f64, 8 budget u64, 10 created ms u64, 12 seed                   | (budget)          |
// | 2    | WIN            | 0 drop, 1 number, 2 packet, 3 user, 4 amount                           | drop -> user      |
// | 3    | DROP_CLOSE     | 0 drop, 1 packets won, 2 refund u64                                    | drop -> funding   |
// | 4    | SEND_OPEN      | 0 send, 1 count, 2 shares, 3 mode, 4 first user, 5 last user,          | -                 |
// |      |                | 6 expires in seconds, 7 low total, 8 high total, 9 zero, 10 rate f64,  |                   |
// |      |                | 12 created ms u64, 14 seed                                             |                   |
// | 5    | PACKET_OPEN    | 0 packet, 1 send (0 = none), 2 index in the send, 3 sender (-1 = the   | source -> packet  |
// |      |                | house), 4 total, 5 shares, 6 mode, 7 min, 8 max, 9 created s,          | (total)           |
// |      |                | 10 expires s, 11 source, 12 reservation u64, 14 seed, 22 invited n,    |                   |
// |      |                | 23 n user ids, then key text, then note text                           |                   |
// | 6    | GRAB           | 0 packet, 1 share, 2 user, 3 amount                                    | packet -> user    |
// | 7    | PACKET_CLOSE   | 0 packet, 1 shares taken, 2 refund                                     | packet -> sender  |
// | 8    | TOPUP          | 0 user, 1 zero, 2 cents u64, 4 key text                                | funding -> user   |
// | 9    | WITHDRAW       | 0 user, 1 zero, 2 cents u64, 4 key text                                | user -> funding   |
// | 10   | NOTICE_DROPPED | 0 user, 1 packet                                                       | -                 |
// | 11   | RESERVE        | 0 user, 1 cents, 2 reservation u64, 4 key text                         | -                 |
// | 12   | SETTLE         | 0 outcome (1 committed, 2 cancelled), 1 zero, 2 reservation u64        | -                 |
//
// `number` and `share` are 0-based places in the split as its seed gives it. `mode` is the index into lucky, line, equal.
// Unsigned unless said otherwise.

/** The types by name; see the head of this file. */
export const RecordType = {
  DROP_OPEN: 1,
  WIN: 2,
  DROP_CLOSE: 3,
  SEND_OPEN: 4,
  PACKET_OPEN: 5,
  GRAB: 6,
  PACKET_CLOSE: 7,
  TOPUP: 8,
  WITHDRAW: 9,
  NOTICE_DROPPED: 10,
  RESERVE: 11,
  SETTLE: 12,
} as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

/** Where the money of a packet came from: PACKET_OPEN, word 11. */
export const PacketSource = {
  /** The house: the account `funding`. */
  FUNDING: 0,
  /** The sender's balance. */
  BALANCE: 1,
  /** A reservation at an external wallet, so `funding` as well. */
  WALLET: 2,
} as const;
export type PacketSource = (typeof PacketSource)[keyof typeof PacketSource];

/** How a reservation at an external wallet ended: SETTLE, word 0. */
export const SettleOutcome = { COMMITTED: 1, CANCELLED: 2 } as const;
export type SettleOutcome = (typeof SettleOutcome)[keyof typeof SettleOutcome];

export const RECORD_TYPE_OFFSET = 4;
export const RECORD_SEQUENCE_OFFSET = 8;
export const RECORD_PAYLOAD_OFFSET = 16;
export const RECORD_CRC_BYTES = 4;
/** Bytes of a record beside its payload. */
export const RECORD_FRAME_BYTES = RECORD_PAYLOAD_OFFSET + RECORD_CRC_BYTES;

export const DROP_OPEN = {
  DROP: 0,
  COUNT: 1,
  WINS_PER_USER: 2,
  MIN: 3,
  MAX: 4,
  FIRST_NUMBER: 5,
  RATE: 6,
  BUDGET: 8,
  CREATED_MS: 10,
  SEED: 12,
  WORDS: 20,
} as const;

export const WIN = { DROP: 0, NUMBER: 1, PACKET: 2, USER: 3, AMOUNT: 4, WORDS: 5 } as const;

export const DROP_CLOSE = { DROP: 0, WON: 1, REFUND: 2, WORDS: 4 } as const;

export const SEND_OPEN = {
  SEND: 0,
  COUNT: 1,
  SHARES: 2,
  MODE: 3,
  FIRST_USER: 4,
  LAST_USER: 5,
  EXPIRES_IN_SECONDS: 6,
  LOW_TOTAL: 7,
  HIGH_TOTAL: 8,
  RATE: 10,
  CREATED_MS: 12,
  SEED: 14,
  WORDS: 22,
} as const;

export const PACKET_OPEN = {
  PACKET: 0,
  SEND: 1,
  INDEX: 2,
  SENDER: 3,
  TOTAL: 4,
  SHARES: 5,
  MODE: 6,
  MIN: 7,
  MAX: 8,
  CREATED_AT: 9,
  EXPIRES_AT: 10,
  SOURCE: 11,
  RESERVATION: 12,
  SEED: 14,
  INVITED: 22,
  /** Where the user ids begin; the key follows them, then the note. */
  USERS: 23,
} as const;

export const GRAB = { PACKET: 0, SHARE: 1, USER: 2, AMOUNT: 3, WORDS: 4 } as const;

export const PACKET_CLOSE = { PACKET: 0, TAKEN: 1, REFUND: 2, WORDS: 3 } as const;

/** TOPUP and WITHDRAW. */
export const TRANSFER = { USER: 0, CENTS: 2, KEY: 4 } as const;

export const NOTICE_DROPPED = { USER: 0, PACKET: 1, WORDS: 2 } as const;

export const RESERVE = { USER: 0, CENTS: 1, RESERVATION: 2, KEY: 4 } as const;

export const SETTLE = { OUTCOME: 0, RESERVATION: 2, WORDS: 4 } as const;

export const SEED_WORDS = 8;
