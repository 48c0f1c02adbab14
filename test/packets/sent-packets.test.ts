// Tries the life of sent packets against a log that holds back: opened, told, closed and refunded only when it is durable.

import fc from 'fast-check';
import t from 'tap';
import { NO_ROOM } from '../../lib/packets/packet-creator.ts';
import { GrabOutcome, PacketTable } from '../../lib/packets/packet-table.ts';
import type { PacketOrigin } from '../../lib/packets/sent-packets.ts';
import { checkProperty } from './check-property.ts';
import { openSends, START_MS, START_SECOND, sum } from './open-sends.ts';
import { newPacket } from './packet-model.ts';
import { grabShare } from './packet-steps.ts';
import { printSeed, seedBytes } from './seed.ts';

printSeed(t);

const { WON, EXPIRED, NOT_FOUND, REPEAT } = GrabOutcome;

/** A packet that a user pays from his balance. */
const FROM_USER: PacketOrigin = { sendId: 0, index: 0, source: 1, reservation: 0, key: 'a key' };

/** When a packet of `aPacket` expires. */
const DUE_MS = START_MS + 60_000;

t.test('a packet can be grabbed, is told and counts only once its opening is durable', (t) => {
  const { packets, log, table, told } = openSends(4);
  log.hold();
  const opened: number[] = [];
  const packet = aPacket({ invited: [8, 9] });
  const id = packets.create(packet, FROM_USER, (packetId) => opened.push(packetId));
  t.strictSame(log.entries, [{ what: 'openPacket', opening: { id, packet, ...FROM_USER } }]);
  packets.settle();
  packets.tick(START_MS + 5000);
  t.equal(table.grab(id, 8), NOT_FOUND);
  t.equal(packets.view(id), undefined);
  t.strictSame([opened, told], [[], []]);
  t.match(packets.totals(), { fundedCents: 0, sent: 0, open: 0, outstandingCents: 0 });
  t.strictSame([packets.areOpening, packets.areClosing], [true, false]);
  log.makeDurable();
  t.equal(table.grab(id, 8), NOT_FOUND, 'and not before main has seen that');
  packets.settle();
  t.strictSame(opened, [id]);
  t.strictSame(told, [
    { userId: 8, packetId: id },
    { userId: 9, packetId: id },
  ]);
  t.match(packets.totals(), { fundedCents: 1000, sent: 1, open: 1, outstandingCents: 1000 });
  t.equal(grabShare(table, id, 8), WON);
  packets.settle();
  t.equal(told.length, 2, 'nobody is told twice');
  t.strictSame([packets.areOpening, packets.areClosing], [false, false]);
  t.end();
});

t.test('packets open in the order of the log, each when its own entry is durable', (t) => {
  const { packets, log, table } = openSends(8);
  log.hold();
  const opened: number[] = [];
  const ids = [0, 1, 2].map(() => packets.create(aPacket(), FROM_USER, (packetId) => opened.push(packetId)));
  for (let durable = 1; durable <= 3; durable++) {
    log.makeDurable(1);
    packets.settle();
    t.strictSame(opened, ids.slice(0, durable));
    t.strictSame(
      ids.map((id) => table.isOpen(id)),
      [0, 1, 2].map((i) => i < durable),
    );
  }
  t.end();
});

t.test('a packet is closed in the log only once every claim is left, and refunded once, when that is durable', (t) => {
  const { packets, log, table, memory, refunds, over } = openSends(4);
  const id = packets.create(aPacket({ senderId: 77, totalCents: 1000, shares: 3 }), FROM_USER, () => {});
  packets.settle();
  const late = new PacketTable(memory);
  t.equal(late.grab(id, 8), WON);
  grabShare(table, id, 9);
  const wonCents = late.grabbedCents + table.grabbedCents;
  log.hold();
  packets.tick(DUE_MS);
  for (let i = 1; i < 5; i++) packets.tick(DUE_MS + i);
  t.equal(table.grab(id, 10), EXPIRED, 'nothing can be grabbed from the moment it is due');
  t.strictSame(log.list('closePacket'), [], 'the record of a grab may still be on its way');
  t.ok(packets.areClosing);
  t.match(packets.totals(), { refundedCents: 0, outstandingCents: 1000 - wonCents, expired: 0, grabbedShares: 2 });
  late.leaveClaim(8);
  packets.tick(DUE_MS + 5);
  packets.tick(DUE_MS + 6);
  const closing = { what: 'closePacket', packetId: id, taken: 2, refundCents: 1000 - wonCents };
  t.strictSame(log.list('closePacket'), [closing], 'one entry');
  t.strictSame([refunds, over], [[], []], 'and no refund before it is durable');
  t.match(packets.totals(), { refundedCents: 0, outstandingCents: 1000 - wonCents });
  log.makeDurable();
  packets.settle();
  t.strictSame(refunds, [{ userId: 77, cents: 1000 - wonCents }]);
  t.match(packets.totals(), { refundedCents: 1000 - wonCents, outstandingCents: 0, expired: 1 });
  for (let i = 7; i < 12; i++) packets.tick(DUE_MS + i);
  t.equal(refunds.length, 1, 'once');
  t.strictSame(over, [id]);
  t.strictSame(log.list('closePacket'), [closing]);
  t.strictSame([packets.areOpening, packets.areClosing], [false, false]);
  t.end();
});

