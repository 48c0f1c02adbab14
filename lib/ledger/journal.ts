// The journal: takes the entries of all threads, writes their records in batches, makes those durable, and only then lets
// the replies go and the producers know.
//
// Group commit: one turn takes everything that is there, writes it, and syncs once. The order in the journal is that of
// each producer; between producers, main comes last and is looked at first: whatever main has seen of the others before it
// published (all claims of a packet, all wins of a drop) is then in their rings, and is written before main's own record.
//
// A write or sync that fails is final. From then on nothing is written; replies go out as lost, so that a client is never
// told of money that is not on the disk; the process is to end.

import assert from 'node:assert/strict';
import type { Consumer } from '../ring/consumer.ts';
import type { CounterWriter } from '../ring/counters.ts';
import type { DoorbellRinger } from '../ring/doorbell.ts';
import { FULL, type Producer } from '../ring/producer.ts';
import type { BatchBuilder } from './batch-builder.ts';
import {
  ENTRY_FIRST_WORDS,
  ENTRY_IF_LOST,
  ENTRY_PAYLOAD,
  ENTRY_PAYLOAD_WORDS,
  ENTRY_REPLY,
  ENTRY_REPLY_WORDS,
  ENTRY_SLOTS,
  ENTRY_TARGET,
  ENTRY_TYPE,
  ENTRY_WAKES,
  ENTRY_WORDS,
  NO_RECORD,
  NO_TARGET,
} from './entry-layout.ts';
import { JournalCount, JournalSum } from './journal-counters.ts';
import { BATCH_FULL_BYTES } from './limits.ts';
import type { SegmentWriter } from './segment-writer.ts';

/** A thread that enters movements, and how to wake it when they are durable. */
export interface JournalProducer {
  entries: Consumer;
  doorbell: DoorbellRinger;
}

/** A thread that is sent replies. */
export interface JournalTarget {
  replies: Producer;
  doorbell: DoorbellRinger;
}

/** Words of a reply that the journal has to change if the record is lost: see slot-layout.ts of the protocol. */
export interface ReplyShape {
  result: number;
  /** Words that are set to 0. */
  cleared: readonly number[];
}

export interface JournalParts {
  /** The workers, and main behind them. */
  producers: readonly JournalProducer[];
  targets: readonly JournalTarget[];
  /** Left out, nothing is written: money is in memory only. */
  disk?: { builder: BatchBuilder; writer: SegmentWriter };
  counters: CounterWriter;
  replyShape: ReplyShape;
  /** Unix milliseconds. */
  readNowMs: () => number;
  /** Told once, when a write or a sync has failed. */
  onFailure: (error: Error) => void;
  /** Told when a segment has been closed: its number. */
  onSegmentClosed: (segment: number) => void;
}

/** Owned by one thread, which may block in the disk. */
export class Journal {
  readonly #parts: JournalParts;
  /** Slots of each producer's ring that this turn takes. */
  readonly #taken: Int32Array;
  #hasFailed = false;

  constructor(parts: JournalParts) {
    this.#parts = parts;
    this.#taken = new Int32Array(parts.producers.length);
  }

  /** Whether a write or a sync has failed: nothing is written any more. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Whether anything waits to be written. */
  hasWork(): boolean {
    return this.#parts.producers.some(({ entries }) => entries.available() > 0);
  }

  /** One group commit: everything that is there now. Returns how many entries that were. */
  step(): number {
    const { producers, disk } = this.#parts;
    // Main first, and each as it is now, not as it was at an earlier look: see the head of this file.
    for (let p = producers.length - 1; p >= 0; p--) this.#taken[p] = producers[p].entries.refresh();
    if (disk !== undefined && !this.#hasFailed) {
      try {
        this.#write(disk.builder, disk.writer);
      } catch (error) {
        this.#hasFailed = true;
        this.#parts.onFailure(error as Error);
      }
    }
    return this.#letGo();
  }

