// Tries the doorbell for lost wake-ups in every interleaving of its atomic steps, on one thread.

import t from 'tap';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateDoorbell, DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing, type RingMemory } from '../../lib/ring/ring.ts';
import { CURSOR_WORD, GATING_WORD } from '../../lib/ring/ring-layout.ts';
import { park } from '../../lib/ring/wait/park.ts';
import type { WaitStrategy } from '../../lib/ring/wait-strategy.ts';
import { type Cell, type Exploration, explore, type Snapshot, type Thread } from './interleaving.ts';
import { countSleeps, LOST_MS } from './threads.ts';

/** The doorbell's only word. */
const STATE_WORD = 0;

type Send = (publish: () => void, ring: () => void, bell: Int32Array) => void;

/** As every producer does it. */
const publishThenRing: Send = (publish, ring) => {
  publish();
  ring();
};

interface Scene {
  /** Messages of each producer; each has a ring of its own. */
  producers: number[];
  wait?: WaitStrategy;
  send?: Send;
  /** The consumer sleeps in an event loop, and a message in its mailbox wakes it. */
  eventLoop?: boolean;
  timeouts?: number;
}

/** Lets a consumer and its producers take their steps in every order; refuses a consumer that sleeps in spite of work. */
function play(scene: Scene): Exploration {
  const { producers, wait = park, send = publishThenRing, eventLoop = false, timeouts = 0 } = scene;
  const bell = allocateDoorbell();
  const mailbox = new SharedArrayBuffer(4);
  const rings = producers.map(() => allocateRing(4, 1, 2 ** 31 - 1));
  const cells: Cell[] = [{ buffer: bell, word: STATE_WORD }];
  for (const { buffer } of rings) cells.push({ buffer, word: CURSOR_WORD }, { buffer, word: GATING_WORD });
  cells.push({ buffer: mailbox, word: 0 });

  const total = producers.reduce((sum, messages) => sum + messages, 0);
  const consumer = eventLoop
    ? eventLoopConsumer(bell, rings, mailbox, total)
    : consumerThread(bell, rings, wait, total);
  const wake = eventLoop ? () => putInto(mailbox) : undefined;
  const senders = rings.map((ring, i) => producerThread(bell, ring, wake, send, producers[i]));

  const sleepsForEver = ({ memory, next, asleep }: Snapshot) =>
    asleep[0] &&
    rings.some((_, i) => memory[1 + 2 * i] !== memory[2 + 2 * i]) &&
    // No producer is on its way to the bell: each is done, or still before its next publish.
    next.slice(1).every((step) => step === null || (step.kind === 'store' && step.cell % 2 === 1));
  return explore(cells, [consumer, ...senders], sleepsForEver, timeouts);
}

function producerThread(
  bell: SharedArrayBuffer,
  ring: RingMemory,
  wake: (() => void) | undefined,
  send: Send,
  messages: number,
): Thread {
  return () => {
    const producer = new Producer(ring);
    const ringer = new DoorbellRinger(bell, wake);
    const words = new Int32Array(bell);
    return () => {
      for (let message = 0; message < messages; message++) {
        producer.claim();
        send(
          () => producer.publish(),
          () => ringer.ring(),
          words,
        );
      }
    };
  };
}

/** A consumer that waits by a strategy; it returns once it has had `total` messages. */
function consumerThread(bell: SharedArrayBuffer, rings: RingMemory[], wait: WaitStrategy, total: number): Thread {
  return () => {
    const listener = new DoorbellListener(bell);
    const consumers = rings.map((ring) => new Consumer(ring));
    return () => {
      for (let left = total; left > 0; ) {
        const taken = drain(consumers);
        left -= taken;
        if (taken === 0) wait(listener, () => hasWork(consumers), Number.POSITIVE_INFINITY);
      }
    };
  };
}

function eventLoopConsumer(
  bell: SharedArrayBuffer,
  rings: RingMemory[],
  mailbox: SharedArrayBuffer,
  total: number,
): Thread {
  return () => {
    const listener = new DoorbellListener(bell);
    const consumers = rings.map((ring) => new Consumer(ring));
    const mail = new Int32Array(mailbox);
    return () => {
      for (let left = total; left > 0; ) {
        listener.cancelSleep();
        left -= drain(consumers);
        listener.announceSleep();
        if (left === 0 || hasWork(consumers)) continue;
        while (Atomics.wait(mail, 0, 0) !== 'not-equal');
        Atomics.add(mail, 0, -1);
      }
    };
  };
}

function drain(consumers: Consumer[]): number {
  let taken = 0;
  for (const consumer of consumers) {
    const ready = consumer.available();
    if (ready > 0) consumer.release(ready);
    taken += ready;
  }
  return taken;
}

function hasWork(consumers: Consumer[]): boolean {
  return consumers.some((consumer) => consumer.available() > 0);
}

function putInto(mailbox: SharedArrayBuffer): void {
  const mail = new Int32Array(mailbox);
  Atomics.add(mail, 0, 1);
  Atomics.notify(mail, 0);
}

