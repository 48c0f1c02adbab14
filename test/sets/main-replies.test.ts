// Tries main's replies to the acceptors: whole frames, in their order, and none lost when a ring is full.

import t from 'tap';
import { MAX_FRAME_BYTES } from '../../lib/protocol/limits.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import {
  REPLY_BODY,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_GENERATION,
  REPLY_KIND,
  REPLY_RECEIVED,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_WORDS,
  REPLY_WORKER,
  ReplyKind,
} from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateDoorbell, DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import type { PassedRequest } from '../../lib/sets/main-inbox.ts';
import { MainReplies } from '../../lib/sets/main-replies.ts';
import { readFrames } from '../net/raw-client.ts';

function open(acceptors: number, slots: number) {
  const memories = Array.from({ length: acceptors }, () => allocateRing(slots, REPLY_WORDS, 2 ** 31 - 3));
  const doorbells = memories.map(() => allocateDoorbell());
  const rings = memories.map(() => 0);
  const replies = new MainReplies(
    memories.map((memory) => new Producer(memory)),
    doorbells.map((doorbell, i) => new DoorbellRinger(doorbell, () => rings[i]++)),
  );
  const consumers = memories.map((memory) => new Consumer(memory));
  /** What an acceptor finds: the head's words, and the frame. */
  const take = (acceptor: number) => {
    const ring = consumers[acceptor];
    const taken = [];
    while (ring.available() > 0) {
      const slot = ring.slotAt(0);
      const bodyWords = ring.words[slot + REPLY_BODY];
      const body = ring.copyBody(0, bodyWords);
      const { frames, left } = readFrames(Buffer.from(body.buffer, 0, ring.words[slot + REPLY_COUNT]));
      if (frames.length !== 1 || left.length > 0) throw new Error('not one whole frame');
      taken.push({ head: ring.words.slice(slot, slot + REPLY_WORDS), frame: frames[0] });
      ring.release(1 + ring.countBodySlots(bodyWords));
    }
    return taken;
  };
  return { replies, take, rings, listeners: doorbells.map((doorbell) => new DoorbellListener(doorbell)) };
}

function request(acceptor: number, stampLow: number): PassedRequest {
  return { worker: 3, acceptor, connection: 70, generation: -5, userId: 9, stampHigh: -2, stampLow, receivedUs: -77 };
}

t.test('a reply goes to the acceptor that asked, with whose it is and a frame that echoes the stamp', (t) => {
  const { replies, take } = open(2, 64);
  replies.reply(request(1, 5), ReplyKind.SENT, Opcode.SENT, { status: 'INSUFFICIENT' });
  t.strictSame(take(0), []);
  const [{ head, frame }, ...others] = take(1);
  t.strictSame(
    [REPLY_KIND, REPLY_CONNECTION, REPLY_GENERATION, REPLY_USER, REPLY_RECEIVED, REPLY_WORKER].map((i) => head[i]),
    [ReplyKind.SENT, 70, -5, 9, -77, 3],
  );
  t.strictSame([head[REPLY_STAMP_HIGH], head[REPLY_STAMP_LOW]], [-2, 5]);
  t.strictSame([frame.opcode, frame.stamp], [Opcode.SENT, (0xffff_fffen << 32n) + 5n]);
  t.strictSame(frame.body, { status: 'INSUFFICIENT' });
  t.strictSame(others, []);
  t.end();
});

t.test('the longest frame fits, and one that would be longer is an error of the caller', (t) => {
  const { replies, take } = open(1, 256);
  const filler = 'x'.repeat(MAX_FRAME_BYTES - 12 - 1 - 2 - 3);
  replies.reply(request(0, 1), ReplyKind.RECORDS, Opcode.RECORDS_RESULT, { a: filler });
  const [{ frame }] = take(0);
  t.equal(frame.bytes.length, MAX_FRAME_BYTES);
  t.equal(frame.body.a, filler);
  t.throws(
    () => replies.reply(request(0, 2), ReplyKind.RECORDS, Opcode.RECORDS_RESULT, { a: `${filler}x` }),
    RangeError,
  );
  replies.reply(request(0, 3), ReplyKind.RECORDS, Opcode.RECORDS_RESULT, { records: [] });
  t.equal(take(0).length, 1, 'and others go on');
  t.end();
});

t.test('what finds no room waits, and leaves in its order; acceptors that sleep are woken', (t) => {
  const { replies, take, rings, listeners } = open(1, 4);
  listeners[0].announceSleep();
  for (let stamp = 0; stamp < 7; stamp++) {
    replies.reply(request(0, stamp), ReplyKind.SENT, Opcode.SENT, { status: 'BUSY', filler: 'y'.repeat(stamp) });
  }
  t.strictSame(rings, [1]);
  const stamps: number[] = [];
  for (let turn = 0; turn < 7; turn++) {
    for (const { head, frame } of take(0)) {
      stamps.push(head[REPLY_STAMP_LOW]);
      t.equal(frame.body.filler.length, head[REPLY_STAMP_LOW]);
    }
    replies.flush();
  }
  t.strictSame(stamps, [0, 1, 2, 3, 4, 5, 6]);
  t.end();
});
