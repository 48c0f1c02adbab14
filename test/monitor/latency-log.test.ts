// Tries how histograms of several threads are gathered: by kind, since the start and for the present interval.

import t from 'tap';
import { encodeLatency } from '../../lib/monitor/latency-coding.ts';
import { countBuckets, LatencyLog, summarize } from '../../lib/monitor/latency-log.ts';
import { buildMicroseconds, MAX_MICROSECONDS } from '../../lib/monitor/microseconds.ts';

const KINDS = ['shake', 'grab'] as const;

/** What a thread sends: each value so many times. */
function encode(values: Record<number, number>): string {
  const histogram = buildMicroseconds();
  for (const [value, count] of Object.entries(values)) histogram.recordValueWithCount(Number(value), count);
  return encodeLatency(histogram);
}

const NOTHING = { count: 0, meanUs: 0, p50Us: 0, p90Us: 0, p99Us: 0, p999Us: 0, maxUs: 0 };

t.test('a log that nothing was added to is empty', (t) => {
  const log = new LatencyLog(KINDS);
  t.strictSame(log.summarizeTotal('shake'), NOTHING);
  t.strictSame([...log.openInterval().take()], []);
  t.end();
});

t.test('what threads send adds up, by kind', (t) => {
  const log = new LatencyLog(KINDS);
  const reader = log.openInterval();
  log.add({ shake: encode({ 100: 3 }), grab: encode({ 7: 1 }) });
  log.add({ shake: encode({ 200: 1 }) });
  log.add({});
  t.match(log.summarizeTotal('shake'), { count: 4, meanUs: 125, p50Us: 100, maxUs: 200 });
  t.match(log.summarizeTotal('grab'), { count: 1, meanUs: 7, maxUs: 7 });
  const interval = reader.take();
  t.strictSame([...interval.keys()].sort(), ['grab', 'shake']);
  t.strictSame(summarize(interval.get('shake')!), log.summarizeTotal('shake'));
  t.strictSame(summarize(interval.get('grab')!), log.summarizeTotal('grab'));
  t.end();
});

t.test('an interval begins where the last one was taken; the total goes on', (t) => {
  const log = new LatencyLog(KINDS);
  const reader = log.openInterval();
  const other = log.openInterval();
  log.add({ shake: encode({ 100: 3 }) });
  const first = reader.take();
  log.add({ shake: encode({ 300: 2 }) });
  log.add({ shake: encode({ 500: 2 }) });
  t.match(summarize(first.get('shake')!), { count: 3, maxUs: 100 }, 'what was taken stays as it was');
  const second = reader.take();
  t.match(summarize(second.get('shake')!), { count: 4, meanUs: 400 });
  t.equal(second.has('grab'), false, 'a kind that had nothing is left out');
  t.strictSame([...reader.take()], []);
  t.match(summarize(other.take().get('shake')!), { count: 7, maxUs: 500 }, 'another reader has its own intervals');
  t.match(log.summarizeTotal('shake'), { count: 7, maxUs: 500 });
  t.end();
});

t.test('percentiles are those of the values', (t) => {
  const histogram = buildMicroseconds();
  t.strictSame(summarize(histogram), NOTHING);
  for (let us = 1; us <= 1000; us++) histogram.recordValue(us);
  t.strictSame(summarize(histogram), {
    count: 1000,
    meanUs: 501,
    p50Us: 500,
    p90Us: 900,
    p99Us: 990,
    p999Us: 999,
    maxUs: 1000,
  });
  t.end();
});

t.test('every time up to a minute is told apart to a thousandth', (t) => {
  for (const us of [1, 2, 2047, 2048, 4097, 65_537, 1_000_001, 59_999_999, MAX_MICROSECONDS]) {
    const log = new LatencyLog(KINDS);
    log.add({ shake: encode({ [us]: 1 }) });
    const { p50Us, maxUs } = log.summarizeTotal('shake');
    t.ok(p50Us >= us && p50Us <= us * 1.001 && maxUs >= us && maxUs <= us * 1.001, `${us}: ${p50Us}, ${maxUs}`);
  }
  t.end();
});

t.test('a total that counts for days is right past 2^32 of the same time', (t) => {
  const log = new LatencyLog(KINDS);
  for (let day = 0; day < 3; day++) log.add({ shake: encode({ 20: 3_000_000_000, 500: 1_000_000_000 }) });
  t.strictSame(log.summarizeTotal('shake'), {
    count: 12_000_000_000,
    meanUs: 140,
    p50Us: 20,
    p90Us: 500,
    p99Us: 500,
    p999Us: 500,
    maxUs: 500,
  });
  t.end();
});

t.test('buckets count what took no longer than their bound', (t) => {
  const histogram = buildMicroseconds();
  t.same(countBuckets(histogram, [100, 1000]), { cumulative: [0, 0], count: 0, sumUs: 0 });
  for (const us of [1, 99, 100, 101, 1000, 1001, 60_000_000]) histogram.recordValue(us);
  const { cumulative, count, sumUs } = countBuckets(histogram, [50, 100, 500, 1000, 10_000]);
  t.same(cumulative, [1, 3, 4, 5, 6]);
  t.equal(count, 7);
  t.ok(Math.abs(sumUs / 60_002_302 - 1) < 0.001);
  t.end();
});
