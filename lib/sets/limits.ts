// The bounds of the SET workers, each with its reason.

/** Users that one worker holds at the most: about 100 bytes each, so 1.6 GB; past it LOGIN is answered FULL. */
export const MAX_USERS_PER_WORKER = 16_000_000;

/** Requests taken from one ring before the others get their turn. */
export const BATCH_REQUESTS = 256;

/** Frames that wait for room in a reply ring before the worker stops taking what main sends: notices above all. */
export const MAX_DEFERRED = 10_000;

/** The same for requests of clients: each login of a user with a long list may add MAX_PENDING_NOTICES frames. */
export const MAX_DEFERRED_BEFORE_REQUESTS = 40_000;

/** How long a worker sleeps at the most before it looks after its lists, in milliseconds. */
export const HOUSEKEEPING_MS = 100;

/** Users whose waiting notices are looked through in one round of housekeeping, at the most. */
export const HOUSEKEEPING_USERS = 2000;

/**
 * Waiting notices that one round of housekeeping looks at, and so many more for each whose packet is over: a round costs little
 * while most packets wait for their users.
 */
export const HOUSEKEEPING_NOTICES = 2000;
export const HOUSEKEEPING_MORE_NOTICES = 10;

/** Words of the longest payload that one request can enter into the journal: a transfer with a key of 64 bytes. */
export const MOST_PAYLOAD_WORDS = 24;

/** The largest balance in cents: a tenth of what a double counts exactly. */
export const MAX_BALANCE_CENTS = 900_000_000_000_000;

/** Sends of users that main has under way: each holds a few hundred bytes while its wallet and the disk take their time. */
export const MAX_SENDS_UNDER_WAY = 2000;

/** How long a sender that was answered BUSY should wait, in milliseconds. */
export const SEND_RETRY_AFTER_MS = 200;

/** How long a wallet may take to reserve, in milliseconds: people wait for no longer with a finger on the button. */
export const WALLET_TIMEOUT_MS = 3000;

/** After how long a commit or a cancel that failed is repeated first, in milliseconds; then after twice as long each time. */
export const WALLET_RETRY_MS = 100;

/** Commands of main that wait for their answer: main's reply ring has room for twice as many. */
export const MAX_TRANSFERS_UNDER_WAY = 4000;

/** Chat requests that the service may have from one worker: a fraction of a second of a busy chat, 1 MB at the most. */
export const MAX_CHAT_UNDER_WAY = 256;

/** The same from one user, so that nobody takes them all: more than a person types. */
export const MAX_CHAT_UNDER_WAY_PER_USER = 16;

/** How long the service's loop may not turn before it is told of no more, in milliseconds: more than a busy machine makes it. */
export const CHAT_STALL_MS = 2000;

/** How long the service may take to answer, in milliseconds: people wait for no longer. */
export const CHAT_TIMEOUT_MS = 5000;

/** Frames, and bytes of them, that wait for one user who is not here: an evening of messages; the oldest go first. */
export const MAX_CHAT_QUEUE_FRAMES_PER_USER = 100;
export const MAX_CHAT_QUEUE_BYTES_PER_USER = 64 * 1024;

/** The same for all users of one worker, in bytes: 100,000 short messages. */
export const MAX_CHAT_QUEUE_BYTES = 32 * 1024 * 1024;

/** Users of one worker whose coming and going the chat service can ask to be told: some 50 bytes each. */
export const MAX_WATCHED_USERS = 200_000;
