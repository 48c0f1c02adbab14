// What the records add up to: balances, drops, sends, packets, totals. Starts from a snapshot, takes records one by one.
//
// Nothing is changed in the snapshot: its writer puts `rows` and `totals` there in one go, the history forgets them.
// A record that cannot follow the ones before it is refused.

import type { DatabaseSync } from 'node:sqlite';
import { SHAKE_NUMBERS, slotOf } from '../packets/packet-id.ts';
import { readU64 } from './journal-words.ts';
import { LedgerError } from './ledger-error.ts';
import { readTotals, type Totals } from './ledger-totals.ts';
import { findPacketKey, readSender } from './record-fields.ts';
import {
  DROP_CLOSE,
  DROP_OPEN,
  GRAB,
  NOTICE_DROPPED,
  PACKET_CLOSE,
  PACKET_OPEN,
  PacketSource,
  RESERVE,
  RecordType,
  SEND_OPEN,
  SETTLE,
  TRANSFER,
  WIN,
} from './record-layout.ts';
import { type DropState, type SendState, type SlotState, StateRows } from './state-rows.ts';

/** Words of the shortest payload of each type. */
const LEAST_WORDS: Record<number, number> = {
  [RecordType.DROP_OPEN]: DROP_OPEN.WORDS,
  [RecordType.WIN]: WIN.WORDS,
  [RecordType.DROP_CLOSE]: DROP_CLOSE.WORDS,
  [RecordType.SEND_OPEN]: SEND_OPEN.WORDS,
  [RecordType.PACKET_OPEN]: PACKET_OPEN.USERS + 2,
  [RecordType.GRAB]: GRAB.WORDS,
  [RecordType.PACKET_CLOSE]: PACKET_CLOSE.WORDS,
  [RecordType.TOPUP]: TRANSFER.KEY + 1,
  [RecordType.WITHDRAW]: TRANSFER.KEY + 1,
  [RecordType.NOTICE_DROPPED]: NOTICE_DROPPED.WORDS,
  [RecordType.RESERVE]: RESERVE.KEY + 1,
  [RecordType.SETTLE]: SETTLE.WORDS,
};

export class PresentState {
  readonly totals: Totals;
  /** What the records named or changed. */
  readonly rows: StateRows;
  /** Sequence of the RESERVE by reservation; 0 once it is settled. */
  readonly reservations = new Map<number, number>();
  /** Cents and accounts on top of those in the snapshot: users, drops that are open, packets that are not over. */
  readonly added = { users: 0, drops: 0, packets: 0, userCount: 0, dropCount: 0, packetCount: 0 };
  /** Of the record taken last: in whose history it is, and so on, as the columns of `records`. */
  user: number | null = null;
  packetId: number | null = null;
  opened: number | null = null;
  dropId: number | null = null;
  cents = 0;
  /** Whose request key it carries; null without one. */
  keyUser: number | null = null;

  #sequence = 0;

  constructor(database: DatabaseSync) {
    this.totals = readTotals(database);
    this.rows = new StateRows(database);
  }

  /** Takes the next record. @throws {LedgerError} damaged: it cannot follow the ones before; version: its type is unknown */
  take(type: number, sequence: number, words: Int32Array, at: number, payloadWords: number): void {
    this.#sequence = sequence;
    this.user = this.packetId = this.opened = this.dropId = this.keyUser = null;
    this.cents = 0;
    const least = LEAST_WORDS[type];
    if (least === undefined) throw new LedgerError('version', `record ${sequence} has the unknown type ${type}`);
    this.#check(payloadWords >= least, 'is too short');
    switch (type as RecordType) {
      case RecordType.DROP_OPEN:
        this.#openDrop(words, at);
        break;
      case RecordType.WIN:
        this.#win(words, at);
        break;
      case RecordType.DROP_CLOSE:
        this.#closeDrop(words, at);
        break;
      case RecordType.SEND_OPEN:
        this.#openSend(words, at);
        break;
      case RecordType.PACKET_OPEN:
        this.#openPacket(words, at);
        break;
      case RecordType.GRAB:
        this.#grab(words, at);
        break;
      case RecordType.PACKET_CLOSE:
        this.#closePacket(words, at);
        break;
      case RecordType.TOPUP:
        this.#topUp(words, at);
        break;
      case RecordType.WITHDRAW:
        this.#withdraw(words, at);
        break;
      case RecordType.NOTICE_DROPPED:
        this.#dropNotice(words, at);
        break;
      case RecordType.RESERVE:
        this.#reserve(words, at);
        break;
      case RecordType.SETTLE:
        this.reservations.set(readU64(words, at + SETTLE.RESERVATION), 0);
        break;
    }
  }

