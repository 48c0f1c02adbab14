// Tries the ring's two ends step by step on one thread, against a plain array queue.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Consumer } from '../../lib/ring/consumer.ts';
import { FULL, Producer } from '../../lib/ring/producer.ts';
import { allocateRing, Ring, type RingMemory } from '../../lib/ring/ring.ts';
import { readSeed } from './seed.ts';

const seed = readSeed();
t.comment(`SEED=${seed}`);

const SLOT_WORDS = 3;

/** Sequences that a run of a few steps carries over every edge: 0, the sign, and the wrap of 32 bits. */
const STARTS = [0, 2 ** 31 - 3, 2 ** 31 - 1, 2 ** 32 - 2, -1];

/** A ring and, beside it, what it should be. Each step is done to both and compared. */
class Trial {
  readonly producer: Producer;
  readonly consumer: Consumer;
  /** Claimed, not published. */
  #hidden: number[] = [];
  /** Published, not released. */
  #queue: number[] = [];
  /** How many of the queue the consumer has been told of. */
  #seen = 0;
  #nextMessage = 1;

  constructor(memory: RingMemory, firstSequence: number) {
    new Ring(memory).setSequences(firstSequence);
    this.producer = new Producer(memory);
    this.consumer = new Consumer(memory);
  }

  get occupied(): number {
    return this.#hidden.length + this.#queue.length;
  }

  get seen(): number {
    return this.#seen;
  }

  claim(): boolean {
    const place = this.producer.claim();
    assert.equal(place === FULL, this.occupied === this.producer.capacity, 'full exactly when every slot is taken');
    if (place === FULL) return false;
    const message = this.#nextMessage++;
    this.producer.words[place] = message;
    this.producer.words[place + 1] = ~message;
    this.producer.words[place + 2] = Math.imul(message, 0x9e3779b1);
    this.#hidden.push(message);
    return true;
  }

  claimAll(): void {
    while (this.claim());
  }

