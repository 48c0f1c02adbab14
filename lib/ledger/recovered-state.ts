// Recovery's picture of the ledger: takes the records of a snapshot and of the segments behind it, and puts sent packets
// straight back into the packet table.
//
// Main thread, before any other thread runs. A record that cannot follow the ones before it is damage: nothing is served.

import type { RestoredDrop } from '../packets/drop-campaigns.ts';
import type { PacketOpening, SendOpening } from '../packets/movement-log.ts';
import { NO_ROOM } from '../packets/packet-creator.ts';
import { SHAKE_NUMBERS, slotOf } from '../packets/packet-id.ts';
import type { PacketRestorer } from '../packets/packet-restorer.ts';
import type { PacketTable } from '../packets/packet-table.ts';
import type { RestoredSend } from '../packets/send-campaigns.ts';
import { readU64 } from './journal-words.ts';
import { LedgerError } from './ledger-error.ts';
import { KEYS_PER_USER } from './limits.ts';
import { readText } from './record-fields.ts';
import {
  DROP_CLOSE,
  GRAB,
  NOTICE_DROPPED,
  PACKET_CLOSE,
  PacketSource,
  RESERVE,
  RecordType,
  SETTLE,
  TRANSFER,
  WIN,
} from './record-layout.ts';
import { readDropOpening, readPacketOpening, readSendOpening } from './record-reader.ts';
import type { SnapshotSink, SnapshotTotals } from './snapshot-reader.ts';
import type { Reservation } from './wallet.ts';

/** A request key and what it did. */
export type RecoveredKey =
  | { key: string; kind: 'topup' | 'withdraw'; cents: number }
  | { key: string; kind: 'send'; opening: PacketOpening };

/** A reservation at an external wallet that was not settled. */
export interface OpenReservation {
  reservation: Reservation;
  /** Whether its packet was created. */
  isSpent: boolean;
}

/** What was moved since the first record, in cents. */
export interface RecoveredTotals {
  fundedCents: number;
  claimedCents: number;
  refundedCents: number;
  toppedUpCents: number;
  withdrawnCents: number;
}

interface RecoveredDrop extends RestoredDrop {
  /** Wins by user, kept only where they are bounded. */
  wins: Map<number, number>;
}

interface RecoveredSend {
  opening: SendOpening;
  created: number;
  totalCents: number;
  /** Over all of its packets, over or not. */
  grabbedShares: number;
  claimedCents: number;
  refundedCents: number;
}

export class RecoveredState implements SnapshotSink {
  /** Cents by user. */
  readonly balances = new Map<number, number>();
  /** By user, oldest first. */
  readonly keys = new Map<number, RecoveredKey[]>();
  readonly drops = new Map<number, RecoveredDrop>();
  readonly reservations = new Map<number, OpenReservation>();
  readonly totals: RecoveredTotals = {
    fundedCents: 0,
    claimedCents: 0,
    refundedCents: 0,
    toppedUpCents: 0,
    withdrawnCents: 0,
  };
  lastDropId = 0;
  lastSendId = 0;
  lastReservation = 0;
  /** The number that the first packet of the next drop gets. */
  nextNumber = 0;
  readonly #table: PacketTable;
  readonly #restorer: PacketRestorer;
  readonly #sends = new Map<number, RecoveredSend>();
  /** By slot: the send of its packet, 0 for none. */
  readonly #sendOfSlot: Int32Array;
  /** Users that a packet is not told to again, by packet. */
  readonly #droppedNotices = new Map<number, Set<number>>();
  /** While a snapshot is read, records say what there is; the money is in its balances and totals. */
  #movesMoney = false;
  #sequence = 0;

  constructor(table: PacketTable, restorer: PacketRestorer) {
    this.#table = table;
    this.#restorer = restorer;
    this.#sendOfSlot = new Int32Array(table.slots);
  }

  /** The snapshot is read, or there is none: the records from here on move money. */
  beginJournal(): void {
    this.#movesMoney = true;
  }

  onBalance(userId: number, cents: number): void {
    this.balances.set(userId, cents);
  }

