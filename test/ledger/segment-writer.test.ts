// Tries the writing of segments on a disk in memory: what it creates, when it syncs, and that a failure is final.

import t from 'tap';
import { firstPosition } from '../../lib/ledger/journal-position.ts';
import { LedgerError } from '../../lib/ledger/ledger-error.ts';
import { PREALLOCATE_BYTES } from '../../lib/ledger/limits.ts';
import { SEGMENT_HEADER_BYTES, segmentName } from '../../lib/ledger/segment-layout.ts';
import { SegmentWriter } from '../../lib/ledger/segment-writer.ts';
import { FakeDisk } from './fake-disk.ts';
import { contentEnd, NOW_MS, readAll, SmallJournal } from './small-journal.ts';

const FIRST = segmentName(1);
const SECOND = segmentName(2);
const OPTIONS = { node: 7, segmentBytes: 2 ** 20, syncs: true, nowMs: NOW_MS };

t.test('the header of a segment is laid out as the document says, and synced', (t) => {
  const disk = new FakeDisk();
  const chain = new Uint8Array(32).fill(9);
  const position = { ...firstPosition(), segment: 3, nextBatch: 2 ** 35 + 1, nextSequence: 2 ** 36 + 2, chain };
  const writer = new SegmentWriter(disk, position, OPTIONS);
  t.strictSame([writer.segment, writer.offset], [3, SEGMENT_HEADER_BYTES]);
  t.equal(disk.syncs, 2, 'the file, and the directory');
  const bytes = Buffer.from(disk.contentOf('0000000003.journal'));
  t.equal(bytes.length, 84);
  t.equal(bytes.toString('latin1', 0, 8), 'HBJOURN1');
  t.strictSame(
    [8, 12, 16, 20].map((at) => bytes.readUInt32LE(at)),
    [1, 7, 3, 0],
  );
  t.equal(bytes.readBigUInt64LE(24), 2n ** 35n + 1n);
  t.equal(bytes.readBigUInt64LE(32), 2n ** 36n + 2n);
  t.equal(bytes.readBigUInt64LE(40), BigInt(NOW_MS));
  t.same(bytes.subarray(48, 80), Buffer.from(chain));
  t.end();
});

t.test('an append is one write, its sync one sync; a batch waits for the sync of the one before', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk);
  journal.append(4);
  const { writes, syncs } = disk;
  journal.append(4, 5);
  t.strictSame([disk.writes - writes, disk.syncs - syncs], [1, 1]);
  t.notOk(journal.writer.sync(), 'nothing is left to sync');
  const { builder, writer } = journal;
  for (let i = 0; i < 2; i++) {
    builder.beginRecord(10, 0);
    builder.endRecord();
    writer.append(builder.finish(NOW_MS), builder);
    builder.commit();
  }
  t.equal(disk.syncs - syncs, 2, 'the first of two was synced before the second was written');
  t.ok(writer.sync());
  t.equal(disk.syncs - syncs, 3);
  t.end();
});

t.test('zeros lie ahead of the writing, in a file that seldom grows, and are gone once it is closed', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 8 * PREALLOCATE_BYTES);
  const sizes = new Set<number>();
  for (let i = 0; i < 40; i++) {
    journal.append(25_000);
    const size = disk.size(FIRST);
    sizes.add(size);
    if (size - journal.writer.offset < 256 * 1024) t.fail(`${size - journal.writer.offset} bytes ahead`);
  }
  t.ok(sizes.size <= 6, `4 MB in ${sizes.size} steps`);
  t.ok([...sizes].every((size) => size % 4096 === 0));
  t.equal(contentEnd(disk.contentOf(FIRST)), journal.writer.offset);
  journal.writer.close();
  t.equal(disk.size(FIRST), journal.writer.offset);
  t.end();
});

t.test('a segment that would grow too long is closed to its exact length, and the next one follows it', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 1000);
  const first = journal.append(100);
  const second = journal.append(79);
  t.strictSame([first.segment, first.offset], [1, 84]);
  t.strictSame([second.segment, second.offset], [1, 584]);
  const third = journal.append(1);
  t.strictSame([third.segment, third.offset], [2, 84]);
  t.equal(disk.size(FIRST), 584 + second.bytes.length);
  t.equal(disk.size(FIRST), 1000, 'exactly full is not too long');
  const long = journal.append(1000);
  t.strictSame([long.segment, long.offset], [3, 84], 'a batch longer than a segment has one of its own');
  t.equal(journal.append(1).segment, 4);
  journal.writer.close();
  t.strictSame(disk.list(), [1, 2, 3, 4].map(segmentName));
  t.strictSame(readAll(disk).firstWords, [1, 2, 3, 4, 5]);
  t.end();
});

t.test('it goes on where the reading ended, and what lay behind is cut off before', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk);
  journal.append(4);
  journal.append(300);
  const { end } = readAll(disk);
  const torn = disk.contentOf(FIRST);
  torn.fill(0, 512, 1024);
  disk.put(FIRST, torn);
  const after = readAll(disk);
  t.equal(after.end.nextBatch, end.nextBatch - 1);
  const again = new SmallJournal(disk, after.end);
  t.equal(disk.size(FIRST), after.end.offset, 'the torn batch is gone before anything is written');
  again.append(5);
  t.strictSame(readAll(disk).firstWords, [1, 2]);
  t.end();
});

