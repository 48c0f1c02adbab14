// Reads opening.sqlite and snapshot.sqlite: what the journal up to some record adds up to, as the server wrote it down.

import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';

const BUSY_TIMEOUT_MS = 5000;

const meta = z.object({
  next_segment: z.number(),
  next_batch: z.number(),
  next_sequence: z.number(),
  chain: z.instanceof(Uint8Array),
  time_ms: z.number(),
  funding: z.number(),
});

/** Balances as of one record, and where the journal goes on from there. */
export interface Balances {
  nextSegment: number;
  nextBatch: number;
  nextSequence: number;
  chain: string;
  timeMs: number;
  fundingCents: number;
  users: Float64Array<ArrayBuffer>;
  userCents: Float64Array<ArrayBuffer>;
}

/** One record that such a file holds. */
export interface HeldRecord {
  sequence: number;
  type: number;
  payload: Uint8Array;
}

/**
 * Reads a file whole and as of one moment, and hands each of its records to `hear`, in their order. Gives undefined if
 * nothing was folded into it yet: a server makes it before that, and may be killed there.
 */
export function readBalanceFile(path: string, hear?: (record: HeldRecord) => void): Balances | undefined {
  const database = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    database.exec('BEGIN');
    if (isUnused(database)) return undefined;
    const rows = database.prepare('SELECT key, value FROM meta').all();
    const values = meta.parse(Object.fromEntries(rows.map(({ key, value }) => [key, value])));
    const [users, userCents] = readUsers(database);
    if (hear !== undefined) {
      const records = database.prepare('SELECT sequence, type, payload FROM records ORDER BY sequence');
      for (const record of records.iterate()) hear(record as unknown as HeldRecord);
    }
    return {
      nextSegment: values.next_segment,
      nextBatch: values.next_batch,
      nextSequence: values.next_sequence,
      chain: Buffer.from(values.chain).toString('hex'),
      timeMs: values.time_ms,
      fundingCents: values.funding,
      users,
      userCents,
    };
  } finally {
    database.close();
  }
}

function isUnused(database: DatabaseSync): boolean {
  if (database.prepare('SELECT 1 FROM sqlite_schema').get() === undefined) return true;
  const { facts } = database.prepare("SELECT count(*) AS facts FROM meta WHERE key <> 'version'").get()!;
  return facts === 0;
}

function readUsers(database: DatabaseSync): [Float64Array<ArrayBuffer>, Float64Array<ArrayBuffer>] {
  const { count } = database.prepare('SELECT count(*) AS count FROM users').get() as { count: number };
  const users = new Float64Array(count);
  const cents = new Float64Array(count);
  let i = 0;
  for (const row of database.prepare('SELECT id, cents FROM users ORDER BY id').iterate()) {
    users[i] = row.id as number;
    cents[i++] = row.cents as number;
  }
  return [users, cents];
}
