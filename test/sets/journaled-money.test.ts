// Tries what a worker owes to the journal: the record before the effect, no reply before the disk, no win without room for
// it, and what users are told when the disk has failed.

import t from 'tap';
import { RecordType } from '../../lib/ledger/record-layout.ts';
import { DropTable } from '../../lib/packets/drop-table.ts';
import { MAX_PENDING_NOTICES } from '../../lib/packets/limits.ts';
import { PacketTable } from '../../lib/packets/packet-table.ts';
import { GrabStatus, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { REQUEST_PACKET, RequestKind, TransferResult } from '../../lib/protocol/slot-layout.ts';
import { at, Rig, type RigOptions } from './rig.ts';

/** A worker with users 0, 1, 2, ... logged in: user u on connection u of acceptor 0. */
function openRig(users: number, options: Partial<RigOptions> = {}): Rig {
  const rig = new Rig({ sets: 1, ...options });
  for (let user = 0; user < users; user++) rig.login(user, at(0, user));
  return rig;
}

t.test('the record of a win is out before the drop is told that it was credited', (t) => {
  const rig = openRig(1);
  rig.openDrop(0, [500]);
  rig.drops.release(0, 0, 1);
  const seen: number[] = [];
  rig.drops.settle = (slot) => {
    seen.push(rig.journal.pendingCount);
    DropTable.prototype.settle.call(rig.drops, slot);
  };
  rig.shake(0, at(0, 0));
  t.strictSame(seen, [1], 'whoever sees the drop settled finds the record in the ring');
  t.equal(rig.drops.countSettled(0), 1);
  t.equal(rig.records(RecordType.WIN).length, 1);
  t.end();
});

t.test('the record of a grab is out before the claim is left', (t) => {
  const rig = openRig(1);
  const id = rig.createPacket();
  const seen: number[] = [];
  rig.packets.leaveClaim = (userId) => {
    t.notOk(rig.packets.hasAllClaims(id), 'the packet cannot be closed in the log before');
    seen.push(rig.journal.pendingCount);
    PacketTable.prototype.leaveClaim.call(rig.packets, userId);
  };
  rig.grab(0, at(0, 0), id);
  t.strictSame(seen, [1]);
  t.ok(rig.packets.hasAllClaims(id));
  t.equal(rig.records(RecordType.GRAB).length, 1);
  t.end();
});

t.test('a win, a grab and a grab that is repeated are told once they are durable, other answers at once', (t) => {
  const rig = openRig(2);
  rig.openDrop(0, [500]);
  rig.drops.release(0, 0, 1);
  const id = rig.createPacket({ shares: 1 });
  for (const user of [0, 1]) {
    rig.put(RequestKind.SHAKE, user, at(0, user));
    for (let i = 0; i < 2; i++) rig.put(RequestKind.GRAB, user, at(0, user), { [REQUEST_PACKET]: id });
  }
  rig.turn();
  t.match(rig.takeReplies(0), [
    { kind: 'SHAKE', user: 1, result: ShakeResult.NONE },
    { kind: 'GRAB', user: 1, result: GrabStatus.EMPTY },
    { kind: 'GRAB', user: 1, result: GrabStatus.EMPTY },
  ]);
  rig.journal.step();
  t.match(rig.takeReplies(0), [
    { kind: 'SHAKE', user: 0, result: ShakeResult.WON, amount: 500 },
    { kind: 'GRAB', user: 0, result: GrabStatus.WON, amount: 1000 },
    { kind: 'GRAB', user: 0, result: GrabStatus.REPEAT, amount: 1000 },
  ]);
  t.equal(rig.journal.records().length, 2, 'a repeat moves nothing');
  t.end();
});

t.test('the notice that is dropped from a full list is recorded', (t) => {
  const rig = new Rig();
  const ids = Array.from({ length: MAX_PENDING_NOTICES + 2 }, () => rig.createPacket());
  for (const id of ids.slice(0, MAX_PENDING_NOTICES)) rig.notify(9, id);
  t.equal(rig.journal.records().length, 0);
  for (const id of ids.slice(MAX_PENDING_NOTICES)) rig.notify(9, id);
  t.strictSame(
    rig.records(RecordType.NOTICE_DROPPED).map(({ payload }) => payload),
    [
      [9, ids[0]],
      [9, ids[1]],
    ],
  );
  t.end();
});

t.test('without room in the journal the worker leaves requests where they are, and takes them up again', (t) => {
  const rig = openRig(10, { entrySlots: 4 });
  const id = rig.createPacket({ shares: 10, totalCents: 1000, mode: 'equal' });
  for (let user = 0; user < 10; user++) rig.put(RequestKind.GRAB, user, at(0, user), { [REQUEST_PACKET]: id });
  rig.putCommand(RequestKind.TOPUP, 3, 50, 'k');
  t.strictSame(rig.turn(), [4, 0, 0], 'four grabs fill the ring');
  t.strictSame(rig.turn(), [0, 0, 0]);
  t.equal(rig.packets.countGrabbed(id), 4, 'and nobody takes a share that could not be recorded');
  t.equal(rig.takeAll().length, 0);
  const won: number[] = [];
  let topUps = 0;
  for (let turns = 0; won.length + topUps < 11 && turns < 20; turns++) {
    rig.journal.step();
    for (const { kind, user, result, amount } of rig.takeAll()) {
      if (kind === 'TRANSFER') topUps++;
      else if (result === GrabStatus.WON && amount === 100) won.push(user);
    }
    rig.turn();
  }
  t.strictSame(won, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  t.equal(topUps, 1);
  t.equal(rig.records(RecordType.GRAB).length, 10);
  t.end();
});

t.test('when the disk fails nobody is told of money that is not on it', (t) => {
  const rig = openRig(3);
  rig.openDrop(0, [500, 600]);
  rig.drops.release(0, 0, 2);
  const id = rig.createPacket();
  t.match(rig.shake(0, at(0, 0)), [{ result: ShakeResult.WON, amount: 500 }]);
  rig.journal.failNext();
  rig.put(RequestKind.SHAKE, 1, at(0, 1));
  rig.put(RequestKind.GRAB, 1, at(0, 1), { [REQUEST_PACKET]: id });
  rig.put(RequestKind.GRAB, 1, at(0, 1), { [REQUEST_PACKET]: id });
  rig.put(RequestKind.WALLET, 0, at(0, 0));
  rig.putCommand(RequestKind.TOPUP, 2, 50, 'k');
  t.match(rig.exchange(), [
    { kind: 'SHAKE', user: 1, result: ShakeResult.OVERLOAD, amount: 0 },
    { kind: 'GRAB', user: 1, result: GrabStatus.BUSY, packet: id, amount: 0 },
    { kind: 'GRAB', user: 1, result: GrabStatus.BUSY, packet: id, amount: 0 },
    { kind: 'WALLET', user: 0, result: TransferResult.LOST, balance: 0, held: 0 },
    { kind: 'TRANSFER', user: 2, result: TransferResult.LOST, balance: 0, held: 0 },
  ]);
  t.equal(rig.journal.failures.length, 1);
  t.match(rig.journal.failures[0].message, /cannot be written.*EIO/);
  t.match(rig.grab(2, at(0, 2), id), [{ result: GrabStatus.BUSY, amount: 0 }], 'nor does anything later count');
  t.match(rig.shake(2, at(0, 2)), [{ result: ShakeResult.NONE }], 'what tells of no money is answered as ever');
  t.strictSame(
    rig.journal.records().map(({ type, payload }) => [type, payload[3]]),
    [[RecordType.WIN, 0]],
    'the journal has what it had',
  );
  t.equal(rig.journal.failures.length, 1, 'the failure is told once');
  t.end();
});

t.test('after a failure the worker stops once the journal holds what it can, and each answer comes once', (t) => {
  const rig = openRig(10, { entrySlots: 4 });
  const id = rig.createPacket({ shares: 10, totalCents: 1000 });
  rig.journal.failNext();
  for (let user = 0; user < 10; user++) rig.put(RequestKind.GRAB, user, at(0, user), { [REQUEST_PACKET]: id });
  const lost = [rig.exchange(), rig.exchange(), rig.exchange()].flat();
  t.strictSame(
    lost.map(({ user, result }) => [user, result]),
    [0, 1, 2, 3].map((user) => [user, GrabStatus.BUSY]),
  );
  t.equal(rig.packets.countGrabbed(id), 4);
  t.strictSame(rig.journal.records(), []);
  t.end();
});
