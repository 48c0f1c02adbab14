// Answers questions about the past: what happened to a packet, what happened to a user, how the accounts stand.
//
// The snapshot has what is folded; the journal behind it is read into memory as far as it is durable, each time only what
// was added. Once a segment is folded, its part is forgotten. Runs on the thread that folds; nothing here writes.

import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import {
  describeOfUser,
  describePacket,
  describeWin,
  type PacketHistory,
  type UserHistory,
  type UserRecord,
  type WinHistory,
} from './history-answers.ts';
import { type HistoryRecord, HistoryTail } from './history-tail.ts';
import type { JournalFiles } from './journal-files.ts';
import { firstPosition, type JournalPosition } from './journal-position.ts';
import { readJournal } from './journal-reader.ts';
import type { Totals } from './ledger-totals.ts';
import { RecordType } from './record-layout.ts';
import {
  explain,
  NAMES_A_PACKET,
  OPENING_NAME,
  openEmpty,
  openForReading,
  readPosition,
  SNAPSHOT_NAME,
  USER_BUCKET_BITS,
} from './snapshot-schema.ts';

/** The accounts, in cents. `difference` is 0, or money was made or lost. */
export interface LedgerView {
  funding: number;
  users: number;
  drops: number;
  packets: number;
  difference: number;
  /** How many there are: users who ever had money, drops and packets that are open. */
  accounts: { users: number; drops: number; packets: number };
  records: number;
  batches: number;
  segments: number;
  totals: Totals;
}

/** Records of a user that one question gets: unless it says, and at the most. */
const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;

/** Which part of a user's records is asked for. */
export interface RecordPage {
  limit?: number | undefined;
  /** Only records before this sequence. */
  before?: number | undefined;
}

const RECORD_COLUMNS = 'type, sequence, time_ms, payload';

/** A snapshot, and what was read of the journal behind it. */
interface Base {
  path: string;
  database: DatabaseSync;
  /** Batch behind the snapshot. */
  nextBatch: number;
  tail: HistoryTail;
  /** Where the tail ends. */
  end: JournalPosition;
  /** The accounts in the snapshot, once somebody asked. */
  accounts: Record<string, number> | undefined;
}

/**
 * Owned by one thread. `durableBatch` is the number of the last batch that is known to be synced: later ones may still
 * be lost, and are not looked at.
 */
export class History {
  readonly #data: string;
  readonly #files: JournalFiles;
  #base: Base | undefined;

  /** @param data the data directory @param files its journal */
  constructor(data: string, files: JournalFiles) {
    this.#data = data;
    this.#files = files;
  }

