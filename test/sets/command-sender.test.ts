// Tries main's way to the workers: the right worker, the order of each user, and nothing lost when a ring is full.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import {
  joinWords,
  REQUEST_BODY,
  REQUEST_CENTS_HIGH,
  REQUEST_CENTS_LOW,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RICH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  REQUEST_WORDS,
  RequestKind,
} from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateDoorbell, DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { CommandSender } from '../../lib/sets/command-sender.ts';
import { checkProperty } from '../packets/check-property.ts';
import { printSeed } from '../packets/seed.ts';

printSeed(t);

function open(workers: number, sets: number, capacity: number) {
  const memories = Array.from({ length: workers }, () => allocateRing(capacity, REQUEST_WORDS, 2 ** 31 - 3));
  const doorbells = memories.map(() => allocateDoorbell());
  const rings = memories.map(() => 0);
  const sender = new CommandSender(
    memories.map((memory) => new Producer(memory)),
    doorbells.map((doorbell, i) => new DoorbellRinger(doorbell, () => rings[i]++)),
    sets,
  );
  const consumers = memories.map((memory) => new Consumer(memory));
  /** What a worker finds: up to `most` notices. */
  const take = (worker: number, most = Number.POSITIVE_INFINITY) => {
    const ring = consumers[worker];
    const count = Math.min(most, ring.available());
    const notices = Array.from({ length: count }, (_, i) => {
      const slot = ring.slotAt(i);
      assert.equal(ring.words[slot + REQUEST_KIND], RequestKind.NOTIFY);
      return [ring.words[slot + REQUEST_USER], ring.words[slot + REQUEST_PACKET]];
    });
    ring.release(count);
    return notices;
  };
  return { sender, take, listeners: doorbells.map((doorbell) => new DoorbellListener(doorbell)), rings };
}

t.test('a notice goes to the worker of its user at the next flush', (t) => {
  const { sender, take } = open(2, 5, 16);
  const users = [0, 1, 2, 3, 4, 5, 9, 0x7fff_ffff];
  for (const user of users) sender.tell(user, 7000 + (user % 100));
  t.strictSame([take(0), take(1)], [[], []], 'not before');
  sender.flush();
  for (const worker of [0, 1]) {
    t.strictSame(
      take(worker),
      users.filter((user) => (user % 5) % 2 === worker).map((user) => [user, 7000 + (user % 100)]),
    );
  }
  t.equal(sender.isClear, true);
  t.end();
});

t.test('what finds no room waits, is counted as waiting, and leaves in its order', (t) => {
  const { sender, take } = open(1, 4, 4);
  for (let packet = 0; packet < 10; packet++) sender.tell(1, packet);
  t.equal(sender.isClear, false);
  const got: number[][] = [];
  for (let turn = 0; turn < 3; turn++) {
    sender.flush();
    got.push(take(0).map(([, packet]) => packet));
  }
  t.strictSame(got, [
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
  t.equal(sender.isClear, true);
  t.end();
});

t.test('a flush wakes the workers that sleep and have something to do', (t) => {
  const { sender, take, listeners, rings } = open(3, 3, 2);
  for (const listener of listeners) listener.announceSleep();
  sender.tell(1, 5);
  t.strictSame(rings, [0, 0, 0]);
  sender.flush();
  t.strictSame(rings, [0, 1, 0]);
  for (let packet = 0; packet < 4; packet++) sender.tell(2, packet);
  sender.flush();
  take(2);
  listeners[2].announceSleep();
  sender.flush();
  t.strictSame(rings, [0, 1, 2], 'also for what had waited');
  t.end();
});

const step = fc.oneof(
  fc.record({ kind: fc.constant('tell' as const), user: fc.nat(9), size: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ kind: fc.constant('flush' as const), user: fc.constant(0), size: fc.constant(0) }),
  fc.record({ kind: fc.constant('take' as const), user: fc.nat(2), size: fc.integer({ min: 1, max: 12 }) }),
);

t.test('whatever fills up when, every user is told of everything in its order', (t) =>
  checkProperty(
    t,
    'each user is told of his packets in the order they were told to the sender',
    fc.property(
      fc.integer({ min: 1, max: 3 }),
      fc.constantFrom(2, 8),
      fc.array(step, { minLength: 5, maxLength: 120, size: 'max' }),
      (workers, capacity, steps) => {
        const { sender, take } = open(workers, 7, capacity);
        const told = new Map<number, number[]>();
        const heard = new Map<number, number[]>();
        let next = 0;
        let waiting = 0;
        const listen = (worker: number, most?: number) => {
          const notices = take(worker, most);
          waiting -= notices.length;
          for (const [user, packet] of notices) {
            assert.equal((user % 7) % workers, worker);
            heard.set(user, [...(heard.get(user) ?? []), packet]);
          }
        };
        for (const { kind, user, size } of steps) {
          if (kind === 'tell') {
            for (let i = 0; i < size; i++) {
              told.set(user, [...(told.get(user) ?? []), next]);
              sender.tell(user, next++);
              waiting++;
            }
            if (waiting > workers * capacity) assert.equal(sender.isClear, false, 'the rings cannot hold them all');
          } else if (kind === 'flush') {
            sender.flush();
          } else {
            listen(user % workers, size);
          }
        }
        for (let turn = 0; waiting > 0; turn++) {
          assert(turn < 10_000, 'everything arrives in the end');
          sender.flush();
          for (let worker = 0; worker < workers; worker++) listen(worker);
        }
        assert.equal(sender.isClear, true);
        assert.deepEqual(heard, told);
      },
    ),
    300,
  ),
);

t.test('each command carries what it is about, keys as its body', (t) => {
  const memory = allocateRing(64, REQUEST_WORDS, 2 ** 31 - 3);
  const sender = new CommandSender([new Producer(memory)], [new DoorbellRinger(allocateDoorbell())], 8);
  const cents = 2 ** 40 + 5;
  const key = '红包 and a key that takes more than one slot of the ring to hold';
  sender.credit(3, cents);
  sender.reserve(77, 3, cents);
  sender.endReserve(RequestKind.COMMIT, 3, cents);
  sender.transfer(RequestKind.TOPUP, 78, 3, cents, key);
  sender.endSend(3, key, 1_048_576);
  sender.flush();
  const ring = new Consumer(memory);
  const found: unknown[] = [];
  for (let i = 0; i < ring.available(); ) {
    const { words } = ring;
    const slot = ring.slotAt(i);
    const body = ring.copyBody(i, words[slot + REQUEST_BODY]);
    found.push({
      kind: words[slot + REQUEST_KIND],
      user: words[slot + REQUEST_USER],
      id: words[slot + REQUEST_STAMP_LOW],
      packet: words[slot + REQUEST_PACKET],
      cents: joinWords(words[slot + REQUEST_CENTS_LOW], words[slot + REQUEST_CENTS_HIGH]),
      key: Buffer.from(body.buffer, 0, words[slot + REQUEST_RICH]).toString('utf8'),
    });
    i += 1 + ring.countBodySlots(words[slot + REQUEST_BODY]);
  }
  const nothing = { user: 3, id: 0, packet: 0, cents: 0, key: '' };
  t.strictSame(found, [
    { ...nothing, kind: RequestKind.CREDIT, cents },
    { ...nothing, kind: RequestKind.RESERVE, cents, id: 77 },
    { ...nothing, kind: RequestKind.COMMIT, cents },
    { ...nothing, kind: RequestKind.TOPUP, cents, id: 78, key },
    { ...nothing, kind: RequestKind.SENT, packet: 1_048_576, key },
  ]);
  t.end();
});
