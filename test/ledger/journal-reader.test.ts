// Tries the reading of whole journals and of those that are not what was written. Torn tails: journal-reader.recovery.test.ts.

import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import t from 'tap';
import type { JournalFiles } from '../../lib/ledger/journal-files.ts';
import { firstPosition, type JournalPosition } from '../../lib/ledger/journal-position.ts';
import { readJournal } from '../../lib/ledger/journal-reader.ts';
import { segmentName } from '../../lib/ledger/segment-layout.ts';
import { FakeDisk } from './fake-disk.ts';
import { NOW_MS, RecordCollector, readAll, SmallJournal } from './small-journal.ts';

const FIRST = segmentName(1);
const SECOND = segmentName(2);
const THIRD = segmentName(3);

/** Three segments: batches 1 to 3 (records 1 to 6), 4 (7), 5 and 6 (8 to 10). Closed, so without zeros behind. */
function makeThreeSegments(): { disk: FakeDisk; journal: SmallJournal } {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 2000);
  journal.append(4, 4);
  journal.append(4);
  journal.append(4, 150, 4);
  journal.append(450);
  journal.append(20);
  journal.append(4, 4);
  journal.writer.close();
  return { disk, journal };
}

t.test('every record of every segment comes as it was written, in its order', (t) => {
  const { disk, journal } = makeThreeSegments();
  t.strictSame(disk.list(), [FIRST, SECOND, THIRD]);
  const sink = new RecordCollector();
  const end = readJournal(disk, firstPosition(), sink);
  t.strictSame(sink.sequences, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  t.strictSame(
    sink.firstWords,
    journal.batches.flatMap(({ firstWords }) => firstWords),
  );
  t.strictSame(
    sink.records.map(({ payload }) => payload.length),
    [4, 4, 4, 4, 150, 4, 450, 20, 4, 4],
  );
  t.strictSame(
    sink.records.map(({ timeMs }) => (timeMs - NOW_MS) / 1000),
    [1, 1, 2, 3, 3, 3, 4, 5, 6, 6],
  );
  t.ok(sink.records.every(({ type }) => type === 6));
  t.strictSame(sink.records[2].payload, [3, 0x0101_0101 + 7919, 0x0101_0101 + 2 * 7919, 0x0101_0101 + 3 * 7919]);
  t.strictSame([end.records, end.batches, end.tornBytes], [10, 6, 0]);
  t.strictSame([end.segment, end.offset], [3, disk.size(THIRD)]);
  t.strictSame([end.nextBatch, end.nextSequence, end.timeMs], [7, 11, NOW_MS + 6000]);
  t.same(Buffer.from(end.chain), hash('sha256', journal.batches[5].bytes, 'buffer'));
  t.end();
});

t.test('reading goes on from any position where a reading ended', (t) => {
  const { disk } = makeThreeSegments();
  const whole = readAll(disk).end;
  for (let batch = 0; batch <= 6; batch++) {
    const first = readAll(disk, firstPosition(), { untilBatch: batch });
    t.equal(first.end.nextBatch, batch + 1);
    const rest = readAll(disk, first.end);
    t.strictSame([...first.firstWords, ...rest.firstWords], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], `after batch ${batch}`);
    t.same({ ...rest.end, records: 0, batches: 0 }, { ...whole, records: 0, batches: 0 });
    t.equal(first.end.batches + rest.end.batches, 6);
  }
  t.end();
});

t.test('it stops behind a closed segment, at the start of the next', (t) => {
  const { disk } = makeThreeSegments();
  const { end, firstWords } = readAll(disk, firstPosition(), { untilSegment: 2 });
  t.strictSame(firstWords, [1, 2, 3, 4, 5, 6, 7]);
  t.strictSame([end.segment, end.offset], [3, 84]);
  disk.remove(FIRST);
  disk.remove(SECOND);
  t.strictSame(readAll(disk, end).firstWords, [8, 9, 10], 'segments before it are not needed any more');
  t.strictSame(
    readAll(disk, end, { untilSegment: 2 }).end,
    { ...end, records: 0, batches: 0 },
    'nothing is left to read',
  );
  t.end();
});

t.test('a segment that is to be closed is not taken with a torn tail', (t) => {
  const { disk } = makeThreeSegments();
  disk.put(FIRST, disk.contentOf(FIRST).slice(0, -4));
  t.throws(() => readAll(disk, firstPosition(), { untilSegment: 1 }), { code: 'damaged' });
  t.end();
});

