// Tries notices: told at once, at the next login, or when a full reply ring has room again; never twice to one session.

import t from 'tap';
import { MAX_PENDING_NOTICES } from '../../lib/packets/limits.ts';
import { SPLIT_MODES } from '../../lib/packets/split.ts';
import { GrabStatus, LoginResult } from '../../lib/protocol/opcodes.ts';
import { RequestKind } from '../../lib/protocol/slot-layout.ts';
import { HOUSEKEEPING_NOTICES, HOUSEKEEPING_USERS } from '../../lib/sets/limits.ts';
import { newPacket } from '../packets/packet-model.ts';
import { at, brief, commitmentOf, Rig } from './rig.ts';

/** The packets that notices tell of, in the order of the ids. */
const packetsOf = (replies: ReturnType<Rig['exchange']>) =>
  replies
    .filter(({ kind }) => kind === 'NOTICE')
    .map(({ packet }) => packet)
    .sort((a, b) => a - b);

t.test('a user who is here is told at once, with everything that a notice says', (t) => {
  const rig = new Rig();
  const packet = newPacket({
    mode: 'line',
    senderId: 77,
    totalCents: 4321,
    shares: 4,
    invited: [9, 10, 11, 12],
    expiresAt: 0xffff_fff0,
  });
  const id = rig.createPacket(packet);
  rig.login(9, at(0, 3, 6));
  rig.login(10, at(1, 3, 6), true);
  const [classic] = rig.notify(9, id);
  const said = {
    kind: 'NOTICE',
    packet: id,
    amount: 4321,
    count: 4,
    users: [9, 10, 11],
    sender: 77,
    expiresAt: 0xffff_fff0,
    mode: SPLIT_MODES.indexOf('line'),
  };
  t.match(classic, { ...said, ...at(0, 3, 6), user: 9 });
  const [rich] = rig.notify(10, id);
  t.match(rich, { ...said, ...at(1, 3, 6), user: 10, commitment: commitmentOf(packet) });
  t.end();
});

t.test('a packet for fewer than three names nobody in the other places', (t) => {
  const rig = new Rig();
  rig.login(9, at(0, 3));
  t.match(rig.notify(9, rig.createPacket({ invited: [9] })), [{ users: [9, 0, 0], sender: -1 }]);
  t.match(rig.notify(9, rig.createPacket({ invited: [9, 8] })), [{ users: [9, 8, 0] }]);
  t.match(rig.notify(9, rig.createPacket()), [{ users: [0, 0, 0] }], 'nor does one for everybody');
  t.end();
});

t.test('a user who is not here is told at the login: how many wait, then each of them', (t) => {
  const rig = new Rig();
  const ids = Array.from({ length: 5 }, () => rig.createPacket());
  for (const id of ids) t.strictSame(rig.notify(9, id), []);
  t.strictSame(rig.counts(), { users: 1 });
  const [login, ...notices] = rig.login(9, at(0, 3), true);
  t.match(login, { kind: 'LOGIN', result: LoginResult.OK, count: 5 });
  t.strictSame(packetsOf(notices), ids);
  t.equal(notices.length, 5);
  t.match(rig.login(10, at(0, 4)), [{ kind: 'LOGIN', count: 0 }], 'nobody else is told of them');
  t.end();
});

t.test('a packet is told again at every login until the user has grabbed at it', (t) => {
  const rig = new Rig();
  const [won, empty, left] = [rig.createPacket(), rig.createPacket({ shares: 1 }), rig.createPacket()];
  rig.login(9, at(0, 3));
  for (const id of [won, empty, left]) rig.notify(9, id);
  t.strictSame(packetsOf(rig.login(9, at(0, 4))), [won, empty, left]);
  t.match(rig.grab(9, at(0, 4), won), [{ result: GrabStatus.WON }]);
  rig.disconnect(9, at(0, 4));
  const [login, ...notices] = rig.login(9, at(0, 5));
  t.equal(login.count, 2);
  t.strictSame(packetsOf(notices), [empty, left]);
  rig.login(8, at(1, 1));
  rig.grab(8, at(1, 1), empty);
  t.match(rig.grab(9, at(0, 5), empty), [{ result: GrabStatus.EMPTY }]);
  t.strictSame(packetsOf(rig.login(9, at(0, 5))), [left], 'also on the same connection');
  const forOthers = rig.createPacket({ invited: [8] });
  rig.notify(9, forOthers);
  t.match(rig.grab(9, at(0, 5), forOthers), [{ result: GrabStatus.NOT_INVITED }]);
  t.strictSame(packetsOf(rig.login(9, at(0, 5))), [left], 'whatever the grab came to');
  t.end();
});

