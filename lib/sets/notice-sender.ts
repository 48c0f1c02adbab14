// Main's way to tell users of packets: each notice goes to the ring of the user's worker, and waits here if that is full.

import { REQUEST_KIND, REQUEST_PACKET, REQUEST_USER, RequestKind } from '../protocol/slot-layout.ts';
import type { DoorbellRinger } from '../ring/doorbell.ts';
import { FULL, type Producer } from '../ring/producer.ts';

/** Owned by main. */
export class NoticeSender {
  readonly #rings: readonly Producer[];
  readonly #doorbells: readonly DoorbellRinger[];
  readonly #sets: number;
  #waiting: { userId: number; packetId: number }[] = [];

  /** @param rings main's ring to each worker @param doorbells the workers' doorbells, in the same order */
  constructor(rings: readonly Producer[], doorbells: readonly DoorbellRinger[], sets: number) {
    this.#rings = rings;
    this.#doorbells = doorbells;
    this.#sets = sets;
  }

  /** True while nothing waits: the sign to create more packets. */
  get isClear(): boolean {
    return this.#waiting.length === 0;
  }

  /** Tells a user of a packet that he may grab. It leaves at the next `flush`. */
  tell(userId: number, packetId: number): void {
    if (!this.isClear || !this.#write(userId, packetId)) this.#waiting.push({ userId, packetId });
  }

  /** Sends what waits, as far as there is room, and wakes the workers. */
  flush(): void {
    let sent = 0;
    while (sent < this.#waiting.length && this.#write(this.#waiting[sent].userId, this.#waiting[sent].packetId)) sent++;
    if (sent > 0) this.#waiting = this.#waiting.slice(sent);
    for (let i = 0; i < this.#rings.length; i++) {
      if (this.#rings[i].publish()) this.#doorbells[i].ring();
    }
  }

  #write(userId: number, packetId: number): boolean {
    const ring = this.#rings[(userId % this.#sets) % this.#rings.length];
    const slot = ring.claim();
    if (slot === FULL) return false;
    ring.words[slot + REQUEST_KIND] = RequestKind.NOTIFY;
    ring.words[slot + REQUEST_USER] = userId;
    ring.words[slot + REQUEST_PACKET] = packetId;
    return true;
  }
}