t.test('what is left of a packet of the house goes to nobody', (t) => {
  const { packets, refunds, over } = openSends(4);
  const id = packets.create(aPacket({ senderId: -1 }), { ...FROM_USER, source: 0 }, () => {});
  packets.settle();
  packets.tick(DUE_MS);
  packets.tick(DUE_MS);
  t.strictSame([refunds, over], [[], [id]]);
  t.match(packets.totals(), { fundedCents: 1000, refundedCents: 1000, outstandingCents: 0, expired: 1 });
  t.end();
});

t.test('a packet of which nothing is left is over without an entry, and not before the last claim is left', (t) => {
  const { packets, log, table, creator, refunds, over } = openSends(1);
  const id = packets.create(aPacket({ shares: 1, senderId: 77 }), FROM_USER, () => {});
  packets.settle();
  t.equal(table.grab(id, 8), WON);
  packets.tick(DUE_MS);
  packets.tick(DUE_MS + 1);
  t.strictSame([over, creator.freeSlots], [[], 0]);
  table.leaveClaim(8);
  packets.tick(DUE_MS + 2);
  t.strictSame([over, refunds, creator.freeSlots], [[id], [], 1]);
  t.strictSame(log.list('closePacket'), []);
  t.match(packets.totals(), { refundedCents: 0, expired: 0, outstandingCents: 0, grabbedShares: 1 });
  t.end();
});

t.test('a slot is not used again before the close of its packet is durable', (t) => {
  const { packets, log } = openSends(1);
  const id = packets.create(aPacket(), FROM_USER, () => {});
  packets.settle();
  log.hold();
  for (let i = 0; i < 3; i++) packets.tick(DUE_MS + i);
  t.equal(
    packets.create(aPacket(), FROM_USER, () => {}),
    NO_ROOM,
  );
  t.equal(packets.view(id)!.state, 'expired');
  log.makeDurable();
  packets.tick(DUE_MS + 3);
  t.not(
    packets.create(aPacket(), FROM_USER, () => {}),
    NO_ROOM,
  );
  t.end();
});

t.test('without room in the log no packet is made, and a close waits', (t) => {
  const { packets, log, creator, refunds, table } = openSends(2);
  log.isRoomy = false;
  t.equal(
    packets.create(aPacket(), FROM_USER, () => t.fail('it opened')),
    NO_ROOM,
  );
  t.strictSame([log.entries.length, creator.freeSlots], [0, 2], 'nothing was taken for it');
  log.isRoomy = true;
  const id = packets.create(aPacket({ senderId: 5 }), FROM_USER, () => {});
  packets.settle();
  log.isRoomy = false;
  for (let i = 0; i < 3; i++) packets.tick(DUE_MS + i);
  t.notOk(table.isOpen(id), 'it is closed for those who grab');
  t.strictSame([log.list('closePacket').length, refunds.length], [0, 0]);
  log.isRoomy = true;
  for (let i = 3; i < 6; i++) packets.tick(DUE_MS + i);
  t.strictSame(refunds, [{ userId: 5, cents: 1000 }]);
  t.end();
});

t.test('a packet whose life ends while the disk is slow still opens, and then expires', (t) => {
  const { packets, log, told, refunds } = openSends(2);
  log.hold();
  packets.create(aPacket({ invited: [3], senderId: 4 }), FROM_USER, () => {});
  packets.tick(DUE_MS + 5000);
  t.strictSame([told, refunds, log.entries.length], [[], [], 1]);
  log.makeDurable();
  packets.tick(DUE_MS + 6000);
  t.equal(told.length, 1);
  log.makeDurable();
  packets.tick(DUE_MS + 7000);
  log.makeDurable();
  packets.tick(DUE_MS + 8000);
  t.strictSame(refunds, [{ userId: 4, cents: 1000 }]);
  t.match(packets.totals(), { fundedCents: 1000, refundedCents: 1000, outstandingCents: 0 });
  t.end();
});

