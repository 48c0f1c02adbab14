// Compares what a server has in memory, and what recovery makes of a disk, with the books.

import assert from 'node:assert/strict';
import type { Recovery } from '../../lib/ledger/recovery.ts';
import type { PacketTable, PacketView } from '../../lib/packets/packet-table.ts';
import type { ServerWork } from '../../lib/server-work.ts';
import { type BookedPacket, type Books, isOver } from './books.ts';

/** The packets that a user is to be told of at a login: he may grab them, has not, and his notice was not dropped. */
export function listUntold(books: Books, userId: number): number[] {
  const isToTell = ({ invited, grabs, untold }: BookedPacket) =>
    invited.includes(userId) && !grabs.has(userId) && !untold.has(userId);
  return ascending(
    books
      .openPackets()
      .filter(isToTell)
      .map(({ id }) => id),
  );
}

/** What recovery found is what the books say. */
export function compareRecovered(books: Books, { state, openPackets }: Recovery, table: PacketTable): void {
  const balances = (users: Map<number, number>) => [...users].filter(([, cents]) => cents > 0).sort(byFirst);
  assert.deepEqual(balances(state.balances), balances(books.users), 'recovery finds the balances');
  const openDrops = [...books.drops.values()].filter(({ isClosed }) => !isClosed);
  assert.deepEqual(ascending([...state.drops.keys()]), ascending(openDrops.map(({ id }) => id)), 'and the open drops');
  for (const drop of openDrops) {
    const { won } = state.drops.get(drop.id)!;
    const numbers = Array.from({ length: drop.count }, (_, i) => i).filter((i) => (won[i >> 3] & (1 << (i & 7))) !== 0);
    assert.deepEqual(numbers, ascending([...drop.wins.keys()]), 'and what was won of them');
  }
  comparePackets(books, openPackets, table);
  const open = [...books.reservations].filter(([, { outcome }]) => outcome === 0).map(([id]) => id);
  assert.deepEqual(ascending([...state.reservations.keys()]), ascending(open), 'and the open reservations');
  for (const [id, { isSpent }] of state.reservations)
    assert.equal(isSpent, books.spent.has(id), 'and what became of them');
  const keys = [...state.keys].map(
    ([userId, uses]) => [userId, uses.map(({ key, kind }) => `${kind} ${key}`)] as const,
  );
  const booked = [...books.keys].map(
    ([userId, uses]) => [userId, [...uses].map(([key, { kind }]) => `${kind} ${key}`)] as const,
  );
  assert.deepEqual([...keys].sort(byFirst), [...booked].sort(byFirst), 'and the request keys');
  assert.deepEqual(
    [state.lastDropId, state.lastSendId, state.lastReservation],
    [books.drops.size, books.sends.size, Math.max(0, ...books.reservations.keys())],
    'and where ids go on',
  );
  const notices = new Map<number, number[]>();
  for (const [userId, packetId] of state.listNotices(openPackets)) {
    notices.set(userId, [...(notices.get(userId) ?? []), packetId]);
  }
  for (const userId of new Set([...notices.keys(), ...books.openPackets().flatMap(({ invited }) => invited)])) {
    assert.deepEqual(ascending(notices.get(userId) ?? []), listUntold(books, userId), 'and who is to be told');
  }
}

/** Everything is settled: what a server has in memory is what the books say. */
export function compareLive(books: Books, work: ServerWork, table: PacketTable): void {
  assert.equal(work.drops.totals().outstandingCents, books.outstanding.drops, 'the cents in drops');
  assert.equal(work.packets.totals().outstandingCents, books.outstanding.packets, 'the cents in packets');
  const open = books.openPackets().map(({ id }) => id);
  assert.equal(work.packets.totals().open, open.length, 'the open packets');
  comparePackets(books, open, table);
  for (const drop of books.drops.values()) {
    if (drop.isClosed) continue;
    const { claimed, claimedCents, budget } = work.drops.status(drop.id);
    assert.deepEqual([claimed, claimedCents, budget], [drop.wins.size, drop.wonCents, drop.budget], 'an open drop');
  }
  for (const send of books.sends.values()) {
    if (send.packets.length === send.count && send.packets.every(isOver)) continue;
    const { created, totalCents, grabbedShares, claimedCents, refundedCents } = work.sends.status(send.id);
    const sum = (cents: (packet: BookedPacket) => number) => send.packets.reduce((sum, one) => sum + cents(one), 0);
    assert.deepEqual(
      [created, totalCents, grabbedShares, claimedCents, refundedCents],
      [
        send.packets.length,
        sum(({ total }) => total),
        sum(({ grabs }) => grabs.size),
        sum(({ grabbedCents }) => grabbedCents),
        sum(({ isClosed, total, grabbedCents }) => (isClosed ? total - grabbedCents : 0)),
      ],
      `send ${send.id}`,
    );
  }
}

function comparePackets(books: Books, found: readonly number[], table: PacketTable): void {
  const open = books.openPackets();
  assert.deepEqual(ascending(found), ascending(open.map(({ id }) => id)), 'the packets that can be grabbed');
  for (const packet of open) {
    const view = table.view(packet.id);
    assert(view !== undefined, `packet ${packet.id} is in the table`);
    assert.deepEqual(describe(view), describeBooked(packet), `packet ${packet.id}`);
  }
}

function describe(view: PacketView): object {
  const { senderId, totalCents, shares, mode, createdAt, expiresAt, invited, note, state } = view;
  const grabs = view.grabs.map(({ userId, share, amountCents }) => [share, userId, amountCents]);
  return { senderId, totalCents, shares, mode, createdAt, expiresAt, invited, note, state, grabs: grabs.sort(byFirst) };
}

function describeBooked(packet: BookedPacket): object {
  const { sender, total, shares, mode, createdAt, expiresAt, invited, note, amounts } = packet;
  const grabs = [...packet.grabs].map(([userId, share]) => [share, userId, amounts[share]]).sort(byFirst);
  return {
    senderId: sender,
    totalCents: total,
    shares,
    mode,
    createdAt,
    expiresAt,
    invited,
    note,
    state: 'open',
    grabs,
  };
}

function byFirst(a: readonly unknown[], b: readonly unknown[]): number {
  return (a[0] as number) - (b[0] as number);
}

function ascending(numbers: readonly number[]): number[] {
  return numbers.toSorted((a, b) => a - b);
}
