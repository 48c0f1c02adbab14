// Tries how the samples of a second become one: counts, rates, gauges, latency, by role.

import t from 'tap';
import { mergeSamples, mergeSecond } from '../../lib/monitor/merged-second.ts';
import { encodeValues, makeSample, SECOND } from './make-samples.ts';

t.test('counts and rates add up, each rate over its own interval; the roles stay apart', (t) => {
  const merged = mergeSecond(SECOND, [
    makeSample({ source: 'load:1', role: 'client', counts: { sent: 100 } }),
    makeSample({ source: 'load:2', role: 'client', seconds: 2, counts: { sent: 50, won: 1 } }),
    makeSample({ counts: { requestsShake: 150 } }),
  ]);
  t.match(merged.client, { sources: 2, counts: { sent: 150, won: 1 }, rates: { sent: 125, won: 0.5 } });
  t.match(merged.server, { sources: 1, counts: { requestsShake: 150 }, rates: { requestsShake: 150 } });
  t.equal(mergeSecond(SECOND, [makeSample()]).client, undefined, 'a role that nobody has is not there');
  t.end();
});

t.test('gauges are added up, or the worst is taken, as each one is', (t) => {
  const { server } = mergeSecond(SECOND, [
    makeSample({ source: 'a', gauges: { connections: 5, level: 0, ringWaitMaxUs: 900, rssBytes: 10, unheard: 1 } }),
    makeSample({ source: 'b', gauges: { connections: 7, level: 2, ringWaitMaxUs: 100, rssBytes: 20, unheard: 2 } }),
  ]);
  t.strictSame(server!.gauges, { connections: 12, level: 2, ringWaitMaxUs: 900, rssBytes: 30, unheard: 3 });
  t.end();
});

t.test('two samples of one process in one second, when its clock was set back, are one process', (t) => {
  const { server } = mergeSecond(SECOND, [
    makeSample({ counts: { won: 3 }, gauges: { connections: 5 } }),
    makeSample({ sequence: 1, counts: { won: 4 }, gauges: { connections: 6 } }),
  ]);
  t.match(server, { sources: 1, counts: { won: 7 }, gauges: { connections: 6 } });
  t.end();
});

t.test('histograms merge: percentiles are those of all requests, not means of percentiles', (t) => {
  const { client } = mergeSecond(SECOND, [
    makeSample({ source: 'a', role: 'client', latency: { shake: encodeValues({ 100: 99 }) } }),
    makeSample({
      source: 'b',
      role: 'client',
      latency: { shake: encodeValues({ 10000: 1 }), grab: encodeValues({ 5: 1 }) },
    }),
  ]);
  t.match(client!.latency.shake, { count: 100, p50Us: 100, p99Us: 100, maxUs: 10_007 });
  t.match(client!.latency.grab, { count: 1, heat: { first: 0, counts: [1] } });
  const { heat } = client!.latency.shake;
  t.equal(
    heat.counts.reduce((sum, count) => sum + count, 0),
    100,
    'the heat map has every request',
  );
  t.equal(heat.first, 8, '100 us are within the bucket that ends there, eight after the one that ends at 10 us');
  t.end();
});

t.test('seconds come in order, those without a sample are not there', (t) => {
  const seconds = [5, 2, 9, 2].map((offset, sequence) =>
    makeSample({ second: SECOND + offset, sequence, counts: { won: 1 } }),
  );
  t.strictSame(
    mergeSamples(seconds).map(({ second, server }) => [second - SECOND, server!.counts.won]),
    [
      [2, 2],
      [5, 1],
      [9, 1],
    ],
  );
  t.end();
});

t.test('names that every object has are names like others', (t) => {
  const { server } = mergeSecond(SECOND, [
    makeSample({ counts: { constructor: 2 }, gauges: { toString: 3 } as never }),
    makeSample({ source: 'b', counts: { constructor: 2 }, gauges: { toString: 3 } as never }),
  ]);
  t.strictSame([server!.counts.constructor, server!.rates.constructor, server!.gauges.toString], [4, 4, 6]);
  t.end();
});
