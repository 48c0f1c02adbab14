// Tries who is logged in where: logins, replacements, disconnects, and requests of a connection that has no session.

import t from 'tap';
import { LoginResult } from '../../lib/protocol/opcodes.ts';
import { REQUEST_PACKET, RequestKind } from '../../lib/protocol/slot-layout.ts';
import { at, brief, Rig } from './rig.ts';

t.test('a login is answered to the connection that asked, with its stamp and its time', (t) => {
  const rig = new Rig();
  const place = at(1, 77, 5);
  const stamp = rig.put(RequestKind.LOGIN, 0x7fff_ffff, place);
  const replies = rig.exchange();
  t.equal(replies.length, 1);
  t.match(replies[0], {
    kind: 'LOGIN',
    acceptor: 1,
    connection: 77,
    generation: 5,
    user: 0x7fff_ffff,
    result: LoginResult.OK,
    count: 0,
    stamp: [-stamp, stamp],
    received: 7 * stamp,
  });
  t.strictSame(rig.counts(), { sessions: 1, users: 1 });
  t.strictSame(rig.sessions(), [0, 0, 0, 1], 'in the SET of the user');
  t.end();
});

t.test('the second login of a user on another connection replaces the first, which is told', (t) => {
  const rig = new Rig();
  const [first, second, third] = [at(0, 3), at(1, 3), at(1, 4)];
  rig.login(9, first);
  const replies = rig.login(9, second);
  t.strictSame(brief(replies), ['REPLACED to 9', 'LOGIN to 9']);
  t.match(replies[0], first, 'the old connection, on its own acceptor');
  t.match(replies[1], second);
  t.match(rig.login(9, third)[0], { kind: 'REPLACED', ...second });
  t.strictSame(rig.counts(), { sessions: 1, users: 1 }, 'one user, one session');
  t.end();
});

t.test('a connection whose index was used before counts as another one', (t) => {
  const rig = new Rig();
  rig.login(9, at(0, 3, 1));
  const replies = rig.login(9, at(0, 3, 2));
  t.strictSame(brief(replies), ['REPLACED to 9', 'LOGIN to 9']);
  t.equal(replies[0].generation, 1);
  t.match(rig.shake(9, at(0, 3, 1)), [{ kind: 'NOT_LOGGED_IN', generation: 1 }]);
  t.match(rig.shake(9, at(0, 3, 2)), [{ kind: 'SHAKE', generation: 2 }]);
  t.end();
});

t.test('a login on the same connection again replaces nobody', (t) => {
  const rig = new Rig();
  rig.login(9, at(0, 3));
  t.strictSame(brief(rig.login(9, at(0, 3))), ['LOGIN to 9']);
  t.strictSame(brief(rig.login(9, at(0, 3), true)), ['LOGIN to 9'], 'nor does one of the other kind');
  t.strictSame(rig.counts(), { sessions: 1, users: 1 });
  t.strictSame(rig.sessions(), [0, 1, 0, 0]);
  t.end();
});

t.test('a disconnect ends the session, without an answer, and the user stays known', (t) => {
  const rig = new Rig();
  rig.login(9, at(0, 3));
  t.strictSame(rig.disconnect(9, at(0, 3)), []);
  t.strictSame(rig.counts(), { users: 1 });
  t.strictSame(rig.sessions(), [0, 0, 0, 0]);
  t.strictSame(rig.disconnect(9, at(0, 3)), [], 'a second one changes nothing');
  t.strictSame(rig.counts(), { users: 1 });
  t.strictSame(brief(rig.login(9, at(0, 4))), ['LOGIN to 9'], 'and the next login replaces nobody');
  t.strictSame(rig.counts(), { sessions: 1, users: 1 });
  t.end();
});

