// A plain model of the ledger for the tests of snapshot and history, and a source of random records that it allows.
//
// It shares no code with lib/ledger beyond the layout of the records.

import assert from 'node:assert/strict';
import { DROP_OPEN, PACKET_OPEN, RecordType, TRANSFER } from '../../lib/ledger/record-layout.ts';
import { TestRandom } from '../packets/seed.ts';
import {
  closeDrop,
  closePacket,
  dropNotice,
  grab,
  openDrop,
  openPacket,
  openSend,
  reserve,
  settle,
  type TestRecord,
  topUp,
  win,
  withdraw,
} from './snapshot-records.ts';

const KEPT_KEYS = 256;

export interface ModelPacket {
  packetId: number;
  opened: number;
  senderId: number;
  sendId: number;
  shares: number;
  cents: number;
  grabs: { sequence: number; share: number; userId: number; amountCents: number }[];
  refund: number | undefined;
  /** Whose notices were dropped. */
  dropped: number[];
}

export interface ModelDrop {
  id: number;
  count: number;
  cents: number;
  firstNumber: number;
  wins: { sequence: number; number: number; packetId: number; userId: number; amountCents: number }[];
}

export interface ModelEvent {
  sequence: number;
  kind: string;
  cents: number;
  packetId?: number;
  dropId?: number;
  key?: string;
}

export class LedgerModel {
  funding = 0;
  readonly balances = new Map<number, number>();
  /** The latest packet of each slot. */
  readonly slots = new Map<number, ModelPacket>();
  /** The latest packet of each id, and the latest win. */
  readonly packets = new Map<number, ModelPacket>();
  readonly wins = new Map<number, { dropId: number; userId: number; amountCents: number }>();
  /** Those that are open. */
  readonly drops = new Map<number, ModelDrop>();
  readonly sends = new Map<number, { count: number; created: number; packets: ModelPacket[] }>();
  readonly reservations = new Map<number, number>();
  readonly keys = new Map<number, number[]>();
  readonly events = new Map<number, ModelEvent[]>();
  readonly sums = { issued: 0, won: 0, grabbed: 0, refunded: 0, toppedUp: 0, withdrawn: 0 };
  nextNumber = 0;
  #sequence = 0;

  take({ type, words }: TestRecord, sequence: number): void {
    this.#sequence = sequence;
    this.takeKey({ type, words }, sequence);
    const [first, second, third, fourth, fifth] = words;
    const low = (at: number): number => (words[at] >>> 0) + (words[at + 1] >>> 0) * 2 ** 32;
    switch (type) {
      case RecordType.DROP_OPEN: {
        const cents = low(DROP_OPEN.BUDGET);
        const firstNumber = words[DROP_OPEN.FIRST_NUMBER];
        this.drops.set(first, { id: first, count: second, cents, firstNumber, wins: [] });
        this.nextNumber = (firstNumber + second) % 2 ** 31;
        this.funding += cents;
        this.sums.issued += cents;
        break;
      }
      case RecordType.WIN: {
        const drop = this.drops.get(first)!;
        const packetId = third >>> 0;
        drop.cents -= fifth;
        drop.wins.push({ sequence, number: second, packetId, userId: fourth, amountCents: fifth });
        this.wins.set(packetId, { dropId: first, userId: fourth, amountCents: fifth });
        this.sums.won += fifth;
        this.#pay(fourth, fifth, { kind: 'win', packetId, dropId: first });
        break;
      }
      case RecordType.DROP_CLOSE:
        this.funding -= low(2);
        this.sums.refunded += low(2);
        this.drops.delete(first);
        break;
      case RecordType.SEND_OPEN:
        this.sends.set(first, { count: second, created: 0, packets: [] });
        break;
      case RecordType.PACKET_OPEN:
        this.#openPacket(words);
        break;
      case RecordType.GRAB: {
        const packet = this.packets.get(first)!;
        packet.cents -= fourth;
        packet.grabs.push({ sequence, share: second, userId: third, amountCents: fourth });
        this.sums.grabbed += fourth;
        this.#pay(third, fourth, { kind: 'grab', packetId: first });
        break;
      }
      case RecordType.PACKET_CLOSE: {
        const packet = this.packets.get(first)!;
        packet.cents = 0;
        packet.refund = third;
        this.sums.refunded += third;
        if (packet.senderId === -1) this.funding -= third;
        else this.#pay(packet.senderId, third, { kind: 'refund', packetId: first });
        break;
      }
      case RecordType.TOPUP:
        this.funding += third;
        this.sums.toppedUp += third;
        this.#pay(first, third, { kind: 'topup', ...keyOf(words, TRANSFER.KEY) });
        break;
      case RecordType.WITHDRAW:
        this.funding -= third;
        this.sums.withdrawn += third;
        this.#pay(first, -third, { kind: 'withdraw', ...keyOf(words, TRANSFER.KEY) });
        break;
      case RecordType.NOTICE_DROPPED:
        this.packets.get(second)!.dropped.push(first);
        break;
      case RecordType.RESERVE:
        this.reservations.set(low(2), sequence);
        break;
      case RecordType.SETTLE:
        this.reservations.delete(low(2));
        break;
    }
  }

