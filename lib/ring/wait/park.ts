// Wait strategy `park`: sleep in the kernel at once. Costs no CPU while idle and about 5 to 50 us to wake up.

import type { DoorbellListener } from '../doorbell.ts';

/** @see WaitStrategy */
export function park(doorbell: DoorbellListener, hasWork: () => boolean, timeoutMs: number): void {
  doorbell.announceSleep();
  if (!hasWork()) doorbell.sleep(timeoutMs);
  doorbell.cancelSleep();
}
