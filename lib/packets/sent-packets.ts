// The life of sent packets, whoever sent them: split, logged, opened once that is durable, told, expired, refunded, retired.
//
// Main thread. Time, the log and the way to tell a user are handed in. Every cent of a packet is at each moment with
// somebody who grabbed it, refunded, or outstanding. A packet can be grabbed only once its opening is durable, and is
// closed in the log only when every grab of it has been logged: see movement-log.ts.

import { ExpiryCalendar } from './expiry-calendar.ts';
import { LiveTotals } from './live-totals.ts';
import type { MovementLog, PacketOpening, Ticket } from './movement-log.ts';
import { type NewPacket, NO_ROOM, type PacketCreator } from './packet-creator.ts';
import { slotOf } from './packet-id.ts';
import type { PacketTable, PacketView } from './packet-table.ts';

/** Where a packet comes from. */
export type PacketOrigin = Omit<PacketOpening, 'id' | 'packet'>;

/** What happens to packets, for those who keep count of them. All of it is durable when it is told. */
export interface PacketEvents {
  /** Tells a user of a packet that he may grab. Must not fail: what cannot be passed on at once is kept. */
  tellUser(userId: number, packetId: number): void;
  /** What was left of a packet goes back to the user who sent it. */
  refund(userId: number, cents: number): void;
  /** Nothing can be grabbed any more, and everybody who took a share has it. @param sendId 0 for a user's packet */
  onOver(packetId: number, sendId: number, shares: number, claimedCents: number, refundedCents: number): void;
}

/** Over all packets of this run. `outstanding` is neither grabbed nor refunded, of earlier runs as well. */
export interface PacketTotals {
  fundedCents: number;
  refundedCents: number;
  outstandingCents: number;
  sent: number;
  open: number;
  grabbedShares: number;
  expired: number;
}

/**
 * Packets that one tick looks at, to account for those that are over: so many at least, and so many more for each that it
 * finds, so that a tick costs little while most packets wait for their users; never more than the last.
 */
const SWEEP_LEAST = 400;
const SWEEP_MORE = 10;
const SWEEP_MOST = 4000;

interface Opening {
  ticket: Ticket;
  packetId: number;
  packet: NewPacket;
  onOpen: (packetId: number) => void;
}

interface Closing {
  packetId: number;
  senderId: number;
  refundCents: number;
  /** Of its entry in the log; undefined while grabs of it are still being logged. */
  ticket: Ticket | undefined;
}

export class SentPackets {
  readonly #table: PacketTable;
  readonly #creator: PacketCreator;
  readonly #log: MovementLog;
  readonly #events: PacketEvents;
  readonly #expiry: ExpiryCalendar;
  /** By slot: the send of the packet in it, 0 for a user's. */
  readonly #sendOfSlot: Int32Array;
  /** Logged, not durable yet; in the order of the log. */
  #opening: Opening[] = [];
  /** Closed in the table, not durable in the log yet. */
  readonly #closing = new Map<number, Closing>();
  /** Closed and refunded, not accounted for yet. */
  readonly #refunded = new Set<number>();
  /** Ids of packets that are not accounted for yet. */
  readonly #live: number[] = [];
  readonly #liveTotals: LiveTotals;
  #sweepIndex = 0;
  #fundedCents = 0;
  #refundedCents = 0;
  #sent = 0;
  #expired = 0;
  /** Shares of packets that are accounted for, less those that packets of earlier runs had at the start. */
  #settledShares = 0;

  constructor(table: PacketTable, creator: PacketCreator, log: MovementLog, events: PacketEvents, nowSecond: number) {
    this.#table = table;
    this.#creator = creator;
    this.#log = log;
    this.#events = events;
    this.#expiry = new ExpiryCalendar(table.slots, nowSecond);
    this.#sendOfSlot = new Int32Array(table.slots);
    this.#liveTotals = new LiveTotals(table);
  }

  /** Packets that can be open at once. */
  get slots(): number {
    return this.#table.slots;
  }

  /** Whether packets are logged and not open yet: `settle` moves them on. */
  get areOpening(): boolean {
    return this.#opening.length > 0;
  }

  /** Whether packets have expired and are not closed yet: a tick moves them on. */
  get areClosing(): boolean {
    return this.#closing.size > 0;
  }

