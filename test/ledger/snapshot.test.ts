// Tries the snapshot: folding it from segments, failing half way, and reading the present state back from it.

import { cpSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { firstPosition } from '../../lib/ledger/journal-position.ts';
import { readJournal } from '../../lib/ledger/journal-reader.ts';
import { RecordType } from '../../lib/ledger/record-layout.ts';
import { foldSegments } from '../../lib/ledger/snapshot-fold.ts';
import { readSnapshot, type SnapshotSink, type SnapshotTotals } from '../../lib/ledger/snapshot-reader.ts';
import { openForReading, SNAPSHOT_VERSION } from '../../lib/ledger/snapshot-schema.ts';
import { SnapshotWriter } from '../../lib/ledger/snapshot-writer.ts';
import { printSeed, seed } from '../packets/seed.ts';
import { TestJournal } from './snapshot-journal.ts';
import { LedgerModel, RandomLedger, sorted } from './snapshot-model.ts';
import {
  closeDrop,
  closePacket,
  dropNotice,
  grab,
  openDrop,
  openPacket,
  openSend,
  type TestRecord,
  topUp,
  win,
  withdraw,
} from './snapshot-records.ts';

printSeed(t);

const SEGMENT_BYTES = 16 * 1024;
const PACKET = 2 ** 20;

/** Everything that a snapshot holds. */
function dump(path: string): Record<string, unknown[]> {
  const database = openForReading(path)!;
  const tables = ['meta', 'users', 'records', 'slots', 'drops', 'sends', 'keys', 'reservations'];
  const rows = tables.map((table) => [table, database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all()]);
  database.close();
  return Object.fromEntries(rows);
}

/** A journal of random records; what is in its closed segments, and what all of it adds up to. */
function makeJournal(data: string, batches: number): { journal: TestJournal; ledger: RandomLedger } {
  const journal = new TestJournal(data, SEGMENT_BYTES);
  const ledger = new RandomLedger(seed);
  for (let i = 0; i < batches; i++) journal.append(ledger.draw(1 + (i % 7)));
  return { journal, ledger };
}

/** What the records of the closed segments add up to. */
function modelOfClosed(journal: TestJournal, ledger: RandomLedger): LedgerModel {
  const untilSegment = journal.closedSegment;
  const { records } = readJournal(journal.files, firstPosition(), { onRecord: () => {} }, { untilSegment });
  const model = new LedgerModel();
  ledger.records.slice(0, records).forEach((record, i) => {
    model.take(record, i + 1);
  });
  return model;
}

/** Takes a snapshot as recovery does. */
class Recovered implements SnapshotSink {
  readonly model = new LedgerModel();
  readonly balances = new Map<number, number>();
  readonly sequences: number[] = [];
  /** Sequences that came for more than their key, by type. */
  readonly byType = new Map<number, number[]>();
  totals: SnapshotTotals | undefined;

  onRecord(type: number, sequence: number, words: Int32Array, at: number, payloadWords: number): void {
    this.sequences.push(sequence);
    this.byType.set(type, [...(this.byType.get(type) ?? []), sequence]);
    this.model.take({ type, words: words.slice(at, at + payloadWords) }, sequence);
  }

  onKeyRecord(type: number, sequence: number, words: Int32Array, at: number, payloadWords: number): void {
    this.sequences.push(sequence);
    this.model.takeKey({ type, words: words.slice(at, at + payloadWords) }, sequence);
  }

  onBalance(userId: number, cents: number): void {
    this.balances.set(userId, cents);
  }

  onTotals(totals: SnapshotTotals): void {
    this.totals = totals;
  }
}

/** Feeds records to a writer as the segment that follows its position. */
function feed(writer: SnapshotWriter, records: TestRecord[]): void {
  const { nextSequence } = writer.position;
  records.forEach(({ type, words }, i) => {
    writer.onRecord(type, nextSequence + i, words, 0, words.length, 1);
  });
}

t.test('folding all segments at once gives what folding one after the other gives', async (t) => {
  const data = t.testdir();
  const { journal } = makeJournal(data, 1500);
  t.ok(journal.closedSegment >= 5, 'there are some segments');
  const [once, stepwise] = [join(data, 'once.sqlite'), join(data, 'stepwise.sqlite')];
  t.match(await foldSegments(once, journal.files, journal.closedSegment), {
    folded: journal.closedSegment,
    nextSegment: journal.closedSegment + 1,
  });
  for (let segment = 1; segment <= journal.closedSegment; segment++) {
    t.match(await foldSegments(stepwise, journal.files, segment), { folded: 1 }, `segment ${segment}`);
  }
  t.match(await foldSegments(stepwise, journal.files, journal.closedSegment), { folded: 0 }, 'nothing is folded twice');
  t.strictSame(dump(once), dump(stepwise));
});

t.test('what a snapshot hands to recovery is the present state', async (t) => {
  const data = t.testdir();
  const { journal, ledger } = makeJournal(data, 3000);
  const path = join(data, 'snapshot.sqlite');
  for (let segment = 1; segment <= journal.closedSegment; segment++) {
    await foldSegments(path, journal.files, segment);
  }
  const recovered = new Recovered();
  const position = readSnapshot(path, recovered);
  const model = modelOfClosed(journal, ledger);
  const end = readJournal(
    journal.files,
    firstPosition(),
    { onRecord: () => {} },
    { untilSegment: journal.closedSegment },
  );
  t.match(position, { segment: end.segment, offset: end.offset, nextBatch: end.nextBatch });
  t.match(position, { nextSequence: end.nextSequence, timeMs: end.timeMs });
  t.strictSame(Buffer.from(position!.chain), Buffer.from(end.chain));
  t.strictSame(recovered.model.present, model.present, 'slots, drops, reservations, keys');
  t.strictSame(sorted(recovered.balances), sorted(model.balances), 'balances');
  t.strictSame(recovered.totals!.sends, model.progress, 'sends');
  const { byType } = recovered;
  const latest = [...model.slots.values()].map(({ opened }) => opened).sort((a, b) => a - b);
  t.strictSame(byType.get(RecordType.PACKET_OPEN), latest, 'the latest packet of each slot, the others for their key');
  t.notOk(byType.has(RecordType.TOPUP) || byType.has(RecordType.WITHDRAW), 'transfers only for their key');
  t.equal(byType.get(RecordType.SEND_OPEN)?.length ?? 0, model.progress.length, 'sends that are not over');
  const keys = sorted(model.keys).flatMap(([user, sequences]) => sequences.map((sequence) => ({ user, sequence })));
  t.strictSame(
    dump(path).keys.map((row) => ({ ...(row as object) })),
    keys,
    'no more keys than are kept',
  );
  t.ok(
    [...model.keys.values()].some((keys) => keys.length === 256),
    'some user has more keys than are kept',
  );
  const ascending = recovered.sequences.every((sequence, i) => i === 0 || sequence > recovered.sequences[i - 1]);
  t.ok(ascending, 'in order of sequence, each once');
  t.ok(recovered.sequences.length < position!.nextSequence / 2, 'and not all there ever were');
  const { sums } = model;
  t.match(recovered.totals, {
    fundingCents: model.funding,
    houseFundedCents: sums.issued,
    claimedCents: sums.won + sums.grabbed,
    wonCents: sums.won,
    grabbedCents: sums.grabbed,
    refundedCents: sums.refunded,
    toppedUpCents: sums.toppedUp,
    withdrawnCents: sums.withdrawn,
    nextNumber: model.nextNumber,
    lastSendId: Math.max(...model.sends.keys()),
  });
});

t.test('the totals count what they say', (t) => {
  const path = join(t.testdir(), 'snapshot.sqlite');
  const writer = new SnapshotWriter(path);
  writer.begin();
  feed(writer, [
    openDrop(1, 3, 300, 2 ** 31 - 2),
    win(1, 0, 2 ** 32 - 2, 7, 100),
    closeDrop(1, 1, 200),
    openPacket({ packetId: PACKET, total: 50, shares: 2 }),
    grab(PACKET, 0, 8, 30),
    closePacket(PACKET, 1, 20),
  ]);
  writer.commit({ ...firstPosition(), segment: 2, nextSequence: 7, nextBatch: 2 });
  writer.close();
  const recovered = new Recovered();
  readSnapshot(path, recovered);
  t.strictSame(recovered.totals, {
    fundingCents: 130,
    houseFundedCents: 350,
    dropFundedCents: 300,
    wonCents: 100,
    grabbedCents: 30,
    claimedCents: 130,
    refundedCents: 220,
    dropRefundedCents: 200,
    toppedUpCents: 0,
    withdrawnCents: 0,
    packetsSent: 1,
    packetsExpired: 1,
    sharesGrabbed: 1,
    packetsWon: 1,
    lastDropId: 1,
    lastSendId: 0,
    lastReservation: 0,
    nextNumber: 1,
    sends: [],
  });
  t.end();
});

t.test('a send that is not over tells how far it is, though its packets have left no record', (t) => {
  const path = join(t.testdir(), 'snapshot.sqlite');
  const writer = new SnapshotWriter(path);
  writer.begin();
  feed(writer, [
    openSend(1, 3),
    openPacket({ packetId: PACKET, total: 50, shares: 1, sendId: 1 }),
    grab(PACKET, 0, 8, 50),
    openPacket({ packetId: 2 * PACKET, total: 9, shares: 1 }),
  ]);
  writer.commit({ ...firstPosition(), segment: 2, nextSequence: 5, nextBatch: 2 });
  writer.close();
  const recovered = new Recovered();
  readSnapshot(path, recovered);
  t.strictSame(recovered.sequences, [1, 4]);
  t.match(recovered.totals!.sends, [{ id: 1, count: 3, created: 1, open: 0, grabbedShares: 1, claimedCents: 50 }]);
  t.end();
});

t.test('a notice dropped after its packet lost the slot does not go with the new packet', (t) => {
  const path = join(t.testdir(), 'snapshot.sqlite');
  const writer = new SnapshotWriter(path);
  writer.begin();
  feed(writer, [
    openPacket({ packetId: PACKET, total: 1, shares: 1 }),
    closePacket(PACKET, 0, 1),
    openPacket({ packetId: 2 * PACKET, total: 1, shares: 1 }),
    dropNotice(7, PACKET),
    dropNotice(8, 2 * PACKET),
  ]);
  writer.commit({ ...firstPosition(), segment: 2, nextSequence: 6, nextBatch: 2 });
  writer.close();
  const recovered = new Recovered();
  readSnapshot(path, recovered);
  t.strictSame(recovered.sequences, [3, 5]);
  t.end();
});

t.test('a fold that fails half way leaves the snapshot as it was, and can be done again', async (t) => {
  const data = t.testdir();
  const { journal } = makeJournal(data, 600);
  const path = join(data, 'snapshot.sqlite');
  await foldSegments(path, journal.files, 1);
  const before = dump(path);
  const { files } = journal;
  const failing = Object.assign(Object.create(files), {
    list: () => files.list(),
    size: (name: string) => files.size(name),
    read: (name: string, position: number, into: Uint8Array) => {
      if (position > SEGMENT_BYTES / 2) throw new Error('the disk is gone');
      return files.read(name, position, into.subarray(0, 1024));
    },
  });
  await t.rejects(foldSegments(path, failing, 2), /the disk is gone/);
  t.strictSame(dump(path), before);
  await foldSegments(path, journal.files, 2);
  t.not(dump(path).records.length, before.records.length);
});

t.test('the files of a fold that was killed have the state before it', async (t) => {
  const data = t.testdir({ files: {}, killed: {} });
  const path = join(data, 'files/snapshot.sqlite');
  const writer = new SnapshotWriter(path);
  writer.begin();
  feed(writer, [topUp(1, 500)]);
  writer.commit({ ...firstPosition(), segment: 2, nextSequence: 2, nextBatch: 2 });
  const before = dump(path);
  writer.begin();
  // More than the cache holds: some of it is in the files before the commit.
  const note = 'x'.repeat(60_000);
  for (let i = 0; i < 1500; i++) {
    const { type, words } = openPacket({ packetId: PACKET + i, total: 1, shares: 1, note });
    writer.onRecord(type, 2 + i, words, 0, words.length, 1);
  }
  cpSync(join(data, 'files'), join(data, 'killed'), { recursive: true });
  writer.rollback();
  writer.close();
  const copy = join(data, 'killed/snapshot.sqlite');
  t.ok(statSync(`${copy}-wal`).size > 0, 'a part of the fold is in the files');
  t.ok(before.users.length === 1 && before.slots.length === 0);
  t.strictSame(dump(copy), before, 'read only');
  const again = new SnapshotWriter(copy);
  t.equal(again.position.segment, 2);
  again.close();
  t.strictSame(dump(copy), before, 'and after it was opened to be written');
});

t.test('a record that cannot follow the ones before is refused', (t) => {
  const path = join(t.testdir(), 'snapshot.sqlite');
  const writer = new SnapshotWriter(path);
  const open = openPacket({ packetId: PACKET, total: 10, shares: 2 });
  const cases: [string, TestRecord[], RegExp][] = [
    ['a grab of nothing', [grab(PACKET, 0, 1, 1)], /record 1 names packet 1048576, which is not open/],
    ['a grab of too much', [open, grab(PACKET, 0, 1, 11)], /record 2 takes more than the packet has/],
    ['a last share that leaves money', [open, grab(PACKET, 0, 1, 1), grab(PACKET, 1, 2, 1)], /leaves money/],
    ['a grab of a closed packet', [open, closePacket(PACKET, 0, 10), grab(PACKET, 0, 1, 1)], /not open/],
    ['another refund', [open, closePacket(PACKET, 0, 9)], /refunds another sum/],
    ['a slot that is in use', [open, openPacket({ packetId: 2 * PACKET, total: 1, shares: 1 })], /is not over/],
    ['a packet of no send', [openPacket({ packetId: PACKET, total: 1, shares: 1, sendId: 3 })], /never opened/],
    ['a user below zero', [topUp(1, 5), withdraw(1, 6)], /leaves user 1 below zero/],
    [
      'a packet beyond a balance',
      [openPacket({ packetId: PACKET, total: 1, shares: 1, senderId: 1, source: 1 })],
      /below/,
    ],
    ['a win of no drop', [win(1, 0, 2 ** 31, 1, 5)], /names drop 1, which is not open/],
    ['a win of too much', [openDrop(1, 2, 5), win(1, 0, 2 ** 31, 1, 6)], /more than the drop has/],
    ['a drop twice', [openDrop(1, 2, 5), openDrop(1, 2, 5)], /opens a drop again/],
    ['another refund of a drop', [openDrop(1, 2, 5), closeDrop(1, 0, 6)], /refunds another sum/],
    ['a record cut short', [{ type: 6, words: new Int32Array(3) }], /record 1 is too short/],
  ];
  for (const [name, records, message] of cases) {
    writer.begin();
    t.throws(() => feed(writer, records), { code: 'damaged', message }, name);
    writer.rollback();
  }
  writer.begin();
  t.throws(() => feed(writer, [{ type: 99, words: new Int32Array(9) }]), { code: 'version' }, 'an unknown type');
  writer.rollback();
  writer.close();
  t.end();
});

t.test('no snapshot, or one in which nothing was folded, gives nothing', (t) => {
  const data = t.testdir({ 'touched.sqlite': '' });
  const recovered = new Recovered();
  t.equal(readSnapshot(join(data, 'none.sqlite'), recovered), undefined);
  t.equal(readSnapshot(join(data, 'touched.sqlite'), recovered), undefined);
  const path = join(data, 'fresh.sqlite');
  new SnapshotWriter(path).close();
  t.equal(readSnapshot(path, recovered), undefined);
  t.equal(recovered.totals, undefined);
  t.end();
});

t.test('an unreadable snapshot is damaged, and one of a later version is refused', async (t) => {
  const data = t.testdir({ 'text.sqlite': 'this is no database, but long enough to be taken for one '.repeat(100) });
  const { journal } = makeJournal(data, 600);
  const path = join(data, 'snapshot.sqlite');
  await foldSegments(path, journal.files, 1);
  const whole = new Recovered();
  readSnapshot(path, whole);

  t.throws(() => readSnapshot(join(data, 'text.sqlite'), new Recovered()), { code: 'damaged' });
  t.throws(() => new SnapshotWriter(join(data, 'text.sqlite')), { code: 'damaged' });

  cpSync(path, join(data, 'cut.sqlite'));
  truncateSync(join(data, 'cut.sqlite'), 8192);
  t.throws(() => readSnapshot(join(data, 'cut.sqlite'), new Recovered()), { code: 'damaged' });

  const other = new DatabaseSync(join(data, 'other.sqlite'));
  other.exec('CREATE TABLE something (else_ TEXT)');
  other.close();
  t.throws(() => readSnapshot(join(data, 'other.sqlite'), new Recovered()), { code: 'damaged' });

  const later = new DatabaseSync(path);
  later.prepare("UPDATE meta SET value = ? WHERE key = 'version'").run(SNAPSHOT_VERSION + 1);
  later.close();
  t.throws(() => readSnapshot(path, new Recovered()), { code: 'version' });
  t.throws(() => new SnapshotWriter(path), { code: 'version' });
  await t.rejects(foldSegments(path, journal.files, 2), { code: 'version' });
});

t.test('a journal that is damaged is not folded', async (t) => {
  const data = t.testdir();
  const { journal } = makeJournal(data, 600);
  const path = join(data, 'snapshot.sqlite');
  await foldSegments(path, journal.files, 1);
  const before = dump(path);
  const file = join(data, 'journal/0000000002.journal');
  truncateSync(file, journal.files.size('0000000002.journal') - 4);
  await t.rejects(foldSegments(path, journal.files, 2), { code: 'damaged' });
  t.strictSame(dump(path), before);
  writeFileSync(file, '');
  await t.rejects(foldSegments(path, journal.files, 2), { code: 'damaged' });
  await t.rejects(foldSegments(path, journal.files, journal.closedSegment + 5), { code: /missing|damaged/ });
  t.strictSame(dump(path), before);
});
