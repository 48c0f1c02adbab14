// Wait strategy `spin`: never sleep. Costs one whole core for ever and reacts within a microsecond. On a machine with no
// core to spare it starves the very threads it waits for.

import type { DoorbellListener } from '../doorbell.ts';

/** Looks between two looks at the clock. */
const LOOKS = 1000;

/** @see WaitStrategy */
export function spin(_doorbell: DoorbellListener, hasWork: () => boolean, timeoutMs: number): void {
  const deadline = performance.now() + timeoutMs;
  do {
    for (let look = 0; look < LOOKS; look++) {
      if (hasWork()) return;
    }
  } while (performance.now() < deadline);
}
