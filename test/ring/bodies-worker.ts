// One thread of bodies.stress.test.ts: sends messages of several slots, or takes them and checks every word.

import { parentPort, workerData } from 'node:worker_threads';
import { Consumer } from '../../lib/ring/consumer.ts';
import { DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import type { RingMemory } from '../../lib/ring/ring.ts';
import { park } from '../../lib/ring/wait/park.ts';
import { mix, Random } from './seed.ts';
import { LOST_MS, meet } from './threads.ts';

export interface BodiesData {
  role: 'producer' | 'consumer';
  ring: RingMemory;
  capacity: number;
  seed: number;
  messages: number;
  meeting: SharedArrayBuffer;
  /** The consumer's doorbell, and the producer's. */
  workBell: SharedArrayBuffer;
  roomBell: SharedArrayBuffer;
}

export interface BodiesReport {
  /** The first thing that was not as it should be; empty if all was well. */
  fault: string;
  messages: number;
  words: number;
  /** How often there was no room, or no work. */
  waits: number;
}

const data: BodiesData = workerData;
meet(data.meeting, 2);
parentPort!.postMessage(data.role === 'producer' ? produce(data) : consume(data));

/** Both ends draw the lengths of the messages from the same seed. */
function drawWords(random: Random, { capacity, ring }: BodiesData): number {
  const most = (capacity - 1) * ring.slotWords;
  return random.below(random.below(4) === 0 ? most + 1 : Math.min(most + 1, 3 * ring.slotWords));
}

function produce(data: BodiesData): BodiesReport {
  const { ring, seed, messages, workBell, roomBell } = data;
  const producer = new Producer(ring);
  const room = new DoorbellListener(roomBell);
  const work = new DoorbellRinger(workBell);
  const random = new Random(seed);
  const batches = new Random(mix(seed, 1));
  const report: BodiesReport = { fault: '', messages: 0, words: 0, waits: 0 };
  while (report.messages < messages && report.fault === '') {
    const bodyWords = drawWords(random, data);
    const slots = 1 + producer.countBodySlots(bodyWords);
    while (!producer.hasRoom(slots) && report.fault === '') {
      // What waits unpublished would never make room.
      if (producer.publish()) work.ring();
      report.waits++;
      report.fault = waitFor(room, () => producer.hasRoom(slots));
    }
    if (report.fault !== '') break;
    const body = Int32Array.from({ length: bodyWords }, (_, word) => mix(report.messages, word));
    const head = producer.claim();
    producer.words.fill(report.messages, head, head + ring.slotWords);
    producer.words[head] = bodyWords;
    producer.claimBody(body);
    report.messages++;
    report.words += bodyWords;
    if (batches.below(3) === 0 && producer.publish()) work.ring();
  }
  if (producer.publish()) work.ring();
  const last = producer.claimedSequence;
  while (!producer.hasReleased(last) && report.fault === '') {
    report.fault = waitFor(room, () => producer.hasReleased(last));
  }
  return report;
}

function consume(data: BodiesData): BodiesReport {
  const { ring, seed, messages, workBell, roomBell } = data;
  const consumer = new Consumer(ring);
  const work = new DoorbellListener(workBell);
  const room = new DoorbellRinger(roomBell);
  const random = new Random(seed);
  const batches = new Random(mix(seed, 2));
  const report: BodiesReport = { fault: '', messages: 0, words: 0, waits: 0 };
  while (report.messages < messages && report.fault === '') {
    const available = consumer.available();
    if (available === 0) {
      report.waits++;
      report.fault = waitFor(work, () => consumer.available() > 0);
      continue;
    }
    let slots = 0;
    for (let most = 1 + batches.below(5); most > 0 && slots < available; most--) {
      const bodyWords = consumer.words[consumer.slotAt(slots)];
      const expectedWords = drawWords(random, data);
      if (bodyWords !== expectedWords) {
        report.fault = `message ${report.messages} has ${bodyWords} words instead of ${expectedWords}`;
        break;
      }
      const body = consumer.copyBody(slots, bodyWords);
      slots += 1 + consumer.countBodySlots(bodyWords);
      if (slots > available) report.fault = `message ${report.messages} is there in part`;
      const wrong = body.findIndex((word, i) => word !== mix(report.messages, i));
      if (wrong >= 0) report.fault = `message ${report.messages}, word ${wrong} of ${bodyWords}`;
      report.messages++;
      report.words += bodyWords;
    }
    consumer.release(slots);
    room.ring();
  }
  return report;
}

function waitFor(bell: DoorbellListener, isReady: () => boolean): string {
  const start = performance.now();
  park(bell, isReady, LOST_MS);
  return performance.now() - start < LOST_MS ? '' : `waited ${LOST_MS} ms for what should have come`;
}
