// Folds closed segments into a snapshot. On the thread of snapshot-task.ts; one writer at a time.
//
// One transaction a segment, durable when `commit` returns: a kill at any instant leaves the snapshot of the segment
// before, or of this one. Records go in as they come; balances and the like are kept in memory and written once.

import assert from 'node:assert/strict';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { firstPosition, type JournalPosition } from './journal-position.ts';
import { TOTALS, type Totals } from './ledger-totals.ts';
import { KEYS_PER_USER } from './limits.ts';
import { PresentState } from './present-state.ts';
import type { RecordSink } from './record-sink.ts';
import { explain, openForWriting, readPosition } from './snapshot-schema.ts';

/** Owned by one thread. `begin`, all records of the next segment, `commit`; or `rollback`. */
export class SnapshotWriter implements RecordSink {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #isPruned: boolean;
  readonly #insertRecord: StatementSync;
  readonly #insertKey: StatementSync;
  /** Whose keys came in this segment. */
  readonly #keyUsers = new Set<number>();
  #state: PresentState | undefined;

  /**
   * Opens the snapshot, or makes an empty one.
   * @param isPruned keeps only the records that are still needed: see the view `needed`
   * @throws {LedgerError} damaged, version
   */
  constructor(path: string, isPruned = false) {
    this.#path = path;
    this.#database = openForWriting(path);
    this.#isPruned = isPruned;
    this.#insertRecord = this.#database.prepare('INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#insertKey = this.#database.prepare('INSERT INTO keys VALUES (?, ?)');
  }

  /** Where the next segment to fold begins. */
  get position(): JournalPosition {
    return readPosition(this.#database) ?? firstPosition();
  }

  begin(): void {
    assert(this.#state === undefined, 'one segment at a time');
    this.#database.exec('BEGIN IMMEDIATE');
    this.#state = new PresentState(this.#database);
  }

  /** Takes the next record. @throws {LedgerError} damaged, version; the segment is then to be rolled back */
  onRecord(type: number, sequence: number, words: Int32Array, at: number, payloadWords: number, timeMs: number): void {
    const state = this.#state;
    assert(state !== undefined, 'a segment was begun');
    state.take(type, sequence, words, at, payloadWords);
    const payload = new Uint8Array(words.buffer, words.byteOffset + 4 * at, 4 * payloadWords);
    const { user, packetId, opened, dropId, cents, keyUser } = state;
    try {
      this.#insertRecord.run(sequence, type, timeMs, user, packetId, opened, dropId, cents, payload);
      if (keyUser !== null) this.#insertKey.run(keyUser, sequence);
    } catch (error) {
      throw explain(error, this.#path);
    }
    if (keyUser !== null) this.#keyUsers.add(keyUser);
  }

  /** Makes what was taken since `begin` durable. @param next where the next segment begins */
  commit(next: JournalPosition): void {
    const state = this.#state;
    assert(state !== undefined, 'a segment was begun');
    try {
      this.#write(state, next);
      this.#database.exec('COMMIT');
    } catch (error) {
      throw explain(error, this.#path);
    }
    this.#state = undefined;
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  /** Leaves the snapshot as it was before `begin`; without effect if nothing was begun. */
  rollback(): void {
    this.#keyUsers.clear();
    this.#state = undefined;
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
  }

  close(): void {
    this.#database.close();
  }

  #write(state: PresentState, next: JournalPosition): void {
    this.#writeUsers(state);
    this.#writeSlots(state);
    this.#writeDrops(state);
    this.#writeSends(state);
    this.#writeReservations(state);
    this.#forgetOldKeys();
    this.#writeMeta(state.totals, next);
    if (this.#isPruned) this.#database.exec('DELETE FROM records WHERE sequence NOT IN (SELECT sequence FROM needed)');
  }

  #writeUsers(state: PresentState): void {
    const put = this.#database.prepare('INSERT OR REPLACE INTO users VALUES (?, ?)');
    // In their order, so that each page of the table is written once.
    for (const id of Float64Array.from(state.rows.users.keys()).sort()) put.run(id, state.rows.users.get(id)!);
  }

  #writeSlots(state: PresentState): void {
    const put = this.#database.prepare('INSERT OR REPLACE INTO slots VALUES (?, ?, ?, ?, ?, ?, ?)');
    for (const [slot, { packetId, opened, senderId, sendId, sharesLeft, cents }] of state.rows.slots) {
      put.run(slot, packetId, opened, senderId, sendId, sharesLeft, cents);
    }
  }

  #writeDrops(state: PresentState): void {
    const put = this.#database.prepare('INSERT OR REPLACE INTO drops VALUES (?, ?, ?, ?, ?)');
    for (const [id, { opened, closed, packetsLeft, cents }] of state.rows.drops) {
      put.run(id, opened, closed, packetsLeft, cents);
    }
  }

  #writeSends(state: PresentState): void {
    const put = this.#database.prepare('INSERT OR REPLACE INTO sends VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    for (const [id, send] of state.rows.sends) {
      const { opened, count, created, open, grabbedShares, totalCents, claimedCents, refundedCents } = send;
      put.run(id, opened, count, created, open, grabbedShares, totalCents, claimedCents, refundedCents);
    }
  }

  #writeReservations(state: PresentState): void {
    const put = this.#database.prepare('INSERT OR REPLACE INTO reservations VALUES (?, ?)');
    const remove = this.#database.prepare('DELETE FROM reservations WHERE id = ?');
    for (const [id, sequence] of state.reservations) {
      if (sequence === 0) remove.run(id);
      else put.run(id, sequence);
    }
  }

  #forgetOldKeys(): void {
    const remove = this.#database.prepare(
      `DELETE FROM keys WHERE user = ?1 AND sequence <=
         (SELECT sequence FROM keys WHERE user = ?1 ORDER BY sequence DESC LIMIT 1 OFFSET ${KEYS_PER_USER})`,
    );
    for (const user of this.#keyUsers) remove.run(user);
    this.#keyUsers.clear();
  }

  #writeMeta(totals: Totals, next: JournalPosition): void {
    const put = this.#database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)');
    for (const [name, key] of Object.entries(TOTALS)) put.run(key, totals[name as keyof Totals]);
    put.run('next_segment', next.segment);
    put.run('next_batch', next.nextBatch);
    put.run('next_sequence', next.nextSequence);
    put.run('chain', next.chain);
    put.run('time_ms', next.timeMs);
  }
}