t.test(
  'a packet of an earlier run counts as outstanding, expires when it was to, and its old grabs count for nothing',
  (t) => {
    const { packets, log, table, creator, refunds, over } = openSends(4);
    const packet = aPacket({ shares: 3, senderId: 6 });
    const id = creator.prepare(packet);
    creator.publish(id);
    grabShare(table, id, 8);
    const before = table.grabbedCents;
    packets.restore(id, 0, packet.expiresAt);
    const nothing = { fundedCents: 0, refundedCents: 0, sent: 0, grabbedShares: 0, expired: 0 };
    t.strictSame(packets.totals(), { ...nothing, outstandingCents: 1000 - before, open: 1 });
    t.equal(grabShare(table, id, 9), WON);
    const left = 1000 - before - table.grabbedCents;
    t.strictSame(packets.totals(), { ...nothing, outstandingCents: left, open: 1, grabbedShares: 1 });
    packets.tick(DUE_MS - 1000);
    t.ok(table.isOpen(id));
    packets.tick(DUE_MS);
    packets.tick(DUE_MS);
    t.strictSame(log.entries, [{ what: 'closePacket', packetId: id, taken: 2, refundCents: left }]);
    t.strictSame([refunds, over], [[{ userId: 6, cents: left }], [id]]);
    t.match(packets.totals(), { refundedCents: left, outstandingCents: 0, open: 0, grabbedShares: 1, expired: 1 });
    t.end();
  },
);

t.test('whatever comes when, each step of a packet follows its entry, and every cent is with somebody', async (t) => {
  const seen = { won: 0, tooEarly: 0, heldUp: 0, noLogRoom: 0, noSlot: 0, refunds: 0, late: 0 };
  const users = 5;
  const step = fc.record({
    what: fc.constantFrom(
      ...[
        'create',
        'grab',
        'grab',
        'grab',
        'grab late',
        'leave',
        'tick',
        'tick',
        'settle',
        'durable',
        'durable',
        'room',
      ],
    ),
    which: fc.nat({ max: 1000 }),
    ms: fc.integer({ min: 0, max: 1500 }),
  });
  const property = fc.property(fc.array(step, { minLength: 40, maxLength: 200, size: 'max' }), (taken) => {
    const { packets, log, table, memory, creator, told, refunds, over } = openSends(6, 6 * 16);
    log.hold();
    const workers = Array.from({ length: users }, () => new PacketTable(memory));
    const plain: PlainPacket[] = [];
    const byId = new Map<number, PlainPacket>();
    const leaving = new Map<number, PlainPacket>();
    let nowMs = START_MS;
    let latestSecond = START_SECOND;
    let entries = 0;
    let isSound = true;
    const leave = (userId: number) => {
      const packet = leaving.get(userId);
      if (packet === undefined) return;
      workers[userId].leaveClaim(userId);
      leaving.delete(userId);
      packet.unleft--;
    };
    const tick = (ms: number) => {
      nowMs += ms;
      packets.tick(nowMs);
      latestSecond = Math.floor(nowMs / 1000);
      for (const packet of plain) {
        if (packet.isOpened && packet.dueSecond <= latestSecond) packet.isClosed = true;
        if (packet.isClosed && packet.unleft > 0 && packet.taken < packet.shares) seen.heldUp++;
      }
    };
    for (const { what, which, ms } of taken) {
      const packet = plain[which % plain.length];
      const userId = which % users;
      if (what === 'create') {
        const senderId = which % 3 === 0 ? -1 : 100 + plain.length;
        const shares = 1 + (which % 4);
        const totalCents = 20 + which;
        const expiresAt = Math.floor(nowMs / 1000) + 1 + (which % 4);
        const numbers = { senderId, shares, totalCents, expiresAt, seed: seedBytes(8, plain.length) };
        const isRoomy = log.isRoomy;
        const id = packets.create(newPacket({ ...numbers, invited: [0, 1, 2, 3, 4] }), FROM_USER, (packetId) => {
          const opened = byId.get(packetId)!;
          if (opened.isOpened || log.durable.length <= opened.entry) isSound = false;
          opened.isOpened = true;
          opened.dueSecond = Math.max(expiresAt, latestSecond + 1);
        });
        if (id === NO_ROOM) seen[isRoomy ? 'noSlot' : 'noLogRoom']++;
        if (id === NO_ROOM) continue;
        const flags = { isOpened: false, isClosed: false, isLogged: false };
        const made = { id, entry: log.entries.length - 1, senderId, shares, totalCents, dueSecond: 0, ...flags };
        plain.push({ ...made, taken: 0, claimedCents: 0, unleft: 0 });
        byId.set(id, plain.at(-1)!);
      } else if (what === 'leave') leave(userId);
      else if (what === 'tick') tick(ms);
      else if (what === 'settle') packets.settle();
      else if (what === 'durable') log.makeDurable(which % 3);
      else if (what === 'room') log.isRoomy = which % 3 > 0;
      else if (packet !== undefined) {
        leave(userId);
        const worker = workers[userId];
        const outcome = worker.grab(packet.id, userId);
        if (outcome === REPEAT) continue;
        const isOpen = packet.isOpened && !packet.isClosed && packet.taken < packet.shares;
        if ((outcome === WON) !== isOpen) return false;
        if (!packet.isOpened) seen.tooEarly++;
        if (packet.isClosed) seen.late++;
        if (outcome !== WON) continue;
        seen.won++;
        packet.taken++;
        packet.claimedCents += worker.grabbedCents;
        packet.unleft++;
        leaving.set(userId, packet);
        if (what === 'grab') leave(userId);
      }
      if (!isRight()) return false;
    }
    log.isRoomy = true;
    for (let userId = 0; userId < users; userId++) leave(userId);
    for (let i = 0; i < 30; i++) {
      log.makeDurable();
      tick(1000);
      if (!isRight()) return false;
    }
    seen.refunds += refunds.length;
    const { fundedCents, refundedCents, outstandingCents } = packets.totals();
    return (
      plain.every((packet) => packet.isOpened) &&
      over.length === plain.length &&
      refunds.length === plain.filter((packet) => packet.isLogged && packet.senderId >= 0).length &&
      creator.freeSlots === table.slots &&
      told.length === 5 * plain.length &&
      outstandingCents === 0 &&
      fundedCents === refundedCents + sum(plain.map((packet) => packet.claimedCents))
    );

    function isRight(): boolean {
      for (; entries < log.entries.length; entries++) {
        const entry = log.entries[entries];
        if (entry.what !== 'closePacket') continue;
        const packet = byId.get(entry.packetId)!;
        const mayClose = packet.isClosed && packet.unleft === 0 && !packet.isLogged && packet.taken < packet.shares;
        packet.isLogged = true;
        if (!mayClose || entry.taken !== packet.taken) return false;
        if (entry.refundCents !== packet.totalCents - packet.claimedCents) return false;
      }
      const closings = log.durable.flatMap((entry) => (entry.what === 'closePacket' ? [entry] : []));
      const owed = new Map(closings.map((entry) => [byId.get(entry.packetId)!.senderId, entry.refundCents]));
      const toldOf = refunds.map(({ userId }) => userId);
      const opened = plain.filter((packet) => packet.isOpened);
      const { fundedCents, refundedCents, outstandingCents, sent } = packets.totals();
      return (
        isSound &&
        new Set(toldOf).size === toldOf.length &&
        refunds.every(({ userId, cents }) => owed.get(userId) === cents) &&
        refundedCents <= sum(closings.map((entry) => entry.refundCents)) &&
        sent === opened.length &&
        fundedCents === sum(opened.map((packet) => packet.totalCents)) &&
        fundedCents === sum(plain.map((packet) => packet.claimedCents)) + refundedCents + outstandingCents &&
        new Set(over).size === over.length &&
        over.every((id) =>
          isOver(
            byId.get(id)!,
            closings.some((entry) => entry.packetId === id),
          ),
        )
      );
    }
  });
  await checkProperty(t, 'at every step', property, 200);
  for (const [what, count] of Object.entries(seen)) t.ok(count > 20, `${what}: ${count}`);
});

