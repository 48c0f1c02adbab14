// The snapshot as an SQLite file: its tables, how it is opened, and what is wrong with one that cannot be.
//
// DIR/snapshot.sqlite holds what the folded segments add up to, and all their records for history questions.
// DIR/opening.sqlite has the same tables for the segments that were deleted, but only the records that are still needed.
// A transaction folds one whole segment, so a file is always that of a segment's end. Only snapshot-writer.ts writes.

import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { JournalPosition } from './journal-position.ts';
import { LedgerError } from './ledger-error.ts';
import { KEYS_PER_USER } from './limits.ts';
import { RecordType } from './record-layout.ts';
import { SEGMENT_HEADER_BYTES } from './segment-layout.ts';

/** Names in the data directory. */
export const SNAPSHOT_NAME = 'snapshot.sqlite';
export const OPENING_NAME = 'opening.sqlite';

export const SNAPSHOT_VERSION = 1;

/**
 * Records of one user are indexed by buckets of 2^20 sequences: a segment then adds to the last one or two buckets only,
 * and folding takes no longer with a thousand segments behind it. A question looks into one bucket after the other.
 */
export const USER_BUCKET_BITS = 20;

/** The types whose packet ids can be asked for. The text is in the index and in the question: only then is it used. */
export const NAMES_A_PACKET = `type IN (${RecordType.WIN}, ${RecordType.PACKET_OPEN})`;

/** Pages kept in memory, in KiB: what one segment adds to the indexes fits. */
const CACHE_KIB = 64 * 1024;

/** SQLite's codes for a file that is not what was written: ERROR (no such table), CORRUPT, CONSTRAINT, MISMATCH, NOTADB. */
const DAMAGE_CODES = [1, 11, 19, 20, 26];

const TABLES = `
  -- One row a fact: version, the position after the last folded segment (next_segment, next_batch, next_sequence, chain,
  -- time_ms), and running totals of cents and counts since the first record.
  CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL -- the chain is a blob of 32 bytes
  ) WITHOUT ROWID;

  -- Balances; a user who never had money has no row.
  CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    cents INTEGER NOT NULL CHECK (cents >= 0)
  ) STRICT;

  -- The records as the journal has them, with what they are looked up by.
  CREATE TABLE records (
    sequence INTEGER PRIMARY KEY,
    type INTEGER NOT NULL,
    time_ms INTEGER NOT NULL, -- of its batch
    user INTEGER, -- in whose history it is; a refund is in the sender's
    packet INTEGER, -- packet id
    opened INTEGER, -- sequence of the PACKET_OPEN it belongs to (its own for that): packet ids come again
    drop_id INTEGER,
    cents INTEGER NOT NULL, -- what it moves, or reserves
    payload BLOB NOT NULL
  ) STRICT;
  CREATE INDEX records_by_user ON records (sequence >> ${USER_BUCKET_BITS}, user) WHERE user IS NOT NULL;
  CREATE INDEX records_by_opened ON records (opened) WHERE opened IS NOT NULL;
  CREATE INDEX records_by_drop ON records (drop_id) WHERE drop_id IS NOT NULL;
  CREATE INDEX records_by_packet ON records (packet) WHERE ${NAMES_A_PACKET};

  -- The latest packet of each slot of the packet table.
  CREATE TABLE slots (
    slot INTEGER PRIMARY KEY,
    packet INTEGER NOT NULL, -- packet id
    opened INTEGER NOT NULL, -- sequence of its PACKET_OPEN
    sender INTEGER NOT NULL, -- -1 for the house
    send INTEGER NOT NULL, -- 0 for none
    shares_left INTEGER NOT NULL, -- 0 once it is over
    cents INTEGER NOT NULL -- still in it
  ) STRICT;

  CREATE TABLE drops (
    id INTEGER PRIMARY KEY,
    opened INTEGER NOT NULL, -- sequence of its DROP_OPEN
    closed INTEGER, -- sequence of its DROP_CLOSE
    packets_left INTEGER NOT NULL, -- not won
    cents INTEGER NOT NULL -- still in it
  ) STRICT;

  CREATE TABLE sends (
    id INTEGER PRIMARY KEY,
    opened INTEGER NOT NULL, -- sequence of its SEND_OPEN
    count INTEGER NOT NULL, -- packets there will be
    created_count INTEGER NOT NULL, -- packets there are
    open_count INTEGER NOT NULL, -- packets that are not over
    grabbed_shares INTEGER NOT NULL,
    total_cents INTEGER NOT NULL, -- of all its packets; likewise the next two
    claimed_cents INTEGER NOT NULL,
    refunded_cents INTEGER NOT NULL
  ) STRICT;

  -- The records with the newest ${KEYS_PER_USER} request keys of each user. The key itself is in the record.
  CREATE TABLE keys (
    user INTEGER NOT NULL, -- -1 for the house
    sequence INTEGER NOT NULL,
    PRIMARY KEY (user, sequence)
  ) STRICT, WITHOUT ROWID;

  -- Reservations at an external wallet that have not been settled.
  CREATE TABLE reservations (
    id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL -- of its RESERVE
  ) STRICT;

  -- The records that the present state follows from; is_state is 0 for those that are only there for their key.
  CREATE VIEW needed AS
    SELECT sequence, max(is_state) AS is_state FROM (
      SELECT opened AS sequence, 1 AS is_state FROM sends WHERE created_count < count OR open_count > 0
      UNION ALL
      SELECT records.sequence, 1 FROM drops CROSS JOIN records ON records.drop_id = drops.id WHERE closed IS NULL
      UNION ALL
      SELECT records.sequence, 1 FROM slots CROSS JOIN records ON records.opened = slots.opened
      UNION ALL
      SELECT sequence, 1 FROM reservations
      UNION ALL
      SELECT sequence, 0 FROM keys
    ) GROUP BY sequence;
`;

