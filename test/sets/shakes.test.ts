// Tries shakes: with and without stock, from several open drops, with a limit of wins for each user.

import t from 'tap';
import { MAX_OPEN_DROPS } from '../../lib/packets/limits.ts';
import { ShakeResult } from '../../lib/protocol/opcodes.ts';
import { RequestKind } from '../../lib/protocol/slot-layout.ts';
import { at, Rig } from './rig.ts';

const FIRST_SHAKE_ID = 2 ** 31;

/** Results and amounts of shakes that one user makes one after the other; he is logged in. */
function shakeTimes(rig: Rig, user: number, times: number): (number | 'none')[] {
  return Array.from({ length: times }, () => {
    const [reply] = rig.shake(user, at(0, user));
    return reply.result === ShakeResult.WON ? reply.amount : 'none';
  });
}

function openRig(users: readonly number[], sets = 4): Rig {
  const rig = new Rig({ sets });
  for (const user of users) rig.login(user, at(0, user));
  return rig;
}

t.test('without stock a shake comes to nothing', (t) => {
  const rig = openRig([9]);
  const stamp = rig.put(RequestKind.SHAKE, 9, at(0, 9));
  const replies = rig.exchange();
  t.equal(replies.length, 1);
  t.match(replies[0], {
    kind: 'SHAKE',
    ...at(0, 9),
    user: 9,
    result: ShakeResult.NONE,
    packet: 0,
    amount: 0,
    stamp: [-stamp, stamp],
    received: 7 * stamp,
  });
  t.strictSame(rig.counts(), { sessions: 1, users: 1, shakesNone: 1 });
  t.end();
});

t.test('a shake wins what was released to the SET of its user, and no more', (t) => {
  const rig = openRig([9, 10]);
  rig.openDrop(0, [500, 600, 700]);
  rig.drops.release(0, 1, 2);
  t.strictSame(shakeTimes(rig, 10, 1), ['none'], 'user 10 belongs to SET 2');
  const [reply] = rig.shake(9, at(0, 9));
  t.match(reply, { kind: 'SHAKE', ...at(0, 9), user: 9, result: ShakeResult.WON });
  t.match(reply, { packet: FIRST_SHAKE_ID, amount: 500 }, 'the first number and its amount');
  t.match(rig.shake(9, at(0, 9)), [{ packet: FIRST_SHAKE_ID + 1, amount: 600 }]);
  t.strictSame(shakeTimes(rig, 9, 2), ['none', 'none']);
  t.strictSame(rig.counts(), { sessions: 2, users: 2, shakesWon: 2, shakesNone: 3 });
  t.equal(rig.sum('shakeCents'), 1100);
  t.equal(rig.drops.countSettled(0), 2, 'and the drop knows that they were credited');
  t.equal(rig.drops.stock.hasAny(1), false);
  t.end();
});

t.test('a user wins at most winsPerUser times in a drop; what he may not have stays for others', (t) => {
  const rig = openRig([1, 5]);
  rig.openDrop(0, [10, 20, 30, 40, 50], 2);
  rig.drops.release(0, 1, 5);
  t.strictSame(shakeTimes(rig, 1, 4), [10, 20, 'none', 'none']);
  t.equal(rig.drops.countLeft(0, 1), 3);
  t.strictSame(shakeTimes(rig, 5, 4), [30, 40, 'none', 'none']);
  t.equal(rig.drops.countLeft(0, 1), 1);
  t.end();
});

t.test('the limit of one drop is none for another that is open beside it', (t) => {
  const rig = openRig([1]);
  rig.openDrop(3, [10, 11], 1);
  rig.openDrop(7, [20, 21, 22], 2);
  rig.openDrop(MAX_OPEN_DROPS - 1, [30]);
  for (const slot of [3, 7, MAX_OPEN_DROPS - 1]) rig.drops.release(slot, 1, slot === 7 ? 3 : 1);
  rig.drops.release(3, 1, 1);
  t.strictSame(shakeTimes(rig, 1, 6), [10, 20, 21, 30, 'none', 'none']);
  t.strictSame(
    [3, 7, MAX_OPEN_DROPS - 1].map((slot) => rig.drops.countSettled(slot)),
    [1, 2, 1],
    'each win is counted in its own drop',
  );
  t.equal(rig.drops.stock.hasAny(1), true, 'there is stock, though not for him');
  t.end();
});

t.test('the wins of a drop are forgotten with it: the next drop in its slot starts anew', (t) => {
  const rig = openRig([1]);
  rig.openDrop(0, [10, 11], 1);
  rig.drops.release(0, 1, 2);
  t.strictSame(shakeTimes(rig, 1, 2), [10, 'none']);
  t.equal(rig.closeDrop(0), 1);
  rig.openDrop(0, [20, 21], 1);
  rig.drops.release(0, 1, 2);
  t.strictSame(shakeTimes(rig, 1, 2), [20, 'none']);
  t.end();
});

t.test('wins of a drop without a limit do not count for a later one with a limit', (t) => {
  const rig = openRig([1]);
  rig.openDrop(0, [10, 11, 12]);
  rig.drops.release(0, 1, 3);
  t.strictSame(shakeTimes(rig, 1, 4), [10, 11, 12, 'none']);
  rig.closeDrop(0);
  rig.openDrop(0, [20], 1);
  rig.drops.release(0, 1, 1);
  t.strictSame(shakeTimes(rig, 1, 1), [20]);
  t.end();
});

t.test('wins stay with the user through a disconnect and a new login', (t) => {
  const rig = openRig([1]);
  rig.openDrop(0, [10, 11], 1);
  rig.drops.release(0, 1, 2);
  t.strictSame(shakeTimes(rig, 1, 1), [10]);
  rig.disconnect(1, at(0, 1));
  rig.login(1, at(0, 1, 2));
  t.match(rig.shake(1, at(0, 1, 2)), [{ kind: 'SHAKE', result: ShakeResult.NONE }]);
  t.end();
});

t.test('stock that was taken back is not won', (t) => {
  const rig = openRig([1]);
  rig.openDrop(0, [10, 11]);
  rig.drops.release(0, 1, 2);
  t.equal(rig.drops.takeBack(0, 1, 1), 1);
  t.strictSame(shakeTimes(rig, 1, 2), [10, 'none']);
  rig.drops.release(0, 1, 1);
  t.strictSame(shakeTimes(rig, 1, 2), [11, 'none']);
  t.end();
});

t.test('the largest amount there is arrives whole', (t) => {
  const rig = openRig([0, 1], 1);
  const most = 2 ** 31 - 1;
  rig.openDrop(0, [most, most, most, most, most]);
  rig.drops.release(0, 0, 5);
  t.strictSame(shakeTimes(rig, 0, 3), [most, most, most]);
  t.strictSame(shakeTimes(rig, 1, 2), [most, most]);
  t.equal(rig.sum('shakeCents'), 5 * most);
  t.end();
});
