// Tries the store with clocks of our own: what it takes, what it refuses, who is missing, how much it keeps.

import t from 'tap';
import { KEPT_SECONDS, OPEN_SECONDS, SampleStore } from '../../lib/monitor/sample-store.ts';
import { makeSample, SECOND } from './make-samples.ts';

/** A store whose clocks are moved by hand; `wall` is Unix seconds, `steady` the milliseconds that never step. */
function open() {
  const clock = { wall: SECOND, steady: 0 };
  const store = new SampleStore(
    () => clock.wall * 1000,
    () => clock.steady,
  );
  const pass = (seconds: number) => {
    clock.wall += seconds;
    clock.steady += seconds * 1000;
  };
  return { store, clock, pass };
}

t.test('samples of one second are one, late ones too, as long as the second is open', (t) => {
  const { store, pass } = open();
  t.equal(store.add(makeSample({ counts: { won: 1 } })), undefined);
  t.match(store.second(SECOND)!.server!.counts, { won: 1 });
  pass(OPEN_SECONDS - 1);
  t.equal(store.add(makeSample({ source: 'b', counts: { won: 2 } })), undefined);
  t.match(store.second(SECOND)!.server, { sources: 2, counts: { won: 3 } });
  pass(1);
  t.equal(store.add(makeSample({ source: 'c' })), 'late');
  pass(1);
  t.equal(store.add(makeSample({ source: 'c', second: SECOND + OPEN_SECONDS })), undefined);
  t.match(store.second(SECOND)!.server, { sources: 2, counts: { won: 3 } }, 'merged for good, it is still the same');
  t.end();
});

t.test('a sample that comes twice is refused, in whatever order they come', (t) => {
  const { store } = open();
  for (const sequence of [3, 1, 2]) t.equal(store.add(makeSample({ sequence })), undefined);
  for (const sequence of [1, 2, 3]) t.equal(store.add(makeSample({ sequence })), 'duplicate');
  t.equal(store.add(makeSample({ sequence: 4 })), undefined);
  t.equal(store.add(makeSample({ sequence: 1, run: 'bbb' })), undefined, 'another start counts from 0');
  t.end();
});

t.test('a clock far ahead is refused, a little ahead is not', (t) => {
  const { store } = open();
  t.equal(store.add(makeSample({ second: SECOND + 5 })), undefined);
  t.equal(store.add(makeSample({ second: SECOND + 6 })), 'future');
  t.end();
});

t.test('a process that falls silent is missing; one that said that it ends is not', (t) => {
  const { store, pass } = open();
  store.add(makeSample({ source: 'server:1' }));
  store.add(makeSample({ source: 'load:1', role: 'client', controlPort: 9001, gauges: { qps: 300 } }), '10.0.0.9');
  store.add(makeSample({ source: 'load:2', role: 'client', isLast: true }));
  const states = () => Object.fromEntries(store.sources().map(({ source, state }) => [source, state]));
  t.strictSame(states(), { 'server:1': 'here', 'load:1': 'here', 'load:2': 'ended' });
  t.match(store.sources()[1], { source: 'load:1', role: 'client', qps: 300 }, 'servers first, then by name');
  t.strictSame(
    store.present().map(({ sample, address }) => [sample.source, address]),
    [
      ['server:1', ''],
      ['load:1', '10.0.0.9'],
    ],
  );
  pass(4);
  t.strictSame(states(), { 'server:1': 'missing', 'load:1': 'missing', 'load:2': 'ended' });
  t.equal(store.present().length, 0);
  store.add(makeSample({ sequence: 1, second: SECOND + 4 }));
  t.equal(states()['server:1'], 'here');
  t.end();
});

t.test('what never came is seen from the numbers', (t) => {
  const { store } = open();
  for (const sequence of [4, 5, 9]) store.add(makeSample({ sequence }));
  t.equal(store.sources()[0].lost, 3);
  store.add(makeSample({ sequence: 7 }));
  t.equal(store.sources()[0].lost, 2, 'a late one is not lost');
  t.end();
});

t.test('a restarted process takes the place of the one before', (t) => {
  const { store, pass } = open();
  store.add(makeSample({ run: 'first' }));
  pass(1);
  store.add(makeSample({ run: 'second', second: SECOND + 1 }));
  t.equal(store.sources().length, 2, 'both are here: who knows');
  pass(5);
  store.add(makeSample({ run: 'third', second: SECOND + 6 }));
  t.strictSame(
    store.sources().map(({ state }) => state),
    ['here'],
  );
  t.end();
});

t.test('memory is bounded: seconds, and processes', (t) => {
  const { store, pass } = open();
  for (let i = 0; i < KEPT_SECONDS + 500; i++) {
    store.add(makeSample({ sequence: i, second: SECOND + i }));
    pass(1);
  }
  t.ok(Math.abs(store.since(0).length - KEPT_SECONDS) <= 2);
  let crowded = 0;
  for (let i = 0; i < 600; i++)
    if (store.add(makeSample({ source: `x${i}`, second: SECOND + 4000 })) === 'crowded') crowded++;
  t.equal(crowded, 600 - 511);
  pass(700);
  t.equal(store.add(makeSample({ source: 'new', second: SECOND + 4700 })), undefined, 'the silent ones are forgotten');
  t.end();
});

t.test('one process cannot fill a second', (t) => {
  const { store } = open();
  let taken = 0;
  for (let sequence = 0; sequence < 2000; sequence++) if (store.add(makeSample({ sequence })) === undefined) taken++;
  t.equal(taken, 1024);
  t.equal(store.add(makeSample({ sequence: 2000, second: SECOND + 1 })), undefined, 'the next second is open');
  t.end();
});

t.test('our own clock may jump: nothing is lost but what it makes late', (t) => {
  const { store, clock } = open();
  store.add(makeSample({ counts: { won: 1 } }));
  clock.wall += 100_000;
  t.equal(store.add(makeSample({ sequence: 1 })), 'late');
  t.equal(store.add(makeSample({ sequence: 2, second: SECOND + 100_000 })), undefined);
  clock.wall -= 100_000;
  t.equal(store.add(makeSample({ sequence: 3, second: SECOND + 3 })), undefined);
  t.equal(store.since(SECOND + 1)[0].second, SECOND + 3);
  t.end();
});
