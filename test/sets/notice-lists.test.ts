// Tries the lists of waiting notices against plain arrays, and that their cells are used again.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { NoticeLists } from '../../lib/sets/notice-lists.ts';
import { checkProperty } from '../packets/check-property.ts';
import { printSeed } from '../packets/seed.ts';

printSeed(t);

const listOf = (lists: NoticeLists, row: number): number[] => {
  const packets: number[] = [];
  lists.keep(row, (packetId) => packets.push(packetId) > 0);
  return packets;
};

t.test('a row that nobody has touched has an empty list, however high it is', (t) => {
  const lists = new NoticeLists(3);
  for (const row of [0, 1023, 1024, 1_000_000]) {
    t.equal(lists.count(row), 0);
    t.strictSame(listOf(lists, row), []);
    lists.remove(row, 7);
  }
  t.end();
});

t.test('a full list refuses, until something is taken off', (t) => {
  const lists = new NoticeLists(3);
  for (const packetId of [1, 2, 3]) t.equal(lists.add(5, packetId), true);
  t.equal(lists.add(5, 4), false);
  t.strictSame(listOf(lists, 5), [3, 2, 1], 'the latest first');
  lists.removeOldest(5);
  t.strictSame(listOf(lists, 5), [3, 2]);
  t.equal(lists.add(5, 4), true);
  t.strictSame(listOf(lists, 5), [4, 3, 2]);
  t.equal(lists.count(5), 3);
  t.end();
});

const ROWS = [0, 1, 2, 1023, 1024, 5000];

const step = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), row: fc.constantFrom(...ROWS), packetId: fc.integer() }),
  fc.record({ kind: fc.constant('remove' as const), row: fc.constantFrom(...ROWS), packetId: fc.nat(20) }),
  fc.record({ kind: fc.constant('removeOldest' as const), row: fc.constantFrom(...ROWS), packetId: fc.constant(0) }),
  fc.record({ kind: fc.constant('keepOdd' as const), row: fc.constantFrom(...ROWS), packetId: fc.constant(0) }),
  fc.record({ kind: fc.constant('addMany' as const), row: fc.constantFrom(...ROWS), packetId: fc.nat(20) }),
);

t.test('the lists are indistinguishable from one array a row', (t) =>
  checkProperty(
    t,
    'after any steps every list holds the same packets in the same order',
    fc.property(
      fc.array(step, { maxLength: 60, size: 'max' }),
      fc.integer({ min: 1, max: 700 }),
      (steps, maxLength) => {
        const lists = new NoticeLists(maxLength);
        const model = new Map<number, number[]>(ROWS.map((row) => [row, []]));
        const add = (row: number, packetId: number) => {
          const list = model.get(row)!;
          const hasRoom = list.length < maxLength;
          assert.equal(lists.add(row, packetId), hasRoom);
          if (hasRoom) list.unshift(packetId);
        };
        for (const { kind, row, packetId } of steps) {
          const list = model.get(row)!;
          if (kind === 'add') {
            add(row, packetId);
          } else if (kind === 'addMany') {
            // Past the first 1024 cells, and over the edge of the list.
            for (let i = 0; i < 300; i++) add(row, (packetId + i) % 21);
          } else if (kind === 'remove') {
            lists.remove(row, packetId);
            model.set(
              row,
              list.filter((other) => other !== packetId),
            );
          } else if (kind === 'removeOldest' && list.length > 0) {
            lists.removeOldest(row);
            list.pop();
          } else if (kind === 'keepOdd') {
            lists.keep(row, (other) => other % 2 !== 0);
            model.set(
              row,
              list.filter((other) => other % 2 !== 0),
            );
          }
          for (const [row, list] of model) assert.equal(lists.count(row), list.length);
        }
        for (const [row, list] of model) assert.deepEqual(listOf(lists, row), list);
      },
    ),
    300,
  ),
);

t.test('cells that were given back are used again, so memory follows what waits', (t) => {
  const lists = new NoticeLists(100);
  const before = process.memoryUsage().arrayBuffers;
  for (let round = 0; round < 2000; round++) {
    for (let packetId = 0; packetId < 100; packetId++) lists.add(round % 1000, packetId);
    lists.keep(round % 1000, () => false);
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  t.ok(grown < 100_000, `200,000 notices that came and went left ${grown} bytes`);
  t.end();
});