  /** The newest packet of this id, sent or won by shaking. @throws {LedgerError} damaged, missing, version; so do all */
  packetRecords(packetId: number, durableBatch: number): PacketHistory | WinHistory | undefined {
    return this.#answer(durableBatch, ({ tail, database }) => {
      const named = tail.findNamed(packetId) ?? findNamed(database, packetId);
      if (named === undefined) return undefined;
      if (named.type === RecordType.WIN) return describeWin(packetId, named);
      const folded = database
        .prepare(`SELECT ${RECORD_COLUMNS} FROM records WHERE opened = ? ORDER BY sequence`)
        .all(named.sequence)
        .map(toRecord);
      const behind = [...tail.recordsOfPacket(named.sequence)].reverse();
      return describePacket(packetId, named.words, [...folded, ...behind]);
    });
  }

  userRecords(userId: number, page: RecordPage, durableBatch: number): UserHistory {
    return this.#answer(durableBatch, ({ tail, database }) => {
      const limit = Math.min(page.limit ?? DEFAULT_LIMIT, MAX_LIMIT);
      const before = page.before ?? Number.MAX_SAFE_INTEGER;
      const records: UserRecord[] = [];
      for (const record of tail.recordsOfUser(userId)) {
        if (records.length === limit) break;
        if (record.sequence < before) records.push(describeOfUser(record));
      }
      records.push(...readOfUser(database, userId, limit - records.length, before));
      return { userId, balanceCents: tail.state.rows.readUser(userId) ?? 0, records };
    });
  }

  ledger(durableBatch: number): LedgerView {
    return this.#answer(durableBatch, (base) => {
      base.accounts ??= sumAccounts(base.database);
      const { accounts, end } = base;
      const { added, totals } = base.tail.state;
      const users = accounts.users + added.users;
      const drops = accounts.drops + added.drops;
      const packets = accounts.packets + added.packets;
      return {
        funding: totals.fundingCents,
        users,
        drops,
        packets,
        difference: totals.fundingCents - users - drops - packets,
        accounts: {
          users: accounts.userCount + added.userCount,
          drops: accounts.dropCount + added.dropCount,
          packets: accounts.packetCount + added.packetCount,
        },
        records: end.nextSequence - 1,
        batches: end.nextBatch - 1,
        segments: end.segment,
        totals: { ...totals },
      };
    });
  }

  close(): void {
    this.#base?.database.close();
    this.#base = undefined;
    this.#files.close();
  }

  /** Answers from the snapshot as it is now, and the journal behind it up to `durableBatch`. */
  #answer<T>(durableBatch: number, answer: (base: Base) => T): T {
    try {
      return answer(this.#refresh(durableBatch));
    } catch (error) {
      throw explain(error, this.#base?.path ?? this.#data);
    }
  }

  #refresh(durableBatch: number): Base {
    const base = this.#openBase();
    if (durableBatch < base.end.nextBatch) return base;
    try {
      base.end = readJournal(this.#files, base.end, base.tail, { untilBatch: durableBatch });
    } catch (error) {
      // The tail may have a part of a batch.
      this.close();
      throw error;
    }
    return base;
  }

  #openBase(): Base {
    const known = this.#base;
    const snapshot = join(this.#data, SNAPSHOT_NAME);
    if (known?.path === snapshot && readPosition(known.database)?.nextBatch === known.nextBatch) return known;
    let path = snapshot;
    let database = openForReading(path);
    if (database === undefined || readPosition(database) === undefined) {
      database?.close();
      path = join(this.#data, OPENING_NAME);
      if (known?.path === path) return known;
      database = openForReading(path) ?? openEmpty();
    }
    known?.database.close();
    const end = readPosition(database) ?? firstPosition();
    this.#base = {
      path,
      database,
      nextBatch: end.nextBatch,
      tail: new HistoryTail(database),
      end,
      accounts: undefined,
    };
    return this.#base;
  }
}

function sumAccounts(database: DatabaseSync): Record<string, number> {
  return database
    .prepare(
      `SELECT * FROM
         (SELECT count(*) AS userCount, coalesce(sum(cents), 0) AS users FROM users),
         (SELECT count(*) AS dropCount, coalesce(sum(cents), 0) AS drops FROM drops WHERE closed IS NULL),
         (SELECT count(*) AS packetCount, coalesce(sum(cents), 0) AS packets FROM slots WHERE shares_left > 0)`,
    )
    .get() as Record<string, number>;
}

function findNamed(database: DatabaseSync, packetId: number): HistoryRecord | undefined {
  const row = database
    .prepare(
      `SELECT ${RECORD_COLUMNS} FROM records WHERE packet = ? AND ${NAMES_A_PACKET} ORDER BY sequence DESC LIMIT 1`,
    )
    .get(packetId);
  return row === undefined ? undefined : toRecord(row);
}

/** A user's newest records in the snapshot, bucket after bucket. */
function readOfUser(database: DatabaseSync, userId: number, limit: number, before: number): UserRecord[] {
  const bounds = database
    .prepare('SELECT (SELECT min(sequence) FROM records) AS first, (SELECT max(sequence) FROM records) AS last')
    .get();
  if (bounds === undefined || bounds.first === null) return [];
  const bucketSize = 2 ** USER_BUCKET_BITS;
  const first = Math.floor(Number(bounds.first) / bucketSize);
  const last = Math.floor(Math.min(Number(bounds.last), before) / bucketSize);
  const select = database.prepare(
    `SELECT ${RECORD_COLUMNS} FROM records
     WHERE sequence >> ${USER_BUCKET_BITS} = ? AND user = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?`,
  );
  const records: UserRecord[] = [];
  for (let bucket = last; bucket >= first && records.length < limit; bucket--) {
    const rows = select.all(bucket, userId, before, limit - records.length);
    for (const row of rows) records.push(describeOfUser(toRecord(row)));
  }
  return records;
}

function toRecord(row: Record<string, unknown>): HistoryRecord {
  const payload = Uint8Array.from(row.payload as Uint8Array);
  return {
    type: row.type as number,
    sequence: row.sequence as number,
    timeMs: row.time_ms as number,
    words: new Int32Array(payload.buffer),
  };
}
