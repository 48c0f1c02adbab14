// The rule of flat costs, and the middle of a few runs.

import t from 'tap';
import { judgeFlatness, spreadOf } from '../../../tools/bench/growth/flatness.ts';

function judge(...costs: number[]) {
  return judgeFlatness(costs.map((cost, i) => ({ label: `point ${i}`, cost })));
}

t.test('the median is the middle value, or lies between the two middle ones', async (t) => {
  t.strictSame(spreadOf([7]), { median: 7, least: 7, most: 7 });
  t.strictSame(spreadOf([30, 4, 100]), { median: 30, least: 4, most: 100 });
  t.strictSame(spreadOf([9, 1, 3, 5]), { median: 4, least: 1, most: 9 });
});

t.test('taking the median leaves the runs in their order', async (t) => {
  const runs = [3, 1, 2];
  spreadOf(runs);
  t.strictSame(runs, [3, 1, 2]);
});

t.test('costs are flat up to a fifth above the first', async (t) => {
  t.equal(judge(10).isFlat, true);
  t.equal(judge(10, 12, 11).isFlat, true);
  t.equal(judge(10, 12.01, 10).isFlat, false);
  t.equal(judge(10, 9, 12.5).isFlat, false);
});

t.test('falling costs are no fault, however far they fall and rise again', async (t) => {
  t.equal(judge(10, 5, 1).isFlat, true);
  t.equal(judge(10, 1, 11).isFlat, true);
});

t.test('the sentence names the dearest point, and by how much', async (t) => {
  t.equal(
    judge(10, 8, 11).sentence,
    'flat: the dearest (point 2) is 1.10 times the first (point 0), 1.38 times the cheapest (point 1)',
  );
  t.match(judge(10, 25).sentence, /^NOT FLAT: the dearest \(point 1\) is 2\.50 times the first/);
});

t.test('what costs nothing at all is flat', async (t) => {
  t.match(judge(0, 0), { isFlat: true, sentence: /1\.00 times the first/ });
  t.equal(judge(0, 1).isFlat, false);
});
