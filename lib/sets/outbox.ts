// A SET worker's way back to the acceptors: replies, replies that tell of money, and frames that nobody asked for.
//
// A reply always has room: an acceptor keeps at most `maxInFlight` requests under way to a worker, and only frames that
// are no replies are held back when more than that many slots are taken. So nothing here ever waits.

import assert from 'node:assert/strict';
import type { DoorbellRinger } from '../ring/doorbell.ts';
import { FULL, type Producer } from '../ring/producer.ts';

/** Owned by one worker. Slots returned by the claims are filled before the next claim and leave at `flush`. */
export class Outbox {
  readonly #rings: readonly Producer[];
  readonly #doorbells: readonly DoorbellRinger[];
  readonly #maxInFlight: number;

  /** @param rings the reply ring to each acceptor @param doorbells the acceptors' doorbells, in the same order */
  constructor(rings: readonly Producer[], doorbells: readonly DoorbellRinger[], maxInFlight: number) {
    this.#rings = rings;
    this.#doorbells = doorbells;
    this.#maxInFlight = maxInFlight;
    assert(
      rings.every((ring) => ring.capacity >= 2 * maxInFlight),
      'a reply ring holds the replies in flight and as many notices',
    );
  }

  /** The words that the slots of an acceptor's ring lie in. */
  // HOT
  wordsFor(acceptor: number): Int32Array {
    return this.#rings[acceptor].words;
  }

  /** Claims the slot of a reply that moved no money: its place in `wordsFor(acceptor)`. */
  // HOT
  claimReply(acceptor: number): number {
    const slot = this.#rings[acceptor].claim();
    assert(slot !== FULL, 'replies in flight are bounded, so a reply has room');
    return slot;
  }

  /**
   * Claims the slot of a reply that tells of money that has moved. It leaves only when the movement is as durable as
   * the server promises; without a journal that is at once.
   */
  claimMoneyReply(acceptor: number): number {
    return this.claimReply(acceptor);
  }

  /** Claims the slot of a frame that answers no request, or FULL: keep it and try again after a flush. */
  claimUnasked(acceptor: number): number {
    const ring = this.#rings[acceptor];
    return ring.countOccupied() < this.#maxInFlight ? ring.claim() : FULL;
  }

  /** Publishes what was claimed, and wakes the acceptors that sleep. */
  flush(): void {
    for (let i = 0; i < this.#rings.length; i++) {
      if (this.#rings[i].publish()) this.#doorbells[i].ring();
    }
  }
}
