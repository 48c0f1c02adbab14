// What holds drops and sends back, by order of operators: pauses, times to begin, caps. A file of the data directory, because no
// record says so: it moves no money.
//
// Main thread. Written as a whole beside the old one, synced, and put in its place: a crash leaves one or the other.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Hold } from '../packets/campaign-holds.ts';
import { LedgerError } from './ledger-error.ts';

const HOLDS_NAME = 'holds.json';

const holdSchema = z.strictObject({
  isPaused: z.boolean().exactOptional(),
  startMs: z.number().min(0).exactOptional(),
  isCutShort: z.boolean().exactOptional(),
  capCents: z.int().min(1).exactOptional(),
  recipients: z.int().min(1).exactOptional(),
});
const listSchema = z.array(z.tuple([z.int().min(1), holdSchema]));
const idsSchema = z.array(z.int().min(1));
const haltSchema = z.strictObject({ drops: idsSchema, sends: idsSchema });
const holdsSchema = z.strictObject({ drops: listSchema, sends: listSchema, halt: haltSchema.exactOptional() });

/** Ids of what the kill switch has paused. */
export type Halt = z.infer<typeof haltSchema>;

/** By id; see packets/campaign-holds.ts. */
export interface Holds {
  drops: [number, Hold][];
  sends: [number, Hold][];
  /** While the kill switch is on. */
  halt?: Halt;
}

/** What the data directory has; nothing held where it has no such file. @throws {LedgerError} damaged */
export function readHolds(data: string): Holds {
  const path = join(data, HOLDS_NAME);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { drops: [], sends: [] };
  }
  try {
    return holdsSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new LedgerError('damaged', `${path} is damaged: mend it, or delete it to let every drop and send go on`, {
      cause: error,
    });
  }
}

/** Returns once they are on the disk. @throws {Error} of the system */
export function writeHolds(data: string, holds: Holds): void {
  const path = join(data, HOLDS_NAME);
  const file = openSync(`${path}.new`, 'w', 0o640);
  try {
    // Not writeSync: on a disk that is getting full it may write a part and not say so.
    writeFileSync(file, `${JSON.stringify(holds)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  const directory = openSync(data, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
