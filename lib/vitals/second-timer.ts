// Calls something at every second of the wall clock, so that what many processes count falls into the same seconds.

/** Nearer than this to the last call there is no other: timers come a moment early, and clocks are set. */
const LEAST_MS = 200;

/**
 * Starts calling; returns how to stop it.
 * @param offsetMs how long after the beginning of each second, 0 to 999
 */
export function everySecond(offsetMs: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = () => {
    const leftMs = 1000 - ((Date.now() - offsetMs) % 1000);
    timer = setTimeout(run, leftMs < LEAST_MS ? leftMs + 1000 : leftMs);
  };
  const run = () => {
    arm();
    callback();
  };
  arm();
  return () => clearTimeout(timer);
}
