// Replies that come late: they never reach whoever has the connection's index by then, and nobody's count is wrong.

import t from 'tap';
import { ConnectionState, ConnectionTable, NO_CONNECTION } from '../../lib/net/connection-table.ts';
import { Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { ReplyKind, RequestKind } from '../../lib/protocol/slot-layout.ts';
import { AcceptorRig } from './acceptor-rig.ts';
import { grab, hello, login, shake } from './raw-client.ts';

t.test('an index that is used again has another generation', (t) => {
  const table = new ConnectionTable(2);
  const first = table.open(0, 0);
  const generation = table.generations[first];
  t.ok(table.isLive(first, generation));
  t.not(table.open(0, 0), first);
  t.equal(table.open(0, 0), NO_CONNECTION, 'no third one');
  table.release(first);
  t.notOk(table.isLive(first, generation), 'not while it is free');
  t.notOk(table.isLive(first, table.generations[first]), 'whatever the generation');
  t.equal(table.open(7, 0), first);
  t.notOk(table.isLive(first, generation));
  t.ok(table.isLive(first, table.generations[first]));
  t.strictSame([table.states[first], table.inFlight[first], table.sinceTick[first]], [ConnectionState.NEW, 0, 7]);
  t.end();
});

t.test('the generation wraps without a step that is left out', (t) => {
  const table = new ConnectionTable(1);
  table.generations[0] = 0x7fff_ffff;
  table.release(table.open(0, 0));
  t.equal(table.generations[0], -0x8000_0000);
  table.open(0, 0);
  t.ok(table.isLive(0, -0x8000_0000));
  t.end();
});

t.test('replies, notices and goodbyes for a connection that is gone reach nobody', (t) => {
  const rig = new AcceptorRig();
  rig.stock.add(1, 1);
  const { connection, generation } = rig.join(1, login(1));
  rig.receive(connection, shake(5), grab(0x10_0000, 6), login(1, 7));
  const requests = rig.takeRequests();
  rig.acceptor.onClosed(connection, 'peer');
  t.strictSame(
    rig.takeRequests().map(({ kind, userId, generation }) => [kind, userId, generation]),
    [[RequestKind.DISCONNECT, 1, generation]],
    'the worker is told that the user has gone',
  );

  const other = rig.open();
  t.equal(other, connection, 'the index is used again');
  rig.receive(other, login(2));
  const [otherLogin] = rig.takeRequests();
  t.not(otherLogin.generation, generation);
  rig.answer(requests[0], { result: ShakeResult.WON, packetId: 0x8000_0001, amountCents: 500 });
  rig.answer(requests[1], { amountCents: 300 });
  rig.answer(requests[2]);
  rig.say({ kind: ReplyKind.NOTICE, connection, generation, userId: 1, packetId: 0x10_0000, amountCents: 900 });
  rig.say({ kind: ReplyKind.REPLACED, connection, generation, userId: 1 });
  rig.say({ kind: ReplyKind.NOT_LOGGED_IN, connection, generation, userId: 1 });
  rig.drain();
  t.same(rig.transport.take(other), [], 'whoever is there now gets nothing of it');
  t.same(rig.transport.ended, [], 'and is not closed');
  t.equal(rig.count('repliesStale'), 6);

  rig.answer(otherLogin);
  rig.drain();
  t.strictSame(
    rig.transport.take(other).map(({ opcode, fields }) => [opcode, fields]),
    [[Opcode.LOGIN_RESULT, [2, 0]]],
    'his own login is answered',
  );
  t.strictSame(rig.closes(), { peer: 1 });
  t.end();
});

t.test('late replies are not counted against the requests of whoever came after', (t) => {
  const rig = new AcceptorRig();
  rig.stock.add(1, 1);
  const { connection } = rig.join(1, login(1));
  rig.receive(connection, shake(5), shake(6));
  const late = rig.takeRequests();
  t.equal(rig.links[0].inFlight, 2);
  rig.acceptor.onClosed(connection, 'error');
  t.equal(rig.join(5, login(5)).connection, connection);
  for (const request of late.filter(({ kind }) => kind === RequestKind.SHAKE)) rig.answer(request);
  rig.drain();
  t.equal(rig.links[0].inFlight, 0, 'what was under way to the worker is known exactly');
  // Were his own count below 0 it would have wrapped, and this shake found no room.
  rig.receive(connection, shake(9));
  t.strictSame(
    rig.takeRequests().map(({ kind, userId }) => [kind, userId]),
    [
      [RequestKind.DISCONNECT, 1],
      [RequestKind.SHAKE, 5],
    ],
  );
  t.end();
});

t.test('a reply counts for the worker whose request it answers, whichever ring brings it', (t) => {
  const rig = new AcceptorRig({ workers: 2 });
  for (let set = 0; set < 4; set++) rig.stock.add(set, 1);
  const users = [4, 5].map((userId) => rig.join(userId, login(userId)).connection);
  for (const connection of users) rig.receive(connection, shake(1), grab(0x10_0000, 2), grab(0x10_0001, 3));
  const [first, second] = [rig.takeRequests(0), rig.takeRequests(1)];
  t.strictSame([rig.links[0].inFlight, rig.links[1].inFlight], [3, 3]);
  rig.answer(second[0], {}, 1, rig.journalRing);
  rig.answer(second[1], {}, 1, rig.mainRing);
  rig.drain();
  t.strictSame([rig.links[0].inFlight, rig.links[1].inFlight], [3, 1]);
  rig.answer(first[0], {}, 0, rig.journalRing);
  rig.answer(second[2], {}, 1);
  rig.drain();
  t.strictSame([rig.links[0].inFlight, rig.links[1].inFlight], [2, 0]);
  t.strictSame(
    users.map((connection) => rig.transport.take(connection).length),
    [1, 3],
  );
  t.notOk(rig.acceptor.isDrained);
  rig.answer(first[1], {}, 0, rig.mainRing);
  rig.answer(first[2]);
  rig.drain();
  t.ok(rig.acceptor.isDrained);
  t.end();
});

t.test('a connection that is being closed gets nothing more, though it is not gone yet', (t) => {
  const rig = new AcceptorRig();
  rig.stock.add(1, 1);
  const { connection } = rig.join(1, hello(1));
  rig.receive(connection, shake(5), Buffer.alloc(12));
  t.strictSame(rig.transport.ended, [connection]);
  t.strictSame(
    rig.transport.take(connection).map(({ opcode, body }) => [opcode, body.code]),
    [[Opcode.ERROR, 'frame']],
  );
  for (const request of rig.takeRequests()) {
    if (request.kind === RequestKind.SHAKE) rig.answer(request, { result: ShakeResult.NONE });
  }
  rig.drain();
  t.same(rig.transport.take(connection), []);
  rig.receive(connection, shake(6));
  t.same(rig.takeRequests(), [], 'nor is it read');
  t.strictSame(rig.closes(), { frame: 1 });
  t.end();
});