  /**
   * Splits and logs a packet, and opens it once that is durable: then `onOpen` is called, and the invited users are told.
   * The numbers have been checked: see isSplittable. Returns its id, or NO_ROOM: try again later.
   */
  create(packet: NewPacket, origin: PacketOrigin, onOpen: (packetId: number) => void): number {
    if (!this.#log.hasRoom(packet.invited.length)) return NO_ROOM;
    const packetId = this.#creator.prepare(packet);
    if (packetId === NO_ROOM) return NO_ROOM;
    this.#sendOfSlot[slotOf(packetId)] = origin.sendId;
    const ticket = this.#log.openPacket({ id: packetId, packet, ...origin });
    this.#opening.push({ ticket, packetId, packet, onOpen });
    return packetId;
  }

  /** Takes up a packet of an earlier run that is in the table again and can still be grabbed. */
  restore(packetId: number, sendId: number, expiresAt: number): void {
    this.#sendOfSlot[slotOf(packetId)] = sendId;
    this.#live.push(packetId);
    this.#liveTotals.add(packetId);
    this.#expiry.add(packetId, expiresAt);
    this.#settledShares -= this.#table.countGrabbed(packetId);
  }

  /** Goes on with everything that has become durable meanwhile. */
  settle(): void {
    let opened = 0;
    for (const opening of this.#opening) {
      if (!this.#log.isDurable(opening.ticket)) break;
      opened++;
      this.#open(opening);
    }
    if (opened > 0) this.#opening = this.#opening.slice(opened);
    for (const closing of this.#closing.values()) {
      if (closing.ticket === undefined || !this.#log.isDurable(closing.ticket)) continue;
      this.#closing.delete(closing.packetId);
      this.#refunded.add(closing.packetId);
      this.#refundedCents += closing.refundCents;
      this.#expired++;
      if (closing.senderId >= 0) this.#events.refund(closing.senderId, closing.refundCents);
    }
  }

  /** Expires what is due, and accounts for what is over. Call it every few milliseconds. */
  tick(nowMs: number): void {
    this.settle();
    for (const packetId of this.#expiry.takeDue(Math.floor(nowMs / 1000))) this.#expire(packetId);
    for (const closing of this.#closing.values()) this.#logClose(closing);
    this.#sweep();
  }

  /** A copy of everything about a packet, or undefined if it is unknown or long over. */
  view(packetId: number): PacketView | undefined {
    return this.#table.view(packetId);
  }

  /** Looks at every packet that has changed since the last time. */
  totals(): PacketTotals {
    const live = this.#liveTotals;
    live.look();
    let outstandingCents = live.leftCents;
    // What expired is outstanding until its refund is durable.
    for (const packetId of this.#refunded) outstandingCents -= live.leftOf(packetId);
    return {
      fundedCents: this.#fundedCents,
      refundedCents: this.#refundedCents,
      outstandingCents,
      sent: this.#sent,
      open: live.open,
      grabbedShares: this.#settledShares + live.grabbedShares,
      expired: this.#expired,
    };
  }

  #open({ packetId, packet, onOpen }: Opening): void {
    this.#creator.publish(packetId);
    this.#sent++;
    this.#fundedCents += packet.totalCents;
    this.#live.push(packetId);
    this.#liveTotals.add(packetId);
    this.#expiry.add(packetId, packet.expiresAt);
    onOpen(packetId);
    for (const userId of packet.invited) this.#events.tellUser(userId, packetId);
  }

  #expire(packetId: number): void {
    const facts = this.#table.facts(packetId);
    const refundCents = this.#table.close(packetId);
    if (facts === undefined || refundCents === 0) return;
    const closing: Closing = { packetId, senderId: facts.senderId, refundCents, ticket: undefined };
    this.#closing.set(packetId, closing);
    this.#logClose(closing);
  }

  #logClose(closing: Closing): void {
    const { packetId, refundCents, ticket } = closing;
    // The claims are left after the records of the grabs: with all of them there, this record comes behind them.
    if (ticket !== undefined || !this.#table.hasAllClaims(packetId) || !this.#log.hasRoom(0)) return;
    closing.ticket = this.#log.closePacket(packetId, this.#table.countGrabbed(packetId), refundCents);
  }

  /** Accounts for packets that are over: nothing to grab, and everybody who took a share has it. */
  #sweep(): void {
    const most = Math.min(SWEEP_MOST, this.#live.length);
    let wanted = SWEEP_LEAST;
    for (let looked = 0; looked < Math.min(wanted, most); looked++) {
      if (this.#sweepIndex >= this.#live.length) this.#sweepIndex = 0;
      const packetId = this.#live[this.#sweepIndex];
      const isOver = !this.#table.isOpen(packetId) && !this.#closing.has(packetId);
      if (!isOver || !this.#table.hasAllClaims(packetId)) {
        this.#sweepIndex++;
        continue;
      }
      wanted += SWEEP_MORE;
      this.#live[this.#sweepIndex] = this.#live.at(-1)!;
      this.#live.pop();
      this.#refunded.delete(packetId);
      this.#liveTotals.forget(packetId);
      const shares = this.#table.countGrabbed(packetId);
      const claimedCents = this.#table.sumGrabbed(packetId);
      const refundedCents = this.#table.sumLeft(packetId);
      this.#settledShares += shares;
      this.#events.onOver(packetId, this.#sendOfSlot[slotOf(packetId)], shares, claimedCents, refundedCents);
      this.#creator.retire(packetId);
    }
  }
}