t.test('an empty directory is an empty journal, unless something was there before', (t) => {
  const disk = new FakeDisk();
  t.same(readAll(disk).end, { ...firstPosition(), records: 0, batches: 0, tornBytes: 0 });
  const { end } = readAll(makeThreeSegments().disk);
  t.throws(() => readAll(disk, end), { code: 'missing', message: /0000000003\.journal/ });
  t.throws(() => readAll(disk, firstPosition(), { untilSegment: 1 }), { code: 'missing' });
  t.end();
});

t.test('a segment that is missing is named', (t) => {
  for (const name of [FIRST, SECOND]) {
    const { disk } = makeThreeSegments();
    disk.remove(name);
    t.throws(() => readAll(disk), { code: 'missing', message: new RegExp(name) });
  }
  const { disk } = makeThreeSegments();
  const { end } = readAll(disk);
  disk.remove(THIRD);
  t.throws(() => readAll(disk, end), { code: 'missing', message: new RegExp(THIRD) });
  t.throws(() => readAll(disk, firstPosition(), { untilSegment: 3 }), { code: 'missing', message: new RegExp(THIRD) });
  t.end();
});

t.test('a file that is shorter than what was read of it before is damage', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk);
  journal.append(4);
  const { length } = journal.append(4).bytes;
  journal.writer.close();
  const { end } = readAll(disk);
  disk.put(FIRST, disk.contentOf(FIRST).slice(0, -length));
  t.equal(readAll(disk).end.nextBatch, 2, 'a reading from the start cannot know');
  t.throws(() => readAll(disk, end), { code: 'damaged' });
  disk.put(FIRST, disk.contentOf(FIRST).slice(0, 40));
  t.throws(() => readAll(disk, end), { code: 'damaged' }, 'a torn header is none behind which something was read');
  t.end();
});

t.test('a segment of a later version is refused as such', (t) => {
  const { disk } = makeThreeSegments();
  const bytes = Buffer.from(disk.contentOf(SECOND));
  bytes.writeUInt32LE(2, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 80)), 80);
  disk.put(SECOND, bytes);
  t.throws(() => readAll(disk), { code: 'version', message: /0000000002\.journal.* 2 / });
  t.end();
});

t.test('a header whose CRC-32 is right, but which says something else, is damage', (t) => {
  // Which batch, at which offset in its header, and what is then found. The last one has none behind it that gives it away.
  const batchChanges = [
    { index: 4, offset: 4, found: 'something behind' },
    { index: 5, offset: 8, found: 'batch 10 where 6 was to come' },
    { index: 5, offset: 16, found: 'sequence 13 where 9 was to come' },
    { index: 5, offset: 24, found: 'in batch 6' },
    { index: 5, offset: 28, found: 'reserved' },
    { index: 4, offset: 36, found: 'from before' },
    { index: 5, offset: 40, found: 'does not follow' },
  ];
  for (const { index, offset, found } of batchChanges) {
    const { disk, journal } = makeThreeSegments();
    const { segment, offset: start } = journal.batches[index];
    const bytes = Buffer.from(disk.contentOf(segmentName(segment)));
    const batch = bytes.subarray(start);
    batch.writeUInt32LE((batch.readUInt32LE(offset) + 4) >>> 0, offset);
    batch.writeUInt32LE(crc32(batch.subarray(0, 72)), 72);
    disk.put(segmentName(segment), bytes);
    t.throws(() => readAll(disk), { code: 'damaged', message: new RegExp(`${segmentName(segment)}.*${found}`) }, found);
  }
  // By offset in a segment's header.
  const segmentChanges = new Map([
    [16, 'another segment'],
    [20, 'something reserved'],
    [24, 'another batch'],
    [32, 'another sequence'],
    [48, 'another chain'],
  ]);
  for (const [offset, what] of segmentChanges) {
    const { disk } = makeThreeSegments();
    const bytes = Buffer.from(disk.contentOf(THIRD));
    bytes.writeUInt32LE((bytes.readUInt32LE(offset) + 4) >>> 0, offset);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 80)), 80);
    disk.put(THIRD, bytes);
    t.throws(() => readAll(disk), { code: 'damaged', message: /0000000003\.journal, offset 0:/ }, what);
  }
  t.end();
});

