// Chat at one acceptor, step by step: the switch that turns it off, and the bounds that leave all room to shakes and grabs.

import { pack } from 'msgpackr';
import t from 'tap';
import { MAX_CHAT_IN_FLIGHT, MAX_CHAT_IN_FLIGHT_PER_CONNECTION } from '../../lib/net/limits.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { ChatResult, ReplyKind, RequestKind } from '../../lib/protocol/slot-layout.ts';
import { AcceptorRig } from './acceptor-rig.ts';
import { frame, grab, hello } from './raw-client.ts';

const chat = (stamp: number, bytes = 1) => frame(0x0200, pack('x'.repeat(bytes)), stamp);

t.test('while the switch is off, chat is answered unavailable at once, and grabs pass', (t) => {
  let level = 1;
  const rig = new AcceptorRig({ takesChat: () => level < 1 });
  const { connection } = rig.join(1, hello(1));
  rig.receive(connection, chat(7), grab(5));
  rig.drain();
  t.match(rig.transport.take(connection), [
    { opcode: Opcode.ERROR, stamp: 7n, body: { code: 'unavailable', retryAfterMs: 500 } },
  ]);
  t.strictSame(
    rig.takeRequests().map(({ kind }) => kind),
    [RequestKind.GRAB],
  );
  t.equal(rig.count('chatUnavailable'), 1);
  level = 0;
  rig.receive(connection, chat(8));
  t.strictSame(rig.takeRequests()[0].kind, RequestKind.CHAT);
  t.end();
});

t.test(
  'one connection has so many requests for chat under way, all have so many, and shakes and grabs still pass',
  (t) => {
    const rig = new AcceptorRig();
    const users = MAX_CHAT_IN_FLIGHT / MAX_CHAT_IN_FLIGHT_PER_CONNECTION;
    const joined = Array.from({ length: users + 1 }, (_, userId) => rig.join(userId, hello(userId)));
    const [{ connection, generation }] = joined;
    for (let i = 0; i <= MAX_CHAT_IN_FLIGHT_PER_CONNECTION; i++) rig.receive(connection, chat(i));
    rig.drain();
    t.match(rig.transport.take(connection), [
      { opcode: Opcode.ERROR, stamp: 16n, body: { code: 'busy', retryAfterMs: 500 } },
    ]);
    for (const { connection } of joined.slice(1, users)) {
      for (let i = 0; i < MAX_CHAT_IN_FLIGHT_PER_CONNECTION; i++) rig.receive(connection, chat(i));
    }
    const last = joined[users].connection;
    rig.receive(last, chat(1), grab(5));
    rig.drain();
    t.match(rig.transport.take(last), [{ opcode: Opcode.ERROR, stamp: 1n, body: { code: 'busy' } }]);
    t.equal(rig.count('chatBusy'), 2);
    t.equal(rig.links[0].chatInFlight, MAX_CHAT_IN_FLIGHT);
    t.equal(rig.links[0].inFlight, 1, 'the grab, which is counted apart');
    const say = (result: ChatResult) => rig.say({ kind: ReplyKind.CHAT, connection, generation, result, stampLow: 3 });
    for (const result of [ChatResult.RATE, ChatResult.UNAVAILABLE, ChatResult.BUSY]) say(result);
    rig.say({ kind: ReplyKind.CHAT, connection, generation: generation + 1, result: ChatResult.BUSY });
    rig.drain();
    t.same(
      rig.transport.take(connection).map(({ body }) => body.code),
      ['rate', 'unavailable', 'busy'],
    );
    t.equal(rig.links[0].chatInFlight, MAX_CHAT_IN_FLIGHT - 4, 'a late one counts too');
    t.strictSame([rig.count('chatLimited'), rig.count('chatUnavailable'), rig.count('repliesStale')], [1, 1, 1]);
    rig.receive(connection, chat(1), chat(2), chat(3), chat(4));
    rig.drain();
    t.equal(rig.transport.take(connection).length, 1, 'three were answered, so three more pass');
    t.end();
  },
);

t.test('long requests for chat leave half of the ring to everything else', (t) => {
  const rig = new AcceptorRig();
  const joined = Array.from({ length: 17 }, (_, userId) => rig.join(userId, hello(userId)));
  for (const { connection } of joined) for (let i = 0; i < 16; i++) rig.receive(connection, chat(i, 3900));
  // Each takes 62 slots of 16,384; half of them are not for chat.
  t.equal(rig.links[0].chatInFlight, Math.floor(8192 / 62));
  rig.receive(joined[0].connection, grab(5));
  t.equal(rig.links[0].inFlight, 1);
  t.end();
});

t.test('a session that the worker does not know is closed when it asks for chat', (t) => {
  const rig = new AcceptorRig();
  const { connection, generation } = rig.join(1, hello(1));
  rig.receive(connection, chat(1));
  rig.say({ kind: ReplyKind.CHAT, connection, generation, result: ChatResult.NOT_LOGGED_IN });
  rig.drain();
  t.strictSame(rig.closes(), { 'not-logged-in': 1 });
  t.equal(rig.links[0].chatInFlight, 0);
  t.end();
});