/** Opens a snapshot to write to, and makes an empty one if there is none. @throws {LedgerError} damaged, version */
export function openForWriting(path: string): DatabaseSync {
  return open(path, false, (database) => {
    // FULL: a commit is on the disk when it returns. A segment may be deleted after that.
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -${CACHE_KIB}`);
    if (isEmpty(database)) {
      database.exec('BEGIN IMMEDIATE');
      database.exec(TABLES);
      database.prepare('INSERT INTO meta VALUES (?, ?)').run('version', SNAPSHOT_VERSION);
      database.exec('COMMIT');
    }
  });
}

/**
 * Opens a snapshot to read. Gives undefined if there is none, or one in which nothing was ever written.
 * @throws {LedgerError} damaged, version
 */
export function openForReading(path: string): DatabaseSync | undefined {
  if (!existsSync(path)) return undefined;
  let isUsed = true;
  const database = open(path, true, (database) => {
    database.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
    isUsed = !isEmpty(database);
  });
  if (isUsed) return database;
  database.close();
  return undefined;
}

/** A snapshot of nothing, in memory. */
export function openEmpty(): DatabaseSync {
  return openForWriting(':memory:');
}

/** The position after the last folded segment; undefined before the first. */
export function readPosition(database: DatabaseSync): JournalPosition | undefined {
  const meta = readMeta(database);
  const chain = meta.get('chain');
  if (!(chain instanceof Uint8Array)) return undefined;
  const read = (key: string): number => {
    const value = meta.get(key);
    if (typeof value !== 'number') throw new LedgerError('damaged', `the snapshot does not say its ${key}`);
    return value;
  };
  return {
    segment: read('next_segment'),
    offset: SEGMENT_HEADER_BYTES,
    nextBatch: read('next_batch'),
    nextSequence: read('next_sequence'),
    chain,
    timeMs: read('time_ms'),
  };
}

export function readMeta(database: DatabaseSync): Map<string, unknown> {
  return new Map(
    database
      .prepare('SELECT key, value FROM meta')
      .all()
      .map((row) => [String(row.key), row.value]),
  );
}

/** An error of SQLite as what it means here: a file that is not what was written is `damaged`; others stay. */
export function explain(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || !DAMAGE_CODES.includes(Number(error.errcode) & 0xff)) {
    return error;
  }
  const hint = 'it can be removed: it is built again from the journal, as far back as that goes';
  return new LedgerError('damaged', `${path} is damaged (${error.message}); ${hint}`, { cause: error });
}

function open(path: string, readOnly: boolean, prepare: (database: DatabaseSync) => void): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly });
    prepare(database);
    if (!isEmpty(database)) checkVersion(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw explain(error, path);
  }
}

function isEmpty(database: DatabaseSync): boolean {
  return database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined;
}

function checkVersion(database: DatabaseSync, path: string): void {
  const version = readMeta(database).get('version');
  if (typeof version !== 'number') throw new LedgerError('damaged', `${path} does not say its version`);
  if (version > SNAPSHOT_VERSION) {
    throw new LedgerError('version', `${path} has version ${version}; this program knows ${SNAPSHOT_VERSION}`);
  }
}
