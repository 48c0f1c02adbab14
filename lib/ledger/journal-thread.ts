// The journal thread: writes what the other threads enter, one group commit after the other, and sleeps when there is
// nothing.
//
// It blocks in the disk and in its doorbell, so it owns no socket, timer, promise, or port to receive on. It ends when the
// stop word is set and its rings are empty; then everything is synced and the segment has its exact length. A disk that
// fails is reported once, and the thread goes on answering, so that nobody waits for it, until the process ends.

import assert from 'node:assert/strict';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { Consumer } from '../ring/consumer.ts';
import { CounterWriter } from '../ring/counters.ts';
import { DoorbellListener, DoorbellRinger } from '../ring/doorbell.ts';
import { Producer } from '../ring/producer.ts';
import type { RingMemory } from '../ring/ring.ts';
import { park } from '../ring/wait/park.ts';
import { BatchBuilder } from './batch-builder.ts';
import { Journal, type ReplyShape } from './journal.ts';
import { JOURNAL_COUNTERS } from './journal-counters.ts';
import type { JournalPosition } from './journal-position.ts';
import { NodeFiles } from './node-files.ts';
import { SegmentWriter } from './segment-writer.ts';

/** What main hands to the journal thread. */
export interface JournalThreadData {
  /** One word, 0 while it runs; main sets it to 1 and rings the doorbell. */
  stop: SharedArrayBuffer;
  doorbell: SharedArrayBuffer;
  counters: SharedArrayBuffer;
  /** Of each worker, in order, and of main behind them; main is rung through a port. */
  producers: { entries: RingMemory; doorbell: SharedArrayBuffer; port: MessagePort | undefined }[];
  /** Of each acceptor, in order, and of main behind them. */
  targets: { replies: RingMemory; doorbell: SharedArrayBuffer; port: MessagePort }[];
  replyShape: ReplyShape;
  /** Left out, nothing is written. */
  disk:
    | { directory: string; position: JournalPosition; node: number; segmentBytes: number; syncs: boolean }
    | undefined;
  /** Unix milliseconds at performance.timeOrigin + performance.now() = 0: the clock of main. */
  clockOffsetMs: number;
}

/** What the journal thread says to main, by message. */
export type JournalMessage =
  | { kind: 'segment-closed'; segment: number }
  /** Nothing more is written: the process is to end. */
  | { kind: 'journal-failed'; message: string };

/** How long it sleeps at the most, in milliseconds. */
const SLEEP_MS = 1000;

function run(data: JournalThreadData): void {
  const stop = new Int32Array(data.stop);
  const doorbell = new DoorbellListener(data.doorbell);
  const readNowMs = () => Math.floor(performance.timeOrigin + performance.now() + data.clockOffsetMs);
  const disk = openDisk(data, readNowMs);
  const journal = new Journal({
    producers: data.producers.map(({ entries, doorbell, port }) => ({
      entries: new Consumer(entries),
      doorbell: new DoorbellRinger(doorbell, port === undefined ? undefined : () => port.postMessage(null)),
    })),
    targets: data.targets.map(({ replies, doorbell, port }) => ({
      replies: new Producer(replies),
      doorbell: new DoorbellRinger(doorbell, () => port.postMessage(null)),
    })),
    ...(disk === undefined ? {} : { disk }),
    counters: new CounterWriter(data.counters, JOURNAL_COUNTERS),
    replyShape: data.replyShape,
    readNowMs,
    onFailure: (error) => post({ kind: 'journal-failed', message: error.message }),
    onSegmentClosed: (segment) => post({ kind: 'segment-closed', segment }),
  });
  const hasWork = () => journal.hasWork() || Atomics.load(stop, 0) === 1;
  for (;;) {
    if (journal.step() > 0) continue;
    if (Atomics.load(stop, 0) === 1) break;
    park(doorbell, hasWork, SLEEP_MS);
  }
  if (!journal.hasFailed) disk?.writer.close();
}

/** Opens the journal for writing. A failure is an error of this thread: main has not begun to serve. */
function openDisk({ disk }: JournalThreadData, readNowMs: () => number) {
  if (disk === undefined) return undefined;
  const { directory, position, node, segmentBytes, syncs } = disk;
  const writer = new SegmentWriter(new NodeFiles(directory), position, {
    node,
    segmentBytes,
    syncs,
    nowMs: readNowMs(),
  });
  return { builder: new BatchBuilder(position), writer };
}

function post(message: JournalMessage): void {
  assert(parentPort !== null, 'the journal runs in a thread of its own');
  parentPort.postMessage(message);
}

run(workerData as JournalThreadData);
