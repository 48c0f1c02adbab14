// Main's log of movements: turns what the campaigns and the sent packets do into entries of the journal.

import type { DropOpening, MovementLog, PacketOpening, SendOpening, Ticket } from '../packets/movement-log.ts';
import { SPLIT_MODES } from '../packets/split.ts';
import type { EntryWriter } from './entry-writer.ts';
import {
  DROP_CLOSE,
  DROP_OPEN,
  PACKET_CLOSE,
  PACKET_OPEN,
  RESERVE,
  RecordType,
  SEND_OPEN,
  SETTLE,
  type SettleOutcome,
} from './record-layout.ts';

/** Words that key and note of a packet may take: 64 and 100 bytes with their lengths. */
const TEXT_WORDS = 1 + 16 + 1 + 25;

const NO_BYTES = new Uint8Array(0);

/** Owned by main. Every entry rings main once it is durable; main then calls `settle`. */
export class MovementJournal implements MovementLog {
  readonly #entries: EntryWriter;
  #waiting: { ticket: Ticket; resolve: () => void }[] = [];
  /** What was durable at the last `settle`. */
  #settledPosition = 0;
  #willRing = false;

  constructor(entries: EntryWriter) {
    this.#entries = entries;
  }

  hasRoom(invited: number): boolean {
    return this.#entries.hasRoom(PACKET_OPEN.USERS + invited + TEXT_WORDS);
  }

  openDrop(drop: DropOpening): Ticket {
    const entries = this.#entries;
    entries.begin(RecordType.DROP_OPEN, DROP_OPEN.WORDS, true);
    entries.set(DROP_OPEN.DROP, drop.id);
    entries.set(DROP_OPEN.COUNT, drop.count);
    entries.set(DROP_OPEN.WINS_PER_USER, drop.winsPerUser);
    entries.set(DROP_OPEN.MIN, drop.minCents);
    entries.set(DROP_OPEN.MAX, drop.maxCents);
    entries.set(DROP_OPEN.FIRST_NUMBER, drop.firstNumber);
    entries.setFloat64(DROP_OPEN.RATE, drop.rate);
    entries.setUint64(DROP_OPEN.BUDGET, drop.budget);
    entries.setUint64(DROP_OPEN.CREATED_MS, drop.createdMs);
    entries.setBytes(DROP_OPEN.SEED, drop.seed);
    return this.#enter();
  }

  closeDrop(dropId: number, won: number, refundCents: number): Ticket {
    const entries = this.#entries;
    entries.begin(RecordType.DROP_CLOSE, DROP_CLOSE.WORDS, true);
    entries.set(DROP_CLOSE.DROP, dropId);
    entries.set(DROP_CLOSE.WON, won);
    entries.setUint64(DROP_CLOSE.REFUND, refundCents);
    return this.#enter();
  }

  openSend(send: SendOpening): Ticket {
    const entries = this.#entries;
    entries.begin(RecordType.SEND_OPEN, SEND_OPEN.WORDS, true);
    entries.set(SEND_OPEN.SEND, send.id);
    entries.set(SEND_OPEN.COUNT, send.count);
    entries.set(SEND_OPEN.SHARES, send.shares);
    entries.set(SEND_OPEN.MODE, send.mode);
    entries.set(SEND_OPEN.FIRST_USER, send.users[0]);
    entries.set(SEND_OPEN.LAST_USER, send.users[1]);
    entries.set(SEND_OPEN.EXPIRES_IN_SECONDS, send.expiresInSeconds);
    entries.set(SEND_OPEN.LOW_TOTAL, send.lowCents);
    entries.set(SEND_OPEN.HIGH_TOTAL, send.highCents);
    entries.set(SEND_OPEN.HIGH_TOTAL + 1, 0);
    entries.setFloat64(SEND_OPEN.RATE, send.rate);
    entries.setUint64(SEND_OPEN.CREATED_MS, send.createdMs);
    entries.setBytes(SEND_OPEN.SEED, send.seed);
    return this.#enter();
  }

