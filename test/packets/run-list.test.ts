// Tries the list of long runs against a plain map of words: runs never overlap, and freed room is found again.

import fc from 'fast-check';
import t from 'tap';
import { RunList } from '../../lib/packets/run-list.ts';
import { checkProperty } from './check-property.ts';
import { printSeed } from './seed.ts';

printSeed(t);

const WORDS = 60;

t.test('runs never overlap, lie in the arena, and are refused only when there is no gap', async (t) => {
  let refused = 0;
  let reused = 0;
  const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 25 }), fc.nat()), {
    maxLength: 60,
    size: 'max',
  });
  const property = fc.property(steps, (taken) => {
    const list = new RunList(WORDS);
    const runs: { first: number; words: number }[] = [];
    const owners = new Array<number>(WORDS).fill(0);
    const everUsed = new Set<number>();
    for (const [takes, words, which] of taken) {
      if (!takes) {
        if (runs.length === 0) continue;
        const [run] = runs.splice(which % runs.length, 1);
        list.give(run.first);
        owners.fill(0, run.first, run.first + run.words);
        continue;
      }
      const first = list.take(words);
      const gap = owners
        .map((owner) => (owner === 0 ? '.' : 'x'))
        .join('')
        .indexOf('.'.repeat(words));
      if (first !== gap) return false;
      if (first < 0) {
        refused++;
        continue;
      }
      if (everUsed.has(first)) reused++;
      for (let word = first; word < first + words; word++) everUsed.add(word);
      owners.fill(1, first, first + words);
      runs.push({ first, words });
    }
    return true;
  });
  await checkProperty(t, 'the first gap that is long enough', property, 400);
  t.ok(refused > 50 && reused > 50, `${refused} refused, ${reused} on words used before`);
});

t.test('the whole arena can be one run, and again after it was given back', (t) => {
  const list = new RunList(WORDS);
  t.equal(list.take(WORDS), 0);
  t.equal(list.take(1), -1);
  list.give(0);
  t.equal(list.take(WORDS), 0);
  t.equal(new RunList(WORDS).take(WORDS + 1), -1, 'never more than there is');
  t.end();
});

t.test('giving back what is not taken changes nothing', (t) => {
  const list = new RunList(WORDS);
  list.take(10);
  list.give(5);
  list.give(10);
  t.equal(list.take(WORDS - 10), 10);
  t.equal(list.take(1), -1);
  t.end();
});