const SOUND: [string, Scene][] = [
  ['one producer, three messages', { producers: [3] }],
  ['two producers', { producers: [2, 1] }],
  ['a sleep that times out', { producers: [2], timeouts: 2 }],
  ['two producers and a sleep that times out', { producers: [1, 1], timeouts: 1 }],
  ['an event loop and one producer', { producers: [3], eventLoop: true }],
  ['an event loop and two producers', { producers: [2, 1], eventLoop: true }],
];

t.test('in no order of steps does a consumer sleep in spite of work', (t) => {
  for (const [name, scene] of SOUND) {
    const { states, sleeping, refused } = play(scene);
    t.same(refused, undefined, `${name}: ${states} states, asleep in ${sleeping}`);
    t.ok(sleeping > 10, 'it did sleep');
  }
  t.end();
});

/** Each of these loses a wake-up, and the check must find it. */
const BROKEN: [string, Scene][] = [
  [
    'looks before it announces its sleep',
    {
      producers: [1],
      wait: (doorbell, hasWork, timeoutMs) => {
        if (hasWork()) return;
        doorbell.announceSleep();
        doorbell.sleep(timeoutMs);
        doorbell.cancelSleep();
      },
    },
  ],
  [
    'never looks again',
    {
      producers: [1],
      wait: (doorbell, _hasWork, timeoutMs) => {
        doorbell.announceSleep();
        doorbell.sleep(timeoutMs);
        doorbell.cancelSleep();
      },
    },
  ],
  [
    'is rung before the publish',
    {
      producers: [1],
      send: (publish, ring) => {
        ring();
        publish();
      },
    },
  ],
  [
    'is notified before the flag is cleared',
    {
      producers: [1],
      send: (publish, _ring, bell) => {
        publish();
        if (Atomics.load(bell, STATE_WORD) === 0) return;
        Atomics.notify(bell, STATE_WORD, 1);
        Atomics.compareExchange(bell, STATE_WORD, 1, 0);
      },
    },
  ],
  [
    'looks into one of its two rings only',
    {
      producers: [1, 1],
      wait: (doorbell, hasWork, timeoutMs) => {
        let looks = 0;
        park(doorbell, () => looks++ > 0 && hasWork(), timeoutMs);
      },
    },
  ],
];

t.test('the check finds a consumer that', (t) => {
  for (const [name, scene] of BROKEN) {
    const { refused } = play(scene);
    t.ok(refused, `${name}: ${refused?.path.join('; ')}`);
  }
  t.end();
});

t.test('in every order of steps, many ringers wake a sleeper once', (t) => {
  /** One sleep is announced and three ringers come; refuses more than one wake, and none in the end. */
  const wakesOf = (ringWith: (bell: SharedArrayBuffer, wake: () => void) => () => void) => {
    const bell = allocateDoorbell();
    const wakes = new SharedArrayBuffer(4);
    new DoorbellListener(bell).announceSleep();
    const ringer: Thread = () => ringWith(bell, () => Atomics.add(new Int32Array(wakes), 0, 1));
    const cells = [
      { buffer: bell, word: STATE_WORD },
      { buffer: wakes, word: 0 },
    ];
    return explore(
      cells,
      [ringer, ringer, ringer],
      ({ memory, next }) => memory[1] > 1 || (next.every((step) => step === null) && memory[1] === 0),
    );
  };
  const real = wakesOf((bell, wake) => {
    const ringer = new DoorbellRinger(bell, wake);
    return () => ringer.ring();
  });
  t.same(real.refused, undefined, `${real.states} states`);
  t.ok(real.states > 20);
  const broken = wakesOf((bell, wake) => {
    const words = new Int32Array(bell);
    return () => {
      if (Atomics.load(words, STATE_WORD) === 0) return;
      Atomics.store(words, STATE_WORD, 0);
      wake();
    };
  });
  t.ok(broken.refused, 'and the check finds a ringer that stores where it should compare and exchange');
  t.end();
});

t.test('a ringer wakes whoever announced a sleep, once, and nobody who is awake', (t) => {
  const bell = allocateDoorbell();
  let wakes = 0;
  const listener = new DoorbellListener(bell);
  const ringers = Array.from({ length: 3 }, () => new DoorbellRinger(bell, () => wakes++));
  const ringAll = () => {
    wakes = 0;
    for (const ringer of ringers) ringer.ring();
    return wakes;
  };
  t.equal(ringAll(), 0, 'awake from the start');
  listener.announceSleep();
  t.equal(ringAll(), 1, 'one of three');
  t.equal(ringAll(), 0, 'once a sleep');
  listener.announceSleep();
  t.equal(ringAll(), 1, 'once each sleep');
  listener.announceSleep();
  listener.cancelSleep();
  t.equal(ringAll(), 0, 'the announcement was taken back');
  t.end();
});

t.test('a sleep that was rung before it began does not begin', (t) => {
  const bell = allocateDoorbell();
  const listener = new DoorbellListener(bell);
  listener.announceSleep();
  new DoorbellRinger(bell).ring();
  const sleeps = countSleeps();
  listener.sleep(LOST_MS);
  t.equal(sleeps.slept, 0);
  t.end();
});
