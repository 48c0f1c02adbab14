// The words of the wire: opcodes, result codes and statuses, each with its number.

/** The opcodes by name. A reply has its request's opcode plus one; RICH_GRAB_RESULT 0x0100 more. */
export const Opcode = {
  // Classic frames: fixed length, u32 fields.
  LOGIN: 0x0000,
  LOGIN_RESULT: 0x0001,
  SHAKE: 0x0002,
  SHAKE_RESULT: 0x0003,
  NOTICE: 0x0004,
  GRAB: 0x0005,
  GRAB_RESULT: 0x0006,
  // Extended frames carry one MessagePack value. 0x01nn is the rich form of the classic 0x00nn where one exists.
  HELLO: 0x0100,
  WELCOME: 0x0101,
  RICH_NOTICE: 0x0104,
  RICH_GRAB_RESULT: 0x0106,
  PING: 0x0110,
  PONG: 0x0111,
  ERROR: 0x0112,
  /** Unasked. */
  SLOW_DOWN: 0x0113,
  GOING_AWAY: 0x0114,
  // 0x012n concerns the user's own money.
  SEND: 0x0120,
  SENT: 0x0121,
  WALLET: 0x0122,
  WALLET_RESULT: 0x0123,
  RECORDS: 0x0124,
  RECORDS_RESULT: 0x0125,
} as const;
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

/** The first opcode of the extended frames; everything below is classic. */
export const FIRST_EXTENDED_OPCODE = 0x0100;

/** The result field of LOGIN_RESULT. */
export const LoginResult = {
  OK: 0,
  /** The user id is above MAX_USER_ID. */
  BAD_USER: 1,
  /** This connection is already logged in as somebody else. */
  ALREADY_LOGGED_IN: 2,
  /** Sent unasked: the same user logged in on another connection, and this one is being closed. */
  REPLACED: 3,
  /** The server holds as many users as it was set up for. */
  FULL: 4,
  /** The server takes tokens only, which LOGIN has no room for: say HELLO. This connection is being closed. */
  TOKEN_NEEDED: 5,
} as const;
export type LoginResult = (typeof LoginResult)[keyof typeof LoginResult];

/** The result field of SHAKE_RESULT. */
export const ShakeResult = { WON: 14, NONE: 15, OVERLOAD: 17 } as const;
export type ShakeResult = (typeof ShakeResult)[keyof typeof ShakeResult];

/** What became of a grab. Classic sessions see only the amount; extended ones see this by name. */
export const GrabStatus = {
  WON: 0,
  REPEAT: 1,
  EMPTY: 2,
  EXPIRED: 3,
  NOT_INVITED: 4,
  NOT_FOUND: 5,
  BUSY: 6,
  BAD_REQUEST: 7,
} as const;
export type GrabStatus = (typeof GrabStatus)[keyof typeof GrabStatus];

/** The statuses by number, for encoding and printing. */
export const GRAB_STATUS_NAMES = Object.keys(GrabStatus) as (keyof typeof GrabStatus)[];

/** What became of a send. Clients see it by name. */
export const SendStatus = {
  SENT: 0,
  /** This very send was carried out before, under the same key. */
  REPEAT: 1,
  /** The balance does not hold the total. */
  INSUFFICIENT: 2,
  /** Not tried. */
  BUSY: 3,
  BAD_REQUEST: 4,
  /** The key was used for another request. */
  KEY_REUSED: 5,
} as const;
export type SendStatus = (typeof SendStatus)[keyof typeof SendStatus];

/** The statuses of a send by number, for encoding and printing. */
export const SEND_STATUS_NAMES = Object.keys(SendStatus) as (keyof typeof SendStatus)[];
