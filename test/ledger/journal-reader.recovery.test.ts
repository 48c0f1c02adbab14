// Tries what is left of a journal after a kill or a power cut, and tells it from damage: cuts at every byte, flips of every
// bit, lost sectors in every combination, and seeded crashes of a disk in memory.

import t from 'tap';
import { firstPosition } from '../../lib/ledger/journal-position.ts';
import { type JournalEnd, readJournal } from '../../lib/ledger/journal-reader.ts';
import { LedgerError } from '../../lib/ledger/ledger-error.ts';
import { SEGMENT_HEADER_BYTES, segmentName } from '../../lib/ledger/segment-layout.ts';
import { printSeed, seed, TestRandom } from '../packets/seed.ts';
import { FakeDisk, SECTOR_BYTES } from './fake-disk.ts';
import { type Batch, contentEnd, RecordCollector, readAll, SmallJournal } from './small-journal.ts';

printSeed(t);

const FIRST = segmentName(1);
const SECOND = segmentName(2);

/** Where a reading of these bytes as the only segment ends, or the code of its refusal. */
function outcomeOf(bytes: Uint8Array): JournalEnd | string {
  const disk = new FakeDisk();
  disk.put(FIRST, bytes);
  return outcomeOn(disk);
}

function outcomeOn(disk: FakeDisk): JournalEnd | string {
  try {
    return readAll(disk).end;
  } catch (error) {
    if (error instanceof LedgerError) return error.code;
    throw error;
  }
}

/** One segment whose last batch begins at every kind of place in a sector: `padding` words longer or shorter. */
function makeSegment(padding: number, ...last: number[]): { bytes: Uint8Array; batches: Batch[] } {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 8192);
  journal.append(4);
  journal.append(60 + padding);
  journal.append(...last);
  return { bytes: disk.contentOf(FIRST), batches: journal.batches };
}

function endOf({ offset, bytes }: Batch): number {
  return offset + bytes.length;
}

t.test('cut at any byte, a journal has exactly the whole batches before the cut', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 65_536);
  for (const words of [[4], [4, 4, 4], [30, 7], [200, 4], [300]]) journal.append(...words);
  const { batches } = journal;
  const bytes = disk.contentOf(FIRST).slice(0, endOf(batches[4]));
  let checked = 0;
  for (let cut = batches[2].offset; cut <= bytes.length; cut++) {
    const whole = batches.filter((batch) => endOf(batch) <= cut);
    const wholeEnd = endOf(whole[whole.length - 1]);
    const left = bytes.subarray(0, cut);
    const disk = new FakeDisk();
    disk.put(FIRST, left);
    const { end, firstWords } = readAll(disk);
    const isRight =
      end.nextBatch === whole.length + 1 &&
      end.offset === wholeEnd &&
      end.tornBytes === Math.max(contentEnd(left) - wholeEnd, 0) &&
      firstWords.join() === whole.flatMap((batch) => batch.firstWords).join();
    if (!isRight) t.fail(`cut at ${cut}: ${JSON.stringify(end)}`);
    checked++;
  }
  t.ok(checked > 2000, `${checked} cuts`);
  t.end();
});

t.test('cut at any byte of the last segment, its header included, the journal goes on', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 1000);
  journal.append(200);
  journal.append(100);
  const second = disk.contentOf(SECOND);
  const last = endOf(journal.batches[1]);
  for (let cut = 0; cut <= last; cut++) {
    const left = new FakeDisk();
    left.put(FIRST, disk.contentOf(FIRST));
    left.put(SECOND, second.slice(0, cut));
    const { end } = readAll(left);
    const expected = cut === last ? [2, last, 3, 0] : [2, 84, 2, tornBytesOf(second, cut)];
    const seen = [end.segment, end.offset, end.nextBatch, end.tornBytes];
    if (seen.join() !== expected.join()) t.fail(`cut at ${cut}: ${seen.join()}`);
    if (cut % 97 > 0) continue;
    new SmallJournal(left, end, 2000).append(5);
    t.strictSame(readAll(left).firstWords, cut === last ? [1, 2, 3] : [1, 2], `written on after a cut at ${cut}`);
  }
  t.end();
});

function tornBytesOf(bytes: Uint8Array, cut: number): number {
  return Math.max(contentEnd(bytes.subarray(0, cut)) - (cut < SEGMENT_HEADER_BYTES ? 0 : SEGMENT_HEADER_BYTES), 0);
}

t.test('any bit that flips in a closed journal of two segments is damage', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 500);
  for (const words of [[4, 4], [4], [10], [4], [7, 2]]) journal.append(...words);
  journal.writer.close();
  t.strictSame(disk.list(), [FIRST, SECOND]);
  let flips = 0;
  for (const name of disk.list()) {
    const bytes = disk.contentOf(name);
    for (let bit = 0; bit < bytes.length * 8; bit++, flips++) {
      bytes[bit >> 3] ^= 1 << (bit & 7);
      disk.put(name, bytes);
      const outcome = outcomeOn(disk);
      if (outcome !== 'damaged') t.fail(`bit ${bit} of ${name}: ${JSON.stringify(outcome)}`);
      bytes[bit >> 3] ^= 1 << (bit & 7);
    }
    disk.put(name, bytes);
  }
  t.equal(outcomeOn(disk) instanceof Object, true, 'as it was, it is read');
  t.ok(flips > 5000, `${flips} flips`);
  t.end();
});

