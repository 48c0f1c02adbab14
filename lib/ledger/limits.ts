// The bounds of the journal, each with its reason.

/** Bytes after which a segment is closed, so that a snapshot can take it in: some 1.8 million grabs. */
export const SEGMENT_BYTES = 64 * 1024 * 1024;

/** Zeros written ahead at a time: a sync takes half as long if the file does not grow, and 1 MiB costs one sync of 1 ms. */
export const PREALLOCATE_BYTES = 1024 * 1024;

/** Zeros left ahead when the next are written: more than the batch of a usual sync. */
export const PREALLOCATE_LEFT_BYTES = 256 * 1024;

/** The longest batch: a reader holds one whole, so this bounds its memory, and what a torn tail can be. */
export const MAX_BATCH_BYTES = 16 * 1024 * 1024;

/** A batch takes no further records beyond this: its sync takes some 4 ms, and those who wait for it wait no longer. */
export const BATCH_FULL_BYTES = 4 * 1024 * 1024;

/** Bytes that a reader asks of the disk at a time: large enough that the calls do not count. */
export const READ_BYTES = 1024 * 1024;

/** Request keys remembered of one user: a client repeats what was not answered within minutes, not after 256 others. */
export const KEYS_PER_USER = 256;
