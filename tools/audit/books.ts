// The second set of books: takes the records in their order and keeps accounts, drops, packets, sends, keys and
// reservations by the rules of docs/JOURNAL.md ("What holds in every prefix of whole batches").
//
// Users and funding move by what the records say; what drops and packets hold is what their splits have still to give. So
// funding = users + drops + packets holds only if every record moved what it had to.

import { Accounts, Desk } from './accounts.ts';
import type { Balances } from './balance-file.ts';
import { type Digest, PLACE_ROW } from './digest.ts';
import { DropBook } from './drop-book.ts';
import type { FindingList } from './findings.ts';
import { IdTable } from './id-table.ts';
import {
  DROP_CLOSE,
  DROP_OPEN,
  GRAB,
  HOUSE,
  joinWords,
  NOTICE_DROPPED,
  PACKET_CLOSE,
  PACKET_OPEN,
  PACKET_OPEN_INVITED_WORD,
  RECORD_NAMES,
  RESERVE,
  SEND_OPEN,
  SETTLE,
  TOPUP,
  WIN,
  WITHDRAW,
} from './journal-format.ts';
import { PacketBook } from './packet-book.ts';
import { RequestBook } from './request-book.ts';

export const OPENING_FILE = 'opening.sqlite';
export const SNAPSHOT_FILE = 'snapshot.sqlite';

/** One line of the table: all accounts of a kind. */
export interface KindTotals {
  accounts: number;
  open: number;
  cents: number;
  movements: number;
}

export class Books {
  readonly accounts = new Accounts();
  /** Records booked, by type. */
  readonly records: number[] = RECORD_NAMES.map(() => 0);
  readonly #findings: FindingList;
  readonly #desk: Desk;
  readonly #drops: DropBook;
  readonly #packets: PacketBook;
  readonly #requests: RequestBook;
  #opened = false;
  /** Balances that the books are compared with when they come to that record. */
  #snapshot: Balances | undefined;
  /** Where the next record of the digest at hand is split, in the splits. */
  #splitAt = 0;

  constructor(findings: FindingList) {
    this.#findings = findings;
    this.#desk = new Desk(findings);
    this.#drops = new DropBook(this.accounts, this.#desk);
    this.#packets = new PacketBook(this.accounts, this.#desk);
    this.#requests = new RequestBook(this.accounts, this.#desk);
  }

  /** Funding less what everybody has: 0, or money came from nowhere (below 0) or is lost (above 0). */
  get differenceCents(): number {
    const { fundingCents, usersCents } = this.accounts;
    return fundingCents - usersCents - this.#drops.heldCents - this.#packets.heldCents;
  }

  get totals(): Record<'funding' | 'users' | 'drops' | 'packets', KindTotals> {
    const { fundingCents, usersCents, users, movements } = this.accounts;
    const drops = this.#drops;
    const packets = this.#packets;
    return {
      funding: { accounts: 1, open: 1, cents: fundingCents, movements: movements.funding },
      users: { accounts: users, open: users, cents: usersCents, movements: movements.users },
      drops: { accounts: drops.opened, open: drops.open, cents: drops.heldCents, movements: movements.drops },
      packets: { accounts: packets.opened, open: packets.open, cents: packets.heldCents, movements: movements.packets },
    };
  }

  /** Begins with what deleted segments add up to: balances, and records of what was not over. */
  openWith(balances: Balances, digest: Digest): void {
    const { accounts } = this;
    accounts.frozen = true;
    this.#opened = true;
    this.#desk.file = OPENING_FILE;
    this.#book(digest);
    this.#drops.forgetIds();
    this.#requests.forgetSettled();
    accounts.frozen = false;
    this.records.fill(0);
    accounts.fundingCents = balances.fundingCents;
    for (let i = 0; i < balances.users.length; i++) accounts.setUser(balances.users[i], balances.userCents[i]);
    accounts.reportBelowZero(this.#desk);
    if (this.differenceCents !== 0) {
      const held = accounts.fundingCents - this.differenceCents;
      this.#desk.reportBatch(`funding is ${accounts.fundingCents} cents, users, drops and packets have ${held}`);
    }
    this.#desk.file = undefined;
  }

  /** Compares the books with these balances when they come to the record that follows them. */
  expect(snapshot: Balances): void {
    this.#snapshot = snapshot;
  }

  /** Books the batches of a segment. */
  book(segment: number, digest: Digest): void {
    this.#desk.segment = segment;
    this.#book(digest);
    this.#endBatch();
  }

  /** All is booked. @param nextSequence of the record that would come next  @param whole whether nothing was unreadable */
  finish(nextSequence: number, whole: boolean): void {
    this.#compareAt(nextSequence);
    const snapshot = this.#snapshot;
    if (snapshot === undefined || !whole) return;
    const last = snapshot.nextSequence - 1;
    this.#findings.add({ file: SNAPSHOT_FILE }, `it knows records up to ${last}, the journal has ${nextSequence - 1}`);
  }

  #book({ rows, rowWords, splits }: Digest): void {
    // HOT
    this.#splitAt = 0;
    for (let at = 0; at < rowWords; ) {
      const type = rows[at] & 0xff;
      const words = rows[at] >>> 8;
      if (type === PLACE_ROW)
        this.#beginBatch(joinWords(rows[at + 1], rows[at + 2]), joinWords(rows[at + 3], rows[at + 4]));
      else {
        this.records[type]++;
        this.#bookRecord(type, rows, at + 1, splits);
        this.#desk.sequence++;
      }
      at += 1 + words;
    }
  }

