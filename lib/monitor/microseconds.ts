// The histogram that all latencies are counted in: microseconds up to a minute, three significant digits.

import { build, type JsHistogram } from 'hdr-histogram-js';

/** The longest time that is told apart: a minute. Record longer ones as this. */
export const MAX_MICROSECONDS = 60_000_000;

export function buildMicroseconds(): JsHistogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_MICROSECONDS,
    numberOfSignificantValueDigits: 3,
    // Counts as doubles: a total passes 2^32 of one and the same time within days.
    bitBucketSize: 64,
  }) as JsHistogram;
}