t.test('a segment whose header was torn gets a new one', (t) => {
  for (const left of [0, 40, 84]) {
    const disk = new FakeDisk();
    const journal = new SmallJournal(disk, firstPosition(), 1000);
    journal.append(200);
    journal.append(200);
    disk.put(SECOND, disk.contentOf(SECOND).slice(0, left));
    const { end } = readAll(disk);
    t.strictSame([end.segment, end.offset, end.nextBatch], [2, 84, 2], `${left} bytes are left`);
    disk.steps.length = 0;
    new SmallJournal(disk, end, 1000).append(3);
    t.strictSame(
      disk.steps.slice(0, 4),
      [`truncate ${SECOND} to 0`, `sync ${SECOND}`, `write ${SECOND} at 0`, `sync ${SECOND}`],
      'what was left of the old one is gone before',
    );
    t.strictSame(readAll(disk).firstWords, [1, 2]);
  }
  t.end();
});

t.test('a position that is not in the last segment is a mistake', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 1000);
  journal.append(200);
  const { end } = readAll(disk);
  t.throws(() => new SegmentWriter(disk, { ...end, offset: disk.size(FIRST) + 4 }, OPTIONS), /lies in the segment/);
  t.throws(() => new SegmentWriter(disk, { ...end, segment: 2 }, OPTIONS), /lies in the segment/);
  journal.append(200);
  t.throws(() => new SegmentWriter(disk, end, OPTIONS), /only the last segment/);
  t.end();
});

t.test('a write or a sync that fails is final', (t) => {
  const faults = [
    { operation: 'write', nth: 1, code: 'ENOSPC', what: 'the write of a batch' },
    { operation: 'sync', nth: 1, code: 'EIO', what: 'the sync of a batch' },
  ] as const;
  for (const { operation, nth, code, what } of faults) {
    const disk = new FakeDisk();
    const journal = new SmallJournal(disk);
    journal.append(4);
    disk.failAt(operation, nth, code, 10);
    const failure = failureOf(() => journal.append(4));
    t.equal(failure.code, 'write', what);
    t.match((failure.cause as Error).message, code);
    t.match(failure.message, /segment 1, offset/);
    const { writes, syncs } = disk;
    t.equal(
      failureOf(() => journal.writer.append(new Uint8Array(100), journal.builder)),
      failure,
    );
    t.equal(
      failureOf(() => journal.writer.sync()),
      failure,
    );
    t.equal(
      failureOf(() => journal.writer.close()),
      failure,
    );
    t.strictSame([disk.writes, disk.syncs], [writes, syncs], 'and the disk is not touched again');
  }
  t.end();
});

t.test(
  'every step of opening, of the next segment and of closing can fail, and nothing that was synced is lost',
  (t) => {
    for (const operation of ['write', 'sync'] as const) {
      for (let nth = 1; ; nth++) {
        const disk = new FakeDisk();
        disk.failAt(operation, nth, 'EIO');
        let synced = 0;
        const failure = failureOf(() => {
          const journal = new SmallJournal(disk, firstPosition(), 1000);
          for (let i = 0; i < 4; i++) {
            journal.append(100);
            synced++;
          }
          journal.writer.close();
        }, true);
        if (failure === undefined) {
          t.ok(nth > 6, `${nth - 1} places where a ${operation} can fail`);
          break;
        }
        t.equal(failure.code, 'write');
        t.ok(readAll(disk).firstWords.length >= synced, `${operation} ${nth}: ${synced} batches`);
      }
    }
    t.end();
  },
);

t.test('without syncs only the opening and the closing of a segment wait for the disk', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 1000, false);
  const { syncs } = disk;
  journal.append(100);
  journal.append(79);
  t.equal(disk.syncs, syncs);
  journal.append(90);
  t.equal(disk.syncs, syncs + 3, 'the old file, the new file, the directory');
  journal.writer.close();
  t.equal(disk.syncs, syncs + 4);
  t.end();
});

t.test('the steps of the next segment come in an order that no crash turns into damage', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 1000);
  journal.append(200);
  disk.steps.length = 0;
  journal.append(200);
  t.strictSame(disk.steps, [
    `truncate ${FIRST} to 984`,
    `sync ${FIRST}`,
    `create ${SECOND}`,
    `write ${SECOND} at 0`,
    `sync ${SECOND}`,
    'sync directory',
    `write ${SECOND} at 84`,
    `sync ${SECOND}`,
  ]);
  t.end();
});

function failureOf(act: () => void): LedgerError;
function failureOf(act: () => void, mayPass: true): LedgerError | undefined;
function failureOf(act: () => void, mayPass = false): LedgerError | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof LedgerError) return error;
    throw error;
  }
  if (mayPass) return undefined;
  throw new Error('nothing failed');
}