  #beginBatch(batch: number, sequence: number): void {
    this.#endBatch();
    this.#desk.batch = batch;
    this.#desk.sequence = sequence;
    if (!this.accounts.frozen) this.#compareAt(sequence);
  }

  #endBatch(): void {
    this.accounts.reportBelowZero(this.#desk);
  }

  #bookRecord(type: number, rows: Uint32Array, at: number, splits: Int32Array): void {
    // HOT
    switch (type) {
      case GRAB:
        this.#packets.grab(rows[at], rows[at + 1], rows[at + 2], rows[at + 3]);
        break;
      case WIN:
        this.#drops.win(rows[at], rows[at + 1], rows[at + 2], rows[at + 3], rows[at + 4]);
        break;
      case PACKET_OPEN:
        this.#openPacket(rows, at, splits);
        break;
      case PACKET_CLOSE:
        this.#packets.close(rows[at], rows[at + 1], rows[at + 2]);
        break;
      case DROP_OPEN: {
        const amounts = splits.slice(this.#splitAt, this.#splitAt + rows[at + 1]);
        this.#splitAt += amounts.length;
        this.#drops.openDrop(rows, at, amounts);
        break;
      }
      case DROP_CLOSE:
        this.#drops.close(rows[at], rows[at + 1], joinWords(rows[at + 2], rows[at + 3]));
        break;
      case SEND_OPEN:
        this.#requests.openSend(rows, at);
        break;
      case TOPUP:
        this.#moveUser(rows, at, joinWords(rows[at + 2], rows[at + 3]));
        break;
      case WITHDRAW:
        this.#moveUser(rows, at, -joinWords(rows[at + 2], rows[at + 3]));
        break;
      case NOTICE_DROPPED:
        this.#checkNotice(rows[at], rows[at + 1]);
        break;
      case RESERVE:
        this.#requests.reserve(rows[at], rows[at + 1], joinWords(rows[at + 2], rows[at + 3]));
        break;
      case SETTLE:
        this.#requests.settle(rows[at], joinWords(rows[at + 2], rows[at + 3]));
        break;
    }
  }

  #openPacket(rows: Uint32Array, at: number, splits: Int32Array): void {
    const sender = rows[at + 3];
    const keyAt = at + PACKET_OPEN_INVITED_WORD + 1 + rows[at + PACKET_OPEN_INVITED_WORD];
    this.#requests.checkPacket(rows, at);
    if (sender !== HOUSE) this.#requests.addKey(sender, readKey(rows, keyAt));
    this.#packets.openPacket(rows, at, splits, this.#splitAt);
    this.#splitAt += rows[at + 5];
  }

  #moveUser(rows: Uint32Array, at: number, cents: number): void {
    this.#requests.addKey(rows[at], readKey(rows, at + 4));
    this.accounts.moveFunding(cents);
    this.accounts.moveUser(rows[at], cents);
  }

  /** A notice may be dropped when its packet is over; one that was over before the journal begins is not known. */
  #checkNotice(user: number, packet: number): void {
    if (this.#opened || this.#packets.wasOpened(packet)) return;
    this.#desk.report(`user ${user} is not told of packet ${packet}, which there is not`);
  }

  /** If the balances to compare with are as of this record, compares. */
  #compareAt(sequence: number): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined || sequence < snapshot.nextSequence) return;
    this.#snapshot = undefined;
    const place = { file: SNAPSHOT_FILE };
    const { fundingCents } = this.accounts;
    if (sequence > snapshot.nextSequence) {
      this.#findings.add(place, `it ends with record ${snapshot.nextSequence - 1}, inside a batch`);
    } else {
      if (snapshot.fundingCents !== fundingCents) {
        const text = `funding is ${snapshot.fundingCents} cents, the journal says ${fundingCents}`;
        this.#findings.add(place, text);
      }
      this.#compareUsers(snapshot);
    }
  }

  #compareUsers({ users, userCents }: Balances): void {
    const known = new IdTable();
    for (let i = 0; i < users.length; i++) {
      known.add(users[i]);
      this.#compareUser(users[i], userCents[i], this.accounts.centsOf(users[i]));
    }
    for (const [user, cents] of this.accounts.balances()) {
      if (known.find(user) < 0) this.#compareUser(user, 0, cents);
    }
  }

  #compareUser(user: number, snapshotCents: number, cents: number): void {
    if (snapshotCents === cents) return;
    const text = `user ${user} has ${snapshotCents} cents, the journal says ${cents}`;
    this.#findings.add({ file: SNAPSHOT_FILE }, text);
  }
}

/** The text at this place of the rows, one character a byte. */
function readKey(rows: Uint32Array, at: number): string {
  const bytes = rows[at];
  return bytes === 0 ? '' : Buffer.from(rows.buffer, rows.byteOffset + (at + 1) * 4, bytes).toString('latin1');
}