t.test('a record whose CRC-32 is right, but which says something else, is damage', (t) => {
  for (const [offset, by] of [
    [76 + 8, 1],
    [76 + 12, 1],
    [24, 1],
    [24, -1],
  ]) {
    const disk = new FakeDisk();
    const journal = new SmallJournal(disk);
    const { offset: start } = journal.append(4, 4);
    const bytes = Buffer.from(disk.contentOf(FIRST));
    const batch = bytes.subarray(start);
    batch.writeUInt32LE(batch.readUInt32LE(offset) + by, offset);
    batch.writeUInt32LE(crc32(batch.subarray(0, 72)), 72);
    batch.writeUInt32LE(crc32(batch.subarray(76, 76 + 32)), 76 + 32);
    disk.put(FIRST, bytes);
    t.throws(() => readAll(disk), { code: 'damaged', message: /in batch 1/ }, `${by} at ${offset}`);
  }
  t.end();
});

t.test('a time that goes back is damage', (t) => {
  const { disk, journal } = makeThreeSegments();
  const { end } = readAll(disk, firstPosition(), { untilBatch: 5 });
  t.throws(() => readAll(disk, { ...end, timeMs: NOW_MS + 6001 }), { code: 'damaged', message: /from before/ });
  t.equal(readAll(disk, { ...end, timeMs: NOW_MS + 6000 }).end.batches, 1);
  t.equal(journal.batches.length, 6);
  t.end();
});

t.test('segments of two journals do not follow each other', (t) => {
  const { disk } = makeThreeSegments();
  const other = new FakeDisk();
  const journal = new SmallJournal(other, { ...firstPosition(), timeMs: NOW_MS + 500_000 }, 2000);
  for (const words of [[4, 4], [4], [4, 150, 4], [450], [20]]) journal.append(...words);
  disk.put(SECOND, other.contentOf(SECOND).slice(0, disk.size(SECOND)));
  t.throws(() => readAll(disk), { code: 'damaged', message: /0000000002\.journal, offset 0: .*does not follow/ });
  t.end();
});

t.test('the records of a batch that is not whole never reach the sink; those before it do', (t) => {
  const { disk, journal } = makeThreeSegments();
  const { segment, offset, bytes } = journal.batches[2];
  const content = disk.contentOf(segmentName(segment));
  // In its last record.
  content[offset + bytes.length - 12] ^= 1;
  disk.put(segmentName(segment), content);
  const sink = new RecordCollector();
  t.throws(() => readJournal(disk, firstPosition(), sink), { code: 'damaged' });
  t.strictSame(sink.sequences, [1, 2, 3]);
  t.end();
});

t.test('batches that lie across chunks, and one longer than a chunk, are read whole', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 2 ** 25);
  for (const words of [1, 200_000, 100_000, 3, 700_000, 2, 150_000, 150_000, 1]) journal.append(words, 5);
  const seen: [number, number][] = [];
  const largest: number[] = [];
  const watched = watchReads(disk, largest);
  const { end, firstWords } = readAll(watched, firstPosition(), {
    onProgress: (segment, offset) => seen.push([segment, offset]),
  });
  t.equal(end.batches, 9);
  t.strictSame(
    firstWords,
    journal.batches.flatMap((batch) => batch.firstWords),
  );
  t.equal(end.offset, journal.writer.offset);
  t.ok(Math.max(...largest) <= journal.batches[4].bytes.length, 'memory grows with the longest batch, no further');
  t.ok(seen.length >= 4, `${seen.length} chunks`);
  t.ok(seen.every(([segment, offset], i) => segment === 1 && (i === 0 || offset >= seen[i - 1][1])));
  t.end();
});

t.test('reading changes nothing', (t) => {
  const { disk } = makeThreeSegments();
  disk.put(THIRD, disk.contentOf(THIRD).slice(0, -4));
  const { writes, syncs } = disk;
  const steps = disk.steps.length;
  const before = disk.contentOf(THIRD);
  const from: JournalPosition = firstPosition();
  t.ok(readAll(disk, from).end.tornBytes > 0);
  t.same(from, firstPosition(), 'not even the position');
  t.strictSame([disk.writes, disk.syncs, disk.steps.length], [writes, syncs, steps]);
  t.same(disk.contentOf(THIRD), before);
  t.end();
});

/** The same files; notes how many bytes each read could take. */
function watchReads(files: JournalFiles, lengths: number[]): JournalFiles {
  return {
    list: () => files.list(),
    create: (name) => files.create(name),
    open: (name) => files.open(name),
    size: (name) => files.size(name),
    remove: (name) => files.remove(name),
    syncDirectory: () => files.syncDirectory(),
    close: () => files.close(),
    read: (name, position, into) => {
      lengths.push(into.length);
      return files.read(name, position, into);
    },
  };
}
