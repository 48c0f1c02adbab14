// Tries the way back to the acceptors: a reply always has room while requests in flight are bounded, and nothing is lost.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateDoorbell, DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { FULL, Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { Outbox } from '../../lib/sets/outbox.ts';
import { checkProperty } from '../packets/check-property.ts';
import { printSeed } from '../packets/seed.ts';

printSeed(t);

function open(acceptors: number, maxInFlight: number, start = 0, capacity = 2 * maxInFlight) {
  const memories = Array.from({ length: acceptors }, () => allocateRing(capacity, 2, start));
  const doorbells = memories.map(() => allocateDoorbell());
  const rings = memories.map(() => 0);
  const outbox = new Outbox(
    memories.map((memory) => new Producer(memory)),
    doorbells.map((doorbell, i) => new DoorbellRinger(doorbell, () => rings[i]++)),
    maxInFlight,
  );
  const consumers = memories.map((memory) => new Consumer(memory));
  return { outbox, consumers, listeners: doorbells.map((doorbell) => new DoorbellListener(doorbell)), rings };
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('request' as const), size: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('reply' as const), size: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('unasked' as const), size: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('flush' as const), size: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drain' as const), size: fc.integer({ min: 1, max: 80 }) }) },
);

t.test('replies always have room, whatever the notices and however slow the acceptor', (t) =>
  checkProperty(
    t,
    'no step fails, and the acceptor finds every frame in its order',
    fc.property(
      fc.constantFrom(1, 2, 8, 32),
      fc.constantFrom(0, 2 ** 31 - 5, -5),
      fc.array(step, { minLength: 30, maxLength: 200, size: 'max' }),
      (maxInFlight, start, steps) => {
        const {
          outbox,
          consumers: [consumer],
        } = open(1, maxInFlight, start);
        /** Requests that the worker has, and requests whose reply the acceptor has not taken out of the ring. */
        let waiting = 0;
        let inFlight = 0;
        let next = 1;
        const ring: { isReply: boolean; value: number }[] = [];
        const write = (slot: number, isReply: boolean) => {
          const value = next++;
          outbox.wordsFor(0)[slot] = isReply ? 1 : 2;
          outbox.wordsFor(0)[slot + 1] = value;
          ring.push({ isReply, value });
        };
        const drain = (most: number) => {
          const count = Math.min(most, consumer.available());
          for (let i = 0; i < count; i++) {
            const { isReply, value } = ring.shift()!;
            assert.equal(consumer.words[consumer.slotAt(i)], isReply ? 1 : 2);
            assert.equal(consumer.words[consumer.slotAt(i) + 1], value);
            if (isReply) inFlight--;
          }
          consumer.release(count);
          return count;
        };
        for (const { kind, size } of steps) {
          if (kind === 'request') {
            const sent = Math.min(size, maxInFlight - inFlight);
            waiting += sent;
            inFlight += sent;
          } else if (kind === 'reply') {
            for (let i = 0; i < size && waiting > 0; i++, waiting--) {
              write(i % 2 === 0 ? outbox.claimReply(0) : outbox.claimMoneyReply(0), true);
            }
          } else if (kind === 'unasked') {
            for (let i = 0; i < size; i++) {
              const slot = outbox.claimUnasked(0);
              assert.equal(slot === FULL, ring.length >= maxInFlight, 'half the ring is kept for replies');
              if (slot === FULL) break;
              write(slot, false);
            }
          } else if (kind === 'flush') {
            outbox.flush();
          } else {
            drain(size);
          }
        }
        for (; waiting > 0; waiting--) write(outbox.claimReply(0), true);
        outbox.flush();
        while (drain(1000) > 0);
        assert.deepEqual(ring, [], 'everything arrives in the end');
        assert.equal(inFlight, 0);
      },
    ),
    500,
  ),
);

t.test('acceptors have rings of their own: one that is full keeps nobody else from being told', (t) => {
  const { outbox, consumers } = open(2, 4);
  for (let i = 0; i < 4; i++) outbox.wordsFor(0)[outbox.claimUnasked(0)] = 100 + i;
  t.equal(outbox.claimUnasked(0), FULL);
  outbox.wordsFor(1)[outbox.claimUnasked(1)] = 200;
  outbox.flush();
  t.equal(consumers[0].available(), 4);
  t.equal(consumers[1].available(), 1);
  t.equal(consumers[1].words[consumers[1].slotAt(0)], 200);
  t.end();
});

t.test('a flush wakes the acceptors that sleep and have something to read, each once', (t) => {
  const { outbox, listeners, rings } = open(3, 4);
  for (const i of [0, 1]) listeners[i].announceSleep();
  for (const i of [1, 2]) outbox.claimReply(i);
  t.strictSame(rings, [0, 0, 0], 'not before the flush');
  outbox.flush();
  t.strictSame(rings, [0, 1, 0], '0 has nothing to read, 2 is awake');
  outbox.flush();
  outbox.claimReply(1);
  outbox.flush();
  t.strictSame(rings, [0, 1, 0], 'whoever was woken is awake');
  t.end();
});

t.test('more replies than may be in flight are an error of the caller', (t) => {
  const { outbox } = open(1, 4);
  for (let i = 0; i < 8; i++) outbox.claimReply(0);
  t.throws(() => outbox.claimReply(0), /a reply has room/);
  t.end();
});

t.test('a ring that cannot hold the replies in flight and as many notices is refused', (t) => {
  t.throws(() => open(2, 8, 0, 8), /a reply ring holds/);
  t.doesNotThrow(() => open(2, 8, 0, 32));
  t.end();
});
