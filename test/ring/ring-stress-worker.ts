// One thread of ring.stress.test.ts: a producer that fills its ring, or the consumer of one or several rings.
//
// Every word of a message follows from its ring, its number and the word's place, so that a torn, stale, lost or
// doubled slot is seen at once. Both ends wait by the strategy under test: the consumer for work on its doorbell, a
// producer for room on one of its own, which the consumer rings after each release.

import { parentPort, workerData } from 'node:worker_threads';
import { Consumer } from '../../lib/ring/consumer.ts';
import { DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { FULL, Producer } from '../../lib/ring/producer.ts';
import type { RingMemory } from '../../lib/ring/ring.ts';
import { WAIT_STRATEGIES, type WaitStrategyName } from '../../lib/ring/wait-strategy.ts';
import { mix, Random } from './seed.ts';
import { countSleeps, LOST_MS, meet } from './threads.ts';

/** A producer sends these and two laps more whatever its budget is: they go over the edge that the ring starts below. */
const LEAST_MESSAGES = 200;

interface Shared {
  wait: WaitStrategyName;
  /** Messages through each ring, or fewer if `budgetMs` is over before. */
  messages: number;
  budgetMs: number;
  seed: number;
  meeting: SharedArrayBuffer;
  parties: number;
  /** The consumer's doorbell. */
  workBell: SharedArrayBuffer;
}

export interface ProducerData extends Shared {
  role: 'producer';
  ring: RingMemory;
  ringIndex: number;
  roomBell: SharedArrayBuffer;
  /** One word: how many messages there were in all, or less than 0 while more are to come. */
  ending: SharedArrayBuffer;
}

export interface ConsumerData extends Shared {
  role: 'consumer';
  rings: RingMemory[];
  roomBells: SharedArrayBuffer[];
  endings: SharedArrayBuffer[];
}

export interface Report {
  /** The first thing that was not as it should be; empty if all was well. */
  fault: string;
  /** Messages through each ring. */
  passed: number[];
  /** All words that passed, added up, per ring. */
  checksums: number[];
  slept: number;
  timedOut: number;
}

const sleeps = countSleeps();
const data: ProducerData | ConsumerData = workerData;
meet(data.meeting, data.parties);
sleeps.slept = 0;
parentPort!.postMessage(data.role === 'producer' ? produce(data) : consume(data));

function produce(data: ProducerData): Report {
  const { ring, ringIndex, roomBell, workBell, messages, seed, wait } = data;
  const producer = new Producer(ring);
  const room = new DoorbellListener(roomBell);
  const work = new DoorbellRinger(workBell);
  const random = new Random(mix(seed, ringIndex));
  const hasRoom = () => producer.countOccupied() < producer.capacity;
  const least = LEAST_MESSAGES + 2 * producer.capacity;
  const deadline = performance.now() + data.budgetMs;
  let passed = 0;
  let checksum = 0;
  let fault = '';
  while (passed < messages && fault === '' && (passed < least || performance.now() < deadline)) {
    let full = false;
    for (let batch = Math.min(1 + random.below(7), messages - passed); batch > 0; batch--) {
      const place = producer.claim();
      full = place === FULL;
      if (full) break;
      for (let word = 0; word < ring.slotWords; word++) {
        const value = expectedWord(ringIndex, passed, word);
        producer.words[place + word] = value;
        checksum = (checksum + value) | 0;
      }
      passed++;
    }
    if (producer.publish()) work.ring();
    if (full) fault = waitFor(wait, room, hasRoom);
  }
  Atomics.store(new Int32Array(data.ending), 0, passed);
  work.ring();
  return { fault, passed: [passed], checksums: [checksum], ...sleeps };
}

function consume({ rings, roomBells, endings, workBell, seed, wait }: ConsumerData): Report {
  const consumers = rings.map((ring) => new Consumer(ring));
  const rooms = roomBells.map((bell) => new DoorbellRinger(bell));
  const work = new DoorbellListener(workBell);
  const random = new Random(mix(seed, -1));
  const ends = endings.map((ending) => new Int32Array(ending));
  const passed = rings.map(() => 0);
  const checksums = rings.map(() => 0);
  const hasWork = () => consumers.some((consumer) => consumer.available() > 0);
  const isOver = () => ends.every((end, r) => Atomics.load(end, 0) === passed[r]);
  let fault = '';
  while (fault === '' && !isOver()) {
    let taken = 0;
    for (let r = 0; r < consumers.length && fault === ''; r++) {
      const consumer = consumers[r];
      let ready = consumer.available();
      if (ready === 0) continue;
      // Now and then only some of them: the rest must still be there at the next look.
      if (random.below(4) === 0) ready = 1 + random.below(ready);
      for (let index = 0; index < ready; index++) {
        const place = consumer.slotAt(index);
        for (let word = 0; word < rings[r].slotWords; word++) {
          const value = consumer.words[place + word];
          checksums[r] = (checksums[r] + value) | 0;
          if (value !== expectedWord(r, passed[r], word)) fault ||= `ring ${r}, message ${passed[r]}, word ${word}`;
        }
        passed[r]++;
      }
      consumer.release(ready);
      rooms[r].ring();
      taken += ready;
    }
    if (taken === 0) fault ||= waitFor(wait, work, () => hasWork() || isOver());
  }
  if (fault === '' && hasWork()) fault = 'more came than was sent';
  return { fault, passed, checksums, ...sleeps };
}

/** Waits once by the strategy under test; says so if that took so long that a wake-up must have been lost. */
function waitFor(name: WaitStrategyName, bell: DoorbellListener, isReady: () => boolean): string {
  const start = performance.now();
  WAIT_STRATEGIES[name](bell, isReady, LOST_MS);
  return performance.now() - start < LOST_MS ? '' : `${name} waited ${LOST_MS} ms for what should have come`;
}

function expectedWord(ringIndex: number, message: number, word: number): number {
  return word === 0 ? message : mix(message, (ringIndex << 8) | word);
}
