// Tries bars at and beyond their ends, and when a progress line is printed on a terminal and elsewhere.

import t from 'tap';
import { emptyTotals } from '../../clients/load/load-totals.ts';
import { formatProgress } from '../../clients/load/print-result.ts';
import { formatBar, formatPercent, formatProgressLine, ProgressLine } from '../../tools/progress-line.ts';

/** A line on an output that keeps what is written, with a clock that stands until it is moved. */
function makeLine(isTTY: boolean, columns?: number) {
  const written: string[] = [];
  const clock = { nowMs: 1000 };
  const output = { isTTY, ...(columns === undefined ? {} : { columns }), write: (text: string) => written.push(text) };
  return { line: new ProgressLine(output, () => clock.nowMs), written, clock };
}

t.test('a bar shows the share that is done, and is full only when all is done', (t) => {
  const bars: [done: number, total: number | undefined, bar: string, percent: string][] = [
    [0, 10, '[----------]', '  0%'],
    [4.5, 10, '[####------]', ' 45%'],
    [9999, 10_000, '[#########-]', ' 99%'],
    [10, 10, '[##########]', '100%'],
    [25, 10, '[##########]', '100%'],
    [-3, 10, '[----------]', '  0%'],
    [0, 0, '[##########]', '100%'],
    [5, 0, '[##########]', '100%'],
    [5, undefined, '[----------]', '   ?'],
    [5, Number.NaN, '[----------]', '   ?'],
    [5, Number.POSITIVE_INFINITY, '[----------]', '   ?'],
    [Number.NaN, 10, '[----------]', '  0%'],
  ];
  for (const [done, total, bar, percent] of bars) {
    t.equal(formatBar(done, total, 10), bar, `${done} of ${total}`);
    t.equal(formatPercent(done, total), percent, `${done} of ${total}`);
  }
  t.equal(formatBar(1, 2, 0), '[]');
  t.equal(formatBar(1, 2, 1), '[-]');
  t.end();
});

t.test('a line has the phase, the bar, and how much is done, as far as these are known', (t) => {
  const phase = 'connecting';
  const line = formatProgressLine({ phase, done: 4500, total: 10_000 }, 20);
  t.equal(line, 'connecting  [#########-----------]  45%  4,500 of 10,000');
  t.equal(formatProgressLine({ phase, done: 4500, total: 10_000 }, 0), 'connecting  45%  4,500 of 10,000');
  t.equal(formatProgressLine({ phase, done: 4500, total: 10_000, how: 'half' }, 0), 'connecting  45%  half');
  t.equal(formatProgressLine({ phase, done: 4500 }, 20), 'connecting  4,500');
  t.equal(formatProgressLine({ phase, how: 'sent 5' }, 20), 'connecting  sent 5');
  t.equal(formatProgressLine({ phase }, 20), 'connecting');
  t.end();
});

t.test('on a terminal the line is drawn in place: at once, for each phase, and four times a second', (t) => {
  const { line, written, clock } = makeLine(true, 40);
  line.show({ phase: 'a', done: 1, total: 3 });
  line.show({ phase: 'a', done: 2, total: 3 });
  t.strictSame(written.splice(0), ['\r\x1b[Ka  [######--------------]  33%  1 of 3']);
  line.show({ phase: 'b' });
  t.strictSame(written.splice(0), ['\r\x1b[Kb']);
  clock.nowMs += 249;
  line.show({ phase: 'b' });
  t.strictSame(written, []);
  clock.nowMs += 1;
  line.show({ phase: 'b', how: 'x'.repeat(100) });
  t.strictSame(written.splice(0), [`\r\x1b[Kb  ${'x'.repeat(36)}`], 'a line never wraps');
  line.end();
  line.end();
  t.strictSame(written, ['\r\x1b[K'], 'nothing of it is left, and nothing else is cleared');
  t.end();
});

t.test('elsewhere short work prints nothing, and long work a line every five seconds', (t) => {
  const { line, written, clock } = makeLine(false);
  for (; clock.nowMs < 5900; clock.nowMs += 100) line.show({ phase: `phase ${clock.nowMs}` });
  t.strictSame(written, []);
  for (; clock.nowMs <= 16_000; clock.nowMs += 100) line.show({ phase: 'long', done: clock.nowMs, total: 20_000 });
  t.strictSame(written, [
    'long  30%  6,000 of 20,000\n',
    'long  55%  11,000 of 20,000\n',
    'long  80%  16,000 of 20,000\n',
  ]);
  line.end();
  t.equal(written.length, 3);
  t.end();
});

t.test('a load test has a bar while it connects, shakes and drains', (t) => {
  const totals = { ...emptyTotals(), connected: 450, sent: 1000, answered: 900, grabsSent: 20, grabsAnswered: 10 };
  t.strictSame(formatProgress('connecting', totals, 1000, 0), {
    phase: 'connecting',
    done: 450,
    total: 1000,
    how: '450 of 1,000',
  });
  const how = 'sent 1,000  answered 900 (30/s)  won 0  overload 0  notices 0  grabs 10';
  t.strictSame(formatProgress('shaking', totals, 1000, 30), { phase: 'shaking', how });
  const time = { seconds: 3, ofSeconds: 10 };
  t.strictSame(formatProgress('shaking', totals, 1000, 30, time), { phase: 'shaking', done: 3, total: 10, how });
  t.strictSame(formatProgress('draining', totals, 1000, 30, time), { phase: 'draining', done: 910, total: 1020, how });
  t.end();
});