  onTotals(totals: SnapshotTotals): void {
    this.lastDropId = totals.lastDropId;
    this.lastSendId = totals.lastSendId;
    this.lastReservation = totals.lastReservation;
    this.nextNumber = totals.nextNumber;
    this.totals.fundedCents = totals.houseFundedCents;
    this.totals.claimedCents = totals.claimedCents;
    this.totals.refundedCents = totals.refundedCents;
    this.totals.toppedUpCents = totals.toppedUpCents;
    this.totals.withdrawnCents = totals.withdrawnCents;
    for (const { id, created, totalCents, grabbedShares, claimedCents, refundedCents } of totals.sends) {
      Object.assign(this.#findSend(id), { created, totalCents, grabbedShares, claimedCents, refundedCents });
    }
  }

  onKeyRecord(type: number, sequence: number, words: Int32Array, at: number): void {
    this.#sequence = sequence;
    if (type !== RecordType.PACKET_OPEN) {
      this.#keepTransferKey(type, words, at);
      return;
    }
    const opening = readPacketOpening(words, at);
    this.#keepSendKey(opening);
    this.#spendReservation(opening);
  }

  onRecord(type: number, sequence: number, words: Int32Array, at: number): void {
    this.#sequence = sequence;
    switch (type) {
      case RecordType.WIN:
        this.#win(words, at);
        break;
      case RecordType.GRAB:
        this.#grab(words, at);
        break;
      case RecordType.PACKET_OPEN:
        this.#openPacket(readPacketOpening(words, at));
        break;
      case RecordType.PACKET_CLOSE:
        this.#closePacket(words, at);
        break;
      case RecordType.DROP_OPEN:
        this.#openDrop(words, at);
        break;
      case RecordType.DROP_CLOSE:
        this.#closeDrop(words, at);
        break;
      case RecordType.SEND_OPEN:
        this.#openSend(readSendOpening(words, at));
        break;
      case RecordType.TOPUP:
      case RecordType.WITHDRAW:
        this.#transfer(type, words, at);
        break;
      case RecordType.NOTICE_DROPPED:
        this.#dropNotice(words, at);
        break;
      case RecordType.RESERVE:
        this.#reserve(words, at);
        break;
      case RecordType.SETTLE:
        this.reservations.delete(readU64(words, at + SETTLE.RESERVATION));
        break;
      default:
        throw new LedgerError('version', `record ${sequence} has the unknown type ${type}`);
    }
  }

  /**
   * The last record has come: lets the packets be seen.
   * @returns the ids of those that can be grabbed, the oldest first; NO_ROOM if the table cannot hold them
   */
  finishPackets(): number[] | typeof NO_ROOM {
    return this.#restorer.finish();
  }

  /** The send of an open packet, 0 for none. */
  sendOf(packetId: number): number {
    return this.#sendOfSlot[slotOf(packetId)];
  }

  /** The sends that are not over. @param open ids of the packets that can still be grabbed */
  listSends(open: readonly number[]): RestoredSend[] {
    const openOf = new Map<number, number[]>();
    for (const packetId of open) {
      const sendId = this.sendOf(packetId);
      const list = openOf.get(sendId);
      if (list === undefined) openOf.set(sendId, [packetId]);
      else list.push(packetId);
    }
    const restored: RestoredSend[] = [];
    for (const [id, send] of this.#sends) {
      const ids = openOf.get(id) ?? [];
      if (send.created === send.opening.count && ids.length === 0) continue;
      let { grabbedShares, claimedCents } = send;
      for (const packetId of ids) {
        grabbedShares -= this.#table.countGrabbed(packetId);
        claimedCents -= this.#table.sumGrabbed(packetId);
      }
      restored.push({ ...send, grabbedShares, claimedCents, open: ids });
    }
    return restored;
  }

  /** Pairs of user and packet that the user may still be told of. @param open see listSends */
  *listNotices(open: readonly number[]): Generator<readonly [userId: number, packetId: number]> {
    for (const packetId of open) {
      const view = this.#table.view(packetId)!;
      const grabbed = new Set(view.grabs.map(({ userId }) => userId));
      const dropped = this.#droppedNotices.get(packetId);
      for (const userId of view.invited) {
        if (!grabbed.has(userId) && dropped?.has(userId) !== true) yield [userId, packetId];
      }
    }
  }

  #openDrop(words: Int32Array, at: number): void {
    const opening = readDropOpening(words, at);
    const { id, count, budget, firstNumber } = opening;
    this.drops.set(id, { opening, won: new Uint8Array(Math.ceil(count / 8)), wins: new Map() });
    if (!this.#movesMoney) return;
    this.lastDropId = id;
    this.nextNumber = (firstNumber + count) % SHAKE_NUMBERS;
    this.totals.fundedCents += budget;
  }

  #win(words: Int32Array, at: number): void {
    const drop = this.drops.get(words[at + WIN.DROP]);
    const number = words[at + WIN.NUMBER];
    const userId = words[at + WIN.USER];
    if (drop === undefined || number >= drop.opening.count) throw this.#damage('wins from a drop that is not open');
    const bit = 1 << (number & 7);
    if ((drop.won[number >> 3] & bit) !== 0) throw this.#damage('wins a packet that was won before');
    drop.won[number >> 3] |= bit;
    if (drop.opening.winsPerUser > 0) drop.wins.set(userId, (drop.wins.get(userId) ?? 0) + 1);
    this.#claim(userId, words[at + WIN.AMOUNT]);
  }

  #closeDrop(words: Int32Array, at: number): void {
    this.drops.delete(words[at + DROP_CLOSE.DROP]);
    if (this.#movesMoney) this.totals.refundedCents += readU64(words, at + DROP_CLOSE.REFUND);
  }