t.test('the disconnect of a connection that has been replaced ends nothing', (t) => {
  const rig = new Rig();
  rig.login(9, at(0, 3, 1));
  rig.login(9, at(1, 3, 1));
  for (const stale of [at(0, 3, 1), at(1, 3, 2), at(1, 4, 1)]) rig.disconnect(9, stale);
  t.equal(rig.count('sessions'), 1);
  t.match(rig.shake(9, at(1, 3, 1)), [{ kind: 'SHAKE' }]);
  t.strictSame(rig.disconnect(1234, at(0, 3)), [], 'nor that of a user who was never here');
  t.equal(rig.count('users'), 1);
  t.end();
});

t.test('requests of whoever has no session are answered NOT_LOGGED_IN, and change nothing', (t) => {
  const rig = new Rig();
  rig.openDrop(0, [500, 500, 500, 500]);
  for (let set = 0; set < 4; set++) rig.drops.release(0, set, 1);
  const packet = rig.createPacket();
  rig.login(9, at(0, 3, 7));
  rig.login(10, at(1, 3, 7));
  rig.disconnect(10, at(1, 3, 7));
  const strangers = {
    'a user who was never here': [11, at(0, 3, 7)],
    'a user who has left': [10, at(1, 3, 7)],
    'an older generation': [9, at(0, 3, 6)],
    'another connection': [9, at(0, 4, 7)],
    'the same connection of another acceptor': [9, at(1, 3, 7)],
  } as const;
  for (const [name, [user, place]] of Object.entries(strangers)) {
    for (const kind of [RequestKind.SHAKE, RequestKind.GRAB]) {
      const stamp = rig.put(kind, user, place, { [REQUEST_PACKET]: packet });
      const replies = rig.exchange();
      t.equal(replies.length, 1);
      t.match(replies[0], { kind: 'NOT_LOGGED_IN', ...place, user, amount: 0, stamp: [-stamp, stamp] }, name);
    }
  }
  t.strictSame(rig.counts(), { sessions: 1, users: 2 });
  t.equal(rig.packets.countGrabbed(packet), 0);
  t.end();
});

t.test('users and sessions are counted by SET, and rows grow past the first 1024', (t) => {
  const rig = new Rig({ sets: 3 });
  const users = 5000;
  for (let user = 0; user < users; user++) rig.login(user, at(user % 2, user));
  t.strictSame(rig.counts(), { sessions: users, users });
  t.strictSame(rig.sessions(), [1667, 1667, 1666]);
  rig.openDrop(0, [11, 22, 33]);
  for (const user of [0, 1023, 1024, 2048, 4999]) {
    t.match(rig.shake(user, at(user % 2, user)), [{ kind: 'SHAKE', user }], `user ${user} is still there`);
    t.match(rig.shake(user, at((user + 1) % 2, user)), [{ kind: 'NOT_LOGGED_IN' }]);
  }
  t.end();
});

t.test('a worker that holds as many users as it may answers FULL, and known users still come in', (t) => {
  const rig = new Rig({ maxUsers: 3 });
  for (const user of [1, 2, 3]) rig.login(user, at(0, user));
  const replies = rig.login(4, at(0, 4));
  t.match(replies, [{ kind: 'LOGIN', user: 4, result: LoginResult.FULL }]);
  t.strictSame(rig.counts(), { sessions: 3, users: 3 });
  t.match(rig.shake(4, at(0, 4)), [{ kind: 'NOT_LOGGED_IN' }]);
  rig.disconnect(2, at(0, 2));
  t.match(rig.login(2, at(0, 5)), [{ kind: 'LOGIN', result: LoginResult.OK }]);
  t.match(
    rig.login(4, at(0, 6)),
    [{ kind: 'LOGIN', result: LoginResult.FULL }],
    'leaving makes no room: balances stay',
  );
  t.strictSame(rig.notify(4, rig.createPacket()), [], 'nor can a stranger be told of packets then');
  t.strictSame(rig.counts(), { sessions: 3, users: 3, noticesDropped: 1 });
  t.end();
});
