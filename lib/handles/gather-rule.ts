// How many arrivals a nap waits for, so that what each turn costs by itself is shared among several.
//
// So many as come in a tenth of a millisecond, at the rate of the moment: one below 15,000 a second, and never more than 8. And
// no more than a sixteenth of the connections: few that all wait for their answers would have to wait for each other. Where only
// some of many send, the last one may not come, and the nap goes on until time ends it; then naps wait for one alone for a while,
// twice as long each time that it happens again.

import { HoldOff } from './hold-off.ts';

/** How long the first arrival waits for others, in milliseconds. */
const GATHER_MS = 0.1;
const MOST = 8;

/** Connections for each arrival that is waited for. */
const CONNECTIONS_EACH = 16;

/** A nap that has brought too little after so many milliseconds has waited in vain. */
const VAIN_MS = 0.5;

/** Owned by one thread. */
export class GatherRule {
  readonly #holdOff = new HoldOff();
  #wanted = 1;

  /**
   * How many arrivals the nap that begins now waits for, 1 to 8.
   *
   * @param perMs arrivals a millisecond @param connections that they may come from
   */
  // HOT
  begin(perMs: number, connections: number): number {
    const most = this.#holdOff.skips() ? 1 : Math.min(MOST, Math.floor(connections / CONNECTIONS_EACH));
    this.#wanted = Math.max(1, Math.min(most, Math.round(perMs * GATHER_MS)));
    return this.#wanted;
  }

  /** That nap is over. @param arrivals what it has brought @param ms since the turn before it, in milliseconds */
  // HOT
  end(arrivals: number, ms: number): void {
    if (this.#wanted === 1) return;
    if (arrivals >= this.#wanted) this.#holdOff.countGain();
    else if (ms >= VAIN_MS) this.#holdOff.countLoss();
  }
}
