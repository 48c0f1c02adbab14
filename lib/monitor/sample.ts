// A sample: what one process counted in one second. Its form in memory, in the run log and on its way to a monitor.
//
// Counts are of the interval, not since the start: samples of many processes add up second by second, and one that is lost
// takes nothing but itself. What the names mean is in sample-fields.ts.

import { z } from 'zod';

/** Sides of the picture. */
export const ROLES = ['server', 'client'] as const;
export type Role = (typeof ROLES)[number];

/** Names that one sample may have of each kind; more than any process of ours has. */
const MOST_NAMES = 200;

/** Characters of an encoded histogram: one of microseconds with three digits has a few thousand at the most. */
const MOST_HISTOGRAM_CHARACTERS = 64 * 1024;

const name = z.string().regex(/^[A-Za-z][A-Za-z0-9:-]{0,47}$/);
const finite = z.number().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);

function record<T extends z.ZodType>(value: T) {
  return z.record(name, value).refine((values) => Object.keys(values).length <= MOST_NAMES);
}

export const sampleSchema = z.strictObject({
  /** Who: the name that charts and lists show. */
  source: z.string().regex(/^[\w.:@-]{1,64}$/),
  /** Drawn anew at each start of the process. */
  run: z.string().regex(/^[\w-]{1,32}$/),
  role: z.enum(ROLES),
  /** 0, 1, 2, ... within the run. */
  sequence: z.int().min(0),
  /** The Unix second that it is about. */
  second: z.int().min(0),
  /** How long the interval was that it counts, in seconds: about 1, more when the process stood still. */
  seconds: z.number().gt(0).max(86_400),
  /** Where the load client listens for another rate, on the machine that sent this. */
  controlPort: z.int().min(1).max(65_535).optional(),
  counts: record(finite.min(0)),
  gauges: record(finite),
  /** By kind of request: an HDR histogram of microseconds, compressed, in base64. */
  latency: record(z.string().max(MOST_HISTOGRAM_CHARACTERS)),
  /** The process ends in good order: it will not be missed. */
  isLast: z.literal(true).optional(),
});

export type Sample = z.infer<typeof sampleSchema>;
