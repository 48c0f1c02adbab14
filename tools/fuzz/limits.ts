// The bounds of a fuzz run, each with its reason.

/** Users that the fuzzer logs in as: so few that the server's memory of users is soon at its full size. */
export const FUZZ_FIRST_USER = 2_000_000;
export const FUZZ_USERS = 4096;

/** Of these, how many have money to send. */
export const FUZZ_RICH_USERS = 64;

/** Honest users: ids that the fuzzer never logs in as, or it would throw them out. */
export const HONEST_FIRST_USER = 1_000_000;

/** Inputs of one connection at the most: below the requests that one connection may have under way. */
export const MOST_INPUTS = 120;

/** Bytes of one connection at the most: so much can wait in the kernel while the server is busy. */
export const MOST_STREAM_BYTES = 128 * 1024;

/** How long the server may take over one connection or one HTTP request, in milliseconds. */
export const PATIENCE_MS = 30_000;

/** Bytes that a client that does not read sends until the server has had enough: beyond what two kernels keep. */
export const DEAF_STREAM_BYTES = 64 * 1024 * 1024;

/** One HTTP request to so many inputs of connections. */
export const INPUTS_PER_HTTP = 100;

/** Whether a user id is one that the fuzzer may log in as. */
export function isFuzzUser(userId: number): boolean {
  return userId >= FUZZ_FIRST_USER && userId < FUZZ_FIRST_USER + FUZZ_USERS;
}
