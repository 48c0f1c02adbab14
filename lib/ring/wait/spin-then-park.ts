// Wait strategy `spin-then-park`: look a bounded number of times, then sleep. Costs up to about 20 us of CPU each time it
// falls asleep; saves the wake-up when work comes in quick succession. Pays only where cores are to spare.

import type { DoorbellListener } from '../doorbell.ts';
import { park } from './park.ts';

/** Looks before sleeping; one costs about 20 ns a ring. */
const LOOKS = 500;

/** @see WaitStrategy */
export function spinThenPark(doorbell: DoorbellListener, hasWork: () => boolean, timeoutMs: number): void {
  for (let look = 0; look < LOOKS; look++) {
    if (hasWork()) return;
  }
  park(doorbell, hasWork, timeoutMs);
}
