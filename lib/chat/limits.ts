// The bounds of chat, each with its reason. What a SET worker keeps for chat is bounded in lib/sets/limits.ts.

/** Requests a second of one user, and how many may come at once: more than a person types, a client catches up with. */
export const REQUESTS_PER_SECOND = 20;
export const REQUESTS_AT_ONCE = 40;

/** The same for what a whole group is told: each costs a push to every member. */
export const GROUP_MESSAGES_PER_SECOND = 5;
export const GROUP_MESSAGES_AT_ONCE = 10;

/** Users whose rate is known at once, about 80 bytes each: past it all begin anew. */
export const MAX_RATED_USERS = 200_000;

/** Requests that a service has under way: a few for each that the workers wait for, since those give up after a while. */
export const MAX_UNDER_WAY = 4096;

/** Bytes of frames that wait in the service's thread for room towards one worker: a second of a busy chat. */
export const MAX_HELD_BYTES = 8 * 1024 * 1024;

/** How long whoever the service could not serve should wait, in milliseconds. */
export const RETRY_AFTER_MS = 500;

/** Messages taken from one ring before the others, and the event loop, get their turn. */
export const BATCH_MESSAGES = 64;

/** How often the thread shows that its loop turns, in milliseconds: a small part of what the workers put up with. */
export const BEAT_MS = 100;

/** How long a worker may take to tell of a packet, in milliseconds: it is asked over a ring, and loses what is asked when a service ends. */
export const PACKET_TIMEOUT_MS = 2000;

/** The longest text in characters (code points) and in bytes of UTF-8: fits a request's frame beside a key. */
export const MAX_TEXT_CHARACTERS = 1000;
export const MAX_TEXT_BYTES = 3000;

/** The longest name of a group in characters. */
export const MAX_GROUP_NAME_CHARACTERS = 32;

/** Friends of one user, and asks that one has sent or is yet to answer: both lists fit one frame. */
export const MAX_FRIENDS = 500;
export const MAX_ASKS = 100;

/** Users in a group: its users fit a SEND, and a message to it costs so many pushes. Groups of one user: the list fits a frame. */
export const MAX_GROUP_USERS = 200;
export const MAX_GROUPS_PER_USER = 50;

/** Users with a friend, an ask or a group, and groups: some hundred bytes each, so some hundred megabytes. */
export const MAX_KNOWN_USERS = 500_000;
export const MAX_GROUPS = 100_000;

/** Request keys that are remembered: of one user, as many as come before a client repeats; of all, some 10 MB. */
export const MAX_KEYS_PER_USER = 32;
export const MAX_KEYS = 50_000;

/** How long a service may take to start, in milliseconds. */
export const START_MS = 10_000;

/** After how long a service that has ended is started again, in milliseconds; twice as long each time that it ends soon. */
export const RESTART_MS = 1000;
export const MAX_RESTART_MS = 30_000;

/** How long its loop may not turn before its thread is ended and started again, in milliseconds: no request takes so long. */
export const STUCK_MS = 30_000;

/** Lines that a service may add to the log in a second: the first few say it all. */
export const MAX_LOG_LINES_PER_SECOND = 3;