t.test('a packet that is over is not told any more', (t) => {
  const rig = new Rig();
  const [expired, taken, left] = [rig.createPacket(), rig.createPacket({ shares: 1 }), rig.createPacket()];
  for (const id of [expired, taken, left]) rig.notify(9, id);
  rig.packets.close(expired);
  rig.login(8, at(1, 1));
  rig.grab(8, at(1, 1), taken);
  const [login, ...notices] = rig.login(9, at(0, 3));
  t.equal(login.count, 1);
  t.strictSame(packetsOf(notices), [left]);
  t.strictSame(rig.notify(9, expired), [], 'and a notice that comes too late tells nobody');
  t.strictSame(rig.notify(9, 12_345), []);
  t.equal(rig.count('noticesDropped'), 2);
  t.end();
});

t.test(
  `at most ${MAX_PENDING_NOTICES} wait for one user: then the oldest is dropped, and can still be grabbed`,
  (t) => {
    const rig = new Rig({ maxInFlight: 256 });
    const ids = Array.from({ length: MAX_PENDING_NOTICES + 2 }, () => rig.createPacket());
    for (const id of ids) rig.notify(9, id);
    t.equal(rig.count('noticesDropped'), 2);
    const [login, ...notices] = rig.login(9, at(0, 3));
    t.equal(login.count, MAX_PENDING_NOTICES);
    t.strictSame(packetsOf(notices), ids.slice(2));
    t.match(rig.grab(9, at(0, 3), ids[0]), [{ result: GrabStatus.WON }]);
    t.end();
  },
);

t.test('what is over makes room in a full list, before anything is dropped', (t) => {
  const rig = new Rig({ maxInFlight: 256 });
  const ids = Array.from({ length: MAX_PENDING_NOTICES }, () => rig.createPacket());
  for (const id of ids) rig.notify(9, id);
  for (const id of ids.slice(10, 40)) rig.packets.close(id);
  const more = Array.from({ length: 30 }, () => rig.createPacket());
  for (const id of more) rig.notify(9, id);
  t.equal(rig.count('noticesDropped'), 0);
  const [login, ...notices] = rig.login(9, at(0, 3));
  t.equal(login.count, MAX_PENDING_NOTICES);
  t.strictSame(packetsOf(notices), [...ids.slice(0, 10), ...ids.slice(40), ...more]);
  t.end();
});

/** User 9 on acceptor 0, whose reply ring holds as many notices as it may while others wait; user 8 on acceptor 1. */
function openFullRig(maxInFlight: number, notices: number): { rig: Rig; ids: number[] } {
  const rig = new Rig({ maxInFlight });
  rig.login(9, at(0, 3));
  rig.login(8, at(1, 1));
  const ids = Array.from({ length: notices }, () => rig.createPacket());
  for (const id of ids) rig.putNotice(9, id);
  rig.turn();
  t.equal(rig.worker.deferredCount, notices - maxInFlight, 'the rest of the ring is kept for replies');
  return { rig, ids };
}

const idsOf = (replies: ReturnType<Rig['exchange']>) => replies.map(({ packet }) => packet);

t.test('a notice waits while half the reply ring is taken, and leaves later, in its order', (t) => {
  const { rig, ids } = openFullRig(4, 7);
  t.strictSame(idsOf(rig.takeReplies(0, 2)), ids.slice(0, 2));
  const late = rig.createPacket();
  rig.putNotice(9, late);
  rig.turn();
  t.equal(rig.worker.deferredCount, 2, 'the two oldest left, and the new one went behind the others');
  t.strictSame(idsOf(rig.takeReplies(0).concat(rig.takeReplies(0))), ids.slice(2, 6));
  t.strictSame(idsOf(rig.exchange()), [ids[6], late]);
  t.equal(rig.worker.deferredCount, 0);
  t.end();
});

t.test('nothing overtakes what waits, not even where there is room', (t) => {
  const { rig, ids } = openFullRig(2, 3);
  rig.putNotice(8, ids[0]);
  rig.turn();
  t.strictSame(rig.takeReplies(1), [], 'acceptor 1 has room, but acceptor 0 was first');
  rig.takeReplies(0);
  t.strictSame(brief(rig.exchange()), [`NOTICE ${ids[2]} to 9`, `NOTICE ${ids[0]} to 8`]);
  t.end();
});

