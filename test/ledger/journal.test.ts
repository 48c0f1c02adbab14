// The journal's group commit, stepped by hand on a disk in memory: order, durability, replies, failure.

import t from 'tap';
import { BatchBuilder } from '../../lib/ledger/batch-builder.ts';
import { ENTRY_REPLY_WORDS, ENTRY_WORDS } from '../../lib/ledger/entry-layout.ts';
import { EntryWriter } from '../../lib/ledger/entry-writer.ts';
import { Journal } from '../../lib/ledger/journal.ts';
import { JOURNAL_COUNTERS, JournalCount } from '../../lib/ledger/journal-counters.ts';
import { firstPosition } from '../../lib/ledger/journal-position.ts';
import { readJournal } from '../../lib/ledger/journal-reader.ts';
import { SegmentWriter } from '../../lib/ledger/segment-writer.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateCounters, CounterReader, CounterWriter } from '../../lib/ring/counters.ts';
import { allocateDoorbell, DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { printSeed, seed, TestRandom } from '../packets/seed.ts';
import { FakeDisk } from './fake-disk.ts';
import { NOW_MS, RecordCollector } from './small-journal.ts';

/** A record type that only these tests write. */
const TYPE = 6;

/** Words of a reply that these tests use: the result, and one that is cleared if the reply is lost. */
const RESULT = 4;
const AMOUNT = 6;

interface RigOptions {
  workers: number;
  entrySlots?: number;
  isWritten?: boolean;
  segmentBytes?: number;
}

/** Workers and main behind them enter; one target is sent replies. */
class Rig {
  readonly disk = new FakeDisk();
  readonly writers: EntryWriter[];
  readonly consumers: Consumer[];
  readonly replies: Consumer;
  readonly failures: string[] = [];
  readonly closed: number[] = [];
  readonly wokenProducers: number[] = [];
  readonly counters: CounterReader;
  readonly journal: Journal;

  constructor({ workers, entrySlots = 256, isWritten = true, segmentBytes = 2 ** 26 }: RigOptions) {
    const rings = Array.from({ length: workers + 1 }, () => allocateRing(entrySlots, ENTRY_WORDS, 2 ** 31 - 5));
    this.writers = rings.map((ring) => new EntryWriter(new Producer(ring), new DoorbellRinger(allocateDoorbell())));
    this.consumers = rings.map((ring) => new Consumer(ring));
    const replyRing = allocateRing(256, ENTRY_REPLY_WORDS);
    this.replies = new Consumer(replyRing);
    const counters = allocateCounters(JOURNAL_COUNTERS);
    this.counters = new CounterReader([counters], JOURNAL_COUNTERS);
    const start = firstPosition();
    const disk = {
      builder: new BatchBuilder(start),
      writer: new SegmentWriter(this.disk, start, { node: 1, segmentBytes, syncs: true, nowMs: NOW_MS }),
    };
    this.journal = new Journal({
      producers: this.consumers.map((entries, i) => ({
        entries,
        doorbell: this.#sleeper(() => this.wokenProducers.push(i)),
      })),
      targets: [{ replies: new Producer(replyRing), doorbell: new DoorbellRinger(allocateDoorbell()) }],
      ...(isWritten ? { disk } : {}),
      counters: new CounterWriter(counters, JOURNAL_COUNTERS),
      replyShape: { result: RESULT, cleared: [AMOUNT] },
      readNowMs: () => NOW_MS,
      onFailure: (error) => this.failures.push(error.message),
      onSegmentClosed: (segment) => this.closed.push(segment),
    });
  }

  /** Enters a record with a payload, and perhaps a reply. */
  enter(producer: number, payload: readonly number[], reply?: { result: number; amount: number }, wakes = false): void {
    const writer = this.writers[producer];
    writer.begin(TYPE, payload.length, wakes);
    for (const [i, word] of payload.entries()) writer.set(i, word);
    if (reply !== undefined) {
      const place = writer.addReply(0, 99);
      writer.words[place + RESULT] = reply.result;
      writer.words[place + AMOUNT] = reply.amount;
    }
    writer.publish();
  }

  payloads(): number[][] {
    const sink = new RecordCollector();
    readJournal(this.disk, firstPosition(), sink);
    return sink.records.map(({ payload }) => payload);
  }

  /** Takes the replies that have come. */
  takeReplies(): { result: number; amount: number }[] {
    const count = this.replies.available();
    const { words } = this.replies;
    const taken = Array.from({ length: count }, (_, i) => {
      const slot = this.replies.slotAt(i);
      return { result: words[slot + RESULT], amount: words[slot + AMOUNT] };
    });
    this.replies.release(count);
    return taken;
  }

  /** The doorbell of somebody who sleeps. */
  #sleeper(wake: () => void): DoorbellRinger {
    const memory = allocateDoorbell();
    new DoorbellListener(memory).announceSleep();
    return new DoorbellRinger(memory, wake);
  }
}

