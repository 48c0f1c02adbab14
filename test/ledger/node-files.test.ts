// Tries the journal's directory on a real disk, and the writing of segments on one that is full.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { firstPosition } from '../../lib/ledger/journal-position.ts';
import { LedgerError } from '../../lib/ledger/ledger-error.ts';
import { NodeFiles } from '../../lib/ledger/node-files.ts';
import { segmentName } from '../../lib/ledger/segment-layout.ts';
import { readAll, SmallJournal } from './small-journal.ts';

const FIRST = segmentName(1);
const SECOND = segmentName(2);

t.test('the directory is made if it is missing, and segments alone are listed, in order', (t) => {
  const directory = join(t.testdir({}), 'a', 'b');
  const files = new NodeFiles(directory);
  t.ok(existsSync(directory));
  t.strictSame(files.list(), []);
  files.create(segmentName(10)).close();
  files.create(SECOND).close();
  for (const name of ['notes.txt', '1.journal', '0000000000.journal', `${FIRST}~`])
    writeFileSync(join(directory, name), '');
  files.syncDirectory();
  t.strictSame(new NodeFiles(directory).list(), [SECOND, segmentName(10)]);
  t.end();
});

t.test('what is written is read, in any place, and the end of a file ends a read', (t) => {
  const directory = t.testdir({});
  const files = new NodeFiles(directory);
  const file = files.create(FIRST);
  file.write(Buffer.from('abcdef'), 0);
  file.write(Buffer.from('XY'), 2);
  file.write(Buffer.from('z'), 8);
  file.sync();
  t.equal(files.size(FIRST), 9);
  const into = Buffer.alloc(6, '.');
  t.equal(files.read(FIRST, 1, into), 6);
  t.equal(into.toString(), 'bXYef\0');
  t.equal(files.read(FIRST, 7, into), 2);
  t.equal(into.toString('latin1', 0, 2), '\0z');
  t.equal(files.read(FIRST, 20, into), 0);
  file.truncate(4);
  t.equal(files.size(FIRST), 4);
  file.close();
  const again = files.open(FIRST);
  again.write(Buffer.from('!'), 0);
  again.close();
  t.equal(readFileSync(join(directory, FIRST), 'latin1'), '!bXY', 'opening does not empty a file');
  files.close();
  t.end();
});

t.test('a file is created once, and only what is there is opened, read or removed', (t) => {
  const files = new NodeFiles(t.testdir({}));
  files.create(FIRST).close();
  t.throws(() => files.create(FIRST), { code: 'EEXIST' });
  t.throws(() => files.open(SECOND), { code: 'ENOENT' });
  t.throws(() => files.read(SECOND, 0, new Uint8Array(1)), { code: 'ENOENT' });
  t.throws(() => files.size(SECOND), { code: 'ENOENT' });
  t.throws(() => files.remove(SECOND), { code: 'ENOENT' });
  t.end();
});

t.test('one descriptor is kept for reading, and given back', { skip: process.platform !== 'linux' }, (t) => {
  const directory = t.testdir({ [FIRST]: 'one', [SECOND]: 'two' });
  const files = new NodeFiles(directory);
  const into = Buffer.alloc(3);
  const before = openDescriptors(directory);
  for (const name of [FIRST, SECOND, FIRST, FIRST]) {
    files.read(name, 0, into);
    t.equal(openDescriptors(directory), before + 1);
  }
  t.equal(into.toString(), 'one');
  files.remove(FIRST);
  t.equal(openDescriptors(directory), before, 'a file that is removed is not held');
  files.create(FIRST).close();
  t.equal(files.read(FIRST, 0, into), 0, 'another file of that name is another file');
  files.close();
  files.close();
  t.equal(openDescriptors(directory), before);
  t.end();
});

t.test('a journal on a real disk reads as it was written', (t) => {
  const files = new NodeFiles(t.testdir({}));
  const journal = new SmallJournal(files, firstPosition(), 5000);
  for (let i = 0; i < 30; i++) journal.append(i, 200);
  const { end, firstWords } = readAll(files);
  t.strictSame([end.segment, end.offset, end.records], [journal.writer.segment, journal.writer.offset, 60]);
  t.strictSame(firstWords.slice(-2), [59, 60]);
  journal.writer.close();
  t.equal(files.size(segmentName(end.segment)), end.offset);
  t.equal(readAll(files).end.records, 60);
  files.close();
  t.end();
});

t.test('a disk that is full fails the writer for good, and all that was synced is read', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'small-disk-'));
  t.teardown(() => rmdirSync(directory));
  if (!mountSmallDisk(directory)) {
    t.comment('SKIPPED: a small disk can only be mounted by root');
    t.end();
    return;
  }
  const files = new NodeFiles(join(directory, 'journal'));
  t.teardown(() => {
    files.close();
    execFileSync('umount', [directory]);
  });
  const journal = new SmallJournal(files, firstPosition(), 2 ** 26);
  let failure: unknown;
  while (failure === undefined && journal.batches.length < 1000) {
    try {
      journal.append(5000);
    } catch (error) {
      failure = error;
    }
  }
  t.ok(failure instanceof LedgerError && failure.code === 'write', String(failure));
  t.match((failure as LedgerError).cause, { code: 'ENOSPC' });
  t.throws(() => journal.append(1), 'the writer stays as it is');
  const { firstWords, end } = readAll(files);
  const synced = journal.batches.length;
  t.ok(synced > 30, `${synced} batches were synced`);
  t.ok(firstWords.length >= synced && firstWords.length <= synced + 1, 'at most the one under way is read as well');
  t.ok(end.offset <= files.size(FIRST));
  t.end();
});

function openDescriptors(directory: string): number {
  return readdirSync('/proc/self/fd').filter((name) => linkTarget(name).startsWith(directory)).length;
}

function linkTarget(descriptor: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return '';
  }
}

/** Mounts 2 MB of memory; returns false where that is not allowed. */
function mountSmallDisk(directory: string): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', directory], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