  /** Takes nothing of a record but its request key. */
  takeKey({ type, words }: TestRecord, sequence: number): void {
    const isPacket = type === RecordType.PACKET_OPEN;
    if (!isPacket && type !== RecordType.TOPUP && type !== RecordType.WITHDRAW) return;
    const keyAt = isPacket ? PACKET_OPEN.USERS + words[PACKET_OPEN.INVITED] : TRANSFER.KEY;
    if (words[keyAt] === 0) return;
    const user = words[isPacket ? PACKET_OPEN.SENDER : TRANSFER.USER];
    this.keys.set(user, [...(this.keys.get(user) ?? []), sequence].slice(-KEPT_KEYS));
  }

  /** What recovery can tell from the records of a snapshot. */
  get present(): object {
    return {
      slots: sorted(this.slots),
      drops: sorted(this.drops),
      reservations: sorted(this.reservations),
      keys: sorted(this.keys),
    };
  }

  /** The sends that are not over. */
  get progress(): object[] {
    return sorted(this.sends)
      .map(([id, { count, created, packets }]) => ({
        id,
        count,
        created,
        open: packets.filter((packet) => !isOver(packet)).length,
        grabbedShares: packets.reduce((sum, { grabs }) => sum + grabs.length, 0),
        totalCents: packets.reduce((sum, packet) => sum + claimed(packet) + packet.cents + (packet.refund ?? 0), 0),
        claimedCents: packets.reduce((sum, packet) => sum + claimed(packet), 0),
        refundedCents: packets.reduce((sum, { refund }) => sum + (refund ?? 0), 0),
      }))
      .filter(({ count, created, open }) => created < count || open > 0);
  }

  #openPacket(words: Int32Array): void {
    const [packetId, sendId, , senderId, total, shares] = words;
    const source = words[PACKET_OPEN.SOURCE];
    const packet: ModelPacket = {
      packetId,
      opened: this.#sequence,
      senderId,
      sendId,
      shares,
      cents: total,
      grabs: [],
      refund: undefined,
      dropped: [],
    };
    this.slots.set(packetId & 0xfffff, packet);
    this.packets.set(packetId, packet);
    this.sums.issued += total;
    if (sendId !== 0 && this.sends.has(sendId)) {
      const send = this.sends.get(sendId)!;
      send.created++;
      send.packets.push(packet);
    }
    if (source !== 1) this.funding += total;
    if (source === 0) return;
    const about = { kind: 'send', packetId, ...keyOf(words, PACKET_OPEN.USERS + words[PACKET_OPEN.INVITED]) };
    this.#pay(senderId, source === 1 ? -total : 0, about, total);
  }

  /** Changes a balance, and puts it into the user's history. */
  #pay(userId: number, cents: number, about: Omit<ModelEvent, 'sequence' | 'cents'>, shown = Math.abs(cents)): void {
    if (cents !== 0) this.balances.set(userId, (this.balances.get(userId) ?? 0) + cents);
    const events = this.events.get(userId) ?? [];
    events.unshift({ sequence: this.#sequence, cents: shown, ...about });
    this.events.set(userId, events);
  }
}

export function isOver({ refund, grabs, shares }: ModelPacket): boolean {
  return refund !== undefined || grabs.length === shares;
}

export function claimed({ grabs }: ModelPacket): number {
  return grabs.reduce((sum, { amountCents }) => sum + amountCents, 0);
}

export function sorted<T>(map: ReadonlyMap<number, T>): [number, T][] {
  return [...map].sort(([a], [b]) => a - b);
}

function keyOf(words: Int32Array, at: number): { key?: string } {
  const bytes = words[at];
  return bytes === 0 ? {} : { key: Buffer.from(words.buffer, 4 * (at + 1), bytes).toString() };
}

/** Users and slots are few, so that packets are emptied and slots come again. */
const USERS = 12;
const SLOTS = 6;

/** Draws records that may follow each other, and has the model take them. */
export class RandomLedger {
  readonly model = new LedgerModel();
  readonly records: TestRecord[] = [];
  readonly #random: TestRandom;
  readonly #generations = new Array<number>(SLOTS).fill(0);
  #nextDrop = 1;
  #nextSend = 1;
  #nextReservation = 1;
  #nextKey = 1;

