// What operators have told drops and sends to do: which are paused, and which sends create no more. A file of the data
// directory, because no record says so: it moves no money.
//
// Main thread. Written as a whole beside the old one, synced, and put in its place: a crash leaves one or the other.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LedgerError } from './ledger-error.ts';

const HOLDS_NAME = 'holds.json';

const ids = z.array(z.int().min(1));
const holdsSchema = z.strictObject({ pausedDrops: ids, pausedSends: ids, cutShortSends: ids });

/** Ids. */
export type Holds = z.infer<typeof holdsSchema>;

/** What the data directory has; nothing held where it has no such file. @throws {LedgerError} damaged */
export function readHolds(data: string): Holds {
  const path = join(data, HOLDS_NAME);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return { pausedDrops: [], pausedSends: [], cutShortSends: [] };
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
    writeSync(file, `${JSON.stringify(holds)}\n`);
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