t.test('any bit that flips in the last batch, or in the zeros behind it, is damage wherever the batch lies', (t) => {
  const random = new TestRandom(seed);
  let flips = 0;
  // The last batch begins at every word of a sector.
  for (let padding = 0; padding < SECTOR_BYTES / 4; padding++) {
    const { bytes, batches } = makeSegment(padding, 4, 150);
    const from = batches[2].offset;
    const content = endOf(batches[2]) - from;
    for (let i = 0; i < 150; i++, flips++) {
      // The header, the whole batch, all that is behind it.
      const reach = [76, content, bytes.length - from][i % 3];
      const at = from + random.below(reach);
      const bit = 1 << random.below(8);
      bytes[at] ^= bit;
      const outcome = outcomeOf(bytes);
      if (outcome !== 'damaged') t.fail(`padding ${padding}, ${bit} of byte ${at}: ${JSON.stringify(outcome)}`);
      bytes[at] ^= bit;
    }
    const whole = outcomeOf(bytes);
    if (typeof whole === 'string' || whole.nextBatch !== 4) t.fail(`padding ${padding}: ${JSON.stringify(whole)}`);
  }
  t.ok(flips > 10_000, `${flips} flips`);
  t.end();
});

t.test('whichever sectors of the last batch are lost, it is torn, and nothing else is', (t) => {
  let checked = 0;
  for (let padding = 0; padding < SECTOR_BYTES / 4; padding++) {
    const { bytes, batches } = makeSegment(padding, 4, 250, 4);
    const last = batches[2];
    const firstSector = Math.floor(last.offset / SECTOR_BYTES);
    const sectors = Math.ceil(endOf(last) / SECTOR_BYTES) - firstSector;
    for (let lost = 1; lost < 2 ** sectors; lost++, checked++) {
      const left = bytes.slice();
      for (let i = 0; i < sectors; i++) {
        const at = (firstSector + i) * SECTOR_BYTES;
        if ((lost & (1 << i)) !== 0) left.fill(0, Math.max(at, last.offset), Math.min(at + SECTOR_BYTES, endOf(last)));
      }
      const outcome = outcomeOf(left);
      const torn = Math.max(contentEnd(left) - last.offset, 0);
      const isRight = typeof outcome !== 'string' && outcome.nextBatch === 3 && outcome.tornBytes === torn;
      if (!isRight) t.fail(`padding ${padding}, lost ${lost.toString(2)}: ${JSON.stringify(outcome)}`);
    }
  }
  t.ok(checked > 1000, `${checked} losses`);
  t.end();
});

t.test('sectors lost from a batch that others follow are damage', (t) => {
  let checked = 0;
  for (let padding = 0; padding < SECTOR_BYTES / 4; padding++) {
    const { bytes, batches } = makeSegment(padding, 4, 250, 4);
    for (const batch of batches.slice(0, 2)) {
      for (let at = batch.offset; at < endOf(batch); at += SECTOR_BYTES - (at % SECTOR_BYTES), checked++) {
        const left = bytes.slice();
        left.fill(0, at, Math.min(at + SECTOR_BYTES - (at % SECTOR_BYTES), endOf(batch)));
        const outcome = outcomeOf(left);
        if (outcome !== 'damaged') t.fail(`padding ${padding}, lost at ${at}: ${JSON.stringify(outcome)}`);
      }
      const left = bytes.slice();
      left.fill(0, batch.offset, endOf(batch));
      if (outcomeOf(left) !== 'damaged') t.fail(`padding ${padding}: all of a batch lost, and not found`);
    }
  }
  t.ok(checked > 300, `${checked} losses`);
  t.end();
});

t.test('a torn batch with a flip in what arrived before the loss is damage, and so is anything behind it', (t) => {
  const { bytes, batches } = makeSegment(0, 40, 40, 250);
  const last = batches[2];
  const lostFrom = Math.ceil((last.offset + 500) / SECTOR_BYTES) * SECTOR_BYTES;
  const torn = bytes.slice();
  torn.fill(0, lostFrom, endOf(last));
  t.type(outcomeOf(torn), 'object');
  const flipped = torn.slice();
  flipped[last.offset + 120] ^= 4;
  t.equal(outcomeOf(flipped), 'damaged');
  const followed = torn.slice();
  followed.fill(0x55, endOf(last) + 40, endOf(last) + 80);
  t.equal(outcomeOf(followed), 'damaged');
  const anywhere = torn.slice();
  anywhere[anywhere.length - 1] = 1;
  t.equal(outcomeOf(anywhere), 'damaged');
  t.end();
});

