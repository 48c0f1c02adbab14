// The bounds of the wire, each with its reason.

/** The longest extended frame in bytes, header included: room for a SEND to MAX_SEND_USERS, small enough to buffer. */
export const MAX_FRAME_BYTES = 16 * 1024;

/** The deepest nesting of a MessagePack body: our bodies need 4; a bomb needs thousands. */
export const MAX_BODY_DEPTH = 8;

/** The highest user id: ids live in Int32 words of shared memory, where -1 means nobody. */
export const MAX_USER_ID = 0x7fff_ffff;

/** The longest token of a HELLO in characters: a signed token is about 150. */
export const MAX_TOKEN_LENGTH = 1024;

/** The longest time that GOING_AWAY asks a client to stay away, in seconds: an hour; later it is an outage, not a restart. */
export const MAX_RECONNECT_SECONDS = 3600;

/** The most users that one SEND can name: a large group chat; each is 5 bytes of the frame. */
export const MAX_SEND_USERS = 1000;

/** The largest total of a SEND in cents, and the most shares that it may ask for: both live in Int32 words. */
export const MAX_SEND_CENTS = 0x7fff_ffff;
export const MAX_SEND_SHARES = 0x7fff_ffff;

/** The longest life of a packet that a SEND can ask for, in seconds: 30 days, so that no money is held for ever. */
export const MAX_SEND_EXPIRY_SECONDS = 30 * 24 * 60 * 60;

/** How long a packet lives if its SEND does not say, in seconds: a day, as is the custom. */
export const DEFAULT_SEND_EXPIRY_SECONDS = 24 * 60 * 60;

/** The longest request key in bytes of UTF-8: a UUID has 36. */
export const MAX_KEY_BYTES = 64;

/** The longest note of a packet in characters (code points): as in every red-packet app. */
export const MAX_NOTE_CHARACTERS = 25;

/** The longest note in bytes of UTF-8: four for each character. */
export const MAX_NOTE_BYTES = 4 * MAX_NOTE_CHARACTERS;

/** Records that one RECORDS gets: at the most, some 90 bytes each, so that they fit a frame; and if it does not say. */
export const MAX_RECORDS = 100;
export const DEFAULT_RECORDS = 20;

/** Grabs of a packet that one RECORDS_RESULT tells of: some 60 bytes each, so that they fit a frame. */
export const MAX_TOLD_GRABS = 250;

/** The longest that a server may ask a client to wait, in milliseconds: an hour. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * The longest frame that asks for chat, in bytes, header included: a long text, and a quarter of the ring slots of a full frame.
 * Below 4,096, so that a client with the wrong byte order is still refused with its first SHAKE.
 */
export const MAX_CHAT_FRAME_BYTES = 4000;

/** How long whoever asked for chat and was not served should wait, in milliseconds. */
export const CHAT_RETRY_AFTER_MS = 500;