  openPacket({ id, packet, sendId, index, source, reservation, key }: PacketOpening): Ticket {
    const entries = this.#entries;
    const keyBytes = key === '' ? NO_BYTES : Buffer.from(key, 'utf8');
    const { invited, note } = packet;
    const textWords = 2 + Math.ceil(keyBytes.length / 4) + Math.ceil(note.length / 4);
    entries.begin(RecordType.PACKET_OPEN, PACKET_OPEN.USERS + invited.length + textWords, true);
    entries.set(PACKET_OPEN.PACKET, id);
    entries.set(PACKET_OPEN.SEND, sendId);
    entries.set(PACKET_OPEN.INDEX, index);
    entries.set(PACKET_OPEN.SENDER, packet.senderId);
    entries.set(PACKET_OPEN.TOTAL, packet.totalCents);
    entries.set(PACKET_OPEN.SHARES, packet.shares);
    entries.set(PACKET_OPEN.MODE, SPLIT_MODES.indexOf(packet.mode));
    entries.set(PACKET_OPEN.MIN, packet.minCents);
    entries.set(PACKET_OPEN.MAX, packet.maxCents);
    entries.set(PACKET_OPEN.CREATED_AT, packet.createdAt);
    entries.set(PACKET_OPEN.EXPIRES_AT, packet.expiresAt);
    entries.set(PACKET_OPEN.SOURCE, source);
    entries.setUint64(PACKET_OPEN.RESERVATION, reservation);
    entries.setBytes(PACKET_OPEN.SEED, packet.seed);
    entries.set(PACKET_OPEN.INVITED, invited.length);
    for (let i = 0; i < invited.length; i++) entries.set(PACKET_OPEN.USERS + i, invited[i]);
    const keyAt = PACKET_OPEN.USERS + invited.length;
    const keyWords = entries.setText(keyAt, keyBytes);
    entries.setText(keyAt + keyWords, note);
    return this.#enter();
  }

  closePacket(packetId: number, taken: number, refundCents: number): Ticket {
    const entries = this.#entries;
    entries.begin(RecordType.PACKET_CLOSE, PACKET_CLOSE.WORDS, true);
    entries.set(PACKET_CLOSE.PACKET, packetId);
    entries.set(PACKET_CLOSE.TAKEN, taken);
    entries.set(PACKET_CLOSE.REFUND, refundCents);
    return this.#enter();
  }

  /** An external wallet is about to be asked to hold cents: whatever happens, the reservation will be settled. */
  reserve(reservation: number, userId: number, cents: number, key: string): Ticket {
    const entries = this.#entries;
    const keyBytes = Buffer.from(key, 'utf8');
    entries.begin(RecordType.RESERVE, RESERVE.KEY + 1 + Math.ceil(keyBytes.length / 4), true);
    entries.set(RESERVE.USER, userId);
    entries.set(RESERVE.CENTS, cents);
    entries.setUint64(RESERVE.RESERVATION, reservation);
    entries.setText(RESERVE.KEY, keyBytes);
    return this.#enter();
  }

  /** An external wallet has taken or freed what it held. */
  settleReservation(reservation: number, outcome: SettleOutcome): Ticket {
    const entries = this.#entries;
    entries.begin(RecordType.SETTLE, SETTLE.WORDS, true);
    entries.set(SETTLE.OUTCOME, outcome);
    entries.set(SETTLE.OUTCOME + 1, 0);
    entries.setUint64(SETTLE.RESERVATION, reservation);
    return this.#enter();
  }

  /**
   * Enters nothing but a mark: durable once everything is that main has seen of the other threads so far. Without room it is
   * the last entry's place, which has to wait longer.
   */
  mark(): Ticket {
    if (!this.#entries.hasRoom(0)) return this.#entries.position;
    this.#entries.begin(0, 0, true);
    return this.#enter();
  }

  isDurable(ticket: Ticket): boolean {
    return this.#entries.isDurable(ticket);
  }

  whenDurable(ticket: Ticket): Promise<void> {
    if (this.isDurable(ticket)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ ticket, resolve });
    });
  }

  /** Resolves what has become durable meanwhile. */
  settle(): void {
    this.#settledPosition = this.#entries.durablePosition;
    if (this.#waiting.length === 0) return;
    const { length } = this.#waiting;
    const left = this.#waiting.filter(({ ticket, resolve }) => {
      if (!this.isDurable(ticket)) return true;
      resolve();
      return false;
    });
    if (left.length < length) this.#waiting = left;
  }

  /** Whether more has become durable since the last `settle`. */
  hasNews(): boolean {
    return this.#entries.durablePosition !== this.#settledPosition;
  }

  /** The journal thread is woken once for all that this turn enters: woken by the first, it would commit that one alone. */
  #enter(): Ticket {
    this.#entries.publish();
    if (!this.#willRing) {
      this.#willRing = true;
      queueMicrotask(() => {
        this.#willRing = false;
        this.#entries.ring();
      });
    }
    return this.#entries.position;
  }
}
