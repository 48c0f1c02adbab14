// Users, slots, drops and sends as a snapshot has them: read when a record names them, then kept and changed in memory.

import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** The latest packet of a slot. */
export interface SlotState {
  packetId: number;
  /** Sequence of its PACKET_OPEN. */
  opened: number;
  /** -1 for the house. */
  senderId: number;
  /** 0 for none. */
  sendId: number;
  /** 0 once it is over. */
  sharesLeft: number;
  cents: number;
}

export interface DropState {
  /** Sequence of its DROP_OPEN. */
  opened: number;
  /** Sequence of its DROP_CLOSE; null while it is open. */
  closed: number | null;
  packetsLeft: number;
  cents: number;
}

/** How far a send has come. */
export interface SendState {
  /** Sequence of its SEND_OPEN. */
  opened: number;
  count: number;
  created: number;
  /** Packets that are not over. */
  open: number;
  grabbedShares: number;
  totalCents: number;
  claimedCents: number;
  refundedCents: number;
}

/** Owned by one thread. Each map has the rows that were read or put there since, by their id. */
export class StateRows {
  /** Cents. */
  readonly users = new Map<number, number>();
  readonly slots = new Map<number, SlotState>();
  readonly drops = new Map<number, DropState>();
  readonly sends = new Map<number, SendState>();
  readonly #selectUser: StatementSync;
  readonly #selectSlot: StatementSync;
  readonly #selectDrop: StatementSync;
  readonly #selectSend: StatementSync;

  constructor(database: DatabaseSync) {
    this.#selectUser = database.prepare('SELECT cents FROM users WHERE id = ?');
    this.#selectSlot = database.prepare(
      `SELECT packet AS packetId, opened, sender AS senderId, send AS sendId, shares_left AS sharesLeft, cents
       FROM slots WHERE slot = ?`,
    );
    this.#selectDrop = database.prepare(
      'SELECT opened, closed, packets_left AS packetsLeft, cents FROM drops WHERE id = ?',
    );
    this.#selectSend = database.prepare(
      `SELECT opened, count, created_count AS created, open_count AS open, grabbed_shares AS grabbedShares,
         total_cents AS totalCents, claimed_cents AS claimedCents, refunded_cents AS refundedCents
       FROM sends WHERE id = ?`,
    );
  }

  /** A user's cents; undefined for one who never had any. Not kept: whoever asks for money changes it. */
  readUser(userId: number): number | undefined {
    return this.users.get(userId) ?? (this.#selectUser.get(userId)?.cents as number | undefined);
  }

  readSlot(slot: number): SlotState | undefined {
    return readRow(this.slots, this.#selectSlot, slot);
  }

  readDrop(dropId: number): DropState | undefined {
    return readRow(this.drops, this.#selectDrop, dropId);
  }

  readSend(sendId: number): SendState | undefined {
    return readRow(this.sends, this.#selectSend, sendId);
  }
}

function readRow<T>(kept: Map<number, T>, select: StatementSync, id: number): T | undefined {
  const known = kept.get(id);
  if (known !== undefined) return known;
  const row = select.get(id) as T | undefined;
  if (row !== undefined) kept.set(id, row);
  return row;
}