t.test('replies go out past the notices that wait', (t) => {
  const { rig, ids } = openFullRig(4, 6);
  for (let i = 0; i < 4; i++) rig.put(RequestKind.SHAKE, 9, at(0, 3));
  rig.turn();
  const kinds = rig
    .takeReplies(0)
    .concat(rig.takeReplies(0))
    .map(({ kind }) => kind);
  t.strictSame(kinds, [...Array(4).fill('NOTICE'), ...Array(4).fill('SHAKE')]);
  t.strictSame(idsOf(rig.exchange()), ids.slice(4));
  t.end();
});

t.test('a turn looks at no more waiting notices than it can send, and at one more', (t) => {
  const { rig } = openFullRig(4, 500);
  rig.packets.factsRead = 0;
  rig.turn();
  t.ok(rig.packets.factsRead <= 1, `it looked at ${rig.packets.factsRead}, and could send none`);
  rig.packets.factsRead = 0;
  rig.takeReplies(0);
  rig.turn();
  t.ok(rig.packets.factsRead <= 5, `it looked at ${rig.packets.factsRead}, and could send 4`);
  t.end();
});

t.test('what waits for a user who has left is not sent, and told at the next login', (t) => {
  const { rig, ids } = openFullRig(2, 4);
  rig.put(RequestKind.DISCONNECT, 9, at(0, 3));
  rig.turn();
  rig.takeReplies(0);
  t.strictSame(rig.exchange(), []);
  t.equal(rig.worker.deferredCount, 0);
  const told = rig.login(9, at(1, 8)).concat(rig.settle());
  t.equal(told[0].count, 4);
  t.strictSame(packetsOf(told), ids);
  t.end();
});

t.test('a user who logs in anew while notices wait is told of each packet once', (t) => {
  const { rig, ids } = openFullRig(2, 5);
  const told = rig.login(9, at(1, 8)).concat(rig.settle());
  t.equal(rig.worker.deferredCount, 0);
  const here = told.filter(({ acceptor, kind }) => acceptor === 1 && kind === 'NOTICE');
  t.strictSame(packetsOf(here), ids, 'the new connection');
  t.strictSame(
    told.filter(({ acceptor }) => acceptor === 0).map(({ kind }) => kind),
    ['NOTICE', 'NOTICE', 'REPLACED'],
    'and the old one hears what was on its way, and then that it was replaced',
  );
  t.end();
});

t.test('a packet that is over and whose slot is used again while its notice waits is not told', (t) => {
  const { rig, ids } = openFullRig(2, 3);
  for (const id of ids) {
    rig.packets.close(id);
    rig.retirePacket(id);
  }
  for (let made = 0; made < 512; made++) rig.createPacket();
  rig.takeReplies(0);
  t.strictSame(rig.exchange(), []);
  t.equal(rig.worker.deferredCount, 0);
  t.end();
});

t.test('housekeeping takes packets that are over off the lists of users who are not here, all in turn', (t) => {
  const rig = new Rig();
  const [over, open] = [rig.createPacket(), rig.createPacket()];
  const users = 2 * HOUSEKEEPING_USERS + 500;
  for (let user = 0; user < users; user++) {
    rig.notify(user, over);
    if (user % 10 === 0) rig.notify(user, open);
  }
  rig.packets.close(over);
  for (let round = 0; round < 3; round++) rig.worker.keepHouse();
  rig.packets.openRead = 0;
  for (let user = 0; user < users; user++) {
    const expected = user % 10 === 0 ? [open] : [];
    const told = rig.login(user, at(0, user));
    if (told[0].count !== expected.length || packetsOf(told)[0] !== expected[0])
      t.fail(`user ${user} was told wrongly`);
  }
  t.equal(rig.packets.openRead, users / 10, 'the logins found nothing on the lists but what is open');
  t.end();
});

t.test('a round of housekeeping looks at some notices only while most packets are open, and then goes on', (t) => {
  const rig = new Rig();
  const packets = Array.from({ length: MAX_PENDING_NOTICES }, () => rig.createPacket());
  const users = 50;
  for (let user = 0; user < users; user++) for (const packet of packets) rig.notify(user, packet);
  const notices = users * packets.length;
  t.ok(notices > 2 * HOUSEKEEPING_NOTICES, 'more than two rounds of them');
  const look = () => {
    rig.packets.openRead = 0;
    rig.worker.keepHouse();
    return rig.packets.openRead;
  };
  t.equal(look(), HOUSEKEEPING_NOTICES);
  for (const packet of packets.slice(1)) rig.packets.close(packet);
  t.equal(look(), notices, 'with much to take off it goes round');
  t.equal(look(), users, 'and all of it is off');
  t.end();
});

t.test('housekeeping without users does nothing', (t) => {
  const rig = new Rig();
  rig.worker.keepHouse();
  t.strictSame(rig.counts(), {});
  t.end();
});
