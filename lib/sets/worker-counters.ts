// What a SET worker counts: the names of its block of shared counters, in the order of their cells.

const COUNTS = [
  'sessions',
  'users',
  'shakesWon',
  'shakesNone',
  'grabsWon',
  'grabsRepeat',
  'grabsEmpty',
  'grabsExpired',
  'grabsNotInvited',
  'grabsNotFound',
  'noticesDropped',
  /** Slots of request rings. */
  'slotsTaken',
  'chatDropped',
  /** A gauge. */
  'chatQueued',
  'ringBatches',
  /** A gauge. */
  'ringWaitWorstMicroseconds',
] as const;

const SUMS = ['shakeCents', 'grabCents', 'topUpCents', 'withdrawnCents', 'ringWaitMicroseconds'] as const;

export const WORKER_COUNTERS = { counts: COUNTS, sums: SUMS };

/** The cell of each count. */
export const WorkerCount = Object.fromEntries(COUNTS.map((name, i) => [name, i])) as Record<
  (typeof COUNTS)[number],
  number
>;

/** The cell of each sum. */
export const WorkerSum = Object.fromEntries(SUMS.map((name, i) => [name, i])) as Record<(typeof SUMS)[number], number>;
