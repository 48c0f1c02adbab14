// Tries a ring's storage as a third thread sees it.

import t from 'tap';
import { Consumer } from '../../lib/ring/consumer.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing, Ring } from '../../lib/ring/ring.ts';

t.test('how full a ring is, across the wrap of its sequences', (t) => {
  const memory = allocateRing(8, 1, 0x7fff_fffc | 0);
  const producer = new Producer(memory);
  const consumer = new Consumer(memory);
  const ring = new Ring(memory);
  t.equal(ring.countUsed(), 0);
  for (let i = 1; i <= 8; i++) {
    t.ok(producer.claim() >= 0);
    producer.publish();
    t.equal(ring.countUsed(), i);
  }
  consumer.available();
  consumer.release(6);
  t.equal(ring.countUsed(), 2);
  t.end();
});