t.test('a payload of any length comes out word for word, also where its slots wrap around', (t) => {
  const rig = new Rig({ workers: 1, entrySlots: 16 });
  const entered: number[][] = [];
  for (let length = 1; length <= 300; length++) {
    const payload = Array.from({ length }, (_, i) => length * 1000 + i);
    rig.enter(0, payload);
    entered.push(payload);
    rig.journal.step();
  }
  t.strictSame(rig.payloads(), entered);
  t.end();
});

t.test('a reply leaves when its record is synced, and not before; then its producer knows it too', (t) => {
  const rig = new Rig({ workers: 1 });
  let syncedWhenSent = -1;
  const sync = rig.disk.onSync.bind(rig.disk);
  let syncs = 0;
  rig.disk.onSync = (name) => {
    syncs++;
    syncedWhenSent = rig.replies.available();
    sync(name);
  };
  rig.enter(0, [1], { result: 14, amount: 250 });
  const position = rig.writers[0].position;
  t.notOk(rig.writers[0].isDurable(position));
  t.equal(rig.replies.available(), 0);
  t.equal(rig.journal.step(), 1);
  t.equal(syncs, 1);
  t.equal(syncedWhenSent, 0, 'at the moment of the sync nothing had been sent');
  t.strictSame(rig.takeReplies(), [{ result: 14, amount: 250 }]);
  t.ok(rig.writers[0].isDurable(position));
  t.equal(rig.journal.step(), 0, 'there is nothing more');
  t.equal(syncs, 1);
  t.end();
});

t.test('one turn takes what all have entered, and syncs once', (t) => {
  const rig = new Rig({ workers: 3 });
  for (let i = 0; i < 40; i++) rig.enter(i % 4, [i]);
  t.equal(rig.journal.step(), 40);
  rig.counters.update();
  t.equal(rig.counters.count(JournalCount.syncs), 1);
  t.equal(rig.counters.count(JournalCount.batches), 1);
  t.equal(rig.counters.count(JournalCount.records), 40);
  const order = rig.payloads().map(([i]) => i);
  for (let p = 0; p < 4; p++) {
    t.strictSame(
      order.filter((i) => i % 4 === p),
      Array.from({ length: 10 }, (_, i) => 4 * i + p),
      'each in its order',
    );
  }
  t.end();
});

t.test('what main enters comes behind everything that was in the other rings before it', (t) => {
  // At each look into a ring something may have been published just before: a worker's record, then main's about it.
  for (let looks = 0; looks < 6; looks++) {
    const rig = new Rig({ workers: 2 });
    let left = looks;
    for (const consumer of rig.consumers) {
      const refresh = consumer.refresh.bind(consumer);
      consumer.refresh = () => {
        if (left-- === 0) {
          rig.enter(0, [10]);
          rig.enter(1, [11]);
          rig.enter(2, [20]);
        }
        return refresh();
      };
    }
    for (let i = 0; i < 4; i++) rig.journal.step();
    const order = rig.payloads().map(([word]) => word);
    t.equal(order.length, 3);
    t.equal(order[2], 20, `published before look ${looks + 1}: main's comes last`);
  }
  t.end();
});

t.test('a look at the rings before the turn does not make it take old news of them', (t) => {
  const rig = new Rig({ workers: 1 });
  rig.enter(0, [1]);
  t.ok(rig.journal.hasWork(), 'as before it sleeps');
  rig.enter(0, [2]);
  rig.enter(1, [3]);
  rig.journal.step();
  t.strictSame(rig.payloads(), [[1], [2], [3]], 'what main saw before its own is in the same batch');
  t.end();
});

t.test('a reply without a record waits for the records before it', (t) => {
  const rig = new Rig({ workers: 1 });
  rig.enter(0, [1], { result: 1, amount: 1 });
  const writer = rig.writers[0];
  writer.beginReply();
  writer.words[writer.addReply(0, 99) + RESULT] = 7;
  writer.publish();
  t.equal(rig.replies.available(), 0);
  rig.journal.step();
  t.strictSame(
    rig.takeReplies().map(({ result }) => result),
    [1, 7],
  );
  t.strictSame(rig.payloads(), [[1]]);
  t.end();
});

