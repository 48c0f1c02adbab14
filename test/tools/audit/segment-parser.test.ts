// One segment read by itself: every byte is under a checksum, and a torn tail is told from damage.

import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatFinding } from '../../../tools/audit/findings.ts';
import { readSegment, type SegmentReport } from '../../../tools/audit/segment-parser.ts';
import { type Entry, grab, JournalMaker, packetOpen, topUp, withdraw } from './journal-maker.ts';

const ONE_SECTOR = 512;

/** Reads a segment and counts what the visitor hears. */
function read(path: string, last: boolean): SegmentReport & { heard: number } {
  let heard = 0;
  const visitor = {
    batch: () => {},
    record: () => {
      heard++;
    },
  };
  return { ...readSegment(path, 1, last, visitor), heard };
}

function sentences({ findings }: SegmentReport): string[] {
  return findings.kept.map(formatFinding);
}

/** Batches of one record each. @param words so many words of text in each */
function batchesOf(count: number, words: number): Entry[][] {
  return Array.from({ length: count }, (_, i) => [topUp(i, 1, 'x'.repeat(words * 4))]);
}

function write(directory: string, batches: readonly Entry[][], more?: Uint8Array): string {
  const maker = new JournalMaker(directory);
  for (const entries of batches) maker.addBatch(entries);
  return maker.endSegment(more);
}

t.test('every bit that is flipped in a closed segment is one finding', async (t) => {
  const path = write(t.testdir(), [[topUp(1, 5, 'key')], [topUp(2, 7), withdraw(2, 3)], [topUp(3, 1)]]);
  const good = readFileSync(path);
  t.match(read(path, false), { batches: 3, heard: 4, findings: { count: 0 } });
  const wrong: number[] = [];
  for (let at = 0; at < good.length; at++) {
    const bytes = Buffer.from(good);
    bytes[at] ^= 1 << (at % 8);
    writeFileSync(path, bytes);
    if (read(path, false).findings.count !== 1) wrong.push(at);
  }
  t.same(wrong, []);
});

t.test('what is wrong with a batch is said in words', async (t) => {
  const second: [name: string, make: (maker: JournalMaker) => void, sentence: RegExp, heard: number][] = [
    ['chain', (m) => m.addBatch([topUp(1, 1)], { chain: Buffer.alloc(32, 7) }), /batch 2: the chain is broken/, 3],
    ['time', (m) => m.addBatch([topUp(1, 1)], { timeMs: 5 }), /batch 2: its time is below that of the batch before/, 3],
    ['batch', (m) => m.addBatch([topUp(1, 1)], { batch: 4 }), /batch 4: batch 2 must stand here/, 1],
    ['sequence', (m) => m.addBatch([topUp(1, 1)], { firstSequence: 3 }), /its first record is 3, and must be 2/, 1],
    ['empty', (m) => m.addBatch([]), /batch 2: the batch has no records/, 1],
    ['type', (m) => m.addBatch([{ type: 13, words: [] }]), /record 2: there is no record type 13/, 1],
    ['length', (m) => m.addBatch([{ type: 6, words: [1] }]), /record 2: a GRAB has 4 words of payload, this one 1/, 1],
    ['user', (m) => m.addBatch([grab(1, 0, 2 ** 31, 1)]), /record 2: there is no user 2147483648/, 1],
    ['split', (m) => m.addBatch([packetOpen({ packet: 1, total: 2 })]), /it cannot be split: 2 cents are not 3/, 1],
    ['mode', (m) => m.addBatch([packetOpen({ packet: 1, mode: 3 })]), /there is no split mode 3/, 1],
    ['text', (m) => m.addBatch([{ type: 8, words: [1, 0, 1, 0, 9, 0] }]), /a text of 9 bytes does not fit/, 1],
    ['padding', (m) => m.addBatch([{ type: 8, words: [1, 0, 1, 0, 1, 0x6161] }]), /not padded with zeros/, 1],
    ['UTF-8', (m) => m.addBatch([{ type: 8, words: [1, 0, 1, 0, 1, 0xff] }]), /a text is not UTF-8/, 1],
    ['tail', (m) => m.addBatch([{ type: 8, words: [1, 0, 1, 0, 0, 0] }]), /1 words follow its key/, 1],
  ];
  const directory = t.testdir();
  for (const [name, make, sentence, heard] of second) {
    const maker = new JournalMaker(join(directory, name));
    maker.addBatch([topUp(1, 1)]);
    make(maker);
    maker.addBatch([topUp(1, 1)]);
    const report = read(maker.endSegment(), false);
    t.equal(report.findings.count, 1, name);
    t.match(sentences(report)[0], sentence);
    t.equal(report.heard, heard, 'the books hear of what came before');
  }
});

