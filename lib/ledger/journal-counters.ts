// What the journal thread counts: the names of its block of shared counters, in the order of their cells.

const COUNTS = ['batches', 'records', 'syncs', 'segments'] as const;

const SUMS = ['bytes', 'syncMicroseconds'] as const;

export const JOURNAL_COUNTERS = { counts: COUNTS, sums: SUMS };

/** The cell of each count. */
export const JournalCount = Object.fromEntries(COUNTS.map((name, i) => [name, i])) as Record<
  (typeof COUNTS)[number],
  number
>;

/** The cell of each sum. */
export const JournalSum = Object.fromEntries(SUMS.map((name, i) => [name, i])) as Record<(typeof SUMS)[number], number>;
