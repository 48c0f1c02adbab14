// Tries the seeded generator: uniform over every span, the same stream for the same seed, and a checkable commitment.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { commitTo, SEED_BYTES, SeededRandom } from '../../lib/packets/seeded-random.ts';
import { checkProperty } from './check-property.ts';
import { fixedSeed, printSeed, seed, seedBytes } from './seed.ts';
import { findUneven } from './statistics.ts';

printSeed(t);

t.test('small spans are uniform, whether or not they divide 2^32', (t) => {
  for (const [low, span] of [
    [0, 2],
    [1, 3],
    [-4, 5],
    [7, 6],
    [0, 7],
    [100, 10],
    [0, 16],
    [1, 100],
    [0, 641],
  ]) {
    const random = new SeededRandom(seedBytes(fixedSeed, span));
    const counts = new Array<number>(span).fill(0);
    for (let i = 0; i < 30_000; i++) counts[random.drawBetween(low, low + span - 1) - low]++;
    t.equal(findUneven(counts), undefined, `${span} numbers from ${low}`);
  }
  t.end();
});

t.test('spans near 2^32 are uniform too: without the rejection the low numbers would come twice as often', (t) => {
  for (const [span, parts] of [
    [3 * 2 ** 30, 3],
    [5 * 2 ** 29, 5],
    [7 * 2 ** 29, 7],
    [2 ** 32, 8],
  ]) {
    const random = new SeededRandom(seedBytes(fixedSeed, parts));
    const counts = new Array<number>(parts).fill(0);
    for (let i = 0; i < 30_000; i++) counts[Math.floor((random.drawBetween(0, span - 1) * parts) / span)]++;
    t.equal(findUneven(counts), undefined, `${parts} parts of ${span}`);
  }
  t.end();
});

t.test('the draws are those that the published rule gives', async (t) => {
  const spans = fc.array(
    fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 50 }), fc.integer({ min: 2 ** 31, max: 2 ** 32 })),
    { minLength: 1, maxLength: 40 },
  );
  const property = fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), spans, (bytes, wanted) => {
    const random = new SeededRandom(bytes);
    let at = 0;
    return wanted.every((span) => {
      let word: number;
      // Below the largest multiple of the span that fits in 2^32.
      do word = wordOf(bytes, at++);
      while (BigInt(word) >= (2n ** 32n / BigInt(span)) * BigInt(span));
      return random.drawBetween(5, 5 + span - 1) === 5 + (word % span);
    });
  });
  await checkProperty(t, 'spans of all sizes', property, 300);
});

t.test('one stream of one seed is on record', (t) => {
  const random = new SeededRandom(new Uint8Array(SEED_BYTES));
  const drawn = Array.from({ length: 10 }, () => random.drawBetween(1, 100));
  t.strictSame(drawn, [30, 3, 16, 96, 47, 89, 79, 35, 49, 36], 'the seed of 32 zero bytes');
  t.end();
});

t.test('a generator keeps its own copy of the seed', (t) => {
  const bytes = seedBytes(seed, 1);
  const random = new SeededRandom(bytes);
  const same = new SeededRandom(Buffer.from(bytes));
  bytes.fill(0);
  t.equal(random.drawBetween(0, 2 ** 32 - 1), same.drawBetween(0, 2 ** 32 - 1));
  t.end();
});

t.test('the commitment is the sha256 of the seed', (t) => {
  t.equal(
    commitTo(new Uint8Array(SEED_BYTES)).toString('hex'),
    '66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925',
  );
  for (let i = 0; i < 20; i++) {
    const bytes = seedBytes(seed, i);
    t.strictSame(commitTo(bytes), createHash('sha256').update(bytes).digest());
  }
  t.end();
});

t.test('a seed of another length, an empty span and one above 2^32 are refused', (t) => {
  t.throws(() => new SeededRandom(new Uint8Array(31)));
  t.throws(() => new SeededRandom(new Uint8Array(33)));
  const random = new SeededRandom(new Uint8Array(SEED_BYTES));
  t.throws(() => random.drawBetween(1, 0));
  t.throws(() => random.drawBetween(0, 2 ** 32));
  t.end();
});

/** Word `at` of the stream of a seed, by the head of seeded-random.ts. */
function wordOf(bytes: Uint8Array, at: number): number {
  const index = Buffer.alloc(4);
  index.writeUInt32BE(Math.floor(at / 8));
  return createHash('sha256')
    .update(bytes)
    .update(index)
    .digest()
    .readUInt32BE(4 * (at % 8));
}
