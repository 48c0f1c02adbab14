// Tries the rule of levels: up only when it lasts, down one by one, no flapping, and a plant that it steadies.

import t from 'tap';
import { LevelRule, TARGET_FILL, TARGET_WAIT_US } from '../../lib/net/level-rule.ts';

const calm = { waitUs: 0, fill: 0 };
const strained = { waitUs: 2 * TARGET_WAIT_US, fill: 0 };

function feed(rule: LevelRule, strain: { waitUs: number; fill: number }, beats: number): number[] {
  const levels: number[] = [];
  for (let i = 0; i < beats; i++) {
    rule.feed(strain);
    levels.push(rule.level);
  }
  return levels;
}

t.test('just inside both targets nothing is ever shed; just beyond either it is', (t) => {
  const inside = new LevelRule();
  t.ok(feed(inside, { waitUs: TARGET_WAIT_US, fill: TARGET_FILL }, 1000).every((level) => level === 0));
  for (const beyond of [
    { waitUs: TARGET_WAIT_US + 1, fill: 0 },
    { waitUs: 0, fill: TARGET_FILL + 0.001 },
  ]) {
    const rule = new LevelRule();
    feed(rule, beyond, 1000);
    t.equal(rule.level, 3);
  }
  t.end();
});

t.test('a hiccup of two beats does nothing; what lasts goes up step by step', (t) => {
  const rule = new LevelRule();
  for (let i = 0; i < 50; i++) {
    feed(rule, strained, 2);
    feed(rule, calm, 1);
  }
  t.equal(rule.level, 0);
  const levels = feed(rule, strained, 14);
  t.strictSame(levels, [0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3], 'at level 2 the share grows to the whole first');
  t.end();
});

t.test('extreme strain is not waited for', (t) => {
  const rule = new LevelRule();
  t.strictSame(feed(rule, { waitUs: 1e6, fill: 1 }, 6), [1, 2, 2, 2, 2, 3]);
  t.end();
});

t.test('the share grows by a quarter and shrinks by a tenth', (t) => {
  const rule = new LevelRule();
  feed(rule, strained, 6);
  t.strictSame([rule.level, rule.share], [2, 0.25]);
  feed(rule, strained, 1);
  t.equal(rule.share, 0.5);
  feed(rule, calm, 1);
  t.equal(rule.share, 0.45);
  feed(rule, { waitUs: 0.75 * TARGET_WAIT_US, fill: 0 }, 100);
  t.equal(rule.share, 0.45, 'between little and too much it stays as it is');
  t.end();
});

t.test('it goes down one level after the other, each after a while of little, within seconds', (t) => {
  const rule = new LevelRule();
  feed(rule, strained, 20);
  const levels = feed(rule, calm, 100);
  t.ok(levels.every((level, i) => i === 0 || level === levels[i - 1] || level === levels[i - 1] - 1));
  t.equal(levels.at(-1), 0);
  t.ok(levels.indexOf(0) < 60, `calm after ${levels.indexOf(0) / 10} s`);
  t.equal(rule.share, 0);
  t.end();
});

t.test('a forced level stays, whatever is measured, until it is released', (t) => {
  const rule = new LevelRule();
  for (const [level, share] of [
    [3, 1],
    [2, 0.5],
    [1, 0],
    [0, 0],
  ] as const) {
    rule.force(level);
    feed(rule, strained, 20);
    feed(rule, calm, 50);
    t.strictSame([rule.level, rule.share, rule.forced], [level, share, level]);
  }
  rule.force(3);
  rule.force(undefined);
  t.equal(rule.level, 3, 'it goes down by itself');
  feed(rule, calm, 100);
  t.equal(rule.level, 0);
  t.end();
});

t.test('a server with half the capacity that is asked for settles between shedding nothing and all', (t) => {
  // A queue: what is offered less what is shed comes in, so much is taken; the wait is what is in it by what is taken.
  const rule = new LevelRule();
  const [offered, capacity, beatUs] = [20_000, 10_000, 100_000];
  let queue = 0;
  let shed = 0;
  let answered = 0;
  let worstUs = 0;
  for (let beat = 0; beat < 600; beat++) {
    const refused = rule.level >= 2 ? offered * rule.share : 0;
    queue += offered - refused;
    const taken = Math.min(queue, capacity);
    queue -= taken;
    rule.feed({ waitUs: (queue / capacity) * beatUs, fill: 0 });
    if (beat < 100) continue;
    shed += refused;
    answered += taken;
    worstUs = Math.max(worstUs, (queue / capacity) * beatUs);
  }
  t.ok(answered > 0.8 * 500 * capacity, `${answered / (500 * capacity)} of the capacity is used`);
  t.ok(shed > 0.3 * 500 * offered, `${shed / (500 * offered)} is shed`);
  t.ok(worstUs < 500_000, `the longest wait is ${worstUs} us`);
  t.end();
});