t.test('of a header that lies in two sectors, the part that arrived must be what was to come', (t) => {
  let checked = 0;
  for (let padding = 0; padding < SECTOR_BYTES / 4; padding++) {
    const { bytes, batches } = makeSegment(padding, 40);
    const last = batches[2];
    const sectorEnd = Math.ceil(last.offset / SECTOR_BYTES) * SECTOR_BYTES;
    // A second part that is nothing but the CRC-32 says nothing.
    if (sectorEnd - last.offset >= 72 || sectorEnd === last.offset) continue;
    checked++;
    // The first part alone arrived, then the second alone: as it was written, then as something else.
    const parts = [
      { arrived: [last.offset, sectorEnd], lost: [sectorEnd, endOf(last)] },
      { arrived: [sectorEnd, endOf(last)], lost: [last.offset, sectorEnd] },
    ];
    for (const { arrived, lost } of parts) {
      const torn = bytes.slice().fill(0, lost[0], lost[1]);
      if (typeof outcomeOf(torn) === 'string') t.fail(`padding ${padding}: what is torn is not seen as such`);
      const other = torn.slice().fill(0x55, arrived[0], arrived[1]);
      if (outcomeOf(other) !== 'damaged') t.fail(`padding ${padding}: damage is taken for a torn header`);
    }
  }
  t.equal(checked, 17, 'words of a header that can begin a sector');
  t.end();
});

t.test('a header that is not one in a segment with something in it is damage', (t) => {
  const { bytes } = makeSegment(0, 4);
  const headless = bytes.slice();
  headless.fill(0, 0, SEGMENT_HEADER_BYTES);
  t.equal(outcomeOf(headless), 'damaged', 'zeros, and batches behind them');
  t.equal(outcomeOf(Buffer.from('something else')), 'damaged', 'another short file');
  t.equal(outcomeOf(Buffer.alloc(200, 'x')), 'damaged', 'another long file');
  for (const size of [0, 1, 84, 512, 5000]) {
    const outcome = outcomeOf(new Uint8Array(size)) as JournalEnd;
    t.strictSame([outcome.segment, outcome.offset, outcome.tornBytes], [1, 84, 0], `${size} zeros`);
  }
  const zeros = new FakeDisk();
  zeros.put(FIRST, new Uint8Array(5000));
  new SmallJournal(zeros, readAll(zeros).end).append(4);
  t.strictSame(readAll(zeros).firstWords, [1], 'and it is written to');
  t.end();
});

t.test('zeros behind the last batch of a closed segment are damage', (t) => {
  const disk = new FakeDisk();
  const journal = new SmallJournal(disk, firstPosition(), 1000);
  journal.append(200);
  journal.append(200);
  const first = disk.contentOf(FIRST);
  disk.put(FIRST, Buffer.concat([first, new Uint8Array(512)]));
  t.equal(outcomeOn(disk), 'damaged');
  disk.put(FIRST, first.slice(0, -4));
  t.equal(outcomeOn(disk), 'damaged', 'and so is a batch of it that is cut');
  disk.put(FIRST, first.slice(0, 40));
  t.equal(outcomeOn(disk), 'damaged', 'and a header that is');
  t.end();
});

t.test('after any crash everything synced is there, and nothing by half', (t) => {
  const random = new TestRandom(seed);
  let crashes = 0;
  let tornTails = 0;
  let rescued = 0;
  for (let run = 0; run < 150; run++) {
    const disk = new FakeDisk();
    /** First words of the records of each batch that was synced. */
    const synced: number[][] = [];
    let nextBatch = 1;
    for (let round = 0; round < 6; round++) {
      const sink = new RecordCollector();
      const end = readJournal(disk, firstPosition(), sink);
      if (end.tornBytes > 0) tornTails++;
      const expected = synced.flat();
      const extra = sink.firstWords.slice(expected.length);
      const isWhole = extra.length === 0 || extra.length === end.records - expected.length;
      const isSame = expected.every((word, i) => sink.firstWords[i] === word);
      if (!isSame || !isWhole || end.nextBatch < nextBatch || end.nextBatch > nextBatch + 1) {
        t.fail(`run ${run}, round ${round}: ${JSON.stringify(end)} where batch ${nextBatch} was next`);
        break;
      }
      if (extra.length > 0) {
        // It was written, nobody was told, and it is part of the journal from now on.
        synced.push(extra);
        rescued++;
      }
      nextBatch = end.nextBatch;
      disk.failAt(random.pick(['write', 'sync']), 1 + random.below(14), 'EIO', random.below(3000));
      try {
        const journal = new SmallJournal(disk, end, 6000);
        for (let i = 0; i < 12; i++) {
          const words = Array.from({ length: 1 + random.below(4) }, () => 1 + random.below(random.pick([5, 40, 400])));
          synced.push(journal.append(...words).firstWords);
          nextBatch++;
        }
        journal.writer.close();
      } catch (error) {
        if (!(error instanceof LedgerError)) throw error;
      }
      disk.crash(random);
      crashes++;
    }
  }
  t.equal(crashes, 900);
  t.ok(tornTails > 50, `${tornTails} torn tails`);
  t.ok(rescued > 10, `${rescued} batches that were whole though nobody had been told`);
  t.end();
});
