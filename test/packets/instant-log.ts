// A log of movements that notes its entries: each is durable at once, or, while the test holds it, only when told so.

import assert from 'node:assert/strict';
import type { DropOpening, MovementLog, PacketOpening, SendOpening, Ticket } from '../../lib/packets/movement-log.ts';

export type LogEntry =
  | { what: 'openDrop'; drop: DropOpening }
  | { what: 'closeDrop'; dropId: number; won: number; refundCents: number }
  | { what: 'openSend'; send: SendOpening }
  | { what: 'openPacket'; opening: PacketOpening }
  | { what: 'closePacket'; packetId: number; taken: number; refundCents: number };

/** The ticket of no entry; tickets wrap soon after. */
const FIRST_TICKET = 2 ** 31 - 20;

export class InstantLog implements MovementLog {
  readonly entries: LogEntry[] = [];
  /** Whether there is room for an entry. */
  isRoomy = true;
  #isHeld = false;
  /** How many of the entries are durable. */
  #durable = 0;
  readonly #waiting: { ticket: Ticket; resolve: () => void }[] = [];

  /** From here on an entry is durable only once `makeDurable` says so. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Makes the next `count` entries durable, or all. */
  makeDurable(count = this.entries.length - this.#durable): void {
    this.#durable = Math.min(this.entries.length, this.#durable + count);
    for (const waiting of this.#waiting.splice(0)) {
      if (this.isDurable(waiting.ticket)) waiting.resolve();
      else this.#waiting.push(waiting);
    }
  }

  /** How many entries are not durable. */
  get pending(): number {
    return this.entries.length - this.#durable;
  }

  /** The entries that are durable. */
  get durable(): LogEntry[] {
    return this.entries.slice(0, this.#durable);
  }

  /** The entries of one kind, oldest first. */
  list<What extends LogEntry['what']>(what: What): Extract<LogEntry, { what: What }>[] {
    return this.entries.filter((entry) => entry.what === what) as Extract<LogEntry, { what: What }>[];
  }

  hasRoom(_invited: number): boolean {
    return this.isRoomy;
  }

  openDrop(drop: DropOpening): Ticket {
    return this.#enter({ what: 'openDrop', drop });
  }

  closeDrop(dropId: number, won: number, refundCents: number): Ticket {
    return this.#enter({ what: 'closeDrop', dropId, won, refundCents });
  }

  openSend(send: SendOpening): Ticket {
    return this.#enter({ what: 'openSend', send });
  }

  openPacket(opening: PacketOpening): Ticket {
    return this.#enter({ what: 'openPacket', opening });
  }

  closePacket(packetId: number, taken: number, refundCents: number): Ticket {
    return this.#enter({ what: 'closePacket', packetId, taken, refundCents });
  }

  isDurable(ticket: Ticket): boolean {
    return ((this.#ticketOf(this.#durable) - ticket) | 0) >= 0;
  }

  whenDurable(ticket: Ticket): Promise<void> {
    if (this.isDurable(ticket)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ ticket, resolve }));
  }

  #enter(entry: LogEntry): Ticket {
    assert(this.isRoomy, 'room was asked for before');
    this.entries.push(entry);
    if (!this.#isHeld) this.#durable = this.entries.length;
    return this.#ticketOf(this.entries.length);
  }

  #ticketOf(entries: number): Ticket {
    return (FIRST_TICKET + entries) | 0;
  }
}
