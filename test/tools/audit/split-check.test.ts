// The audit's own split, against the vectors that every implementation must meet.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { deriveSplit, judgeTerms, type SplitTerms } from '../../../tools/audit/split-check.ts';

interface SplitVector extends SplitTerms {
  name: string;
  seed: string;
  amountsCents: number[];
}

const file = new URL('../../../docs/protocol-vectors.json', import.meta.url);
const { splits } = JSON.parse(readFileSync(file, 'utf8')) as { splits: SplitVector[] };

t.ok(splits.length > 10, 'there are vectors');
for (const { name, seed, amountsCents, ...terms } of splits) {
  t.test(name, async (t) => {
    t.equal(judgeTerms(terms), undefined);
    t.same([...deriveSplit(terms, Buffer.from(seed, 'hex'))], amountsCents);
  });
}

t.test('terms that no split can meet are told', async (t) => {
  const terms: SplitTerms = { mode: 'lucky', totalCents: 100, shares: 10, minCents: 1, maxCents: 20 };
  t.equal(judgeTerms(terms), undefined);
  t.match(judgeTerms({ ...terms, shares: 0 }), /no shares/);
  t.match(judgeTerms({ ...terms, minCents: 11 }), /100 cents are not 10 shares of 11 to 20/);
  t.match(judgeTerms({ ...terms, maxCents: 9 }), /100 cents are not 10 shares of 1 to 9/);
  t.match(judgeTerms({ ...terms, minCents: 30 }), /cannot be/);
});
