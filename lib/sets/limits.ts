// The bounds of the SET workers, each with its reason.

/** Users that one worker holds at the most: about 100 bytes each, so 1.6 GB; past it LOGIN is answered FULL. */
export const MAX_USERS_PER_WORKER = 16_000_000;

/** Requests taken from one ring before the others get their turn. */
export const BATCH_REQUESTS = 256;

/** Frames that wait for room in a reply ring before the worker stops taking notices from main. */
export const MAX_DEFERRED = 10_000;

/** The same for requests of clients: each login of a user with a long list may add MAX_PENDING_NOTICES frames. */
export const MAX_DEFERRED_BEFORE_REQUESTS = 40_000;

/** How long a worker sleeps at the most before it looks after its lists, in milliseconds. */
export const HOUSEKEEPING_MS = 100;

/** Users whose waiting notices are looked through in one round of housekeeping. */
export const HOUSEKEEPING_USERS = 2000;
