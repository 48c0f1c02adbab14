// The buckets of a heat row. The numbers are the monitor's: their types are its constants, and another value is no longer
// of that type.

import type * as monitor from '../../monitor/latency-log.ts';

const FIRST_US: typeof monitor.HEAT_FIRST_US = 10;
const PER_DECADE: typeof monitor.HEAT_PER_DECADE = 8;

/** Where the first bucket begins on the page, in milliseconds: a logarithmic axis has no 0. */
const LEAST_MS = FIRST_US / 1000 / 10 ** (1 / PER_DECADE);

/** The end of a bucket, in milliseconds; that of bucket -1 is where the axis begins. */
export function bucketEndMs(bucket: number): number {
  return bucket < 0 ? LEAST_MS : (FIRST_US / 1000) * 10 ** (bucket / PER_DECADE);
}

/** The bucket that a time in milliseconds falls into. */
export function bucketOf(ms: number): number {
  return Math.max(0, Math.ceil(Math.log10((ms * 1000) / FIRST_US) * PER_DECADE));
}
