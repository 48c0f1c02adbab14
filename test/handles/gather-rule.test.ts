// A nap waits for so many arrivals as come in a tenth of a millisecond, and for one alone where the others do not come.

import t from 'tap';
import { GatherRule } from '../../lib/handles/gather-rule.ts';

t.test('as many as come in a tenth of a millisecond, 1 to 8', (t) => {
  const rule = new GatherRule();
  for (const [perMs, wanted] of [
    [0, 1],
    [5, 1],
    [14.9, 1],
    [15, 2],
    [24.9, 2],
    [80, 8],
    [1000, 8],
  ]) {
    t.equal(rule.begin(perMs, 1000), wanted, `${perMs} a millisecond`);
    rule.end(wanted, 0.1);
  }
  t.end();
});

/** How many of so many naps waited for more than one, where never more than one comes. */
function countVain(rule: GatherRule, naps: number): number {
  let vain = 0;
  for (let i = 0; i < naps; i++) {
    const wanted = rule.begin(20, 1000);
    if (wanted > 1) vain++;
    rule.end(1, wanted > 1 ? 2 : 0.04);
  }
  return vain;
}

t.test('no more than a sixteenth of the connections', (t) => {
  const rule = new GatherRule();
  for (const [connections, wanted] of [
    [0, 1],
    [31, 1],
    [32, 2],
    [100, 6],
    [128, 8],
  ]) {
    t.equal(rule.begin(1000, connections), wanted, `${connections} connections`);
    rule.end(wanted, 0.1);
  }
  t.end();
});

t.test('who waits in vain does it less and less', (t) => {
  const rule = new GatherRule();
  t.equal(countVain(rule, 16 + 1), 1);
  t.equal(countVain(rule, 32 + 1), 1);
  countVain(rule, 100_000);
  const vain = countVain(rule, 100_000);
  t.ok(vain >= 24 && vain <= 25, `${vain}: one in 4,097`);
  t.end();
});

t.test('when they come again it waits for them again', (t) => {
  const rule = new GatherRule();
  countVain(rule, 100_000);
  let naps = 0;
  for (; rule.begin(20, 1000) === 1; naps++) rule.end(1, 0.04);
  t.ok(naps <= 4096);
  for (let i = 0; i < 100; i++) {
    rule.end(2, 0.1);
    t.equal(rule.begin(20, 1000), 2);
  }
  rule.end(1, 2);
  naps = 0;
  for (; rule.begin(20, 1000) === 1; naps++) rule.end(1, 0.04);
  t.equal(naps, 16, 'and what was in vain before is forgotten');
  t.end();
});

t.test('a nap that is cut short, as by a message, was not in vain', (t) => {
  const rule = new GatherRule();
  for (let i = 0; i < 100; i++) {
    t.equal(rule.begin(20, 1000), 2);
    rule.end(1, 0.05);
  }
  t.end();
});
