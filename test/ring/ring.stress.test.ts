// Passes messages through rings between real threads, with every wait strategy, and checks each word of each.
//
// Allowed outcome, the only one: every message of a ring arrives once, whole and in order, no thread sleeps until its
// timeout, and nothing is left over.

import t from 'tap';
import { allocateDoorbell } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import type { WaitStrategyName } from '../../lib/ring/wait-strategy.ts';
import type { ConsumerData, ProducerData, Report } from './ring-stress-worker.ts';
import { runWorker } from './run-worker.ts';
import { readSeed } from './seed.ts';
import { allocateMeeting } from './threads.ts';

const seed = readSeed();
t.comment(`SEED=${seed}`);

const SLOT_WORDS = 6;

/** The sign changes early in every run, however few messages it has time for. */
const START = 2 ** 31 - 100;

/** How long a producer goes on, so that a busy machine makes a run smaller and not longer. */
const BUDGET_MS = 300;

interface Case {
  wait: WaitStrategyName;
  capacity: number;
  messages: number;
  producers?: number;
  start?: number;
}

const CASES: Case[] = [
  { wait: 'park', capacity: 2, messages: 100_000 },
  { wait: 'park', capacity: 8, messages: 300_000 },
  { wait: 'park', capacity: 1024, messages: 1_000_000 },
  { wait: 'spin-then-park', capacity: 2, messages: 100_000 },
  { wait: 'spin-then-park', capacity: 8, messages: 300_000 },
  { wait: 'spin-then-park', capacity: 1024, messages: 1_000_000, start: 2 ** 32 - 100 },
  { wait: 'spin', capacity: 2, messages: 100_000 },
  { wait: 'spin', capacity: 8, messages: 100_000 },
  { wait: 'spin', capacity: 1024, messages: 200_000 },
  { wait: 'park', capacity: 2, messages: 50_000, producers: 3 },
  { wait: 'park', capacity: 64, messages: 200_000, producers: 3 },
  { wait: 'spin-then-park', capacity: 8, messages: 100_000, producers: 3 },
];

for (const { wait, capacity, messages, producers = 1, start = START } of CASES) {
  const rings = producers === 1 ? 'a ring' : `${producers} rings with one doorbell, each`;
  t.test(`${rings} of ${capacity} passes up to ${messages} messages whole and in order by ${wait}`, async (t) => {
    const memories = Array.from({ length: producers }, () => allocateRing(capacity, SLOT_WORDS, start));
    const roomBells = memories.map(() => allocateDoorbell());
    const endings = memories.map(() => new SharedArrayBuffer(4));
    for (const ending of endings) new Int32Array(ending)[0] = -1;
    const shared = {
      wait,
      messages,
      budgetMs: BUDGET_MS,
      seed,
      meeting: allocateMeeting(),
      parties: producers + 1,
      workBell: allocateDoorbell(),
    };
    const reports = await Promise.all([
      runConsumer({ ...shared, role: 'consumer', rings: memories, roomBells, endings }),
      ...memories.map((ring, ringIndex) =>
        runProducer({
          ...shared,
          role: 'producer',
          ring,
          ringIndex,
          roomBell: roomBells[ringIndex],
          ending: endings[ringIndex],
        }),
      ),
    ]);
    const [received, ...sent] = reports;
    t.same(
      reports.map((report) => report.fault).filter((fault) => fault !== ''),
      [],
      'no fault',
    );
    t.same(
      received.passed,
      sent.map((report) => report.passed[0]),
      'every message that was sent arrived',
    );
    t.same(
      received.checksums,
      sent.map((report) => report.checksums[0]),
      'the words that arrived add up to those that were sent',
    );
    t.same(
      reports.map((report) => report.timedOut),
      reports.map(() => 0),
      'no sleep was ended by its timeout',
    );
    for (const ring of memories) t.equal(new Producer(ring).countOccupied(), 0, 'the ring is empty');
    t.comment(
      `${received.passed.join(' + ')} messages; slept ${reports.map((report) => report.slept).join(', ')} times`,
    );
  });
}

function runConsumer(data: ConsumerData): Promise<Report> {
  return runWorker('ring-stress-worker.ts', data);
}

function runProducer(data: ProducerData): Promise<Report> {
  return runWorker('ring-stress-worker.ts', data);
}