  #openDrop(words: Int32Array, at: number): void {
    const dropId = words[at + DROP_OPEN.DROP] >>> 0;
    const count = words[at + DROP_OPEN.COUNT] >>> 0;
    const budget = readU64(words, at + DROP_OPEN.BUDGET);
    this.#check(dropId > this.totals.lastDropId, 'opens a drop again');
    this.rows.drops.set(dropId, { opened: this.#sequence, closed: null, packetsLeft: count, cents: budget });
    this.totals.fundingCents += budget;
    this.totals.houseFundedCents += budget;
    this.totals.dropFundedCents += budget;
    this.totals.lastDropId = dropId;
    this.totals.nextNumber = ((words[at + DROP_OPEN.FIRST_NUMBER] >>> 0) + count) % SHAKE_NUMBERS;
    this.added.drops += budget;
    this.added.dropCount++;
    this.dropId = dropId;
    this.cents = budget;
  }

  #win(words: Int32Array, at: number): void {
    const amount = words[at + WIN.AMOUNT] >>> 0;
    const drop = this.#findOpenDrop(words[at + WIN.DROP] >>> 0);
    this.#check(drop.packetsLeft > 0 && drop.cents >= amount, 'takes more than the drop has');
    drop.packetsLeft--;
    drop.cents -= amount;
    this.added.drops -= amount;
    this.totals.wonCents += amount;
    this.totals.packetsWon++;
    this.user = words[at + WIN.USER] >>> 0;
    this.packetId = words[at + WIN.PACKET] >>> 0;
    this.cents = amount;
    this.#addToUser(this.user, amount);
  }

