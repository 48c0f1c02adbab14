// Tries messages of several slots through a ring, step by step on one thread: bodies of every length, at every place.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { Consumer } from '../../lib/ring/consumer.ts';
import { FULL, Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { mix, readSeed } from './seed.ts';

const seed = readSeed();
t.comment(`SEED=${seed}`);

/** A lap and more below every edge that a sequence has. */
const STARTS = [0, 2 ** 31 - 9, 2 ** 31 - 1, 2 ** 32 - 9, -1];

/** A ring, and beside it the messages that are in it. */
class Trial {
  readonly producer: Producer;
  readonly consumer: Consumer;
  readonly #slotWords: number;
  /** Bodies that are claimed and not published, and published and not released. */
  #hidden: Int32Array[] = [];
  #queue: Int32Array[] = [];
  #nextMessage = 1;

  constructor(capacity: number, slotWords: number, start: number) {
    const memory = allocateRing(capacity, slotWords, start);
    this.producer = new Producer(memory);
    this.consumer = new Consumer(memory);
    this.#slotWords = slotWords;
  }

  get occupied(): number {
    return [...this.#hidden, ...this.#queue].reduce((slots, body) => slots + this.#slotsOf(body), 0);
  }

  /** Sends a message if it has room. */
  send(bodyWords: number): boolean {
    const body = Int32Array.from({ length: bodyWords }, (_, word) => mix(this.#nextMessage, word));
    const slots = 1 + this.producer.countBodySlots(bodyWords);
    assert.equal(slots, this.#slotsOf(body), 'the head, and as many slots as the body begins');
    const hasRoom = this.producer.hasRoom(slots);
    assert.equal(hasRoom, this.occupied + slots <= this.producer.capacity, 'there is room exactly if it fits');
    if (!hasRoom) return false;
    const claimed = this.producer.claimedSequence;
    const head = this.producer.claim();
    assert.notEqual(head, FULL);
    this.producer.words[head] = bodyWords;
    this.producer.claimBody(body);
    assert.equal((this.producer.claimedSequence - claimed) | 0, slots, 'so many slots were claimed');
    this.#hidden.push(body);
    this.#nextMessage++;
    return true;
  }

  publish(): void {
    assert.equal(this.producer.publish(), this.#hidden.length > 0);
    this.#queue.push(...this.#hidden.splice(0));
  }

  /** Takes up to so many messages, and gives their slots back at once. */
  take(most: number): void {
    let slots = 0;
    let available = this.consumer.available();
    for (let taken = 0; taken < most && available > 0; taken++) {
      const body = this.#queue.shift()!;
      const bodyWords = this.consumer.words[this.consumer.slotAt(slots)];
      assert.equal(bodyWords, body.length);
      assert.deepEqual(this.consumer.copyBody(slots, bodyWords), body);
      const own = 1 + this.consumer.countBodySlots(bodyWords);
      assert.equal(own, this.#slotsOf(body), 'both ends count the same slots');
      assert(available >= own, 'a message is there as a whole');
      slots += own;
      available -= own;
    }
    const before = this.producer.releasedSequence;
    this.consumer.release(slots);
    assert.equal((this.producer.releasedSequence - before) | 0, slots);
  }

  #slotsOf(body: Int32Array): number {
    let slots = 1;
    for (let words = body.length; words > 0; words -= this.#slotWords) slots++;
    return slots;
  }
}

t.test('a body of every length passes whole from every place of the ring, over every edge of the sequences', (t) => {
  for (const [capacity, slotWords] of [
    [4, 1],
    [8, 3],
    [16, 6],
  ]) {
    for (const start of STARTS) {
      let passed = 0;
      for (let offset = 0; offset < capacity; offset++) {
        const trial = new Trial(capacity, slotWords, start + offset);
        for (let words = 0; words <= (capacity - 1) * slotWords; words++) {
          if (!trial.send(words)) t.fail(`${words} words find no room in an empty ring`);
          trial.publish();
          trial.take(1);
          passed++;
        }
        if (trial.send((capacity - 1) * slotWords + 1)) t.fail('a body of more than the ring found room');
      }
      t.equal(passed, capacity * ((capacity - 1) * slotWords + 1), `${capacity} slots of ${slotWords} from ${start}`);
    }
  }
  t.end();
});

t.test('long and short bodies in any order of steps come out as they went in', (t) => {
  const step = fc.tuple(fc.constantFrom('send', 'send', 'publish', 'take'), fc.nat(400));
  let refused = 0;
  const property = fc.property(
    fc.constantFrom(2, 4, 16, 64),
    fc.constantFrom(1, 2, 6),
    fc.oneof(fc.constantFrom(...STARTS), fc.integer({ min: 2 ** 31 - 100, max: 2 ** 31 })),
    fc.array(step, { minLength: 50, maxLength: 300, size: 'max' }),
    (capacity, slotWords, start, steps) => {
      const trial = new Trial(capacity, slotWords, start);
      for (const [name, number] of steps) {
        if (name === 'publish') trial.publish();
        else if (name === 'take') trial.take(number % 4);
        else if (!trial.send(number % (capacity * slotWords))) refused++;
        assert.equal(trial.producer.countOccupied(), trial.occupied);
      }
      trial.publish();
      while (trial.occupied > 0) trial.take(1);
      assert.equal(trial.consumer.available(), 0);
    },
  );
  fc.assert(property, { seed, numRuns: 400 });
  t.ok(refused > 500, `${refused} times there was no room`);
  t.end();
});

for (const start of STARTS) {
  t.test(`from sequence ${start}`, (t) => {
    const open = (capacity: number, slotWords = 1) => {
      const memory = allocateRing(capacity, slotWords, start);
      return { producer: new Producer(memory), consumer: new Consumer(memory) };
    };

    t.test('there is room for as many slots as are not claimed or are released, and not one more', (t) => {
      const { producer, consumer } = open(8);
      const roomIs = (slots: number, name: string) =>
        t.strictSame([producer.hasRoom(slots), producer.hasRoom(slots + 1)], [true, false], name);
      roomIs(8, 'all of them');
      for (let claimed = 1; claimed <= 8; claimed++) {
        producer.claim();
        roomIs(8 - claimed, `${claimed} claimed`);
      }
      producer.publish();
      roomIs(0, 'publishing makes none');
      consumer.available();
      roomIs(0, 'nor does reading');
      for (let released = 1; released <= 8; released++) {
        consumer.release(1);
        roomIs(released, `${released} released`);
      }
      t.end();
    });

    t.test('asking for room claims nothing', (t) => {
      const { producer, consumer } = open(4);
      for (let i = 0; i < 10; i++) producer.hasRoom(3);
      t.equal(producer.countOccupied(), 0);
      t.notOk(producer.publish());
      t.equal(consumer.available(), 0);
      t.end();
    });

    t.test('a body without room is a mistake of the caller', (t) => {
      const { producer } = open(4, 2);
      producer.claim();
      t.throws(() => producer.claimBody(new Int32Array(7)), /room for a body/);
      t.end();
    });

    t.test('a sequence is released once the consumer has given back everything below it', (t) => {
      const { producer, consumer } = open(4);
      t.equal(producer.claimedSequence, start | 0);
      t.ok(producer.hasReleased(producer.claimedSequence), 'in an empty ring there is nothing to wait for');
      for (let round = 0; round < 8; round++) {
        for (let i = 0; i < 3; i++) producer.claim();
        const sequence = producer.claimedSequence;
        producer.publish();
        t.equal((sequence - start) | 0, 3 * (round + 1));
        t.notOk(producer.hasReleased(sequence), 'published');
        t.equal(consumer.available(), 3);
        consumer.release(2);
        t.notOk(producer.hasReleased(sequence), 'all but one');
        t.ok(producer.hasReleased((sequence - 1) | 0), 'but everything before that one');
        t.equal(producer.releasedSequence, (sequence - 1) | 0);
        consumer.release(1);
        t.ok(producer.hasReleased(sequence));
        t.ok(producer.hasReleased((sequence - 3) | 0), 'and what was released before still is');
        t.equal(producer.releasedSequence, sequence);
      }
      t.end();
    });

    t.test('what a consumer skips is not read again, and is never given back', (t) => {
      const { producer, consumer } = open(4);
      for (let i = 0; i < 3; i++) producer.words[producer.claim()] = 10 + i;
      producer.publish();
      t.equal(consumer.available(), 3);
      consumer.skip(2);
      t.equal(consumer.available(), 1);
      t.equal(consumer.words[consumer.slotAt(0)], 12);
      consumer.skip(1);
      t.equal(consumer.available(), 0);
      t.notOk(producer.hasReleased((producer.claimedSequence - 2) | 0), 'not even the first of them');
      t.strictSame([producer.countOccupied(), producer.hasRoom(1), producer.hasRoom(2)], [3, true, false]);
      t.end();
    });
    t.end();
  });
}