  #openSend(opening: SendOpening): void {
    this.#sends.set(opening.id, {
      opening,
      created: 0,
      totalCents: 0,
      grabbedShares: 0,
      claimedCents: 0,
      refundedCents: 0,
    });
    if (this.#movesMoney) this.lastSendId = opening.id;
  }

  #openPacket(opening: PacketOpening): void {
    const { id, packet, sendId, source } = opening;
    if (this.#restorer.open(id, packet) === NO_ROOM) {
      throw new LedgerError(
        'missing',
        `the packet table is too small for packet ${id} of the journal: start with more --packet-slots`,
      );
    }
    this.#sendOfSlot[slotOf(id)] = sendId;
    this.#keepSendKey(opening);
    this.#spendReservation(opening);
    if (!this.#movesMoney) return;
    const { senderId, totalCents } = packet;
    this.totals.fundedCents += totalCents;
    if (source === PacketSource.BALANCE) this.#addToBalance(senderId, -totalCents);
    if (sendId === 0) return;
    const send = this.#findSend(sendId);
    send.created++;
    send.totalCents += totalCents;
  }

  #grab(words: Int32Array, at: number): void {
    const packetId = words[at + GRAB.PACKET];
    const userId = words[at + GRAB.USER];
    const amount = words[at + GRAB.AMOUNT];
    if (!this.#restorer.claim(packetId, words[at + GRAB.SHARE], userId)) {
      throw this.#damage('grabs from a packet that is not open');
    }
    this.#claim(userId, amount);
    if (!this.#movesMoney || this.sendOf(packetId) === 0) return;
    const send = this.#findSend(this.sendOf(packetId));
    send.grabbedShares++;
    send.claimedCents += amount;
  }

  #closePacket(words: Int32Array, at: number): void {
    const packetId = words[at + PACKET_CLOSE.PACKET];
    const refund = words[at + PACKET_CLOSE.REFUND];
    const senderId = this.#restorer.close(packetId);
    if (senderId === undefined) throw this.#damage('closes a packet that is not open');
    this.#droppedNotices.delete(packetId);
    if (!this.#movesMoney) return;
    this.totals.refundedCents += refund;
    if (senderId >= 0) this.#addToBalance(senderId, refund);
    if (this.sendOf(packetId) !== 0) this.#findSend(this.sendOf(packetId)).refundedCents += refund;
  }

  #transfer(type: number, words: Int32Array, at: number): void {
    this.#keepTransferKey(type, words, at);
    if (!this.#movesMoney) return;
    const cents = readU64(words, at + TRANSFER.CENTS);
    const isTopUp = type === RecordType.TOPUP;
    this.totals[isTopUp ? 'toppedUpCents' : 'withdrawnCents'] += cents;
    this.#addToBalance(words[at + TRANSFER.USER], isTopUp ? cents : -cents);
  }

  #dropNotice(words: Int32Array, at: number): void {
    const packetId = words[at + NOTICE_DROPPED.PACKET];
    const users = this.#droppedNotices.get(packetId);
    if (users === undefined) this.#droppedNotices.set(packetId, new Set([words[at + NOTICE_DROPPED.USER]]));
    else users.add(words[at + NOTICE_DROPPED.USER]);
  }

  #reserve(words: Int32Array, at: number): void {
    const reservation: Reservation = {
      id: readU64(words, at + RESERVE.RESERVATION),
      userId: words[at + RESERVE.USER],
      cents: words[at + RESERVE.CENTS],
      key: readText(words, at + RESERVE.KEY),
    };
    this.reservations.set(reservation.id, { reservation, isSpent: false });
    this.lastReservation = Math.max(this.lastReservation, reservation.id);
  }

  #spendReservation({ source, reservation }: PacketOpening): void {
    const open = source === PacketSource.WALLET ? this.reservations.get(reservation) : undefined;
    if (open !== undefined) open.isSpent = true;
  }

  #keepSendKey(opening: PacketOpening): void {
    const { key, packet } = opening;
    if (key === '') return;
    this.#keepKey(packet.senderId, { key, kind: 'send', opening });
  }

  #keepTransferKey(type: number, words: Int32Array, at: number): void {
    const key = readText(words, at + TRANSFER.KEY);
    const kind = type === RecordType.TOPUP ? 'topup' : 'withdraw';
    const cents = readU64(words, at + TRANSFER.CENTS);
    if (key !== '') this.#keepKey(words[at + TRANSFER.USER], { key, kind, cents });
  }

  #keepKey(userId: number, key: RecoveredKey): void {
    const keys = this.keys.get(userId);
    if (keys === undefined) this.keys.set(userId, [key]);
    else if (keys.push(key) > KEYS_PER_USER) keys.shift();
  }

  /** Won or grabbed. */
  #claim(userId: number, cents: number): void {
    if (!this.#movesMoney) return;
    this.totals.claimedCents += cents;
    this.#addToBalance(userId, cents);
  }

  #addToBalance(userId: number, cents: number): void {
    const balance = (this.balances.get(userId) ?? 0) + cents;
    if (balance < 0) throw this.#damage(`leaves user ${userId} below zero`);
    this.balances.set(userId, balance);
  }

  #findSend(sendId: number): RecoveredSend {
    const send = this.#sends.get(sendId);
    if (send === undefined) throw this.#damage(`names send ${sendId}, which was never opened`);
    return send;
  }

  #damage(fact: string): LedgerError {
    return new LedgerError('damaged', `the journal cannot be right: record ${this.#sequence} ${fact}`);
  }
}
