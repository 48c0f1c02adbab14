// The bounds of the network side that nobody can set, each with its reason. Those that an operator can set are in net-limits.ts.

/** How long a stop still reads what has arrived before it, in milliseconds: a few turns of a loaded event loop. */
export const LAST_READS_MS = 100;

/** How long extended sessions may take to leave once they are told that the server goes away, in milliseconds: some round trips. */
export const LEAVE_MS = 1000;

/** Sessions that are told so in one turn of the loop: some 20 ms of writing. */
export const TOLD_PER_TURN = 4096;

/** Requests that one acceptor may have under way to one worker: 8,192 at 75,000/s are a tenth of a second of waiting. */
export const MAX_IN_FLIGHT = 8192;

/** Of these, how many may be shakes: the rest is kept for logins and grabs, which are shed last. */
export const MAX_SHAKES_IN_FLIGHT = (MAX_IN_FLIGHT * 3) / 4;

/**
 * Share of maxQueuedBytes that may wait for one TLS connection before it is read no further until it has taken them: TLS sends what
 * is written in one turn of the loop only after it, and a client that asks much at once must not look like one that does not read.
 */
export const UNREAD_TLS_SHARE = 1 / 4;

/**
 * After how many reads, or bytes of them, the reply rings are drained: one turn of the event loop can hold tens of thousands of
 * reads. So many bytes are 4,096 shakes, half of what may be under way to a worker.
 */
export const READS_PER_DRAIN = 128;
export const BYTES_PER_DRAIN = 64 * 1024;

/** Length of the listen queue: what the kernel's somaxconn usually allows. */
export const BACKLOG = 4096;

/**
 * Seconds of silence after which the kernel asks whether the peer is still there: asked every two minutes, a million
 * connections would cost 8,000 questions a second, and as many answers.
 */
export const KEEP_ALIVE_SECONDS = 900;

/** Descriptors that the process needs for itself: standard streams, event loops, control connections, files. */
export const RESERVED_DESCRIPTORS = 256;

/** How long a client that was answered BUSY should wait, in milliseconds. */
export const RETRY_AFTER_MS = 200;

/** What a request that could not be tried is told, in a sentence. */
export const BUSY_MESSAGE = 'the server is too busy for this; try again later';

/** A session that is asked for patience waits one to two times so long, and then shakes once in one to two times so long. */
export const SLOW_DOWN_MS = 1000;
export const SLOW_DOWN_INTERVAL_MS = 1000;

/** Before a session is asked again: an asking costs more than an answer. */
export const SLOW_DOWN_AGAIN_SECONDS = 3;

/** Chat requests that one acceptor may have under way to one worker: beside all others, and never in their place. */
export const MAX_CHAT_IN_FLIGHT = 256;

/** The same of one connection, so that nobody takes them all: more than a person types. */
export const MAX_CHAT_IN_FLIGHT_PER_CONNECTION = 16;
