// Tries the way back to the acceptors: a reply always has room while requests in flight are bounded, and nothing is lost.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { ENTRY_IF_LOST, ENTRY_REPLY, ENTRY_TARGET, ENTRY_TYPE, ENTRY_WORDS } from '../../lib/ledger/entry-layout.ts';
import { EntryWriter } from '../../lib/ledger/entry-writer.ts';
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
  const entries = allocateRing(64, ENTRY_WORDS, start);
  const outbox = new Outbox(
    memories.map((memory) => new Producer(memory)),
    doorbells.map((doorbell, i) => new DoorbellRinger(doorbell, () => rings[i]++)),
    maxInFlight,
    new EntryWriter(new Producer(entries), new DoorbellRinger(allocateDoorbell())),
  );
  const consumers = memories.map((memory) => new Consumer(memory));
  const listeners = doorbells.map((doorbell) => new DoorbellListener(doorbell));
  return { outbox, consumers, listeners, rings, entries: new Consumer(entries) };
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
          outbox.words[slot] = isReply ? 1 : 2;
          outbox.words[slot + 1] = value;
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
              write(outbox.claimReply(0), true);
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
  for (let i = 0; i < 4; i++) {
    const slot = outbox.claimUnasked(0);
    outbox.words[slot] = 100 + i;
  }
  t.equal(outbox.claimUnasked(0), FULL);
  const other = outbox.claimUnasked(1);
  outbox.words[other] = 200;
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

t.test('a frame with a body needs room for all of it, and keeps the room of the replies free', (t) => {
  const { outbox, consumers } = open(1, 8);
  const body = Int32Array.of(1, 2, 3, 4, 5);
  const slot = outbox.claimUnasked(0, body.length);
  outbox.words[slot] = 77;
  outbox.addBody(0, body);
  t.equal(outbox.claimUnasked(0, 10), FULL, 'five more slots and one are too many');
  t.not(outbox.claimUnasked(0, 6), FULL, 'four are not');
  outbox.addBody(0, new Int32Array(6));
  t.equal(outbox.claimUnasked(0), FULL);
  for (let i = 0; i < 8; i++) outbox.claimReply(0);
  outbox.flush();
  t.equal(consumers[0].available(), 16);
  t.equal(consumers[0].words[consumers[0].slotAt(0)], 77);
  t.strictSame([...consumers[0].copyBody(0, 5)], [1, 2, 3, 4, 5]);
  t.end();
});

t.test('a reply that tells of money goes to the journal, with its acceptor and what it becomes if it is lost', (t) => {
  const { outbox, consumers, entries } = open(2, 4);
  const place = outbox.claimMoneyReply(1, 17);
  outbox.words[place] = 5;
  t.equal(entries.available(), 0);
  outbox.flush();
  t.strictSame([consumers[0].available(), consumers[1].available(), entries.available()], [0, 0, 1]);
  const slot = entries.slotAt(0);
  const { words } = entries;
  t.strictSame(
    [ENTRY_TYPE, ENTRY_TARGET, ENTRY_IF_LOST, ENTRY_REPLY].map((word) => words[slot + word]),
    [0, 1, 17, 5],
  );
  t.end();
});

t.test('without room in the journal nothing that may move money is begun', (t) => {
  const { outbox, entries } = open(1, 4);
  t.equal(outbox.main, 0, 'main is the last of the acceptors');
  for (let i = 0; i < 64; i++) {
    t.ok(outbox.canRecord());
    outbox.claimMoneyReply(0, 0);
  }
  t.notOk(outbox.canRecord());
  outbox.flush();
  entries.release(1);
  t.ok(outbox.canRecord(), 'one that is durable makes room for another');
  t.end();
});