  #write(builder: BatchBuilder, writer: SegmentWriter): void {
    const { producers, counters } = this.#parts;
    let batches = 0;
    for (let p = 0; p < producers.length; p++) {
      const { entries } = producers[p];
      for (let i = 0; i < this.#taken[p]; i += entries.words[entries.slotAt(i) + ENTRY_SLOTS]) {
        if (entries.words[entries.slotAt(i) + ENTRY_TYPE] === NO_RECORD) continue;
        addRecord(builder, entries, i);
        counters.add(JournalCount.records, 1);
        if (builder.byteLength > BATCH_FULL_BYTES) batches += this.#append(builder, writer);
      }
    }
    if (builder.recordCount > 0) batches += this.#append(builder, writer);
    const startedAt = performance.now();
    const hasSynced = writer.sync();
    // Counted only now: whoever reads the count may rely on so many batches.
    if (batches > 0) counters.add(JournalCount.batches, batches);
    if (!hasSynced) return;
    counters.add(JournalCount.syncs, 1);
    counters.addToSum(JournalSum.syncMicroseconds, Math.round((performance.now() - startedAt) * 1000));
  }

  #append(builder: BatchBuilder, writer: SegmentWriter): 1 {
    const { counters } = this.#parts;
    const { segment } = writer;
    const batch = builder.finish(this.#parts.readNowMs());
    writer.append(batch, builder);
    counters.addToSum(JournalSum.bytes, batch.length);
    builder.commit();
    if (writer.segment !== segment) {
      counters.add(JournalCount.segments, 1);
      this.#parts.onSegmentClosed(segment);
    }
    return 1;
  }

  /** What was taken is durable, or lost: sends the replies, gives the slots back, rings whoever waits for either. */
  #letGo(): number {
    const { producers, targets } = this.#parts;
    let count = 0;
    for (let p = 0; p < producers.length; p++) {
      const { entries, doorbell } = producers[p];
      let wakes = false;
      for (let i = 0; i < this.#taken[p]; count++) {
        const slot = entries.slotAt(i);
        if (entries.words[slot + ENTRY_TARGET] !== NO_TARGET) this.#sendReply(entries.words, slot);
        wakes ||= entries.words[slot + ENTRY_WAKES] === 1;
        i += entries.words[slot + ENTRY_SLOTS];
      }
      if (this.#taken[p] === 0) continue;
      // After a failure the slots stay taken: nobody may believe that they are durable. Their replies are sent once.
      if (this.#hasFailed) entries.skip(this.#taken[p]);
      else entries.release(this.#taken[p]);
      if (wakes) doorbell.ring();
    }
    for (const { replies, doorbell } of targets) if (replies.publish()) doorbell.ring();
    return count;
  }

  #sendReply(words: Int32Array, slot: number): void {
    const { replies } = this.#parts.targets[words[slot + ENTRY_TARGET]];
    const place = replies.claim();
    assert(place !== FULL, 'requests under way are bounded, so a durable reply has room');
    for (let i = 0; i < ENTRY_REPLY_WORDS; i++) replies.words[place + i] = words[slot + ENTRY_REPLY + i];
    if (!this.#hasFailed) return;
    const { result, cleared } = this.#parts.replyShape;
    replies.words[place + result] = words[slot + ENTRY_IF_LOST];
    for (const word of cleared) replies.words[place + word] = 0;
  }
}

/** Copies the record of the entry whose first slot is `index` places behind the next one. */
function addRecord(builder: BatchBuilder, entries: Consumer, index: number): void {
  const { words } = entries;
  const slot = entries.slotAt(index);
  const payloadWords = words[slot + ENTRY_PAYLOAD_WORDS];
  const at = builder.beginRecord(words[slot + ENTRY_TYPE], payloadWords);
  const into = builder.words;
  const inFirst = Math.min(payloadWords, ENTRY_FIRST_WORDS);
  for (let i = 0; i < inFirst; i++) into[at + i] = words[slot + ENTRY_PAYLOAD + i];
  for (let done = inFirst, next = index + 1; done < payloadWords; done += ENTRY_WORDS, next++) {
    const place = entries.slotAt(next);
    const count = Math.min(ENTRY_WORDS, payloadWords - done);
    for (let i = 0; i < count; i++) into[at + done + i] = words[place + i];
  }
  builder.endRecord();
}
