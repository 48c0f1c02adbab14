// A worker that takes nothing from its ring: what still fits, what is answered at once, and that nothing is lost.

import t from 'tap';
import { MAX_IN_FLIGHT, MAX_SHAKES_IN_FLIGHT, RETRY_AFTER_MS } from '../../lib/net/limits.ts';
import { DEFAULT_NET_LIMITS } from '../../lib/net/net-limits.ts';
import { LoginResult, Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { ReplyKind, RequestKind } from '../../lib/protocol/slot-layout.ts';
import { AcceptorRig } from './acceptor-rig.ts';
import { grab, hello, login, shake } from './raw-client.ts';

const PACKET = 0x10_0000;

const { maxInFlight: MAX_IN_FLIGHT_OF_ONE } = DEFAULT_NET_LIMITS;

const repeat = (count: number, make: (i: number) => Buffer) => Array.from({ length: count }, (_, i) => make(i));

/** A rig whose SETs have stock, so that every shake goes to the worker. */
function openRig(options = {}): AcceptorRig {
  const rig = new AcceptorRig(options);
  for (let set = 0; set < rig.stock.sets; set++) rig.stock.add(set, 1);
  return rig;
}

/** Lets fresh connections shake until the worker has as many shakes as it may. Returns a connection of theirs. */
function fillWithShakes(rig: AcceptorRig, firstUser: number): number {
  let connection = -1;
  for (let left = MAX_SHAKES_IN_FLIGHT; left > 0; left -= MAX_IN_FLIGHT_OF_ONE) {
    connection = rig.join(firstUser, login(firstUser++)).connection;
    rig.receive(connection, ...repeat(Math.min(left, MAX_IN_FLIGHT_OF_ONE), () => shake()));
    if (rig.transport.take(connection).length > 0) throw new Error('a shake found no room');
  }
  return connection;
}

t.test('a connection may have as many requests under way as the limit says, and not one more', (t) => {
  const rig = openRig();
  const { connection } = rig.join(1, login(1));
  const rich = rig.join(2, hello(2)).connection;
  for (const one of [connection, rich]) {
    rig.receive(one, ...repeat(MAX_IN_FLIGHT_OF_ONE - 1, shake), grab(PACKET));
    t.same(rig.transport.take(one), [], 'just inside: nothing is answered before the worker has');
    rig.receive(one, shake(71), grab(PACKET, 72));
  }
  t.strictSame(
    rig.transport.take(connection).map(({ opcode, stamp, fields }) => [opcode, stamp, fields]),
    [
      [Opcode.SHAKE_RESULT, 71n, [1, ShakeResult.OVERLOAD, 0, 0]],
      [Opcode.GRAB_RESULT, 72n, [PACKET, 0]],
    ],
  );
  const [, busy] = rig.transport.take(rich);
  t.strictSame([busy.opcode, busy.stamp], [Opcode.RICH_GRAB_RESULT, 72n]);
  t.strictSame(busy.body, { packetId: PACKET, status: 'BUSY', amountCents: 0, retryAfterMs: RETRY_AFTER_MS });
  t.strictSame([rig.count('shakesOverload'), rig.count('grabsBusy')], [2, 2]);

  const honest = rig.join(3, login(3)).connection;
  rig.receive(honest, shake(80), grab(PACKET, 81));
  const requests = rig.takeRequests();
  t.strictSame(
    requests.filter((request) => request.connection === honest).map(({ kind }) => kind),
    [RequestKind.SHAKE, RequestKind.GRAB],
    'others are not held back',
  );
  t.end();
});

t.test('each reply makes room for one request more of its connection', (t) => {
  const rig = openRig();
  const { connection } = rig.join(1, login(1));
  rig.receive(connection, ...repeat(MAX_IN_FLIGHT_OF_ONE, () => shake()));
  const [first] = rig.takeRequests();
  rig.answer(first, { result: ShakeResult.NONE });
  rig.drain();
  rig.transport.take(connection);
  rig.receive(connection, shake(8), shake(9));
  t.strictSame(
    rig.transport.take(connection).map(({ stamp, fields }) => [stamp, fields[1]]),
    [[9n, ShakeResult.OVERLOAD]],
  );
  t.equal(rig.takeRequests().length, 1);
  t.end();
});

t.test('a login over the limit of its connection closes it, and is counted', (t) => {
  for (const [make, told] of [
    [login, []],
    [hello, ['frame']],
  ] as const) {
    const rig = openRig();
    const { connection } = rig.join(1, make(1));
    rig.receive(connection, ...repeat(MAX_IN_FLIGHT_OF_ONE, () => make(1)));
    t.same(rig.transport.ended, []);
    rig.receive(connection, make(1));
    t.strictSame(rig.transport.ended, [connection]);
    t.strictSame(
      rig.transport.take(connection).map(({ body }) => body.code),
      told,
    );
    t.strictSame(rig.closes(), { frame: 1 });
  }
  t.end();
});

t.test(
  'shakes stop at their share of the ring; grabs and logins still go through, and stop at the whole of it',
  (t) => {
    const rig = openRig();
    const connection = fillWithShakes(rig, 100);
    t.equal(rig.links[0].inFlight, MAX_SHAKES_IN_FLIGHT);
    const other = rig.join(5, login(5)).connection;
    rig.receive(other, shake(71));
    t.strictSame(rig.transport.take(other)[0].fields, [5, ShakeResult.OVERLOAD, 0, 0], 'a shake is shed');

    const grabs = MAX_IN_FLIGHT - MAX_SHAKES_IN_FLIGHT;
    const grabbers = [6, 7, 8].map((userId) => rig.join(userId, hello(userId)).connection);
    let left = grabs;
    for (const grabber of grabbers) {
      const count = Math.min(left, MAX_IN_FLIGHT_OF_ONE);
      rig.receive(grabber, ...repeat(count, () => grab(PACKET)));
      left -= count;
      t.same(rig.transport.take(grabber), [], 'a grab is not');
    }
    t.equal(rig.links[0].inFlight, MAX_IN_FLIGHT);
    rig.receive(grabbers[2], grab(PACKET, 72));
    t.equal(rig.transport.take(grabbers[2])[0].body.status, 'BUSY');
    rig.receive(other, grab(PACKET, 73));
    t.strictSame(rig.transport.take(other)[0].fields, [PACKET, 0]);
    t.strictSame(rig.closes(), {}, 'nobody is closed for it');
    t.ok(connection >= 0);
    t.end();
  },
);

t.test('a login and a goodbye that find no room wait for it, in their order, and nothing overtakes them', (t) => {
  const rig = openRig();
  const leaver = fillWithShakes(rig, 100);
  const grabbers = [6, 7].map((userId) => rig.join(userId, hello(userId)).connection);
  for (const grabber of grabbers) rig.receive(grabber, ...repeat(1024, () => grab(PACKET)));
  t.equal(rig.links[0].inFlight, MAX_IN_FLIGHT);

  const late = rig.open();
  rig.receive(late, login(9), shake(71));
  t.strictSame(
    rig.transport.take(late).map(({ opcode, stamp, fields }) => [opcode, stamp, fields[1]]),
    [[Opcode.SHAKE_RESULT, 71n, ShakeResult.OVERLOAD]],
    'the login waits; what stands behind it is shed',
  );
  rig.acceptor.onClosed(leaver, 'peer');
  t.equal(rig.links[0].waitingCount, 2);
  t.notOk(rig.acceptor.isDrained);

  const taken = rig.takeRequests();
  t.equal(taken.length, MAX_IN_FLIGHT);
  rig.answer(taken[0], { result: ShakeResult.NONE });
  rig.drain();
  t.equal(rig.links[0].waitingCount, 0);
  const [waited, goodbye] = rig.takeRequests();
  t.strictSame([waited.kind, waited.userId], [RequestKind.LOGIN, 9]);
  t.strictSame([goodbye.kind, goodbye.connection], [RequestKind.DISCONNECT, leaver]);

  for (const request of taken.slice(1)) rig.answer(request);
  rig.answer(waited);
  rig.drain();
  t.equal(rig.links[0].inFlight, 0, 'everything was answered');
  t.ok(rig.acceptor.isDrained);
  rig.receive(late, shake(72));
  t.equal(rig.takeRequests().length, 1, 'and the server is as it was before');
  t.end();
});

t.test('nothing overtakes a login that waits, though there is room for it by now', (t) => {
  const size = 2 * MAX_IN_FLIGHT;
  const rig = openRig({ maxConnections: size + 2 });
  const leavers = repeat(size, (userId) => login(userId)).map((bytes, userId) => rig.join(userId, bytes).connection);
  for (const leaver of leavers) rig.acceptor.onClosed(leaver, 'peer');
  t.equal(rig.links[0].waitingCount, 0, 'the ring is full of goodbyes');
  const late = rig.open();
  rig.receive(late, login(1));
  t.equal(rig.links[0].waitingCount, 1);
  t.equal(rig.takeRequests(0, 10).length, 10);
  rig.receive(late, shake(71), grab(PACKET, 72));
  t.strictSame(
    rig.transport.take(late).map(({ stamp, fields }) => [stamp, fields]),
    [
      [71n, [1, ShakeResult.OVERLOAD, 0, 0]],
      [72n, [PACKET, 0]],
    ],
  );
  const last = rig.takeRequests().at(-1)!;
  t.strictSame([last.kind, last.connection], [RequestKind.LOGIN, late]);
  t.end();
});

t.test('a worker that is stuck does not hold back the users of another one', (t) => {
  const rig = openRig({ workers: 2 });
  for (let userId = 0; userId < 24; userId += 4) {
    const connection = rig.open();
    rig.receive(connection, login(userId), ...repeat(MAX_IN_FLIGHT_OF_ONE, () => shake()));
  }
  const honest = rig.open();
  rig.receive(honest, login(1));
  t.strictSame(
    rig.takeRequests(1).map(({ kind, userId }) => [kind, userId]),
    [[RequestKind.LOGIN, 1]],
  );
  t.end();
});

t.test('a login that waits leaves only when the slots of the replies before it are free again', (t) => {
  // The worker relies on it: its reply ring holds the requests under way and as many notices, and not one more.
  const rig = openRig();
  const replaced = rig.join(3, login(3));
  fillWithShakes(rig, 100);
  for (const userId of [6, 7]) {
    rig.receive(rig.join(userId, hello(userId)).connection, ...repeat(1024, () => grab(PACKET)));
  }
  const late = rig.open();
  rig.receive(late, login(9));
  t.equal(rig.links[0].waitingCount, 1);

  const taken = rig.takeRequests();
  const { connection, generation } = replaced;
  for (let i = 0; i < MAX_IN_FLIGHT - 1; i++) rig.say({ kind: ReplyKind.NOTICE, connection, generation, userId: 3 });
  for (const request of taken) rig.answer(request, { result: LoginResult.OK });
  rig.say({ kind: ReplyKind.REPLACED, connection, generation, userId: 3 });
  t.notOk(rig.say({ kind: ReplyKind.NOTICE, connection, generation, userId: 3 }), 'the reply ring is full');
  // The worker as it would be on a thread of its own: it looks for the login while the acceptor is in its drain.
  const { end } = rig.transport;
  let seen = 0;
  rig.transport.end = (one) => {
    seen = rig.takeRequests().filter(({ kind }) => kind === RequestKind.LOGIN).length;
    end.call(rig.transport, one);
  };
  rig.drain();
  t.strictSame(rig.transport.ended, [connection]);
  t.equal(seen, 0, 'not before');
  t.equal(rig.takeRequests().filter(({ kind }) => kind === RequestKind.LOGIN).length, 1, 'but then');
  t.end();
});
