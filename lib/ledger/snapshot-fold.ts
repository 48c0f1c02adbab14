// Folds the closed segments of the journal into a snapshot, in slices, so that the thread can answer questions in between.

import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { JournalFiles } from './journal-files.ts';
import { readJournal } from './journal-reader.ts';
import { openForReading } from './snapshot-schema.ts';
import { SnapshotWriter } from './snapshot-writer.ts';

/** Bytes of the journal that are taken in one turn, as near as whole batches come to it: a tenth of a second. */
const SLICE_BYTES = 512 * 1024;

/** Batches of the first slice, whose length nobody knows yet. */
const FIRST_SLICE_BATCHES = 16;

/**
 * Folds every segment up to `untilSegment` that is not folded yet; they are closed.
 * @param isPruned keeps only the records that are still needed
 * @returns how many were folded, and the number of the first that is not
 * @throws {LedgerError} damaged, missing, version; the snapshot then has the segments before
 */
export async function foldSegments(
  path: string,
  files: JournalFiles,
  untilSegment: number,
  isPruned = false,
): Promise<{ folded: number; nextSegment: number }> {
  const writer = new SnapshotWriter(path, isPruned);
  try {
    let folded = 0;
    while (writer.position.segment <= untilSegment) {
      await foldNextSegment(writer, files);
      folded++;
    }
    return { folded, nextSegment: writer.position.segment };
  } finally {
    writer.rollback();
    writer.close();
  }
}

async function foldNextSegment(writer: SnapshotWriter, files: JournalFiles): Promise<void> {
  let position = writer.position;
  const { segment } = position;
  let sliceBatches = FIRST_SLICE_BATCHES;
  writer.begin();
  while (position.segment === segment) {
    const untilBatch = position.nextBatch + sliceBatches - 1;
    const end = readJournal(files, position, writer, { untilSegment: segment, untilBatch });
    const bytesPerBatch = (end.offset - position.offset) / end.batches;
    if (end.segment === segment) sliceBatches = Math.max(1, Math.round(SLICE_BYTES / bytesPerBatch));
    position = end;
    await nextTurn();
  }
  writer.commit(position);
}

/** Starts a snapshot that is not there from one that is. A kill leaves the whole copy or none. */
export function copySnapshot(from: string, to: string): void {
  const source = openForReading(from);
  if (source === undefined || existsSync(to)) {
    source?.close();
    return;
  }
  const copy = `${to}.new`;
  rmSync(copy, { force: true });
  try {
    source.prepare('VACUUM INTO ?').run(copy);
  } finally {
    source.close();
  }
  syncPath(copy);
  renameSync(copy, to);
  syncPath(dirname(to));
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
