// Tries what main hears from workers and the journal: answers find whoever waits for them, requests reach their handler.

import t from 'tap';
import { encodeSend } from '../../lib/protocol/send-words.ts';
import {
  highWord,
  lowWord,
  REPLY_BODY,
  REPLY_CENTS_HIGH,
  REPLY_CENTS_LOW,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_GENERATION,
  REPLY_HELD_HIGH,
  REPLY_HELD_LOW,
  REPLY_KIND,
  REPLY_PACKET,
  REPLY_RECEIVED,
  REPLY_RESULT,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_WORDS,
  REPLY_WORKER,
  ReplyKind,
  TransferResult,
} from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { MainInbox, type PassedRequest } from '../../lib/sets/main-inbox.ts';

function open() {
  const memories = [allocateRing(32, REPLY_WORDS, 2 ** 31 - 3), allocateRing(32, REPLY_WORDS, -2)];
  const producers = memories.map((memory) => new Producer(memory));
  const sends: { request: PassedRequest; body: Int32Array }[] = [];
  const records: unknown[][] = [];
  const inbox = new MainInbox(
    memories.map((memory) => new Consumer(memory)),
    {
      onSend: (request, body) => sends.push({ request, body }),
      onRecords: (...asked) => records.push(asked),
    },
  );
  const say = (ring: number, fields: Record<number, number>, body = new Int32Array(0)) => {
    const producer = producers[ring];
    const slot = producer.claim();
    producer.words.fill(-1, slot, slot + REPLY_WORDS);
    producer.words[slot + REPLY_BODY] = body.length;
    for (const [word, value] of Object.entries(fields)) producer.words[slot + Number(word)] = value;
    producer.claimBody(body);
    producer.publish();
  };
  return { inbox, say, sends, records };
}

const answer = (kind: ReplyKind, id: number, result: number, balance = 0, held = 0) => ({
  [REPLY_KIND]: kind,
  [REPLY_STAMP_LOW]: id,
  [REPLY_RESULT]: result,
  [REPLY_CENTS_LOW]: lowWord(balance),
  [REPLY_CENTS_HIGH]: highWord(balance),
  [REPLY_HELD_LOW]: lowWord(held),
  [REPLY_HELD_HIGH]: highWord(held),
});

t.test('an answer resolves the command that it answers, whatever the order and the ring', async (t) => {
  const { inbox, say } = open();
  const [first, second] = [inbox.expect(), inbox.expect()];
  t.not(first.id, second.id);
  t.equal(inbox.waitingCount, 2);
  t.notOk(inbox.hasWork());
  const most = 900_000_000_000_000;
  say(1, answer(ReplyKind.TRANSFER, second.id, TransferResult.REPEAT, most, 2 ** 31));
  say(0, answer(ReplyKind.RESERVED, first.id, TransferResult.INSUFFICIENT, 0, 0));
  t.ok(inbox.hasWork());
  inbox.drain();
  t.notOk(inbox.hasWork());
  t.strictSame(await second.answer, { result: TransferResult.REPEAT, balanceCents: most, heldCents: 2 ** 31 });
  t.match(await first.answer, { result: TransferResult.INSUFFICIENT });
  t.equal(inbox.waitingCount, 0);
  say(0, answer(ReplyKind.TRANSFER, first.id, TransferResult.DONE));
  inbox.drain();
  t.equal(inbox.waitingCount, 0, 'an answer that nobody waits for is passed over');
});

t.test(
  'a send and a question for records reach their handlers with whom to answer, between other messages',
  async (t) => {
    const { inbox, say, sends, records } = open();
    const { id, answer: answered } = inbox.expect();
    const origin = {
      [REPLY_WORKER]: 2,
      [REPLY_RESULT]: 1,
      [REPLY_CONNECTION]: 55,
      [REPLY_GENERATION]: -9,
      [REPLY_USER]: 7,
      [REPLY_STAMP_HIGH]: -1,
      [REPLY_STAMP_LOW]: 4,
      [REPLY_RECEIVED]: -3,
    };
    const request: PassedRequest = {
      worker: 2,
      acceptor: 1,
      connection: 55,
      generation: -9,
      userId: 7,
      stampHigh: -1,
      stampLow: 4,
      receivedUs: -3,
    };
    const users = Array.from({ length: 100 }, (_, i) => i);
    const words = encodeSend({
      users,
      // What its body begins with must not be taken for the kind of another message.
      totalCents: ReplyKind.PASS_RECORDS,
      shares: 2,
      key: 'k',
      mode: 'line',
      expiresInSeconds: 60,
      note: '',
    });
    for (let round = 0; round < 20; round++) {
      say(0, { ...origin, [REPLY_KIND]: ReplyKind.PASS_SEND }, Int32Array.from(words));
      const before = 2 ** 50 + round;
      say(0, {
        ...origin,
        [REPLY_KIND]: ReplyKind.PASS_RECORDS,
        [REPLY_PACKET]: 0x8000_0005 | 0,
        [REPLY_COUNT]: 20,
        [REPLY_CENTS_LOW]: lowWord(before),
        [REPLY_CENTS_HIGH]: highWord(before),
      });
      if (round === 19) say(0, answer(ReplyKind.RESERVED, id, TransferResult.DONE));
      inbox.drain();
      t.strictSame(sends.splice(0), [{ request, body: words }]);
      t.strictSame(records.splice(0), [[request, 0x8000_0005, 20, before]]);
    }
    t.match(await answered, { result: TransferResult.DONE });
  },
);
