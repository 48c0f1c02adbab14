// Deletes old segments: first what they add up to goes into DIR/opening.sqlite, durably, and only then do they go.
//
// A kill between the two leaves segments that are folded and still there: the next call deletes them.

import type { JournalFiles } from './journal-files.ts';
import { segmentName, segmentNumber } from './segment-layout.ts';
import { foldSegments } from './snapshot-fold.ts';

/**
 * Deletes the segments up to `lastSegment`. All of them are closed, and folded into the snapshot.
 * @param opening path of the file with what deleted segments add up to
 * @returns how many were deleted
 * @throws {LedgerError} damaged, missing, version; nothing that is not in the opening is deleted
 */
export async function deleteSegments(opening: string, files: JournalFiles, lastSegment: number): Promise<number> {
  if (lastSegment < 1) return 0;
  const { nextSegment } = await foldSegments(opening, files, lastSegment, true);
  const numbers = files.list().map(segmentNumber);
  const old = numbers.filter((number) => number < nextSegment);
  // In their order: what is left after a kill has no gap.
  for (const number of old) files.remove(segmentName(number));
  if (old.length > 0) files.syncDirectory();
  return old.length;
}
