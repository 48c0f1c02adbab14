// Tries what a serving process prints at each interval: the words for known numbers, and a histogram that adds up.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { JsHistogram } from 'hdr-histogram-js';
import t from 'tap';
import { drawHistogram, formatInterval, type IntervalCounts } from '../../lib/monitor/interval-report.ts';
import { buildMicroseconds, MAX_MICROSECONDS } from '../../lib/monitor/microseconds.ts';

import { checkProperty } from '../packets/check-property.ts';
import { printSeed } from '../packets/seed.ts';

printSeed(t);

const AT = new Date(Date.UTC(2015, 1, 18, 20, 0, 1, 5));

const COUNTS: IntervalCounts = {
  seconds: 2,
  connections: 15_000,
  shakes: 60_001,
  won: 400,
  overload: 0,
  grabs: 7,
  notices: 2_000_000,
};

/** A histogram of these values, each so many times. */
function histogramOf(values: readonly (readonly [us: number, count: number])[]): JsHistogram {
  const histogram = buildMicroseconds();
  for (const [us, count] of values) histogram.recordValueWithCount(us, count);
  return histogram;
}

t.test('nothing is printed of an interval in which nothing happened', (t) => {
  t.strictSame(formatInterval(AT, COUNTS, new Map()), []);
  t.end();
});

t.test('an interval is printed as rates, percentiles by kind, and the histogram of shakes', (t) => {
  const latencies = new Map([
    [
      'shake',
      histogramOf([
        [1, 1],
        [20, 500],
        [31, 499],
        [900, 9],
      ]),
    ],
    ['login', histogramOf([[1500, 2]])],
  ]);
  t.strictSame(formatInterval(AT, COUNTS, latencies), [
    '2015-02-18T20:00:01.005Z  connections 15,000  shakes 30,001/s  won 200/s  overload 0/s  grabs 4/s  notices 1,000,000/s',
    '  in the server, ms  count   mean    p50    p90    p99  p99.9    max',
    '  shake              1,009  0.033  0.031  0.031  0.031  0.900  0.900',
    '  login                  2  1.500  1.500  1.500  1.500  1.500  1.500',
    '    < 0.002 ms  #####                                     1',
    '    < 0.004 ms                                            0',
    '    < 0.008 ms                                            0',
    '    < 0.016 ms                                            0',
    '    < 0.032 ms  ########################################  999',
    '    < 0.064 ms                                            0',
    '    < 0.128 ms                                            0',
    '    < 0.256 ms                                            0',
    '    < 0.512 ms                                            0',
    '    < 1.024 ms  ##############                            9',
  ]);
  t.end();
});

t.test('an interval without shakes has no histogram', (t) => {
  const lines = formatInterval(AT, COUNTS, new Map([['grab', histogramOf([[50, 3]])]]));
  t.equal(lines.length, 3);
  t.match(lines[2], /^ {2}grab +3 /);
  t.end();
});

t.test('an empty histogram draws nothing', (t) => {
  t.strictSame(drawHistogram(buildMicroseconds()), []);
  t.end();
});

/** A drawn line: the bound in microseconds, the length of the bar, the count. */
function readLine(line: string): { belowUs: number; bar: number; count: number } {
  const match = /^ *< (\d+\.\d{3}) ms {2}(#*) *(\d{1,3}(?:,\d{3})*)$/.exec(line);
  assert(match !== null, `the line reads: ${line}`);
  return {
    belowUs: Math.round(Number(match[1]) * 1000),
    bar: match[2].length,
    count: Number(match[3].replaceAll(',', '')),
  };
}

const values = fc.array(
  fc.tuple(
    fc.oneof(
      fc.integer({ min: 1, max: 3000 }),
      fc.integer({ min: 1, max: MAX_MICROSECONDS }),
      fc.integer({ min: 0, max: 25 }).map((power) => 2 ** power),
      fc.integer({ min: 1, max: 25 }).map((power) => 2 ** power - 1),
      fc.constant(MAX_MICROSECONDS),
    ),
    fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 1_000_000 })),
  ),
  { minLength: 1, maxLength: 30 },
);

t.test('every value is in the line of its power of two, and the lines add up', (t) =>
  checkProperty(
    t,
    'the lines hold every value once, from the first line that has any to the last',
    fc.property(values, (values) => {
      const lines = drawHistogram(histogramOf(values)).map(readLine);
      for (const [i, { belowUs, bar, count }] of lines.entries()) {
        if (i > 0) assert.equal(belowUs, 2 * lines[i - 1].belowUs, 'no line is left out');
        let expected = 0;
        for (const [us, times] of values) if (us < belowUs && us >= Math.floor(belowUs / 2)) expected += times;
        assert.equal(count, expected, `below ${belowUs} us`);
        assert.equal(bar > 0, count > 0, 'a bar wherever there is anything');
        for (const other of lines) if (other.count >= count) assert(other.bar >= bar, 'more has no shorter bar');
      }
      assert(lines[0].count > 0 && lines.at(-1)!.count > 0, 'no empty lines around');
      assert.equal(
        lines.reduce((sum, { count }) => sum + count, 0),
        values.reduce((sum, [, times]) => sum + times, 0),
      );
      assert.equal(Math.max(...lines.map(({ bar }) => bar)), 40, 'the longest bar is as long as may be');
    }),
    500,
  ),
);
