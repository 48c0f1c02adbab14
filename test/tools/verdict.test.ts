// Tries the checks of a verdict, and its lines with both ends and without them.

import t from 'tap';
import { exactCents, exactly, formatVerdict } from '../../tools/verdict.ts';

const CHECKS = [exactly('winners', 1000, 1000), exactCents('yuan won', 100_000, 99_999)];

t.test('a check is passed by exactly its target, and shows counts or yuan', (t) => {
  t.strictSame(CHECKS, [
    { what: 'winners', target: '1,000', reached: '1,000', isPassed: true },
    { what: 'yuan won', target: '1,000.00', reached: '999.99', isPassed: false },
  ]);
  t.end();
});

t.test('both ends are shown where they were compared, and left out where they were not', (t) => {
  const bothEnds = [
    { what: 'shakes', client: 5000, server: 5000, isCents: false },
    { what: 'won, yuan', client: 8000, server: 7999, isCents: true },
  ];
  const lines = formatVerdict({ isPassed: false, checks: CHECKS, bothEnds });
  t.match(
    lines.join('\n'),
    /^both ends +clients +server *\nshakes +5,000 +5,000 +agree\nwon, yuan +80.00 +79.99 +DIFFER$/m,
  );
  t.equal(lines.filter((line) => line === '').length, 2);
  t.equal(lines.at(-1), 'FAILED: 1 of 2 checks');
  const without = formatVerdict({ isPassed: false, checks: CHECKS, bothEnds: [] });
  t.strictSame(without, [...lines.slice(0, 4), lines.at(-1)]);
  t.end();
});