  constructor(seed: number) {
    this.#random = new TestRandom(seed);
  }

  /** Draws some records: a batch. */
  draw(count: number): TestRecord[] {
    const from = this.records.length;
    while (this.records.length < from + count) {
      const record = this.#drawOne();
      if (record === undefined) continue;
      this.records.push(record);
      this.model.take(record, this.records.length);
    }
    return this.records.slice(from);
  }

  #drawOne(): TestRecord | undefined {
    const random = this.#random;
    const { model } = this;
    const kind = random.below(30);
    // One user is busier than the others, and has more keys than are kept.
    const userId = random.below(2) === 0 ? 1 : 1 + random.below(USERS);
    const balance = model.balances.get(userId) ?? 0;
    if (kind < 3) return topUp(userId, 1 + random.below(500), this.#drawKey());
    if (kind < 5) return balance === 0 ? undefined : withdraw(userId, 1 + random.below(balance), this.#drawKey());
    if (kind === 5) return model.drops.size < 3 ? this.#drawDrop() : undefined;
    if (kind < 11) return this.#drawWin(userId);
    if (kind === 11) return this.#drawDropEnd();
    if (kind === 12) return model.progress.length < 2 ? openSend(this.#nextSend++, 1 + random.below(6)) : undefined;
    if (kind < 18) return this.#drawPacket(userId, balance);
    if (kind < 26) return this.#drawGrab(userId);
    if (kind === 26) return this.#drawExpiry();
    if (kind === 27) return model.slots.size === 0 ? undefined : dropNotice(userId, this.#pickSlot().packetId);
    if (kind === 28) return reserve(userId, 1 + random.below(100), this.#nextReservation++);
    return model.reservations.size === 0 ? undefined : settle(random.pick([...model.reservations.keys()]), 1);
  }

  #drawKey(): string {
    return this.#random.below(2) === 0 ? '' : `key ${this.#nextKey++}`;
  }

  #drawDrop(): TestRecord {
    return openDrop(this.#nextDrop++, 1 + this.#random.below(5), 100, this.model.nextNumber);
  }

  #drawWin(userId: number): TestRecord | undefined {
    const open = [...this.model.drops.values()].filter(({ wins, count }) => wins.length < count);
    if (open.length === 0) return undefined;
    const { id, wins, count, cents, firstNumber } = this.#random.pick(open);
    const amount = wins.length === count - 1 ? cents : 1 + this.#random.below(cents - (count - wins.length) + 1);
    return win(id, wins.length, 2 ** 31 + firstNumber + wins.length, userId, amount);
  }

  #drawDropEnd(): TestRecord | undefined {
    if (this.model.drops.size === 0) return undefined;
    const { id, wins, cents } = this.#random.pick([...this.model.drops.values()]);
    return closeDrop(id, wins.length, cents);
  }

  #drawPacket(userId: number, balance: number): TestRecord | undefined {
    const slot = this.#random.below(SLOTS);
    const before = this.model.slots.get(slot);
    if (before !== undefined && !isOver(before)) return undefined;
    // Few generations, so that ids come again.
    this.#generations[slot] = 1 + (this.#generations[slot] % 3);
    const packetId = this.#generations[slot] * 2 ** 20 + slot;
    const shares = 1 + this.#random.below(4);
    const total = shares + this.#random.below(50);
    const send = [...this.model.sends].find(([, { count, created }]) => created < count);
    if (send !== undefined && this.#random.below(2) === 0) {
      return openPacket({ packetId, total, shares, sendId: send[0], index: send[1].created, invited: [1, 2, 3] });
    }
    const source = balance >= total ? 1 : 2;
    return openPacket({ packetId, total, shares, senderId: userId, source, key: this.#drawKey(), note: '恭喜发财' });
  }

  #drawGrab(userId: number): TestRecord | undefined {
    const open = this.#openPackets().filter(({ grabs }) => grabs.every((one) => one.userId !== userId));
    if (open.length === 0) return undefined;
    const { packetId, grabs, shares, cents } = this.#random.pick(open);
    const left = shares - grabs.length;
    return grab(packetId, grabs.length, userId, left === 1 ? cents : 1 + this.#random.below(cents - left + 1));
  }

  #drawExpiry(): TestRecord | undefined {
    const open = this.#openPackets();
    if (open.length === 0) return undefined;
    const { packetId, grabs, cents } = this.#random.pick(open);
    return closePacket(packetId, grabs.length, cents);
  }

  #openPackets(): ModelPacket[] {
    return [...this.model.slots.values()].filter((packet) => !isOver(packet));
  }

  #pickSlot(): ModelPacket {
    assert(this.model.slots.size > 0, 'there is a packet');
    return this.#random.pick([...this.model.slots.values()]);
  }
}
