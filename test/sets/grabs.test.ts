// Tries grabs: every outcome with its status, amount and counter, and that a user has a share at most once.

import t from 'tap';
import { GrabStatus } from '../../lib/protocol/opcodes.ts';
import { REQUEST_PACKET, RequestKind } from '../../lib/protocol/slot-layout.ts';
import { listShares, newPacket } from '../packets/packet-model.ts';
import { at, Rig } from './rig.ts';

/** A worker with some users logged in: user u on connection u of acceptor 0. */
function openRig(...users: number[]): Rig {
  const rig = new Rig();
  for (const user of users) rig.login(user, at(0, user));
  return rig;
}

t.test('a grab wins a share: the reply says which, and the user has it', (t) => {
  const rig = openRig(21);
  const packet = newPacket({ shares: 2, invited: [21, 22] });
  const id = rig.createPacket(packet);
  const stamp = rig.put(RequestKind.GRAB, 21, at(0, 21), { [REQUEST_PACKET]: id });
  const replies = rig.exchange();
  t.equal(replies.length, 1);
  t.match(replies[0], {
    kind: 'GRAB',
    ...at(0, 21),
    user: 21,
    result: GrabStatus.WON,
    packet: id,
    amount: listShares(packet)[0],
    stamp: [-stamp, stamp],
    received: 7 * stamp,
  });
  t.strictSame(rig.counts(), { sessions: 1, users: 1, grabsWon: 1 });
  t.equal(rig.sum('grabCents'), listShares(packet)[0]);
  t.strictSame(rig.packets.view(id)?.grabs, [{ userId: 21, amountCents: listShares(packet)[0], share: 0 }]);
  t.end();
});

t.test('a second grab gives the same amount again, and is not paid again', (t) => {
  const rig = openRig(21, 22);
  const packet = newPacket({ shares: 2 });
  const [first, second] = listShares(packet);
  const id = rig.createPacket(packet);
  rig.grab(21, at(0, 21), id);
  t.match(rig.grab(21, at(0, 21), id), [{ result: GrabStatus.REPEAT, packet: id, amount: first }]);
  rig.grab(22, at(0, 22), id);
  t.match(rig.grab(21, at(0, 21), id), [{ result: GrabStatus.REPEAT, amount: first }], 'also when it is empty');
  rig.login(22, at(1, 5));
  t.match(rig.grab(22, at(1, 5), id), [{ result: GrabStatus.REPEAT, amount: second }], 'also from another connection');
  t.strictSame(rig.counts(), { sessions: 2, users: 2, grabsWon: 2, grabsRepeat: 3 });
  t.equal(rig.sum('grabCents'), packet.totalCents);
  t.end();
});

t.test('every outcome without money has its status and its counter', (t) => {
  const rig = openRig(21, 22, 23);
  const empty = rig.createPacket({ shares: 1 });
  rig.grab(22, at(0, 22), empty);
  const expired = rig.createPacket();
  rig.packets.close(expired);
  const forOthers = rig.createPacket({ invited: [22, 23] });
  const outcomes = [
    [empty, GrabStatus.EMPTY, 'grabsEmpty'],
    [expired, GrabStatus.EXPIRED, 'grabsExpired'],
    [forOthers, GrabStatus.NOT_INVITED, 'grabsNotInvited'],
    [12_345, GrabStatus.NOT_FOUND, 'grabsNotFound'],
    [2 ** 31 + 7, GrabStatus.NOT_FOUND, 'grabsNotFound'],
  ] as const;
  for (const [id, status, counter] of outcomes) {
    const before = rig.counts();
    t.match(rig.grab(21, at(0, 21), id), [{ kind: 'GRAB', result: status, packet: id, amount: 0 }], counter);
    t.strictSame(rig.counts(), { ...before, [counter]: (before[counter] ?? 0) + 1 });
  }
  t.equal(rig.sum('grabCents'), 1000, 'only the share of user 22');
  t.equal(rig.packets.countGrabbed(forOthers), 0);
  t.end();
});

t.test('the shares of a packet go to those who come first, each once, to the last cent', (t) => {
  const users = Array.from({ length: 12 }, (_, i) => 100 + i);
  const rig = openRig(...users);
  const packet = newPacket({ shares: 10, totalCents: 12_345, invited: users });
  const id = rig.createPacket(packet);
  const got = users.map((user) => rig.grab(user, at(0, user), id)[0]);
  t.strictSame(
    got.slice(0, 10).map(({ amount }) => amount),
    listShares(packet),
  );
  t.strictSame(
    got.map(({ result }) => result),
    [...Array(10).fill(GrabStatus.WON), GrabStatus.EMPTY, GrabStatus.EMPTY],
  );
  t.equal(rig.sum('grabCents'), 12_345);
  t.end();
});

t.test('a packet whose slot has been reused is NOT_FOUND, also for who had a share of it', (t) => {
  const rig = openRig(21);
  const old = rig.createPacket({ shares: 1 });
  rig.grab(21, at(0, 21), old);
  rig.retirePacket(old);
  const ids = new Set<number>();
  for (let made = 0; made < 512; made++) ids.add(rig.createPacket({ shares: 1 }));
  t.notOk(ids.has(old));
  t.match(rig.grab(21, at(0, 21), old), [{ result: GrabStatus.NOT_FOUND, amount: 0 }]);
  t.equal(rig.count('grabsNotFound'), 1);
  t.end();
});
