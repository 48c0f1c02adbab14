// How often packets are released: gathered where that saves wakings, in small portions where there are many.

import t from 'tap';
import { releaseIntervalMs } from '../../lib/packets/release-interval.ts';

t.test('nothing is due, or few: ten times a second', (t) => {
  t.equal(releaseIntervalMs(0, 0), 100);
  t.equal(releaseIntervalMs(0.01, 0.05), 100);
  t.equal(releaseIntervalMs(400, 600), 100);
  t.end();
});

t.test('more: as long as forty packets take, 10 ms at the least', (t) => {
  t.equal(releaseIntervalMs(800, 0), 50);
  t.equal(releaseIntervalMs(1600, 1600), 25);
  t.equal(releaseIntervalMs(4000, 0), 10);
  t.equal(releaseIntervalMs(1e6, 0), 10);
  t.end();
});

t.test('each to many: as long as four hundred notices take, 10 ms at the least', (t) => {
  t.equal(releaseIntervalMs(200, 20_000), 20);
  t.equal(releaseIntervalMs(1, 5000), 80);
  t.equal(releaseIntervalMs(200, 1e6), 10);
  t.end();
});
