// The walk along an axis and its tables, over runs that are made up: turns, medians, and that a wrong run shows no speed.

import t from 'tap';
import { type Axis, type Run, walkAxis } from '../../../tools/bench/growth/axis.ts';
import { formatSeries } from '../../../tools/bench/growth/print-growth.ts';

/** An axis with a point for each list of runs; `log` takes what happens, in order. */
function makeAxis(runs: Record<string, (Run | Error)[]>, log: string[] = []): Axis {
  return {
    varies: 'size',
    series: [{ title: 'things', cost: 'us per thing' }],
    points: Object.entries(runs).map(([label, left]) => ({
      label,
      async open() {
        log.push(`open ${label}`);
        const measure = async () => {
          log.push(`run ${label}`);
          const run = left.shift()!;
          if (run instanceof Error) throw run;
          return run;
        };
        return { measures: [measure], close: async () => void log.push(`close ${label}`) };
      },
    })),
    conclude: (results) => [`${results.length} points`],
  };
}

const costs = (...values: number[]): Run[] =>
  values.map((cost) => ({ cost, figures: { 'things/s': 1000 * cost }, faults: [] }));

t.test('points are measured by turns, and closed in the end', async (t) => {
  const log: string[] = [];
  const [series] = await walkAxis(makeAxis({ a: costs(10, 30, 20), b: costs(21, 22, 99) }, log), 3, () => {});
  t.strictSame(log, [
    ...['open a', 'open b'],
    ...['run a', 'run b', 'run a', 'run b', 'run a', 'run b'],
    ...['close a', 'close b'],
  ]);
  t.strictSame(formatSeries('size', series), [
    'things',
    'size  us per thing  least..most  things/s    result',
    'a             20.0   10.0..30.0    20,000  verified',
    'b             22.0   21.0..99.0    22,000  verified',
    'flat: the dearest (b) is 1.10 times the first (a), 1.10 times the cheapest (a)',
    '2 points',
    '',
  ]);
});

t.test('one wrong run takes all figures of its point away, and the verdict with them', async (t) => {
  const wrong: Run = { cost: 1, figures: { 'things/s': 1e6 }, faults: ['one is missing'] };
  const [series] = await walkAxis(makeAxis({ a: costs(10, 10), b: [...costs(10), wrong] }), 2, () => {});
  t.equal(series.flatness, undefined);
  t.strictSame(formatSeries('size', series), [
    'things',
    'size  us per thing  least..most  things/s    result',
    'a             10.0   10.0..10.0    10,000  verified',
    'b                -            -         -     WRONG',
    'WRONG: size b: one is missing',
    '',
  ]);
});

t.test('a run that throws is a fault of its point alone', async (t) => {
  const [series] = await walkAxis(makeAxis({ a: [new Error('no answer')], b: costs(5) }), 1, () => {});
  t.strictSame(
    series.points.map(({ faults }) => faults),
    [['no answer'], []],
  );
});

t.test('a point that cannot be opened ends the walk, and what was opened is closed', async (t) => {
  const log: string[] = [];
  const axis = makeAxis({ a: costs(1) }, log);
  const points = [...axis.points, { label: 'b', open: () => Promise.reject(new Error('no room')) }];
  await t.rejects(
    walkAxis({ ...axis, points }, 1, () => {}),
    /no room/,
  );
  t.strictSame(log, ['open a', 'close a']);
});
