// The oracle of the simulation: plain books, kept from the records that are on the disk, and the laws of docs/JOURNAL.md
// checked at each of them. It shares no code with the server: splits are those of the audit.

import assert from 'node:assert/strict';
import { deriveSplit, SeedNumbers } from '../../tools/audit/split-check.ts';
import { type Fact, joinU64, readText } from './journal-facts.ts';

const HOUSE = -1;
const MODES = ['lucky', 'line', 'equal'] as const;
const KEYS_REMEMBERED = 256;

export interface BookedDrop {
  id: number;
  count: number;
  winsPerUser: number;
  firstNumber: number;
  budget: number;
  amounts: Int32Array;
  /** Users by the number they won. */
  wins: Map<number, number>;
  wonCents: number;
  isClosed: boolean;
}

export interface BookedPacket {
  id: number;
  sendId: number;
  sender: number;
  total: number;
  shares: number;
  mode: (typeof MODES)[number];
  createdAt: number;
  expiresAt: number;
  source: number;
  reservation: number;
  key: string;
  note: string;
  amounts: Int32Array;
  /** Nobody named means everybody. */
  invited: number[];
  /** Shares by the user who has them. */
  grabs: Map<number, number>;
  grabbedCents: number;
  isClosed: boolean;
  /** Users whose notice of it was dropped. */
  untold: Set<number>;
}

export interface BookedSend {
  id: number;
  count: number;
  shares: number;
  low: number;
  high: number;
  numbers: SeedNumbers;
  packets: BookedPacket[];
}

/** What a request key did. */
export interface BookedKey {
  kind: 'send' | 'topup' | 'withdraw';
  cents: number;
  packet: BookedPacket | undefined;
}

export class Books {
  readonly facts: Fact[] = [];
  readonly users = new Map<number, number>();
  readonly drops = new Map<number, BookedDrop>();
  readonly sends = new Map<number, BookedSend>();
  /** The latest packet of each id. */
  readonly packets = new Map<number, BookedPacket>();
  /** Cents and user by the packet id of a win. */
  readonly wins = new Map<number, { userId: number; cents: number }>();
  readonly keys = new Map<number, Map<string, BookedKey>>();
  /** Reservations at the external wallet: what was asked for, and how it was settled. */
  readonly reservations = new Map<number, { userId: number; cents: number; outcome: number }>();
  /** The reservation of each packet that has one. */
  readonly spent = new Map<number, BookedPacket>();
  refunds = 0;
  #funding = 0;
  #users = 0;
  #drops = 0;
  #packets = 0;

  /** Takes the next record and checks it against those before. */
  take(fact: Fact): void {
    const { type, words } = fact;
    this.#check(fact.sequence === this.facts.length + 1, 'its sequence is the next one');
    this.facts.push(fact);
    const takers = [
      undefined,
      this.#openDrop,
      this.#win,
      this.#closeDrop,
      this.#openSend,
      this.#openPacket,
      this.#grab,
      this.#closePacket,
      this.#transfer,
      this.#transfer,
      this.#dropNotice,
      this.#reserve,
      this.#settle,
    ];
    const taker = takers[type];
    assert(taker !== undefined, `the type ${type} is known`);
    taker.call(this, words, type);
    this.#check(this.#funding === this.#users + this.#drops + this.#packets, 'no cent appears or is lost');
  }

  balanceOf(userId: number): number {
    return this.users.get(userId) ?? 0;
  }

  /** Cents in drops and in packets that are not over. */
  get outstanding(): { drops: number; packets: number } {
    return { drops: this.#drops, packets: this.#packets };
  }

  /** Packets that can still be grabbed, were it not for the clock. */
  openPackets(): BookedPacket[] {
    return [...this.packets.values()].filter((packet) => !isOver(packet));
  }

  /** What a user's share of a packet is, if he has one. */
  grabOf(packetId: number, userId: number): number | undefined {
    const packet = this.packets.get(packetId);
    const share = packet?.grabs.get(userId);
    return share === undefined ? undefined : packet?.amounts[share];
  }

  keyOf(userId: number, key: string): BookedKey | undefined {
    return this.keys.get(userId)?.get(key);
  }

  #openDrop(words: Int32Array): void {
    const [id, count, winsPerUser, minCents, maxCents, firstNumber] = words;
    const budget = joinU64(words[8], words[9]);
    const terms = { mode: MODES[0], totalCents: budget, shares: count, minCents, maxCents };
    this.#check(id === this.drops.size + 1, 'a drop has the next id');
    this.drops.set(id, {
      id,
      count,
      winsPerUser,
      firstNumber: firstNumber >>> 0,
      budget,
      amounts: deriveSplit(terms, bytesOf(words, 12)),
      wins: new Map(),
      wonCents: 0,
      isClosed: false,
    });
    this.#funding += budget;
    this.#drops += budget;
  }

