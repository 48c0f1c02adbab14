// Tries the arena of small runs against a plain map of words: live runs never overlap, and freed ones come back.

import fc from 'fast-check';
import t from 'tap';
import { BlockArena, NO_BLOCK } from '../../lib/packets/block-arena.ts';
import { checkProperty } from './check-property.ts';
import { printSeed } from './seed.ts';

printSeed(t);

const FIRST = 100;
const WORDS = 700;

t.test('no two live runs overlap, all lie in the region, and room is refused only where there is none', async (t) => {
  let refused = 0;
  const steps = fc.array(fc.tuple(fc.nat({ max: 2 }), fc.integer({ min: 1, max: 70 }), fc.nat()), {
    maxLength: 120,
    size: 'max',
  });
  const property = fc.property(steps, (taken) => {
    const arena = new BlockArena(FIRST, WORDS);
    const live: { block: number; words: number }[] = [];
    for (const [what, words, which] of taken) {
      if (what === 0 && live.length > 0) {
        const [run] = live.splice(which % live.length, 1);
        arena.free(run.block, run.words);
        continue;
      }
      const block = arena.allocate(words);
      if (block === NO_BLOCK) {
        refused++;
        if (findRoom(live, sizeOf(words))) return false;
        continue;
      }
      if (block < FIRST || block + sizeOf(words) > FIRST + WORDS) return false;
      if (live.some((other) => overlaps(other, block, sizeOf(words)))) return false;
      live.push({ block, words });
    }
    // Whatever the order, everything given back is one region again: its longest run, 512 words, can be had.
    for (const { block, words } of live) arena.free(block, words);
    return arena.allocate(512) === FIRST && arena.allocate(128) === FIRST + 512;
  });
  await checkProperty(t, 'any order of taking and freeing', property, 500);
  t.ok(refused > 50, `${refused} refused`);
});

/** Whether some place that is a multiple of `size` from the start is free for so many words. */
function findRoom(live: readonly { block: number; words: number }[], size: number): boolean {
  for (let block = FIRST; block + size <= FIRST + WORDS - (WORDS % 8); block += size) {
    if (!live.some((other) => overlaps(other, block, size))) return true;
  }
  return false;
}

function overlaps({ block, words }: { block: number; words: number }, from: number, size: number): boolean {
  return block < from + size && from < block + sizeOf(words);
}

t.test('a run holds what was asked for at every size around a power of two', (t) => {
  for (const words of [1, 7, 8, 9, 15, 16, 17, 255, 256, 257, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1]) {
    const arena = new BlockArena(0, 2 ** 22);
    const first = arena.allocate(words);
    const second = arena.allocate(words);
    t.ok(second - first >= words && second - first < Math.max(9, 2 * words), `${words} words take ${second - first}`);
  }
  t.end();
});

t.test('a region is used up to its last word, and not past it', (t) => {
  const arena = new BlockArena(5, 24);
  t.strictSame([arena.allocate(16), arena.allocate(8), arena.allocate(1)], [5, 21, NO_BLOCK]);
  arena.free(5, 16);
  t.strictSame([arena.allocate(1), arena.allocate(1), arena.allocate(1)], [5, 13, NO_BLOCK], 'a long run is halved');
  arena.free(13, 1);
  t.equal(arena.allocate(9), NO_BLOCK, 'half of it is still in use');
  arena.free(5, 1);
  t.equal(arena.allocate(9), 5, 'two halves are one again');
  t.throws(() => arena.free(29, 8), 'what was never given out cannot be freed');
  t.throws(() => {
    arena.free(21, 8);
    arena.free(21, 8);
  }, 'nor twice');
  t.end();
});

/** The words that a run takes: a power of two, 8 at the least. */
function sizeOf(words: number): number {
  let size = 8;
  while (size < words) size *= 2;
  return size;
}
