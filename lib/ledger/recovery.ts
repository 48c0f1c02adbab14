// Recovery: what a data directory holds, from the newest snapshot and the segments behind it.
//
// Main thread, before any other thread runs. Reads only; a torn tail is measured here and cut when the journal is opened
// for writing. Memory follows what there is at the end (users, open drops, packets in the table), not the records read.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { PacketCreator } from '../packets/packet-creator.ts';
import { NO_ROOM } from '../packets/packet-creator.ts';
import { PacketRestorer } from '../packets/packet-restorer.ts';
import type { PacketTable } from '../packets/packet-table.ts';
import type { JournalFiles } from './journal-files.ts';
import { firstPosition } from './journal-position.ts';
import { type JournalEnd, readJournal } from './journal-reader.ts';
import { LedgerError } from './ledger-error.ts';
import { RecoveredState } from './recovered-state.ts';
import { segmentName } from './segment-layout.ts';
import { readSnapshot } from './snapshot-reader.ts';
import { OPENING_NAME, SNAPSHOT_NAME } from './snapshot-schema.ts';

/** What was found. */
export interface Recovery {
  state: RecoveredState;
  /** Ids of the packets that can be grabbed, the oldest first. */
  openPackets: number[];
  /** Where the journal goes on, and what was read of it. */
  end: JournalEnd;
  /** Whether a snapshot gave the beginning. */
  hasSnapshot: boolean;
  seconds: number;
}

/** Told now and then how far the reading is: bytes of the journal behind the snapshot, of how many. */
export type OnRecoveryProgress = (bytes: number, ofBytes: number) => void;

/**
 * Reads a data directory into memory and into the packet table.
 * @param data the data directory @param files its segments @param creator of all slots of the table
 * @throws {LedgerError} damaged, missing, version
 */
export function recover(
  data: string,
  files: JournalFiles,
  table: PacketTable,
  creator: PacketCreator,
  onProgress?: OnRecoveryProgress,
): Recovery {
  const startedAt = performance.now();
  const state = new RecoveredState(table, new PacketRestorer(table, creator));
  const name = [SNAPSHOT_NAME, OPENING_NAME].find((file) => existsSync(join(data, file)));
  const position = name === undefined ? undefined : readSnapshot(join(data, name), state);
  state.beginJournal();
  const start = position ?? firstPosition();
  const options = onProgress === undefined ? {} : { onProgress: inBytes(files, start.segment, onProgress) };
  const end = readJournal(files, start, state, options);
  const openPackets = state.finishPackets();
  if (openPackets === NO_ROOM) {
    throw new LedgerError('missing', 'the packet table is too small for the packets of the journal');
  }
  const seconds = (performance.now() - startedAt) / 1000;
  return { state, openPackets, end, hasSnapshot: position !== undefined, seconds };
}

/** Progress by segment as progress in bytes. */
function inBytes(files: JournalFiles, firstSegment: number, onProgress: OnRecoveryProgress) {
  const sizes = files
    .list()
    .filter((name) => name >= segmentName(firstSegment))
    .map((name) => files.size(name));
  const ofBytes = sizes.reduce((sum, size) => sum + size, 0);
  return (segment: number, offset: number) => {
    const before = sizes.slice(0, segment - firstSegment).reduce((sum, size) => sum + size, 0);
    onProgress(before + offset, ofBytes);
  };
}
