// Tries how samples are made of running totals, with clocks that stall and jump.

import t from 'tap';
import { sampleSchema } from '../../lib/monitor/sample.ts';
import { SampleMaker } from '../../lib/monitor/sample-maker.ts';
import { SECOND } from './make-samples.ts';

function open(totals: Record<string, number> = {}) {
  const clock = { steady: 500, wall: SECOND * 1000 };
  const origin = { source: 'server:1', run: 'aaa', role: 'server' as const };
  const maker = new SampleMaker(
    origin,
    totals,
    () => clock.steady,
    () => clock.wall,
  );
  const make = (totals: Record<string, number>, isLast?: boolean) =>
    maker.make({ totals, counts: { gcPauses: 2 }, gauges: { level: 0 }, latency: {} }, isLast);
  return { clock, make };
}

t.test('a sample has what was counted since the one before, and the second that its interval lies in', (t) => {
  const { clock, make } = open({ won: 10 });
  clock.steady += 1000;
  clock.wall += 1060;
  const first = make({ won: 13, late: 4 });
  t.match(first, { second: SECOND, seconds: 1, sequence: 0, counts: { won: 3, late: 4, gcPauses: 2 } });
  clock.steady += 1002;
  clock.wall += 1002;
  t.match(make({ won: 13, late: 4 }, true), { second: SECOND + 1, sequence: 1, counts: { won: 0 }, isLast: true });
  t.ok(sampleSchema.safeParse(first).success);
  t.end();
});

t.test('a process that stood still says for how long', (t) => {
  const { clock, make } = open();
  clock.steady += 5300;
  clock.wall += 5300;
  t.match(make({ won: 53 }), { seconds: 5.3, second: SECOND + 4, counts: { won: 53 } });
  t.end();
});

t.test('a clock that jumps changes the second, never the interval or a count', (t) => {
  const { clock, make } = open();
  clock.steady += 1000;
  clock.wall -= 3_600_000;
  t.match(make({ won: 1 }), { seconds: 1, second: SECOND - 3601, counts: { won: 1 } });
  clock.steady += 1000;
  clock.wall += 7_200_000;
  t.match(make({ won: 2 }), { seconds: 1, counts: { won: 1 } });
  clock.wall = -5000;
  t.ok(sampleSchema.safeParse(make({ won: 0 })).success, 'a count that went back counts nothing');
  t.end();
});
