// The frames that wait for users: in order, bounded for each and for all, the oldest lost first.

import t from 'tap';
import { ChatQueues } from '../../lib/sets/chat-queues.ts';
import { MAX_CHAT_QUEUE_BYTES_PER_USER, MAX_CHAT_QUEUE_FRAMES_PER_USER } from '../../lib/sets/limits.ts';

const frame = (opcode: number, bytes = 4) => ({ opcode, bytes, body: new Int32Array(Math.ceil(bytes / 4)) });

function drain(queues: ChatQueues, userId: number): number[] {
  const opcodes: number[] = [];
  for (let first = queues.first(userId); first !== undefined; first = queues.first(userId)) {
    opcodes.push(first.opcode);
    queues.removeFirst(userId);
  }
  return opcodes;
}

t.test('the frames of a user come in their order, up to the bound; past it the oldest is lost and counted', (t) => {
  let dropped = 0;
  const queues = new ChatQueues((frames) => {
    dropped += frames;
  });
  for (let i = 0; i < MAX_CHAT_QUEUE_FRAMES_PER_USER; i++) queues.add(1, frame(i));
  t.strictSame([queues.frames, dropped], [MAX_CHAT_QUEUE_FRAMES_PER_USER, 0]);
  queues.add(1, frame(-1));
  t.strictSame([queues.frames, dropped], [MAX_CHAT_QUEUE_FRAMES_PER_USER, 1]);
  const expected = Array.from({ length: MAX_CHAT_QUEUE_FRAMES_PER_USER - 1 }, (_, i) => i + 1);
  t.strictSame(drain(queues, 1), [...expected, -1]);
  t.strictSame([queues.frames, queues.bytes, queues.has(1)], [0, 0, false]);
  t.end();
});

t.test('long frames are bounded by their bytes', (t) => {
  let dropped = 0;
  const queues = new ChatQueues((frames) => {
    dropped += frames;
  });
  for (let i = 0; i < 10; i++) queues.add(1, frame(i, 16_000));
  t.ok(queues.bytes <= MAX_CHAT_QUEUE_BYTES_PER_USER);
  t.equal(dropped, 6);
  t.strictSame(drain(queues, 1), [6, 7, 8, 9]);
  t.end();
});

t.test('when all wait for too much, whoever began to wait first loses his oldest', (t) => {
  const queues = new ChatQueues(() => {}, 10 * 132);
  for (let userId = 1; userId <= 5; userId++) for (let i = 0; i < 2; i++) queues.add(userId, frame(i));
  t.equal(queues.frames, 10);
  queues.add(6, frame(9));
  t.equal(queues.frames, 10);
  t.strictSame(drain(queues, 1), [1]);
  for (let userId = 10; userId < 1000; userId++) queues.add(userId, frame(0));
  t.equal(queues.frames, 10);
  t.equal(queues.takeChange(), 10);
  t.equal(queues.takeChange(), 0);
  t.end();
});