  #closeDrop(words: Int32Array, at: number): void {
    const refund = readU64(words, at + DROP_CLOSE.REFUND);
    const drop = this.#findOpenDrop(words[at + DROP_CLOSE.DROP] >>> 0);
    this.#check(refund === drop.cents, 'refunds another sum than the drop has');
    drop.cents = 0;
    drop.closed = this.#sequence;
    this.totals.fundingCents -= refund;
    this.totals.refundedCents += refund;
    this.totals.dropRefundedCents += refund;
    this.added.drops -= refund;
    this.added.dropCount--;
    this.cents = refund;
  }

  #openSend(words: Int32Array, at: number): void {
    const sendId = words[at + SEND_OPEN.SEND] >>> 0;
    this.#check(sendId > this.totals.lastSendId, 'opens a send again');
    this.totals.lastSendId = sendId;
    this.rows.sends.set(sendId, {
      opened: this.#sequence,
      count: words[at + SEND_OPEN.COUNT] >>> 0,
      created: 0,
      open: 0,
      grabbedShares: 0,
      totalCents: 0,
      claimedCents: 0,
      refundedCents: 0,
    });
  }

  #openPacket(words: Int32Array, at: number): void {
    const packetId = words[at + PACKET_OPEN.PACKET] >>> 0;
    const senderId = readSender(words, at);
    const sendId = words[at + PACKET_OPEN.SEND] >>> 0;
    const total = words[at + PACKET_OPEN.TOTAL] >>> 0;
    const shares = words[at + PACKET_OPEN.SHARES] >>> 0;
    const source = words[at + PACKET_OPEN.SOURCE];
    const before = this.rows.readSlot(slotOf(packetId));
    this.#check(before === undefined || before.sharesLeft === 0, 'opens a packet in a slot whose packet is not over');
    if (source === PacketSource.BALANCE) this.#addToUser(senderId, -total);
    else this.totals.fundingCents += total;
    this.rows.slots.set(slotOf(packetId), {
      packetId,
      opened: this.#sequence,
      senderId,
      sendId,
      sharesLeft: shares,
      cents: total,
    });
    if (sendId !== 0) {
      const send = this.#findSend(sendId);
      send.created++;
      send.open++;
      send.totalCents += total;
    }
    this.totals.houseFundedCents += total;
    this.totals.packetsSent++;
    this.added.packets += total;
    this.added.packetCount++;
    if (source !== PacketSource.FUNDING && senderId >= 0) this.user = senderId;
    if (words[findPacketKey(words, at)] > 0) this.keyUser = senderId;
    this.packetId = packetId;
    this.opened = this.#sequence;
    this.cents = total;
  }

  #grab(words: Int32Array, at: number): void {
    const amount = words[at + GRAB.AMOUNT] >>> 0;
    const packet = this.#findOpenPacket(words[at + GRAB.PACKET] >>> 0);
    this.#check(packet.cents >= amount, 'takes more than the packet has');
    packet.cents -= amount;
    packet.sharesLeft--;
    this.added.packets -= amount;
    if (packet.sendId !== 0) {
      const send = this.#findSend(packet.sendId);
      send.grabbedShares++;
      send.claimedCents += amount;
    }
    if (packet.sharesLeft === 0) {
      this.#check(packet.cents === 0, 'takes the last share and leaves money in the packet');
      this.#endPacket(packet);
    }
    this.totals.grabbedCents += amount;
    this.totals.sharesGrabbed++;
    this.user = words[at + GRAB.USER] >>> 0;
    this.cents = amount;
    this.#addToUser(this.user, amount);
  }

  #closePacket(words: Int32Array, at: number): void {
    const refund = words[at + PACKET_CLOSE.REFUND] >>> 0;
    const packet = this.#findOpenPacket(words[at + PACKET_CLOSE.PACKET] >>> 0);
    this.#check(refund === packet.cents, 'refunds another sum than the packet has');
    packet.cents = 0;
    packet.sharesLeft = 0;
    this.added.packets -= refund;
    if (packet.sendId !== 0) this.#findSend(packet.sendId).refundedCents += refund;
    this.#endPacket(packet);
    this.totals.refundedCents += refund;
    this.totals.packetsExpired++;
    this.cents = refund;
    if (packet.senderId < 0) {
      this.totals.fundingCents -= refund;
    } else {
      this.user = packet.senderId;
      this.#addToUser(packet.senderId, refund);
    }
  }

  #endPacket(packet: SlotState): void {
    this.added.packetCount--;
    if (packet.sendId !== 0) this.#findSend(packet.sendId).open--;
  }

  #topUp(words: Int32Array, at: number): void {
    this.#takeTransfer(words, at);
    this.totals.fundingCents += this.cents;
    this.totals.toppedUpCents += this.cents;
    this.#addToUser(this.user!, this.cents);
  }

  #withdraw(words: Int32Array, at: number): void {
    this.#takeTransfer(words, at);
    this.totals.fundingCents -= this.cents;
    this.totals.withdrawnCents += this.cents;
    this.#addToUser(this.user!, -this.cents);
  }

  #takeTransfer(words: Int32Array, at: number): void {
    this.user = words[at + TRANSFER.USER] >>> 0;
    this.cents = readU64(words, at + TRANSFER.CENTS);
    if (words[at + TRANSFER.KEY] > 0) this.keyUser = this.user;
  }

  /** A notice may be dropped long after its packet, when the slot has another one: then it says nothing any more. */
  #dropNotice(words: Int32Array, at: number): void {
    this.packetId = words[at + NOTICE_DROPPED.PACKET] >>> 0;
    const packet = this.rows.readSlot(slotOf(this.packetId));
    if (packet?.packetId === this.packetId) this.opened = packet.opened;
  }

  #reserve(words: Int32Array, at: number): void {
    const reservation = readU64(words, at + RESERVE.RESERVATION);
    this.reservations.set(reservation, this.#sequence);
    this.totals.lastReservation = Math.max(this.totals.lastReservation, reservation);
    this.cents = words[at + RESERVE.CENTS] >>> 0;
  }

  #addToUser(userId: number, cents: number): void {
    const before = this.rows.readUser(userId);
    if (before === undefined) this.added.userCount++;
    const after = (before ?? 0) + cents;
    if (after < 0) throw this.#damage(`leaves user ${userId} below zero`);
    this.rows.users.set(userId, after);
    this.added.users += cents;
  }

  /** Names the packet as that of the record. */
  #findOpenPacket(packetId: number): SlotState {
    const packet = this.rows.readSlot(slotOf(packetId));
    if (packet === undefined || packet.packetId !== packetId || packet.sharesLeft === 0) {
      throw this.#damage(`names packet ${packetId}, which is not open`);
    }
    this.packetId = packetId;
    this.opened = packet.opened;
    return packet;
  }

  /** Names the drop as that of the record. */
  #findOpenDrop(dropId: number): DropState {
    const drop = this.rows.readDrop(dropId);
    if (drop === undefined || drop.closed !== null) throw this.#damage(`names drop ${dropId}, which is not open`);
    this.dropId = dropId;
    return drop;
  }

  #findSend(sendId: number): SendState {
    const send = this.rows.readSend(sendId);
    if (send === undefined) throw this.#damage(`names send ${sendId}, which was never opened`);
    return send;
  }

  #check(condition: boolean, fact: string): void {
    if (!condition) throw this.#damage(fact);
  }

  #damage(fact: string): LedgerError {
    return new LedgerError('damaged', `record ${this.#sequence} ${fact}`);
  }
}
