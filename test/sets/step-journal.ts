// A journal on the test's own thread, on a disk in memory: it writes when the test says so, and fails when told to.

import assert from 'node:assert/strict';
import { BatchBuilder } from '../../lib/ledger/batch-builder.ts';
import { ENTRY_SLOTS, ENTRY_WORDS } from '../../lib/ledger/entry-layout.ts';
import { EntryWriter } from '../../lib/ledger/entry-writer.ts';
import { Journal } from '../../lib/ledger/journal.ts';
import { JOURNAL_COUNTERS } from '../../lib/ledger/journal-counters.ts';
import { firstPosition } from '../../lib/ledger/journal-position.ts';
import { readJournal } from '../../lib/ledger/journal-reader.ts';
import { SegmentWriter } from '../../lib/ledger/segment-writer.ts';
import { REPLY_WORDS } from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateCounters, CounterWriter } from '../../lib/ring/counters.ts';
import { allocateDoorbell, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { REPLY_SHAPE } from '../../lib/server-threads.ts';
import { FakeDisk } from '../ledger/fake-disk.ts';
import { NOW_MS, RecordCollector, type SeenRecord } from '../ledger/small-journal.ts';

export interface StepJournalOptions {
  producers: number;
  targets: number;
  entrySlots: number;
  /** Slots of each ring of durable replies: as many as requests may be under way. */
  replySlots: number;
}

/** Sequences wrap within a few slots. */
const FIRST_SEQUENCE = 2 ** 31 - 3;

export class StepJournal {
  readonly disk = new FakeDisk();
  /** By producer: its way in. */
  readonly writers: EntryWriter[];
  /** By target: its durable replies. */
  readonly replies: Consumer[];
  /** What the journal has failed with. */
  readonly failures: Error[] = [];
  readonly #entries: Consumer[];
  readonly #journal: Journal;

  constructor({ producers, targets, entrySlots, replySlots }: StepJournalOptions) {
    const each = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
    const ringer = () => new DoorbellRinger(allocateDoorbell());
    const entries = each(producers, () => allocateRing(entrySlots, ENTRY_WORDS, FIRST_SEQUENCE));
    const replies = each(targets, () => allocateRing(replySlots, REPLY_WORDS, FIRST_SEQUENCE));
    this.writers = entries.map((ring) => new EntryWriter(new Producer(ring), ringer()));
    this.#entries = entries.map((ring) => new Consumer(ring));
    this.replies = replies.map((ring) => new Consumer(ring));
    const start = firstPosition();
    this.#journal = new Journal({
      producers: this.#entries.map((consumer) => ({ entries: consumer, doorbell: ringer() })),
      targets: replies.map((ring) => ({ replies: new Producer(ring), doorbell: ringer() })),
      disk: {
        builder: new BatchBuilder(start),
        writer: new SegmentWriter(this.disk, start, { node: 1, segmentBytes: 2 ** 26, syncs: true, nowMs: NOW_MS }),
      },
      counters: new CounterWriter(allocateCounters(JOURNAL_COUNTERS), JOURNAL_COUNTERS),
      replyShape: REPLY_SHAPE,
      readNowMs: () => NOW_MS,
      onFailure: (error) => this.failures.push(error),
      onSegmentClosed: () => assert.fail('a test is shorter than a segment'),
    });
  }

  /** One group commit. Returns how many entries that were. */
  step(): number {
    const taken = this.#entries.flatMap((ring) =>
      Array.from({ length: ring.available() }, (_, i) => ({ words: ring.words, slot: ring.slotAt(i) })),
    );
    const count = this.#journal.step();
    // A slot keeps what its last entry left there: nobody may take that for the next one's.
    if (!this.#journal.hasFailed) for (const { words, slot } of taken) words.fill(-1, slot, slot + ENTRY_WORDS);
    return count;
  }

  /** Entries that are published and not durable. */
  get pendingCount(): number {
    let count = 0;
    for (const ring of this.#entries) {
      for (let i = 0; i < ring.available(); count++) i += ring.words[ring.slotAt(i) + ENTRY_SLOTS];
    }
    return count;
  }

  /** Makes the next write fail, and everything after it. */
  failNext(): void {
    this.disk.failAt('write', 1, 'EIO');
  }

  /** Every record that is durable, as a reader finds it. */
  records(): SeenRecord[] {
    const sink = new RecordCollector();
    readJournal(this.disk, firstPosition(), sink);
    return sink.records;
  }
}
