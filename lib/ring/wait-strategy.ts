// How a consumer that parks waits for work; the strategies by the names that the command line takes.

import type { DoorbellListener } from './doorbell.ts';
import { park } from './wait/park.ts';
import { spin } from './wait/spin.ts';
import { spinThenPark } from './wait/spin-then-park.ts';

/**
 * Waits until `hasWork` says true, the doorbell rings, or `timeoutMs` (finite) is over; the caller looks for work again
 * in every case. `hasWork` must look at every ring of this thread, with atomic loads. The thread owns nothing that an
 * event loop would have to serve: no socket, no timer, no promise, no port to receive on.
 */
export type WaitStrategy = (doorbell: DoorbellListener, hasWork: () => boolean, timeoutMs: number) => void;

export const WAIT_STRATEGIES = { park, 'spin-then-park': spinThenPark, spin } as const satisfies Record<
  string,
  WaitStrategy
>;

export type WaitStrategyName = keyof typeof WAIT_STRATEGIES;