  publish(): void {
    assert.equal(this.producer.publish(), this.#hidden.length > 0, 'publish says whether there was something');
    this.#queue.push(...this.#hidden);
    this.#hidden = [];
  }

  look(): void {
    if (this.#seen === 0) this.#seen = this.#queue.length;
    assert.equal(this.consumer.available(), this.#seen, 'what was left of the last look, else all that is published');
    for (let index = 0; index < this.#seen; index++) {
      const place = this.consumer.slotAt(index);
      const message = this.#queue[index];
      assert.equal(this.consumer.words[place], message, 'the message in its order');
      assert.equal(this.consumer.words[place + 1], ~message, 'the second word of the same message');
      assert.equal(this.consumer.words[place + 2], Math.imul(message, 0x9e3779b1), 'the third');
    }
  }

  release(count: number): void {
    assert(count <= this.#seen, 'the test releases only what it has seen');
    this.consumer.release(count);
    this.#queue.splice(0, count);
    this.#seen -= count;
  }

  count(): void {
    assert.equal(this.producer.countOccupied(), this.occupied, 'claimed and published slots, not the released ones');
  }

  /** Wherever the steps led: the ring can be emptied, filled to the brim, and emptied. */
  finish(): void {
    for (let round = 0; round < 2; round++) {
      this.claimAll();
      this.publish();
      while (this.occupied > 0) {
        this.look();
        assert(this.#seen > 0, 'what is published can be had');
        this.release(this.#seen);
      }
      this.look();
      this.count();
    }
  }
}

/** Steps for the exhaustive run, each with the number of seen slots that it needs. */
const STEPS: readonly [name: string, seenNeeded: number, step: (trial: Trial) => void][] = [
  ['claim', 0, (trial) => trial.claim()],
  ['claim all', 0, (trial) => trial.claimAll()],
  ['publish', 0, (trial) => trial.publish()],
  ['look', 0, (trial) => trial.look()],
  ['release 1', 1, (trial) => trial.release(1)],
  ['release seen', 2, (trial) => trial.release(trial.seen)],
  ['count', 0, (trial) => trial.count()],
];

/** Does the steps; returns the place of the first impossible one, or -1. */
function tryPath(memory: RingMemory, start: number, path: Uint8Array): number {
  const trial = new Trial(memory, start);
  for (let i = 0; i < path.length; i++) {
    const [, seenNeeded, step] = STEPS[path[i]];
    if (trial.seen < seenNeeded) return i;
    step(trial);
  }
  trial.finish();
  return -1;
}

/** Tries every sequence of `depth` possible steps; returns how many there were. */
function tryEveryPath(capacity: number, start: number, depth: number): number {
  const memory = allocateRing(capacity, SLOT_WORDS);
  const path = new Uint8Array(depth);
  let tried = 0;
  for (;;) {
    let place: number;
    try {
      place = tryPath(memory, start, path);
    } catch (error) {
      const steps = Array.from(path, (step) => STEPS[step][0]).join(', ');
      throw new Error(`capacity ${capacity}, start ${start}: ${steps}`, { cause: error });
    }
    if (place < 0) {
      tried++;
      place = depth - 1;
    }
    // The next path in order that differs at `place` or before it.
    path.fill(0, place + 1);
    while (place >= 0 && ++path[place] === STEPS.length) path[place--] = 0;
    if (place < 0) return tried;
  }
}

for (const [capacity, depth] of [
  [2, 7],
  [4, 7],
]) {
  t.test(`a ring of ${capacity} is a queue under every sequence of ${depth} steps`, (t) => {
    for (const start of STARTS) {
      const tried = tryEveryPath(capacity, start, depth);
      t.ok(tried > 10_000, `start ${start}: ${tried} sequences`);
    }
    t.end();
  });
}

t.test('a ring is a queue under long random sequences of steps', (t) => {
  const step = fc.tuple(fc.constantFrom('claim', 'publish', 'look', 'release', 'count'), fc.nat(1000));
  const property = fc.property(
    fc.constantFrom(2, 4, 8, 64, 1024),
    fc.oneof(fc.constantFrom(...STARTS), fc.integer({ min: 2 ** 31 - 2000, max: 2 ** 31 }), fc.integer()),
    fc.array(step, { minLength: 50, maxLength: 500, size: 'max' }),
    (capacity, start, steps) => {
      const trial = new Trial(allocateRing(capacity, SLOT_WORDS, start), start);
      for (const [name, number] of steps) {
        if (name === 'claim') for (let n = number % (capacity + 2); n > 0; n--) trial.claim();
        else if (name === 'publish') trial.publish();
        else if (name === 'look') trial.look();
        else if (name === 'release') trial.release(number % (trial.seen + 1));
        else trial.count();
      }
      trial.finish();
    },
  );
  fc.assert(property, { seed, numRuns: 500 });
  t.end();
});

for (const start of STARTS) {
  t.test(`from sequence ${start}`, (t) => {
    const open = (capacity: number) => {
      const memory = allocateRing(capacity, 1, start);
      return { memory, producer: new Producer(memory), consumer: new Consumer(memory) };
    };

    t.test('a new ring is empty', (t) => {
      const { producer, consumer } = open(8);
      t.equal(producer.capacity, 8);
      t.equal(producer.countOccupied(), 0);
      t.equal(consumer.available(), 0);
      t.end();
    });

    t.test('the producer stops at the first slot that is not released', (t) => {
      const { producer, consumer } = open(4);
      for (let i = 0; i < 4; i++) t.not(producer.claim(), FULL);
      t.equal(producer.claim(), FULL);
      producer.publish();
      t.equal(producer.claim(), FULL, 'publishing makes no room');
      t.equal(consumer.available(), 4);
      t.equal(producer.claim(), FULL, 'nor does reading');
      consumer.release(1);
      t.not(producer.claim(), FULL, 'releasing does');
      t.equal(producer.claim(), FULL);
      t.equal(producer.countOccupied(), 4);
      t.end();
    });

    t.test('a slot is invisible until it is published', (t) => {
      const { producer, consumer } = open(4);
      producer.words[producer.claim()] = 1;
      producer.words[producer.claim()] = 2;
      t.equal(consumer.available(), 0);
      t.equal(producer.countOccupied(), 2, 'though it is taken');
      t.end();
    });

    t.test('one publish shows a whole batch of claims, and no later claim', (t) => {
      const { producer, consumer } = open(8);
      for (let i = 0; i < 5; i++) producer.words[producer.claim()] = 100 + i;
      t.equal(producer.publish(), true);
      producer.words[producer.claim()] = 999;
      const got = Array.from({ length: consumer.available() }, (_, i) => consumer.words[consumer.slotAt(i)]);
      t.same(got, [100, 101, 102, 103, 104]);
      t.end();
    });

    t.test('publishing nothing says so', (t) => {
      const { producer, consumer } = open(2);
      t.equal(producer.publish(), false);
      producer.claim();
      t.equal(producer.publish(), true);
      t.equal(producer.publish(), false);
      t.equal(consumer.available(), 1);
      t.end();
    });

    t.test('both ends can be opened again where they were left', (t) => {
      const { memory, producer, consumer } = open(4);
      for (let i = 0; i < 3; i++) producer.words[producer.claim()] = 10 + i;
      producer.publish();
      consumer.available();
      consumer.release(1);
      const again = { producer: new Producer(memory), consumer: new Consumer(memory) };
      t.equal(again.producer.countOccupied(), 2);
      t.equal(again.consumer.available(), 2);
      t.equal(again.consumer.words[again.consumer.slotAt(0)], 11);
      again.producer.claim();
      again.producer.claim();
      t.equal(again.producer.claim(), FULL);
      t.end();
    });
    t.end();
  });
}

t.test('a ring of a bad capacity or slot size is refused', (t) => {
  for (const capacity of [-2, 0, 1, 3, 6, 1000, 2.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 25, 2 ** 32]) {
    t.throws(() => allocateRing(capacity, 1), /capacity is a power of two/, `capacity ${capacity}`);
  }
  for (const slotWords of [-1, 0, 1.5, Number.NaN, 1025]) {
    t.throws(() => allocateRing(2, slotWords), /1 to 1024 words/, `${slotWords} words`);
  }
  const { buffer } = allocateRing(4, 3);
  t.throws(() => new Ring({ buffer, slotWords: 5 }), /power-of-two/, 'memory that was made for other slots');
  t.end();
});