for (const operation of ['write', 'sync'] as const) {
  t.test(
    `a ${operation} that fails is final: replies are lost, producers are told nothing, nothing more is written`,
    (t) => {
      const rig = new Rig({ workers: 1 });
      rig.enter(0, [1], { result: 14, amount: 100 });
      rig.journal.step();
      rig.takeReplies();
      const before = rig.payloads();
      rig.disk.failAt(operation, 1, 'EIO');
      rig.enter(0, [2], { result: 14, amount: 200 });
      const position = rig.writers[0].position;
      rig.journal.step();
      t.ok(rig.journal.hasFailed);
      t.match(rig.failures, [/EIO/]);
      t.strictSame(rig.takeReplies(), [{ result: 99, amount: 0 }], 'the client is told of no money');
      t.notOk(rig.writers[0].isDurable(position));
      rig.enter(0, [3], { result: 14, amount: 300 });
      rig.journal.step();
      t.strictSame(rig.takeReplies(), [{ result: 99, amount: 0 }]);
      t.notOk(rig.writers[0].isDurable(position));
      t.equal(rig.failures.length, 1, 'told once');
      rig.disk.crash(new TestRandom(1));
      t.strictSame(rig.payloads().slice(0, before.length), before, 'what was acknowledged is there');
      t.end();
    },
  );
}

t.test('more than fits a batch becomes several, in order, before any reply', (t) => {
  const rig = new Rig({ workers: 1, entrySlots: 2 ** 17, segmentBytes: 2 ** 22 });
  const payload = Array.from({ length: 2000 }, (_, i) => i);
  for (let i = 0; i < 1200; i++) rig.enter(0, [i, ...payload]);
  t.equal(rig.journal.step(), 1200);
  rig.counters.update();
  t.ok(rig.counters.count(JournalCount.batches) >= 3);
  t.ok(rig.closed.length >= 2, 'segments were closed on the way, and told');
  t.strictSame(
    rig.closed,
    rig.closed.map((_, i) => i + 1),
  );
  t.strictSame(
    rig.payloads().map(([i]) => i),
    Array.from({ length: 1200 }, (_, i) => i),
  );
  t.end();
});

t.test('without a disk replies go at once, and nothing is written', (t) => {
  const rig = new Rig({ workers: 1, isWritten: false });
  rig.enter(0, [1], { result: 14, amount: 5 });
  t.equal(rig.journal.step(), 1);
  t.strictSame(rig.takeReplies(), [{ result: 14, amount: 5 }]);
  t.ok(rig.writers[0].isDurable(rig.writers[0].position));
  t.strictSame(rig.payloads(), []);
  t.end();
});

t.test('a producer is rung when an entry asks for it', (t) => {
  const rig = new Rig({ workers: 2 });
  rig.enter(0, [1]);
  rig.enter(1, [2], undefined, true);
  rig.enter(1, [3]);
  rig.journal.step();
  t.strictSame(rig.wokenProducers, [1]);
  t.end();
});

t.test('random entries, steps, crashes: what a producer was told is durable is in the journal after the crash', (t) => {
  printSeed(t);
  for (let run = 0; run < 60; run++) {
    const random = new TestRandom(seed + run);
    const rig = new Rig({ workers: 2, entrySlots: 64, segmentBytes: 2 ** 16 });
    const entered: { word: number; producer: number; position: number }[] = [];
    let next = 1;
    for (let i = 0; i < 60; i++) {
      if (random.below(3) === 0) rig.journal.step();
      const producer = random.below(3);
      const length = 1 + random.below(80);
      if (!rig.writers[producer].hasRoom(length)) continue;
      const word = next++;
      rig.enter(producer, [word, ...Array.from({ length: length - 1 }, () => word)]);
      entered.push({ word, producer, position: rig.writers[producer].position });
    }
    const durable = entered.filter(({ producer, position }) => rig.writers[producer].isDurable(position));
    rig.disk.crash(random);
    const found = new Set(rig.payloads().map(([word]) => word));
    t.ok(
      durable.every(({ word }) => found.has(word)),
      `seed ${seed + run}`,
    );
  }
  t.end();
});
