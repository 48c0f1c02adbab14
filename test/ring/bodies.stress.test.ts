// Passes messages of several slots through a ring between two real threads, and checks each word of each.
//
// producer ──ring──► consumer, each waiting on a doorbell that the other rings
//
// Allowed outcome, the only one: every message arrives once, whole and in order, and the ring is empty in the end.

import t from 'tap';
import { allocateDoorbell } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import type { BodiesData, BodiesReport } from './bodies-worker.ts';
import { runWorker } from './run-worker.ts';
import { readSeed } from './seed.ts';
import { allocateMeeting } from './threads.ts';

const seed = readSeed();
t.comment(`SEED=${seed}`);

/** The sign changes early in every run. */
const START = 2 ** 31 - 100;

for (const [capacity, slotWords, messages] of [
  [2, 6, 20_000],
  [8, 1, 40_000],
  [16, 6, 40_000],
  [256, 6, 20_000],
]) {
  t.test(`a ring of ${capacity} slots of ${slotWords} words passes ${messages} messages with bodies`, async (t) => {
    const ring = allocateRing(capacity, slotWords, START);
    const shared = {
      ring,
      capacity,
      seed,
      messages,
      meeting: allocateMeeting(),
      workBell: allocateDoorbell(),
      roomBell: allocateDoorbell(),
    };
    const run = (role: BodiesData['role']) => runWorker<BodiesReport>('bodies-worker.ts', { ...shared, role });
    const [sent, received] = await Promise.all([run('producer'), run('consumer')]);
    t.strictSame([sent.fault, received.fault], ['', ''], 'no fault');
    t.strictSame([sent.messages, received.messages], [messages, messages], 'every message arrived');
    t.equal(received.words, sent.words, 'with every word');
    t.equal(new Producer(ring).countOccupied(), 0, 'the ring is empty');
    t.comment(`${sent.words} words; waited ${sent.waits} times for room, ${received.waits} times for work`);
  });
}
