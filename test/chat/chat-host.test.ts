// The rings of the service's thread, one step at a time: requests in, answers and pushes out, and what each bound does.

import t, { type Test } from 'tap';
import { CHAT_COUNTERS, ChatCount } from '../../lib/chat/chat-counters.ts';
import { ChatHost } from '../../lib/chat/chat-host.ts';
import { RateError, type ServiceRequest } from '../../lib/chat/chat-service.ts';
import { MAX_HELD_BYTES, MAX_UNDER_WAY, REQUESTS_AT_ONCE } from '../../lib/chat/limits.ts';
import { packValue, unpackValue } from '../../lib/protocol/message-pack.ts';
import {
  ChatResult,
  REPLY_BODY,
  REPLY_COUNT,
  REPLY_KIND,
  REPLY_PACKET,
  REPLY_RESULT,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_WORDS,
  REQUEST_BODY,
  REQUEST_CENTS_HIGH,
  REQUEST_CENTS_LOW,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RICH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  REQUEST_WORDS,
  ReplyKind,
  RequestKind,
} from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateCounters, CounterReader, CounterWriter } from '../../lib/ring/counters.ts';
import { allocateDoorbell, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';

interface Said {
  kind: RequestKind;
  user: number;
  id: number;
  opcode: number;
  result: number;
  retryAfterMs: number;
  // biome-ignore lint/suspicious/noExplicitAny: what is in a body is what the tests look into
  body: any;
}

const FIRST_SEQUENCE = 2 ** 31 - 3;

class Rig {
  readonly host: ChatHost;
  readonly errors: unknown[] = [];
  nowMs = 0;
  readonly #toHost: Producer[];
  readonly #fromHost: Consumer[];
  readonly #counters: CounterReader;
  #nextId = 1;

  constructor(workers = 1, answerSlots = 1024) {
    const each = <T>(make: () => T) => Array.from({ length: workers }, make);
    const passes = each(() => allocateRing(4096, REPLY_WORDS, FIRST_SEQUENCE));
    const answers = each(() => allocateRing(answerSlots, REQUEST_WORDS, FIRST_SEQUENCE));
    const counters = allocateCounters(CHAT_COUNTERS);
    this.#toHost = passes.map((ring) => new Producer(ring));
    this.#fromHost = answers.map((ring) => new Consumer(ring));
    this.#counters = new CounterReader([counters], CHAT_COUNTERS);
    this.host = new ChatHost({
      workers: passes.map((ring, w) => ({
        fromWorker: new Consumer(ring),
        toWorker: new Producer(answers[w]),
        doorbell: new DoorbellRinger(allocateDoorbell()),
      })),
      sets: 4,
      counters: new CounterWriter(counters, CHAT_COUNTERS),
      readMs: () => this.nowMs,
      onError: (error) => this.errors.push(error),
    });
  }

  /** A worker passes a request on. Returns its id. */
  pass(user: number, body: unknown, opcode = 0x0200, worker = 0): number {
    const packed = packValue(body);
    const words = new Int32Array(Math.ceil(packed.length / 4));
    new Uint8Array(words.buffer).set(packed);
    const id = this.#nextId++;
    this.tell(
      {
        [REPLY_KIND]: ReplyKind.PASS_CHAT,
        [REPLY_USER]: user,
        [REPLY_STAMP_LOW]: id,
        [REPLY_PACKET]: opcode,
        [REPLY_COUNT]: packed.length,
      },
      words,
      worker,
    );
    return id;
  }

  tell(fields: Record<number, number>, body = new Int32Array(0), worker = 0): void {
    const ring = this.#toHost[worker];
    const slot = ring.claim();
    ring.words.fill(0, slot, slot + REPLY_WORDS);
    for (const [word, value] of Object.entries(fields)) ring.words[slot + Number(word)] = value;
    ring.words[slot + REPLY_BODY] = body.length;
    ring.claimBody(body);
    ring.publish();
  }

  /** What the host has said to a worker. */
  take(worker = 0): Said[] {
    const ring = this.#fromHost[worker];
    const said: Said[] = [];
    while (ring.available() > 0) {
      const slot = ring.slotAt(0);
      const word = (index: number) => ring.words[slot + index];
      const body = ring.copyBody(0, word(REQUEST_BODY));
      const bytes = new Uint8Array(body.buffer, 0, word(REQUEST_RICH));
      said.push({
        kind: word(REQUEST_KIND) as RequestKind,
        user: word(REQUEST_USER),
        id: word(REQUEST_STAMP_LOW),
        opcode: word(REQUEST_PACKET),
        result: word(REQUEST_CENTS_LOW),
        retryAfterMs: word(REQUEST_CENTS_HIGH),
        body: bytes.length === 0 ? undefined : unpackValue(bytes),
      });
      ring.release(1 + ring.countBodySlots(word(REQUEST_BODY)));
    }
    return said;
  }

  count(name: keyof typeof ChatCount): number {
    this.#counters.update();
    return this.#counters.count(ChatCount[name]);
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

t.test('a request reaches the service with who asked, and its answer goes back with its id', (t) => {
  const rig = new Rig(2);
  const seen: ServiceRequest[] = [];
  rig.host.serve({
    handle: (request) => {
      seen.push(request);
      return { n: seen.length };
    },
  });
  const first = rig.pass(5, { key: 'k', userId: 99 }, 0x0210, 1);
  const second = rig.pass(4, null, 0x027e, 0);
  t.ok(rig.host.hasWork());
  t.equal(rig.host.turn(), 2);
  t.notOk(rig.host.hasWork());
  t.same(seen, [
    { userId: 4, opcode: 0x027e, body: null, key: undefined },
    { userId: 5, opcode: 0x0210, body: { key: 'k', userId: 99 }, key: 'k' },
  ]);
  const kind = RequestKind.CHAT_ANSWER;
  t.match(rig.take(0), [{ kind, user: 4, id: second, opcode: 0x027f, result: ChatResult.ANSWERED, body: { n: 1 } }]);
  t.match(rig.take(1), [{ kind, user: 5, id: first, opcode: 0x0211, result: ChatResult.ANSWERED, body: { n: 2 } }]);
  t.end();
});

t.test('only a key of 1 to 64 bytes is one', (t) => {
  const rig = new Rig();
  const keys: unknown[] = [];
  rig.host.serve({ handle: ({ key }) => keys.push(key) });
  const bodies = [
    { key: 'k'.repeat(64) },
    { key: 'k'.repeat(65) },
    { key: '' },
    { key: 5 },
    [],
    'key',
    { key: '界'.repeat(22) },
  ];
  for (const body of bodies) rig.pass(1, body);
  rig.host.turn();
  t.same(keys, ['k'.repeat(64), undefined, undefined, undefined, undefined, undefined, undefined]);
  t.end();
});

t.test('requests of one user are served one at a time, in order; those of others do not wait for them', async (t) => {
  const rig = new Rig();
  const log: string[] = [];
  const gates = new Map<number, () => void>();
  rig.host.serve({
    handle: async ({ userId, body }) => {
      log.push(`${userId} begins ${body}`);
      if (userId === 1) await new Promise<void>((resolve) => gates.set(body as number, resolve));
      log.push(`${userId} ends ${body}`);
      return {};
    },
  });
  const ids = [rig.pass(1, 1), rig.pass(1, 2), rig.pass(2, 3), rig.pass(1, 4)];
  rig.host.turn();
  await settle();
  t.same(log, ['1 begins 1', '2 begins 3', '2 ends 3']);
  for (const n of [1, 2, 4]) {
    gates.get(n)!();
    await settle();
  }
  t.same(log.slice(3), ['1 ends 1', '1 begins 2', '1 ends 2', '1 begins 4', '1 ends 4']);
  t.same(
    rig.take().map(({ id }) => id),
    [ids[2], ids[0], ids[1], ids[3]],
  );
  t.equal(rig.host.underWay, 0);
});

t.test('a service that throws, rejects, or answers what cannot be packed fails that request alone', async (t) => {
  const rig = new Rig();
  rig.host.serve({
    handle: ({ body }) => {
      if (body === 'throw') throw new Error('thrown');
      if (body === 'reject') return Promise.reject(new Error('rejected'));
      if (body === 'long') return { text: 'x'.repeat(16_384) };
      if (body === 'date') return { at: new Date() };
      if (body === 'slow') throw new RateError(250);
      return undefined;
    },
    onPresence: () => {
      throw new Error('presence');
    },
  });
  for (const body of ['throw', 'reject', 'long', 'date', 'slow', 'fine']) rig.pass(1, body);
  rig.host.turn();
  await settle();
  const said = rig.take();
  t.same(
    said.map(({ result }) => result).sort(),
    [ChatResult.ANSWERED, ...Array(4).fill(ChatResult.UNAVAILABLE), ChatResult.RATE].sort(),
  );
  t.match(
    said.find(({ result }) => result === ChatResult.RATE),
    { retryAfterMs: 250, body: undefined },
  );
  t.match(
    said.find(({ result }) => result === ChatResult.ANSWERED),
    { body: null },
  );
  t.equal(rig.count('failures'), 4);
  for (const cause of [/thrown/, /rejected/, /over 16384/, /no client/]) {
    t.equal(rig.errors.filter((error) => cause.test(String(error))).length, 1, String(cause));
  }
  rig.tell({ [REPLY_KIND]: ReplyKind.PRESENCE, [REPLY_USER]: 1, [REPLY_RESULT]: 1 });
  rig.host.turn();
  t.match(String(rig.errors.at(-1)), /presence/);
  t.equal(rig.host.underWay, 0);
});

t.test('a user over his rate is told how long to wait, and the service is not asked', (t) => {
  const rig = new Rig();
  let asked = 0;
  rig.host.serve({ handle: () => ({ n: ++asked }) });
  for (let i = 0; i <= REQUESTS_AT_ONCE; i++) rig.pass(1, null);
  rig.pass(2, null);
  while (rig.host.turn() > 0);
  t.equal(asked, REQUESTS_AT_ONCE + 1, 'one of another user');
  t.match(
    rig.take().filter(({ result }) => result === ChatResult.RATE),
    [{ user: 1, retryAfterMs: 50 }],
  );
  rig.nowMs += 50;
  rig.pass(1, null);
  rig.host.turn();
  t.match(rig.take(), [{ result: ChatResult.ANSWERED }]);
  t.end();
});

t.test('a service that never answers has a bounded number of requests under way, and others are told busy', (t) => {
  const rig = new Rig(1, 16_384);
  rig.host.serve({ handle: () => new Promise(() => {}) });
  for (let user = 0; user <= MAX_UNDER_WAY; user++) {
    rig.pass(user, null);
    rig.host.turn();
  }
  t.equal(rig.host.underWay, MAX_UNDER_WAY);
  t.match(rig.take(), [{ user: MAX_UNDER_WAY, result: ChatResult.BUSY, retryAfterMs: 500 }]);
  t.end();
});

t.test('pushes that find no room wait in order up to a bound, and what is over it is dropped and counted', (t) => {
  const rig = new Rig(1, 16);
  const text = 'x'.repeat(8000);
  let pushed = 0;
  while (rig.host.push(1, 0x0280, { n: pushed, text })) if (++pushed > 10_000) break;
  checkBound(t, rig.host.heldBytes);
  t.notOk(rig.host.push([1, 2], 0x0280, { n: -1 }));
  t.equal(rig.count('pushesDropped'), 3);
  t.equal(rig.count('pushes'), pushed);
  t.end();
});

function checkBound(t: Test, bytes: number): void {
  t.ok(bytes >= MAX_HELD_BYTES && bytes < MAX_HELD_BYTES + 20_000, `${bytes} bytes are held`);
}

t.test('what waited leaves in its order once there is room, answers among it', (t) => {
  const rig = new Rig(1, 16);
  rig.host.serve({ handle: () => ({ answer: true }) });
  for (let n = 0; n < 40; n++) rig.host.push(1, 0x0280, { n });
  rig.pass(1, null);
  rig.host.turn();
  rig.host.push(1, 0x0280, { n: 40 });
  const seen: unknown[] = [];
  for (let i = 0; i < 100; i++) {
    seen.push(...rig.take().map(({ body }) => body.n ?? 'answer'));
    rig.host.flush();
  }
  t.same(seen, [...Array.from({ length: 40 }, (_, n) => n), 'answer', 40]);
  t.equal(rig.host.heldBytes, 0);
  t.end();
});

t.test('a push outside the opcodes or the user ids is a mistake of the service', (t) => {
  const rig = new Rig();
  for (const opcode of [0x0200, 0x027f, 0x0300]) t.throws(() => rig.host.push(1, opcode, {}), RangeError);
  for (const userId of [-1, 0.5, 2 ** 31]) {
    t.throws(() => rig.host.push(userId, 0x0280, {}), RangeError);
    t.throws(() => rig.host.watch(userId), RangeError);
  }
  t.throws(() => rig.host.push(1, 0x0280, 'x'.repeat(16_384)), RangeError);
  t.throws(() => rig.host.push(1, 0x0280, new Date()), TypeError);
  t.same(rig.take(), []);
  t.end();
});

t.test('a packet is asked for over a ring, and the answer is matched by its id', async (t) => {
  const rig = new Rig();
  const [known, unknown] = [rig.host.readPacket(0x8000_0001), rig.host.readPacket(7)];
  const [first, second] = rig.take();
  t.match([first, second], [{ kind: RequestKind.CHAT_PACKET, opcode: 0x8000_0001 | 0 }, { opcode: 7 }]);
  rig.tell({ [REPLY_KIND]: ReplyKind.CHAT_PACKET, [REPLY_STAMP_LOW]: second.id, [REPLY_RESULT]: -1 });
  rig.tell({ [REPLY_KIND]: ReplyKind.CHAT_PACKET, [REPLY_STAMP_LOW]: first.id, [REPLY_PACKET]: first.opcode });
  rig.tell({ [REPLY_KIND]: ReplyKind.CHAT_PACKET, [REPLY_STAMP_LOW]: 99, [REPLY_RESULT]: -1 });
  rig.host.turn();
  t.match(await known, { packetId: 0x8000_0001, mode: 'lucky' });
  t.equal(await unknown, undefined);
});

t.test('a request that ended the thread is not met again by the next one', (t) => {
  const memory = allocateRing(64, REPLY_WORDS, FIRST_SEQUENCE);
  const answers = allocateRing(64, REQUEST_WORDS, FIRST_SEQUENCE);
  const start = () =>
    new ChatHost({
      workers: [
        {
          fromWorker: new Consumer(memory),
          toWorker: new Producer(answers),
          doorbell: new DoorbellRinger(allocateDoorbell()),
        },
      ],
      sets: 1,
      counters: new CounterWriter(allocateCounters(CHAT_COUNTERS), CHAT_COUNTERS),
      readMs: () => 0,
      onError: () => {
        throw new Error('the thread ends here');
      },
    });
  const producer = new Producer(memory);
  for (const user of [1, 2]) {
    const slot = producer.claim();
    producer.words.fill(0, slot, slot + REPLY_WORDS);
    producer.words[slot + REPLY_KIND] = ReplyKind.PRESENCE;
    producer.words[slot + REPLY_USER] = user;
    producer.publish();
  }
  const seen: number[] = [];
  const service = {
    handle: () => null,
    onPresence: (userId: number) => {
      seen.push(userId);
      if (userId === 1) throw new Error('poison');
    },
  };
  const first = start();
  first.serve(service);
  t.throws(() => first.turn(), /the thread ends here/);
  const second = start();
  second.serve(service);
  second.turn();
  t.same(seen, [1, 2]);
  t.end();
});