  #win(words: Int32Array): void {
    const [id, number, packetId, userId, cents] = words;
    const drop = this.drops.get(id);
    this.#check(drop !== undefined && !drop.isClosed, `drop ${id} is open`);
    this.#check(number < drop.count && !drop.wins.has(number), `number ${number} of drop ${id} was not won before`);
    this.#check(drop.amounts[number] === cents, `number ${number} of drop ${id} has ${drop.amounts[number]} cents`);
    this.#check(
      packetId >>> 0 === 2 ** 31 + ((drop.firstNumber + number) % 2 ** 31),
      'the packet follows from the number',
    );
    this.#check(!this.wins.has(packetId >>> 0), `packet ${packetId >>> 0} was not won before`);
    drop.wins.set(number, userId);
    const wins = [...drop.wins.values()].filter((winner) => winner === userId).length;
    this.#check(drop.winsPerUser === 0 || wins <= drop.winsPerUser, `user ${userId} may win once more`);
    drop.wonCents += cents;
    this.wins.set(packetId >>> 0, { userId, cents });
    this.#drops -= cents;
    this.#add(userId, cents);
  }

  #closeDrop(words: Int32Array): void {
    const [id, won] = words;
    const refund = joinU64(words[2], words[3]);
    const drop = this.drops.get(id);
    this.#check(drop !== undefined && !drop.isClosed, `drop ${id} is open`);
    this.#check(won === drop.wins.size, `${drop.wins.size} packets of drop ${id} were won, not ${won}`);
    this.#check(refund === drop.budget - drop.wonCents, `drop ${id} refunds what nobody won`);
    drop.isClosed = true;
    this.refunds++;
    this.#drops -= refund;
    this.#funding -= refund;
  }

  #openSend(words: Int32Array): void {
    const [id, count, shares, , , , , low, high] = words;
    this.#check(id === this.sends.size + 1, 'a send has the next id');
    this.sends.set(id, { id, count, shares, low, high, numbers: new SeedNumbers(bytesOf(words, 14)), packets: [] });
  }

  #openPacket(words: Int32Array): void {
    const [id, sendId, index, sender, total, shares, mode, minCents, maxCents, createdAt, expiresAt, source] = words;
    const invitedCount = words[22];
    const keyAt = 23 + invitedCount;
    const key = readText(words, keyAt);
    const terms = { mode: MODES[mode], totalCents: total, shares, minCents, maxCents };
    const packet: BookedPacket = {
      id,
      sendId,
      sender,
      total,
      shares,
      mode: MODES[mode],
      createdAt,
      expiresAt,
      source,
      reservation: joinU64(words[12], words[13]),
      key,
      note: readText(words, keyAt + 1 + Math.ceil(words[keyAt] / 4)),
      amounts: deriveSplit(terms, bytesOf(words, 14)),
      invited: [...words.subarray(23, keyAt)],
      grabs: new Map(),
      grabbedCents: 0,
      isClosed: false,
      untold: new Set(),
    };
    const before = this.packets.get(id);
    this.#check(before === undefined || isOver(before), `packet ${id} is not open already`);
    this.packets.set(id, packet);
    this.#packets += total;
    if (sendId !== 0) this.#addToSend(packet, index);
    if (source === 1) this.#add(sender, -total);
    else this.#funding += total;
    if (source === 2) this.#spend(packet);
    if (key !== '') this.#useKey(sender, key, { kind: 'send', cents: total, packet });
  }

  #addToSend(packet: BookedPacket, index: number): void {
    const send = this.sends.get(packet.sendId);
    this.#check(send !== undefined, `send ${packet.sendId} is open`);
    this.#check(index === send.packets.length && index < send.count, `packet ${index} of send ${send.id} is the next`);
    const total = send.low === send.high ? send.low : send.numbers.draw(send.low, send.high);
    this.#check(packet.total === total, `packet ${index} of send ${send.id} has the ${total} cents that were drawn`);
    this.#check(packet.sender === HOUSE && packet.source === 0, "a send is the house's");
    send.packets.push(packet);
  }

  #spend(packet: BookedPacket): void {
    const reservation = this.reservations.get(packet.reservation);
    this.#check(reservation?.outcome === 0, `reservation ${packet.reservation} is open`);
    this.#check(reservation.userId === packet.sender && reservation.cents === packet.total, 'it is for this packet');
    this.#check(!this.spent.has(packet.reservation), 'it is spent once');
    this.spent.set(packet.reservation, packet);
  }

  #grab(words: Int32Array): void {
    const [packetId, share, userId, cents] = words;
    const packet = this.packets.get(packetId);
    this.#check(packet !== undefined && !packet.isClosed, `packet ${packetId} is open`);
    this.#check(!packet.grabs.has(userId), `user ${userId} has no share of packet ${packetId} yet`);
    this.#check(![...packet.grabs.values()].includes(share), `share ${share} of packet ${packetId} is free`);
    this.#check(
      packet.amounts[share] === cents,
      `share ${share} of packet ${packetId} has ${packet.amounts[share]} cents`,
    );
    this.#check(packet.invited.length === 0 || packet.invited.includes(userId), `user ${userId} was invited`);
    packet.grabs.set(userId, share);
    packet.grabbedCents += cents;
    if (packet.grabs.size === packet.shares) this.#check(packet.grabbedCents === packet.total, 'the shares add up');
    this.#packets -= cents;
    this.#add(userId, cents);
  }

  #closePacket(words: Int32Array): void {
    const [packetId, taken, refund] = words;
    const packet = this.packets.get(packetId);
    this.#check(packet !== undefined && !isOver(packet), `packet ${packetId} is open`);
    this.#check(
      taken === packet.grabs.size,
      `${packet.grabs.size} shares of packet ${packetId} were grabbed, not ${taken}`,
    );
    this.#check(refund === packet.total - packet.grabbedCents, `packet ${packetId} refunds what nobody grabbed`);
    packet.isClosed = true;
    this.refunds++;
    this.#packets -= refund;
    if (packet.sender === HOUSE) this.#funding -= refund;
    else this.#add(packet.sender, refund);
  }

  #transfer(words: Int32Array, type: number): void {
    const userId = words[0];
    const cents = joinU64(words[2], words[3]);
    const isTopUp = type === 8;
    this.#add(userId, isTopUp ? cents : -cents);
    this.#funding += isTopUp ? cents : -cents;
    this.#useKey(userId, readText(words, 4), { kind: isTopUp ? 'topup' : 'withdraw', cents, packet: undefined });
  }

  #dropNotice(words: Int32Array): void {
    const [userId, packetId] = words;
    const packet = this.packets.get(packetId);
    this.#check(packet?.invited.includes(userId) === true, `user ${userId} was invited to packet ${packetId}`);
    packet.untold.add(userId);
  }

  #reserve(words: Int32Array): void {
    const [userId, cents, low, high] = words;
    const id = joinU64(low, high);
    this.#check(!this.reservations.has(id), `reservation ${id} is a new one`);
    this.reservations.set(id, { userId, cents, outcome: 0 });
  }

  #settle(words: Int32Array): void {
    const id = joinU64(words[2], words[3]);
    const reservation = this.reservations.get(id);
    this.#check(reservation !== undefined, `reservation ${id} was made`);
    const outcome = this.spent.has(id) ? 1 : 2;
    this.#check(words[0] === outcome, `reservation ${id} is settled as its packet says`);
    reservation.outcome = outcome;
  }

  #useKey(userId: number, key: string, use: BookedKey): void {
    let keys = this.keys.get(userId);
    if (keys === undefined) {
      keys = new Map();
      this.keys.set(userId, keys);
    }
    this.#check(!keys.has(key), `key ${key} of user ${userId} takes effect once`);
    keys.set(key, use);
    if (keys.size > KEYS_REMEMBERED) keys.delete(keys.keys().next().value!);
  }

  #add(userId: number, cents: number): void {
    const balance = this.balanceOf(userId) + cents;
    this.#check(balance >= 0, `user ${userId} is not below zero`);
    this.users.set(userId, balance);
    this.#users += cents;
  }

  #check(condition: boolean, law: string): asserts condition {
    assert(condition, `record ${this.facts.length} breaks a law: ${law}`);
  }
}

/** Whether nothing of a packet can be grabbed any more. */
export function isOver(packet: BookedPacket): boolean {
  return packet.isClosed || packet.grabs.size === packet.shares;
}

function bytesOf(words: Int32Array, at: number): Uint8Array {
  return new Uint8Array(words.slice(at, at + 8).buffer);
}
