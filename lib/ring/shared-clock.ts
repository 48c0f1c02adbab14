// A clock that all threads of the process share, for times that travel in slots.
//
// performance.now() counts from the start of each thread; what it lacks to the system's monotonic clock is found once.

/** Looked up once: the global is an accessor. */
const now = performance.now.bind(performance);

const [seconds, nanoseconds] = process.hrtime();
const offsetUs = seconds * 1e6 + nanoseconds / 1e3 - now() * 1000;

/** Microseconds; wraps at 2^32, so compare by difference. The same on every thread, to within some microseconds. */
// HOT
export function sharedClockUs(): number {
  return (now() * 1000 + offsetUs) | 0;
}
