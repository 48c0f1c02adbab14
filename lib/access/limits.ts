// The bounds of access control, each with its reason.

/** Bytes of a signing key and of a control token: as many as SHA-256 has, which no one can guess. */
export const SECRET_BYTES = 32;

/** Bytes of a key's id: enough to tell the keys of a file apart; it is no secret. */
export const KEY_ID_BYTES = 4;

/** Keys that a file may hold, the retired ones too: more than years of monthly rotation. */
export const MAX_KEYS = 100;

/** Bytes of a file of secrets at the most: MAX_KEYS with room; a larger one is something else. */
export const MAX_SECRET_FILE_BYTES = 64 * 1024;

/** The longest life of a token in seconds, a year: a stolen one must end at some time. */
export const MAX_TOKEN_SECONDS = 366 * 24 * 60 * 60;

/** The highest user id, as on the wire: see ../protocol/limits.ts, which a test holds this against. */
export const MAX_TOKEN_USER_ID = 0x7fff_ffff;

/** How often a running server looks whether the key file has changed, in milliseconds. */
export const KEY_WATCH_MS = 1000;
