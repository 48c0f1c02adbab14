// Tries the deletion of old segments: what they add up to stays, and a kill between the steps does no harm.

import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { LedgerError } from '../../lib/ledger/ledger-error.ts';
import { NodeFiles } from '../../lib/ledger/node-files.ts';
import { deleteSegments } from '../../lib/ledger/retention.ts';
import { copySnapshot, foldSegments } from '../../lib/ledger/snapshot-fold.ts';
import { readSnapshot, type SnapshotSink } from '../../lib/ledger/snapshot-reader.ts';
import { openForReading } from '../../lib/ledger/snapshot-schema.ts';
import fold from '../../lib/ledger/snapshot-task.ts';
import { printSeed, seed } from '../packets/seed.ts';
import { TestJournal } from './snapshot-journal.ts';
import { RandomLedger } from './snapshot-model.ts';

printSeed(t);

const SEGMENT_BYTES = 16 * 1024;

function makeJournal(data: string): TestJournal {
  const journal = new TestJournal(data, SEGMENT_BYTES);
  const ledger = new RandomLedger(seed);
  while (journal.closedSegment < 8) journal.append(ledger.draw(5));
  return journal;
}

/** Everything that recovery gets from a snapshot. */
function readAll(path: string): unknown[] {
  const seen: unknown[] = [];
  const sink: SnapshotSink = {
    onRecord: (type, sequence, words, at, count) => seen.push(['record', type, sequence, words.slice(at, at + count)]),
    onKeyRecord: (type, sequence, words, at, count) => seen.push(['key', type, sequence, words.slice(at, at + count)]),
    onBalance: (userId, cents) => seen.push(['balance', userId, cents]),
    onTotals: (totals) => seen.push(totals),
  };
  seen.push(readSnapshot(path, sink));
  return seen;
}

function countRecords(path: string): number {
  const database = openForReading(path)!;
  const { count } = database.prepare('SELECT count(*) AS count FROM records').get()!;
  database.close();
  return Number(count);
}

t.test('old segments go, and the opening has what they add up to', async (t) => {
  const data = t.testdir();
  const journal = makeJournal(data);
  const whole = join(data, 'whole.sqlite');
  await foldSegments(whole, journal.files, 5);
  t.strictSame(await fold({ data, keepSegments: 3, closedSegment: 8 }), { folded: 8, deleted: 5 });
  const left = ['0000000006.journal', '0000000007.journal', '0000000008.journal', '0000000009.journal'];
  t.strictSame(readdirSync(join(data, 'journal')), left);
  const opening = join(data, 'opening.sqlite');
  t.strictSame(readAll(opening), readAll(whole), 'the same for recovery');
  t.ok(countRecords(opening) < countRecords(whole) / 2, 'without the records that nobody needs');
  t.equal(readAll(opening).length - 2, countRecords(opening) + countBalances(opening), 'it has what recovery gets');
  t.strictSame(
    await fold({ data, keepSegments: 3, closedSegment: 8 }),
    { folded: 0, deleted: 0 },
    'nothing is left to do',
  );
});

function countBalances(path: string): number {
  return readAll(path).filter((row) => Array.isArray(row) && row[0] === 'balance').length;
}

t.test('an opening made in steps is the one made at once', async (t) => {
  const data = t.testdir();
  const { files } = makeJournal(data);
  const [steps, once] = [join(data, 'steps.sqlite'), join(data, 'once.sqlite')];
  for (let segment = 1; segment <= 6; segment++) await foldSegments(steps, files, segment, true);
  await foldSegments(once, files, 6, true);
  t.strictSame(readAll(steps), readAll(once));
  t.equal(countRecords(steps), countRecords(once));
});

t.test('keeping all segments deletes none', async (t) => {
  const data = t.testdir();
  makeJournal(data);
  t.strictSame(await fold({ data, keepSegments: 0, closedSegment: 8 }), { folded: 8, deleted: 0 });
  t.notOk(existsSync(join(data, 'opening.sqlite')));
  t.strictSame(
    await fold({ data, keepSegments: 20, closedSegment: 8 }),
    { folded: 0, deleted: 0 },
    'nor does keeping more',
  );
});

t.test('a kill between the steps does no harm', async (t) => {
  const data = t.testdir();
  const { files } = makeJournal(data);
  const opening = join(data, 'opening.sqlite');
  await foldSegments(opening, files, 4, true);
  t.equal(await deleteSegments(opening, files, 4), 4, 'segments that are in the opening are just deleted');

  const dying = Object.assign(new NodeFiles(join(data, 'journal')), {
    remove: () => {
      throw new Error('killed');
    },
  });
  const before = readAll(opening);
  await t.rejects(deleteSegments(opening, dying, 6), /killed/);
  t.strictNotSame(readAll(opening), before, 'folded, and not deleted');
  t.equal(files.list()[0], '0000000005.journal');
  t.equal(await deleteSegments(opening, files, 6), 2);
  t.equal(files.list()[0], '0000000007.journal');
});

t.test('a segment that cannot be folded is not deleted', async (t) => {
  const data = t.testdir();
  const { files } = makeJournal(data);
  const unreadable = Object.assign(new NodeFiles(join(data, 'journal')), {
    read: () => {
      throw new LedgerError('damaged', 'unreadable');
    },
  });
  await t.rejects(deleteSegments(join(data, 'opening.sqlite'), unreadable, 3), { code: 'damaged' });
  t.equal(files.list()[0], '0000000001.journal');
});

t.test('a snapshot that is gone starts from the opening', async (t) => {
  const data = t.testdir();
  const journal = makeJournal(data);
  await fold({ data, keepSegments: 3, closedSegment: 8 });
  const snapshot = join(data, 'snapshot.sqlite');
  const before = readAll(snapshot);
  rmSync(snapshot);
  cpSync(join(data, 'opening.sqlite'), `${snapshot}.new`);
  await t.rejects(foldSegments(join(data, 'fresh.sqlite'), journal.files, 8), { code: 'missing' }, 'not from nothing');
  t.strictSame(await fold({ data, keepSegments: 3, closedSegment: 8 }), { folded: 3, deleted: 0 });
  t.strictSame(readAll(snapshot), before);
  t.notOk(existsSync(`${snapshot}.new`), 'what a killed copy left is used up');
  copySnapshot(join(data, 'opening.sqlite'), snapshot);
  t.strictSame(readAll(snapshot), before, 'one that is there is not replaced');
});
