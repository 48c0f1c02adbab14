// One thread of the ring's bench: the producer that fills the ring in batches, or the consumer that empties it.
//
// Every word of a message follows from its number, and the consumer looks at each: a lost, doubled, stale or torn slot is
// seen. Both ends wait by the strategy under test; the consumer rings for room as the producer rings for work.

import { parentPort, workerData } from 'node:worker_threads';
import { Consumer } from '../../lib/ring/consumer.ts';
import { DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { FULL, Producer } from '../../lib/ring/producer.ts';
import type { RingMemory } from '../../lib/ring/ring.ts';
import { WAIT_STRATEGIES, type WaitStrategyName } from '../../lib/ring/wait-strategy.ts';

/** A wait is over after so long whatever came, in milliseconds: a lost wake-up shows as a slow run, not as none. */
const WAIT_MS = 1000;

/** The consumer releases after so many slots at the most, so that the producer does not wait for the whole ring. */
const MOST_RELEASED = 1024;

/** Both threads have come: each counts itself here. */
const THREADS = 2;

export interface RingThreadData {
  role: 'producer' | 'consumer';
  ring: RingMemory;
  workBell: SharedArrayBuffer;
  roomBell: SharedArrayBuffer;
  /** One word: how many threads are ready. */
  meeting: SharedArrayBuffer;
  messages: number;
  /** Messages that are published at once. */
  batch: number;
  wait: WaitStrategyName;
}

export interface RingThreadReport {
  /** From when both threads were ready until this one had passed everything on. */
  seconds: number;
  /** All words, added up modulo 2^32. */
  sum: number;
  /** Messages that were not what they had to be. */
  wrong: number;
}

const data: RingThreadData = workerData;
const pass = data.role === 'producer' ? produce : consume;
meet(new Int32Array(data.meeting));
const startedAt = performance.now();
const { sum, wrong } = pass(data);
const report: RingThreadReport = { seconds: (performance.now() - startedAt) / 1000, sum, wrong };
parentPort!.postMessage(report);

function produce({ ring, workBell, roomBell, messages, batch, wait }: RingThreadData) {
  const producer = new Producer(ring);
  const { words } = producer;
  const work = new DoorbellRinger(workBell);
  const room = new DoorbellListener(roomBell);
  const hasRoom = () => producer.hasRoom(1);
  const waitForRoom = WAIT_STRATEGIES[wait];
  let sum = 0;
  for (let sent = 0; sent < messages; ) {
    const until = Math.min(messages, sent + batch);
    while (sent < until) {
      const place = producer.claim();
      if (place === FULL) {
        // What is claimed must be seen before the consumer can make room.
        if (producer.publish()) work.ring();
        waitForRoom(room, hasRoom, WAIT_MS);
        continue;
      }
      for (let word = 0; word < ring.slotWords; word++) {
        const value = wordOf(sent, word);
        words[place + word] = value;
        sum = (sum + value) | 0;
      }
      sent++;
    }
    if (producer.publish()) work.ring();
  }
  return { sum, wrong: 0 };
}

function consume({ ring, workBell, roomBell, messages, wait }: RingThreadData) {
  const consumer = new Consumer(ring);
  const { words } = consumer;
  const work = new DoorbellListener(workBell);
  const room = new DoorbellRinger(roomBell);
  const hasWork = () => consumer.available() > 0;
  const waitForWork = WAIT_STRATEGIES[wait];
  let sum = 0;
  let wrong = 0;
  for (let taken = 0; taken < messages; ) {
    const ready = Math.min(consumer.available(), MOST_RELEASED);
    if (ready === 0) {
      waitForWork(work, hasWork, WAIT_MS);
      continue;
    }
    for (let index = 0; index < ready; index++) {
      const place = consumer.slotAt(index);
      let isWrong = false;
      for (let word = 0; word < ring.slotWords; word++) {
        const value = words[place + word];
        sum = (sum + value) | 0;
        if (value !== wordOf(taken, word)) isWrong = true;
      }
      if (isWrong) wrong++;
      taken++;
    }
    consumer.release(ready);
    room.ring();
  }
  return { sum, wrong };
}

/** What a word of a message has to be. */
function wordOf(message: number, word: number): number {
  return (Math.imul(message, 0x9e37_79b1) + word) | 0;
}

/** Waits until both threads are here. */
function meet(arrived: Int32Array): void {
  Atomics.add(arrived, 0, 1);
  Atomics.notify(arrived, 0);
  for (let now = Atomics.load(arrived, 0); now < THREADS; now = Atomics.load(arrived, 0)) Atomics.wait(arrived, 0, now);
}
