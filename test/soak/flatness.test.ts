// What counts as flat: noise does, a slope and a step do not.

import t from 'tap';
import { judgeFlat, LEAST_POINTS, type Point } from '../../tools/soak/flatness.ts';

const RULE = { perHour: 0.1, slack: 10, step: 30 };

/** A sample a second. */
function sample(seconds: number, valueAt: (second: number) => number): Point[] {
  return Array.from({ length: seconds }, (_, second) => ({ atSeconds: second, value: valueAt(second) }));
}

t.test('what swings about a mean is flat', (t) => {
  const { isFlat, mean, rise } = judgeFlat(
    sample(600, (second) => 1000 + 40 * Math.sin(second)),
    RULE,
  );
  t.equal(isFlat, true);
  t.ok(Math.abs(mean - 1000) < 2 && Math.abs(rise) < 5, `mean ${mean}, rise ${rise}`);
  t.end();
});

t.test('what grew while it warmed up, and stays, is flat', (t) => {
  t.equal(
    judgeFlat(
      sample(600, (second) => Math.min(second, 200)),
      RULE,
    ).isFlat,
    true,
  );
  t.end();
});

t.test('a slope is not flat from where it passes the slack, and is told exactly', (t) => {
  const { isFlat, rise, mayRise, risePerHour } = judgeFlat(
    sample(601, (second) => 1000 + second / 25),
    RULE,
  );
  t.equal(isFlat, false);
  t.ok(Math.abs(rise - 12) < 0.1, `rises by ${rise}`);
  t.equal(mayRise, 10);
  t.ok(Math.abs(risePerHour - 144 / 1018) < 0.001);
  t.equal(
    judgeFlat(
      sample(601, (second) => 1000 + second / 31),
      RULE,
    ).isFlat,
    true,
    'just below it',
  );
  t.end();
});

t.test('over hours the share of an hour counts', (t) => {
  const hours = (perHour: number) =>
    sample(4 * 3600, (second) => 10_000 * (1 + (perHour * (second - 2 * 3600)) / 3600));
  t.equal(judgeFlat(hours(0.08), { ...RULE, step: 1e9 }).isFlat, true);
  t.equal(judgeFlat(hours(0.13), { ...RULE, step: 1e9 }).isFlat, false);
  t.end();
});

t.test('a step is not flat even if the line is', (t) => {
  const bump = (height: number) => sample(600, (second) => 1000 + (second >= 430 && second < 470 ? height : 0));
  t.equal(judgeFlat(bump(40), { ...RULE, slack: 1000 }).isFlat, true, 'a part of it above the last by less');
  t.equal(judgeFlat(bump(80), { ...RULE, slack: 1000 }).isFlat, false);
  t.end();
});

t.test('too few samples are no verdict', (t) => {
  t.throws(
    () =>
      judgeFlat(
        sample(LEAST_POINTS - 1, () => 1),
        RULE,
      ),
    /too few/,
  );
  t.equal(
    judgeFlat(
      sample(LEAST_POINTS, () => 1),
      RULE,
    ).isFlat,
    true,
  );
  t.end();
});
