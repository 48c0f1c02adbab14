// The bounds of the wire, each with its reason.

/** The longest extended frame in bytes, header included: room for a SEND to hundreds of users, small enough to buffer. */
export const MAX_FRAME_BYTES = 16 * 1024;

/** The deepest nesting of a MessagePack body: our bodies need 3; a bomb needs thousands. */
export const MAX_BODY_DEPTH = 8;

/** The highest user id: ids live in Int32 words of shared memory, where -1 means nobody. */
export const MAX_USER_ID = 0x7fff_ffff;

/** The longest token of a HELLO in characters: a signed token is about 150. */
export const MAX_TOKEN_LENGTH = 1024;
