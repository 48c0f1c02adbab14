// A piscina task, off the threads that serve: folds closed segments into the snapshot, deletes old ones, answers questions.
//
// For a pool with one thread and `concurrentTasksPerWorker: 2`: questions are answered between the slices of a fold. The
// default export folds; `{ name: 'query' }` asks.

import { existsSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { History, type LedgerView, type RecordPage } from './history.ts';
import type { PacketHistory, UserHistory, WinHistory } from './history-answers.ts';
import { NodeFiles } from './node-files.ts';
import { deleteSegments } from './retention.ts';
import { JOURNAL_NAME } from './segment-layout.ts';
import { copySnapshot, foldSegments } from './snapshot-fold.ts';
import { OPENING_NAME, SNAPSHOT_NAME } from './snapshot-schema.ts';

export interface FoldTask {
  /** The data directory. */
  data: string;
  /** Closed segments that stay; 0 for all. */
  keepSegments: number;
  /** The newest segment that is closed. */
  closedSegment: number;
}

export interface FoldResult {
  /** Segments that were folded, and deleted. */
  folded: number;
  deleted: number;
}

/** A question. `durableBatch` is the last batch that is known to be synced. */
export type HistoryQuery = { data: string; durableBatch: number } & (
  | { about: 'packet'; packetId: number }
  | ({ about: 'user'; userId: number } & RecordPage)
  | { about: 'ledger' }
);

/** Nice value of this thread: whatever serves goes first. */
const PRIORITY = 10;

lowerPriority();

/** The histories by data directory: they keep what they have read of the journal. */
const histories = new Map<string, History>();

/** Ends when the fold before ends. */
let folding: Promise<unknown> = Promise.resolve();

/**
 * Folds what is closed and not folded yet; then deletes what is older than the segments to keep. One after the other.
 * @throws {LedgerError} damaged, missing, version
 */
export default function fold(task: FoldTask): Promise<FoldResult> {
  const done = folding.then(() => foldAll(task));
  folding = done.catch(() => {});
  return done;
}

/** @throws {LedgerError} damaged, missing, version */
export function query(question: HistoryQuery): PacketHistory | WinHistory | UserHistory | LedgerView | undefined {
  const { data, durableBatch } = question;
  let history = histories.get(data);
  if (history === undefined) {
    history = new History(data, new NodeFiles(join(data, JOURNAL_NAME)));
    histories.set(data, history);
  }
  switch (question.about) {
    case 'packet':
      return history.packetRecords(question.packetId, durableBatch);
    case 'user':
      return history.userRecords(question.userId, question, durableBatch);
    case 'ledger':
      return history.ledger(durableBatch);
  }
}

async function foldAll({ data, keepSegments, closedSegment }: FoldTask): Promise<FoldResult> {
  const snapshot = join(data, SNAPSHOT_NAME);
  const opening = join(data, OPENING_NAME);
  const files = new NodeFiles(join(data, JOURNAL_NAME));
  try {
    if (!existsSync(snapshot)) copySnapshot(opening, snapshot);
    const { folded } = await foldSegments(snapshot, files, closedSegment);
    const deleted = keepSegments > 0 ? await deleteSegments(opening, files, closedSegment - keepSegments) : 0;
    return { folded, deleted };
  } finally {
    files.close();
  }
}

/** Linux lowers the calling thread only; elsewhere it would be the whole process. */
function lowerPriority(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(0, PRIORITY);
  } catch {
    // Then it runs like the others.
  }
}
