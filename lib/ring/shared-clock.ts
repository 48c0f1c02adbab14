// A clock that all threads of the process share, for times that travel in slots.
//
// performance.now() counts from the start of each thread; what it lacks to the system's monotonic clock is found once.

/** Looked up once: the global is an accessor. */
const now = performance.now.bind(performance);

/** A thread may be stopped for milliseconds between two looks at clocks: of so many tries the quickest counts. */
const TRIES = 20;

const offsetUs = findOffsetUs(now, process.hrtime);

/** Microseconds; wraps at 2^32, so compare by difference. The same on every thread, to within some microseconds. */
// HOT
export function sharedClockUs(): number {
  return (now() * 1000 + offsetUs) | 0;
}

/**
 * What a clock lacks to the system's monotonic one, in microseconds.
 * @param readMs that clock, in milliseconds @param readSystem seconds and nanoseconds
 */
export function findOffsetUs(readMs: () => number, readSystem: () => [number, number]): number {
  let offset = 0;
  let quickest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIES; i++) {
    const before = readMs();
    const [seconds, nanoseconds] = readSystem();
    const after = readMs();
    if (after - before >= quickest) continue;
    quickest = after - before;
    offset = seconds * 1e6 + nanoseconds / 1e3 - (before + after) * 500;
  }
  return offset;
}
