// Reads a snapshot for recovery: the records that the present state follows from, then the balances, then the totals.
//
// Streams: memory is bounded by one record, whatever the number of users. Changes nothing.

import type { DatabaseSync } from 'node:sqlite';
import type { JournalPosition } from './journal-position.ts';
import { readTotals, type Totals } from './ledger-totals.ts';
import type { RecordSink } from './record-sink.ts';
import { explain, openForReading, readPosition } from './snapshot-schema.ts';
import type { SendState } from './state-rows.ts';

/** A send that is not over: some of its packets are, and may have left no record here. */
export interface SendProgress extends Omit<SendState, 'opened'> {
  id: number;
}

/** What a snapshot knows beside records and balances. */
export interface SnapshotTotals extends Totals {
  /** Wins and grabs together. */
  claimedCents: number;
  sends: SendProgress[];
}

/** Who takes a snapshot: all records in the order of their sequence, then all balances, then the totals. */
export interface SnapshotSink extends RecordSink {
  /** Takes a record like `onRecord`, of which only the request key still matters. */
  onKeyRecord: RecordSink['onRecord'];
  /** Takes a user's cents. */
  onBalance(userId: number, cents: number): void;
  onTotals(totals: SnapshotTotals): void;
}

/**
 * Hands the present state to the sink, each record once: of sends and drops that are not over (with all wins), of the
 * latest packet of each slot (with its grabs, its close, its dropped notices), of reservations without a settlement, and
 * of the newest request keys of each user.
 * @returns the position after the last folded segment; undefined, and nothing handed over, if no segment was folded
 * @throws {LedgerError} damaged, version
 */
export function readSnapshot(path: string, sink: SnapshotSink): JournalPosition | undefined {
  const database = openForReading(path);
  if (database === undefined) return undefined;
  try {
    const position = readPosition(database);
    if (position !== undefined) readState(database, sink);
    return position;
  } catch (error) {
    throw explain(error, path);
  } finally {
    database.close();
  }
}

function readState(database: DatabaseSync, sink: SnapshotSink): void {
  readRecords(database, sink);
  const users = database.prepare('SELECT id, cents FROM users ORDER BY id');
  users.setReturnArrays(true);
  for (const row of users.iterate()) {
    const [id, cents] = row as unknown as [number, number];
    sink.onBalance(id, cents);
  }
  const totals = readTotals(database);
  sink.onTotals({ ...totals, claimedCents: totals.wonCents + totals.grabbedCents, sends: readSends(database) });
}

function readRecords(database: DatabaseSync, sink: SnapshotSink): void {
  const select = database.prepare(
    `SELECT type, records.sequence, payload, time_ms, is_state
     FROM needed CROSS JOIN records USING (sequence) ORDER BY needed.sequence`,
  );
  select.setReturnArrays(true);
  let words = new Int32Array(256);
  let bytes = new Uint8Array(words.buffer);
  for (const row of select.iterate()) {
    const [type, sequence, payload, timeMs, isState] = row as unknown as [number, number, Uint8Array, number, number];
    if (payload.length > bytes.length) {
      words = new Int32Array(payload.length / 4);
      bytes = new Uint8Array(words.buffer);
    }
    bytes.set(payload);
    if (isState === 1) sink.onRecord(type, sequence, words, 0, payload.length / 4, timeMs);
    else sink.onKeyRecord(type, sequence, words, 0, payload.length / 4, timeMs);
  }
}

function readSends(database: DatabaseSync): SendProgress[] {
  const select = database.prepare(
    `SELECT id, count, created_count AS created, open_count AS open, grabbed_shares AS grabbedShares,
       total_cents AS totalCents, claimed_cents AS claimedCents, refunded_cents AS refundedCents
     FROM sends WHERE created_count < count OR open_count > 0 ORDER BY id`,
  );
  return select.all().map((row) => ({ ...row }) as unknown as SendProgress);
}