function isOver(packet: PlainPacket, isRefunded: boolean): boolean {
  return packet.unleft === 0 && (packet.taken === packet.shares || isRefunded);
}

interface PlainPacket {
  id: number;
  /** The place of its opening in the log. */
  entry: number;
  senderId: number;
  shares: number;
  totalCents: number;
  dueSecond: number;
  isOpened: boolean;
  isClosed: boolean;
  /** Whether its close is in the log. */
  isLogged: boolean;
  taken: number;
  claimedCents: number;
  /** Grabs whose claims have not been left. */
  unleft: number;
}

t.test('a tick looks at few packets while they wait, and at all that are over', (t) => {
  const { packets, table, over } = openSends(1024);
  const ids = Array.from({ length: 1000 }, () => packets.create(aPacket(), FROM_USER, () => {}));
  packets.settle();
  const wonBy = (id: number) => {
    for (let user = 0; table.isOpen(id); user++) grabShare(table, id, user);
  };
  wonBy(ids[999]);
  packets.tick(START_MS);
  packets.tick(START_MS);
  t.strictSame(over, [], 'each looks at 400 that wait');
  packets.tick(START_MS);
  t.strictSame(over, [ids[999]]);
  for (const id of ids) wonBy(id);
  packets.tick(START_MS);
  t.equal(over.length, 1000);
  t.end();
});

function aPacket(changes: Parameters<typeof newPacket>[0] = {}) {
  return newPacket({ createdAt: START_SECOND, expiresAt: START_SECOND + 60, ...changes });
}
