// What the chat service's thread counts: the names of its block of shared counters, in the order of their cells.

const COUNTS = ['requests', 'failures', 'pushes', 'pushesDropped'] as const;

export const CHAT_COUNTERS = { counts: COUNTS, sums: [] };

/** The cell of each count. */
export const ChatCount = Object.fromEntries(COUNTS.map((name, i) => [name, i])) as Record<
  (typeof COUNTS)[number],
  number
>;
