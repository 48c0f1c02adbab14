// A sent packet as plain objects: what the packet table in shared memory must be indistinguishable from.

import type { NewPacket } from '../../lib/packets/packet-creator.ts';
import { GrabOutcome, type PacketView } from '../../lib/packets/packet-table.ts';
import { commitTo } from '../../lib/packets/seeded-random.ts';
import { split } from '../../lib/packets/split.ts';
import { seedBytes } from './seed.ts';

/** A packet with everyday numbers. */
export function newPacket(changes: Partial<NewPacket> = {}): NewPacket {
  return {
    mode: 'lucky',
    totalCents: 1000,
    shares: 3,
    minCents: 1,
    maxCents: 20_000,
    senderId: -1,
    createdAt: 1_800_000_000,
    expiresAt: 1_800_086_400,
    invited: [],
    seed: seedBytes(1, 1),
    note: new Uint8Array(0),
    ...changes,
  };
}

/** The shares of a packet, in the order in which they are won. */
export function listShares(packet: NewPacket): number[] {
  const into = new Int32Array(packet.shares);
  split(packet, packet.seed, into);
  return [...into];
}

export class PacketModel {
  readonly id: number;
  readonly packet: NewPacket;
  readonly shares: number[];
  readonly grabs: { userId: number; amountCents: number; share: number }[] = [];
  isClosed = false;

  constructor(id: number, packet: NewPacket) {
    this.id = id;
    this.packet = packet;
    this.shares = listShares(packet);
  }

  /** The outcome and its cents, by the rules of DESIGN.md section 5. */
  grab(userId: number): [GrabOutcome, number] {
    const before = this.grabs.find((grab) => grab.userId === userId);
    if (before) return [GrabOutcome.REPEAT, before.amountCents];
    const { invited } = this.packet;
    if (invited.length > 0 && !invited.includes(userId)) return [GrabOutcome.NOT_INVITED, 0];
    if (this.isClosed) return [GrabOutcome.EXPIRED, 0];
    if (this.isEmpty) return [GrabOutcome.EMPTY, 0];
    const share = this.grabs.length;
    const amountCents = this.shares[share];
    this.grabs.push({ userId, amountCents, share });
    return [GrabOutcome.WON, amountCents];
  }

  close(): number {
    const refundedCents = this.isClosed ? 0 : this.packet.totalCents - this.claimedCents;
    this.isClosed = true;
    return refundedCents;
  }

  get isEmpty(): boolean {
    return this.grabs.length === this.shares.length;
  }

  get isOpen(): boolean {
    return !this.isClosed && !this.isEmpty;
  }

  get claimedCents(): number {
    return this.grabs.reduce((sum, grab) => sum + grab.amountCents, 0);
  }

  view(): PacketView {
    const { mode, totalCents, shares, minCents, maxCents, senderId, createdAt, expiresAt } = this.packet;
    const { invited, seed, note } = this.packet;
    const view: PacketView = {
      id: this.id,
      mode,
      totalCents,
      shares,
      minCents,
      maxCents,
      senderId,
      createdAt,
      expiresAt,
      state: this.isEmpty ? 'empty' : this.isClosed ? 'expired' : 'open',
      invited: [...invited],
      note: Buffer.from(note).toString('utf8'),
      grabs: [...this.grabs],
      claimedCents: this.claimedCents,
      refundedCents: this.isClosed ? totalCents - this.claimedCents : 0,
      commitment: commitTo(seed).toString('hex'),
    };
    if (!this.isOpen) view.seed = Buffer.from(seed).toString('hex');
    const highest = Math.max(...this.grabs.map((grab) => grab.amountCents));
    if (this.isEmpty) {
      const { userId, amountCents } = this.grabs.find((grab) => grab.amountCents === highest)!;
      view.luckiest = { userId, amountCents };
    }
    return view;
  }
}
