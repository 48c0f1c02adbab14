// What the Workers of the ring's stress tests share: a place to meet, a count of sleeps, and how long is too long.

import { mix } from './seed.ts';

/**
 * A sleep this long can only be a lost wake-up: whoever sleeps in these tests is owed work by a thread that is awake.
 * A bound on waiting for ever, not on speed.
 */
export const LOST_MS = 5000;

/** Allocates a meeting for threads that should start together. */
export function allocateMeeting(): SharedArrayBuffer {
  return new SharedArrayBuffer(4);
}

/** Waits until `parties` threads have come. */
export function meet(meeting: SharedArrayBuffer, parties: number): void {
  const arrived = new Int32Array(meeting);
  Atomics.add(arrived, 0, 1);
  Atomics.notify(arrived, 0);
  for (;;) {
    const now = Atomics.load(arrived, 0);
    if (now >= parties) return;
    Atomics.wait(arrived, 0, now);
  }
}

interface Sleeps {
  /** Calls of Atomics.wait that did sleep. */
  slept: number;
  /** Those of them that nobody ended. */
  timedOut: number;
}

/** From here on counts how this thread's sleeps end. The code under test keeps its own call of Atomics.wait. */
export function countSleeps(): Sleeps {
  const sleeps: Sleeps = { slept: 0, timedOut: 0 };
  const wait = Atomics.wait;
  Atomics.wait = (...args: [never, number, never, number?]) => {
    const end = wait(...args);
    if (end !== 'not-equal') sleeps.slept++;
    if (end === 'timed-out') sleeps.timedOut++;
    return end;
  };
  return sleeps;
}

let idled = 0;

/** Passes some nanoseconds a turn. */
export function idle(turns: number): void {
  for (let turn = 0; turn < turns; turn++) idled = mix(idled, turn);
}