t.test('zeros behind the last batch are none of a closed segment, and all right in the last one', async (t) => {
  const path = write(t.testdir(), batchesOf(2, 1), Buffer.alloc(5000));
  t.match(read(path, true), { batches: 2, tornBytes: 0, findings: { count: 0 } });
  t.match(sentences(read(path, false)), [
    /zeros, or a batch without a header, follow the last batch of a closed segment/,
  ]);
});

t.test('a last segment that nothing was written to is no finding', async (t) => {
  const path = write(t.testdir(), []);
  t.match(read(path, true), { unwritten: false, batches: 0, findings: { count: 0 } });
  for (const bytes of [0, 84, 4096]) {
    writeFileSync(path, Buffer.alloc(bytes));
    t.match(read(path, true), { unwritten: true, findings: { count: 0 } });
    t.equal(read(path, false).findings.count, 1);
  }
});

t.test('a last segment cut at any byte of its last batch has a torn tail', async (t) => {
  const maker = new JournalMaker(t.testdir());
  maker.addBatch([topUp(1, 1)]);
  const at = maker.addBatch([topUp(2, 1, 'k'.repeat(900))]);
  const path = maker.endSegment();
  const good = readFileSync(path);
  for (let bytes = good.length - 1; bytes >= at; bytes--) {
    truncateSync(path, bytes);
    const report = read(path, true);
    if (report.findings.count !== 0 || report.batches !== 1) t.fail(`cut at ${bytes}: ${sentences(report)}`);
    if (bytes > at && report.tornBytes === 0) t.fail(`cut at ${bytes}: nothing is torn`);
  }
  writeFileSync(path, good.subarray(0, at + 100));
  t.equal(read(path, false).findings.count, 1, 'a closed segment cannot be torn');
});

t.test('a last batch of which any sector is missing is torn', async (t) => {
  const maker = new JournalMaker(t.testdir());
  maker.addBatch([topUp(1, 1, 'k'.repeat(300))]);
  const at = maker.addBatch([topUp(2, 1, 'k'.repeat(2000))]);
  const path = maker.endSegment(Buffer.alloc(3000));
  const good = readFileSync(path);
  const first = at - (at % ONE_SECTOR);
  let sectors = 0;
  for (let sector = first; sector < good.length - 3000; sector += ONE_SECTOR, sectors++) {
    const bytes = Buffer.from(good).fill(0, Math.max(sector, at), sector + ONE_SECTOR);
    writeFileSync(path, bytes);
    t.match(read(path, true), { batches: 1, findings: { count: 0 } }, `without the sector at ${sector}`);
  }
  t.ok(sectors > 3);
});

t.test('what looks torn is damage if something follows, or if no sector is missing', async (t) => {
  const maker = new JournalMaker(t.testdir());
  const first = maker.addBatch([topUp(1, 1, 'k'.repeat(2000))]);
  const second = maker.addBatch([topUp(2, 1)]);
  const path = maker.endSegment(Buffer.alloc(3000));
  const good = readFileSync(path);
  const cases: [name: string, from: number, to: number][] = [
    ['a bit of the last batch', second + 90, second + 91],
    ['a bit of the header of the last batch', second + 9, second + 10],
    ['a sector of the batch before the last', 1024, 1536],
    ['the header of the batch before the last', first, 512],
  ];
  for (const [name, from, to] of cases) {
    const bytes = Buffer.from(good);
    if (to === from + 1) bytes[from] ^= 1;
    else bytes.fill(0, from, to);
    writeFileSync(path, bytes);
    t.match(read(path, true), { tornBytes: 0, damaged: true, findings: { count: 1 } }, name);
  }
});

t.test('batches larger than what is read at once are read whole', async (t) => {
  const entries = Array.from({ length: 40_000 }, (_, i) => topUp(i, 1, 'x'.repeat(40)));
  const maker = new JournalMaker(t.testdir());
  for (let i = 0; i < 8; i++) maker.addBatch(entries.map(({ type, words }) => ({ type, words: [...words] })));
  t.match(read(maker.endSegment(), false), { batches: 8, heard: 320_000, findings: { count: 0 } });
});
