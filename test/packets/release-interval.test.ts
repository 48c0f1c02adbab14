// How often packets are released: gathered where that saves wakings, in small portions where there are many.

import t from 'tap';
import { releaseIntervalMs } from '../../lib/packets/release-interval.ts';

t.test('nothing is due: ten times a second', (t) => {
  t.equal(releaseIntervalMs(0), 100);
  t.end();
});

t.test('few: twice a packet, and no packet is later than 100 ms', (t) => {
  t.equal(releaseIntervalMs(0.01), 100);
  t.equal(releaseIntervalMs(5), 100);
  t.equal(releaseIntervalMs(10), 50);
  t.end();
});

t.test('more: as long as sixteen packets take, within 10 and 40 ms', (t) => {
  t.equal(releaseIntervalMs(12.5), 40);
  t.equal(releaseIntervalMs(200), 40);
  t.equal(releaseIntervalMs(400), 40);
  t.equal(releaseIntervalMs(800), 20);
  t.equal(releaseIntervalMs(1600), 10);
  t.equal(releaseIntervalMs(1e6), 10);
  t.end();
});
