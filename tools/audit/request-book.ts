// What belongs to requests in the second set of books: sends and the totals that they drew, request keys, reservations.

import type { Accounts, Desk } from './accounts.ts';
import { NumberSet } from './id-table.ts';
import { joinWords, SEND_OPEN_SEED_WORD } from './journal-format.ts';
import { SeedNumbers } from './split-check.ts';

/** A key must not come again among so many of one user. */
const KEYS_OF_A_USER = 256;

const SEED_WORDS = 8;
const SOURCE_RESERVATION = 2;
const COMMITTED = 1;

interface Send {
  count: number;
  shares: number;
  mode: number;
  low: number;
  high: number;
  numbers: SeedNumbers;
  /** The totals drawn so far, by index. */
  totals: number[];
  opened: NumberSet;
}

interface Reservation {
  user: number;
  cents: number;
  /** The packet that was paid from it. */
  packet: number | undefined;
  outcome: number | undefined;
}

export class RequestBook {
  readonly #accounts: Accounts;
  readonly #desk: Desk;
  readonly #sends = new Map<number, Send>();
  readonly #keys = new Map<number, Set<string>>();
  readonly #reservations = new Map<number, Reservation>();
  #lastSend = 0;
  /** Whether the next send must have the next id. */
  #sendIdsKnown = true;
  /** Whether a reservation may have been settled before the records begin. */
  #settledUnseen = false;

  constructor(accounts: Accounts, desk: Desk) {
    this.#accounts = accounts;
    this.#desk = desk;
  }

  /** Reservations that were settled, and sends that were over, before the journal begins have left no trace. */
  forgetSettled(): void {
    this.#settledUnseen = true;
    this.#sendIdsKnown = false;
  }

  /** A SEND_OPEN at this place of the rows. */
  openSend(rows: Uint32Array, at: number): void {
    const id = rows[at];
    const { frozen } = this.#accounts;
    if (this.#sendIdsKnown && !frozen && id !== this.#lastSend + 1) {
      this.#desk.report(`send ${id} is opened, and must be send ${this.#lastSend + 1}`);
    } else if (id <= this.#lastSend) this.#desk.report(`send ${id} is opened again`);
    if (!frozen) this.#sendIdsKnown = true;
    this.#lastSend = Math.max(this.#lastSend, id);
    this.#sends.set(id, {
      count: rows[at + 1],
      shares: rows[at + 2],
      mode: rows[at + 3],
      low: rows[at + 7],
      high: rows[at + 8],
      numbers: new SeedNumbers(readSeed(rows, at + SEND_OPEN_SEED_WORD)),
      totals: [],
      opened: new NumberSet(),
    });
  }

  /** Checks a PACKET_OPEN at this place of the rows against the send or the reservation that it names. */
  checkPacket(rows: Uint32Array, at: number): void {
    const [packet, send, index, sender, total] = rows.subarray(at, at + 5);
    const source = rows[at + 11];
    if (send !== 0) this.#checkSend(packet, send, index, total, rows[at + 5], rows[at + 6]);
    if (source === SOURCE_RESERVATION) {
      this.#spendReservation(joinWords(rows[at + 12], rows[at + 13]), packet, sender, total);
    }
  }

  /** Notes a request key. @param key its bytes, one character each  */
  addKey(user: number, key: string): void {
    if (key === '') return;
    let keys = this.#keys.get(user);
    if (keys === undefined) {
      keys = new Set();
      this.#keys.set(user, keys);
    }
    if (keys.delete(key)) {
      this.#desk.report(`user ${user} used the request key ${JSON.stringify(key)} among the last ${KEYS_OF_A_USER}`);
    }
    keys.add(key);
    if (keys.size === KEYS_OF_A_USER) keys.delete(keys.values().next().value!);
  }

  reserve(user: number, cents: number, id: number): void {
    if (this.#reservations.has(id)) this.#desk.report(`reservation ${id} is made a second time`);
    this.#reservations.set(id, { user, cents, packet: undefined, outcome: undefined });
  }

  settle(outcome: number, id: number): void {
    const reservation = this.#reservations.get(id);
    const wrong = judgeSettle(reservation, outcome, id);
    if (wrong !== undefined) this.#desk.report(wrong);
    if (reservation !== undefined) reservation.outcome = outcome;
  }

  #checkSend(packet: number, id: number, index: number, total: number, shares: number, mode: number): void {
    const send = this.#sends.get(id);
    // A packet outlives its send in opening.sqlite, until its slot is used again.
    if (send === undefined && this.#accounts.frozen) return;
    const wrong = judgeSent(send, packet, id, index, total, shares, mode);
    if (wrong !== undefined) this.#desk.report(wrong);
    send?.opened.add(index);
  }

  #spendReservation(id: number, packet: number, sender: number, total: number): void {
    const reservation = this.#reservations.get(id);
    if (reservation === undefined && (this.#settledUnseen || this.#accounts.frozen)) return;
    const wrong = judgeSpending(reservation, id, packet, sender, total);
    if (wrong !== undefined) this.#desk.report(wrong);
    if (reservation !== undefined) reservation.packet = packet;
  }
}

function judgeSettle(reservation: Reservation | undefined, outcome: number, id: number): string | undefined {
  if (reservation === undefined) return `there is no reservation ${id} to settle`;
  if (reservation.outcome !== undefined) return `reservation ${id} is settled a second time`;
  if (outcome === COMMITTED || reservation.packet === undefined) return undefined;
  return `reservation ${id} is cancelled, but packet ${reservation.packet} was paid from it`;
}

function judgeSent(
  send: Send | undefined,
  packet: number,
  id: number,
  index: number,
  total: number,
  shares: number,
  mode: number,
): string | undefined {
  if (send === undefined) return `packet ${packet} is of send ${id}, which there is not`;
  if (index >= send.count) return `packet ${packet} is number ${index} of send ${id}, which has ${send.count}`;
  if (send.opened.has(index)) return `packet ${index} of send ${id} is opened a second time`;
  const due = totalOf(send, index);
  if (total !== due) return `packet ${index} of send ${id} has ${total} cents, the seed of the send says ${due}`;
  if (shares === send.shares && mode === send.mode) return undefined;
  return `packet ${index} of send ${id} has other shares, or is split otherwise, than the send says`;
}

function judgeSpending(
  reservation: Reservation | undefined,
  id: number,
  packet: number,
  sender: number,
  total: number,
): string | undefined {
  if (reservation === undefined) return `packet ${packet} is paid from reservation ${id}, which there is not`;
  const { user, cents, outcome } = reservation;
  if (reservation.packet !== undefined) return `reservation ${id} pays for a second packet, ${packet}`;
  if (user !== sender || cents !== total) {
    return `packet ${packet} is paid from reservation ${id}, which is for ${cents} cents of user ${user}`;
  }
  if (outcome === undefined || outcome === COMMITTED) return undefined;
  return `packet ${packet} is paid from reservation ${id}, which was cancelled`;
}

/** The total that the packet at this index of a send was drawn. */
function totalOf(send: Send, index: number): number {
  const { low, high, totals, numbers } = send;
  if (low === high) return low;
  while (totals.length <= index) totals.push(numbers.draw(low, high));
  return totals[index];
}

function readSeed(rows: Uint32Array, at: number): Uint8Array {
  const seed = new Uint8Array(SEED_WORDS * 4);
  const view = new DataView(seed.buffer);
  for (let i = 0; i < SEED_WORDS; i++) view.setUint32(i * 4, rows[at + i], true);
  return seed;
}
