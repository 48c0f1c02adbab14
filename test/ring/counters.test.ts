// Tries the shared counters on one thread: wrapping counts, gauges, sums up to 2^53, several blocks.

import t from 'tap';
import { allocateCounters, type CounterNames, CounterReader, CounterWriter } from '../../lib/ring/counters.ts';
import { mix, Random, readSeed } from './seed.ts';

const seed = readSeed();
t.comment(`SEED=${seed}`);

const NAMES: CounterNames = { counts: ['accepted', 'open'], sums: ['issued', 'claimed'] };

function open(blocks = 1, names = NAMES) {
  const memories = Array.from({ length: blocks }, () => allocateCounters(names));
  return {
    writers: memories.map((memory) => new CounterWriter(memory, names)),
    reader: new CounterReader(memories, names),
  };
}

t.test('a new block counts nothing', (t) => {
  const { reader } = open();
  reader.update();
  t.same([reader.count(0), reader.count(1), reader.sum(0), reader.sum(1)], [0, 0, 0, 0]);
  t.end();
});

t.test('a count goes on where 32 bits end', (t) => {
  const {
    writers: [writer],
    reader,
  } = open();
  let total = 0;
  for (const by of [2 ** 31 - 2, 1, 1, 1, 2 ** 31 - 1, 2 ** 30, 2 ** 31 - 1, 3, 2 ** 31 - 1, 2 ** 31 - 1]) {
    writer.add(0, by);
    total += by;
    reader.update();
    t.equal(reader.count(0), total);
  }
  t.ok(total > 2 ** 33, 'it went round twice');
  t.end();
});

t.test('a count is as of the last update', (t) => {
  const {
    writers: [writer],
    reader,
  } = open();
  writer.add(0, 5);
  t.equal(reader.count(0), 0);
  reader.update();
  writer.add(0, 1);
  t.equal(reader.count(0), 5);
  reader.update();
  reader.update();
  t.equal(reader.count(0), 6, 'and no difference is taken in twice');
  t.end();
});

t.test('a gauge falls, below zero too, and leaves its neighbours alone', (t) => {
  const {
    writers: [writer],
    reader,
  } = open();
  const seen: number[] = [];
  for (const by of [3, -1, -5, -(2 ** 31) + 1, 2 ** 31 - 1, 3]) {
    writer.add(1, by);
    reader.update();
    seen.push(reader.count(1));
  }
  t.same(seen, [3, 2, -3, -(2 ** 31) - 2, -3, 0]);
  t.same([reader.count(0), reader.sum(0), reader.sum(1)], [0, 0, 0]);
  t.end();
});

t.test('a sum is exact at every edge up to 2^53', (t) => {
  for (const edge of [1, 2 ** 31, 2 ** 32, 3 * 2 ** 31, 2 ** 40, 2 ** 52, 2 ** 53]) {
    const {
      writers: [writer],
      reader,
    } = open();
    writer.addToSum(1, edge - 1);
    t.equal(reader.sum(1), edge - 1);
    writer.addToSum(1, 1);
    t.equal(reader.sum(1), edge);
    if (edge === 2 ** 53) continue;
    writer.addToSum(1, 1);
    t.equal(reader.sum(1), edge + 1);
    t.equal(reader.sum(0), 0, 'the other sum is untouched');
  }
  t.end();
});

t.test('counts and sums of several blocks add up, as in plain arithmetic', (t) => {
  const random = new Random(mix(seed, 1));
  const blocks = 5;
  const names = { counts: ['a', 'b', 'c'], sums: ['x', 'y', 'z'] };
  const { writers, reader } = open(blocks, names);
  const counts = [0, 0, 0];
  const sums = [0, 0, 0];
  let faults = 0;
  for (let step = 0; step < 100_000; step++) {
    const cell = random.below(3);
    const writer = writers[random.below(blocks)];
    // Amounts of every length, so that each part of a cell moves.
    const amount = random.below(2 ** random.below(31));
    if (random.below(2) === 0) {
      const by = random.below(3) === 0 ? -amount : amount;
      writer.add(cell, by);
      counts[cell] += by;
      // Before a cell can have moved by 2^31.
      reader.update();
    } else {
      writer.addToSum(cell, amount * 512);
      sums[cell] += amount * 512;
    }
    if (reader.count(cell) !== counts[cell] || reader.sum(cell) !== sums[cell]) faults++;
  }
  t.equal(faults, 0);
  for (let cell = 0; cell < 3; cell++) {
    t.equal(reader.count(cell), counts[cell], `count ${counts[cell]}`);
    t.equal(reader.sum(cell), sums[cell], `sum ${sums[cell]}`);
    t.ok(sums[cell] > 2 ** 33, 'the high part moved');
  }
  t.end();
});

t.test('a block may have counts only, or sums only', (t) => {
  const {
    writers: [counting],
    reader: counts,
  } = open(1, { counts: ['a'], sums: [] });
  counting.add(0, 7);
  counts.update();
  t.equal(counts.count(0), 7);
  const {
    writers: [adding],
    reader: sums,
  } = open(1, { counts: [], sums: ['x'] });
  adding.addToSum(0, 2 ** 40);
  sums.update();
  t.equal(sums.sum(0), 2 ** 40);
  t.end();
});

t.test('a block ends with 128 bytes that nobody writes', (t) => {
  for (const length of [0, 1, 31, 32, 33, 100]) {
    const names = { counts: Array.from({ length }, (_, i) => `c${i}`), sums: ['s'] };
    t.ok(allocateCounters(names).byteLength >= 4 * (length + 3) + 128, `${length} counts and a sum`);
  }
  t.end();
});
