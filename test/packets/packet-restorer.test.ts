// Tries the way of sent packets back into the table: with holes among their claims, closed, over, in slots that come again.

import fc from 'fast-check';
import t from 'tap';
import { type NewPacket, NO_ROOM, PacketCreator } from '../../lib/packets/packet-creator.ts';
import { packetIdOf, slotOf } from '../../lib/packets/packet-id.ts';
import { PacketRestorer } from '../../lib/packets/packet-restorer.ts';
import { allocatePackets, GrabOutcome, PacketTable, type PacketView } from '../../lib/packets/packet-table.ts';
import { commitTo } from '../../lib/packets/seeded-random.ts';
import { SPLIT_MODES } from '../../lib/packets/split.ts';
import { checkProperty } from './check-property.ts';
import { sum } from './open-sends.ts';
import { listShares, newPacket, PacketModel } from './packet-model.ts';
import { createPacket, grabShare } from './packet-steps.ts';
import { printSeed, seedBytes } from './seed.ts';

printSeed(t);

const { WON, REPEAT, EMPTY, EXPIRED, NOT_FOUND, NOT_INVITED } = GrabOutcome;

t.test('a packet with its first shares grabbed goes on as if nothing had been', (t) => {
  const { table, restorer } = openEmpty();
  const packet = newPacket({ shares: 4, invited: [1, 2, 3, 4, 5], note: Buffer.from('恭喜发财') });
  const id = packetIdOf(3, 2);
  const model = new PacketModel(id, packet);
  t.equal(restorer.open(id, packet), id);
  for (const [share, userId] of [1, 2].entries()) {
    t.ok(restorer.claim(id, share, userId));
    model.grab(userId);
  }
  t.equal(table.view(id), undefined, 'nobody sees it before the end');
  t.strictSame(restorer.finish(), [id]);
  t.strictSame(table.view(id), model.view());
  for (const userId of [1, 9, 3, 4, 5]) {
    const [outcome, cents] = model.grab(userId);
    t.equal(grabShare(table, id, userId), outcome);
    if (outcome === WON || outcome === REPEAT) t.equal(table.grabbedCents, cents);
  }
  t.strictSame(table.view(id), model.view());
  t.end();
});

t.test('with a hole the grabbed shares come first, and the free ones are won in their order behind them', (t) => {
  const { table, restorer } = openEmpty();
  const packet = newPacket({ shares: 5, note: Buffer.from('a note'), invited: [7, 8, 9, 10, 11] });
  const amounts = listShares(packet);
  const id = packetIdOf(1, 0);
  restorer.open(id, packet);
  restorer.claim(id, 3, 8);
  restorer.claim(id, 1, 7);
  restorer.finish();
  const view = table.view(id)!;
  t.strictSame(view.grabs, [
    { userId: 7, amountCents: amounts[1], share: 1 },
    { userId: 8, amountCents: amounts[3], share: 3 },
  ]);
  t.match(view, { note: 'a note', invited: [7, 8, 9, 10, 11], claimedCents: amounts[1] + amounts[3], state: 'open' });
  t.equal(table.sumLeft(id), 1000 - amounts[1] - amounts[3]);
  t.strictSame([grabShare(table, id, 8), table.grabbedCents], [REPEAT, amounts[3]]);
  t.equal(grabShare(table, id, 99), NOT_INVITED);
  const won = [9, 10, 11].map((userId) => [grabShare(table, id, userId), table.grabbedShare, table.grabbedCents]);
  t.strictSame(
    won,
    [0, 2, 4].map((share) => [WON, share, amounts[share]]),
  );
  t.strictSame(
    table.view(id)!.grabs.map(({ share }) => share),
    [1, 3, 0, 2, 4],
  );
  t.match(table.facts(id), { noteBytes: 6, firstInvited: [7, 8, 9] });
  t.end();
});

t.test('whatever was claimed, closed and opened again, each share is grabbed once, with its own amount', async (t) => {
  const seen = { holes: 0, inOrder: 0, closed: 0, full: 0, untouched: 0, slotsAgain: 0, gaps: 0, won: 0, reused: 0 };
  const slots = 6;
  const packets = fc.array(
    fc.record({
      slot: fc.nat({ max: slots - 1 }),
      mode: fc.constantFrom(...SPLIT_MODES),
      totalCents: fc.integer({ min: 12, max: 900 }),
      isClaimed: fc.array(fc.boolean(), { minLength: 1, maxLength: 12 }),
      isFull: fc.nat({ max: 4 }),
      closes: fc.nat({ max: 4 }),
      invited: fc.nat({ max: 3 }),
      noteBytes: fc.constantFrom(0, 0, 5, 8),
    }),
    { minLength: 1, maxLength: 12 },
  );
  const property = fc.property(
    packets,
    fc.array(fc.nat({ max: 40 }), { minLength: 10, maxLength: 40 }),
    (given, users) => {
      const { table, restorer, creator } = openEmpty(slots, slots * 512);
      const generations = new Array<number>(slots).fill(0);
      const bySlot = new Map<number, Restored>();
      const gone: number[] = [];
      for (const [i, { slot, mode, totalCents, isClaimed, isFull, closes, invited, noteBytes }] of given.entries()) {
        const before = bySlot.get(slot);
        if (before !== undefined) {
          // A slot comes again only when its packet is over.
          if (!before.isClosed && before.claims.size < before.packet.shares) restorer.close(before.id);
          gone.push(before.id);
          seen.slotsAgain++;
        }
        const shares = isClaimed.length;
        const numbers = {
          mode,
          totalCents,
          shares,
          invited: Array.from({ length: 50 * +(invited > 0) }, (_, user) => user),
        };
        const note = Buffer.alloc(noteBytes, 'n');
        const packet = newPacket({ ...numbers, note, seed: seedBytes(15, i) });
        const id = packetIdOf(++generations[slot], slot);
        if (restorer.open(id, packet) !== id) return false;
        const claims = new Map<number, number>();
        // In any order, as the rings of several workers bring them.
        const order = isClaimed
          .flatMap((isOne, share) => (isOne || isFull === 0 ? [share] : []))
          .sort((a, b) => ((a * 7 + i) % 5) - ((b * 7 + i) % 5));
        for (const share of order) {
          claims.set(share, 100 + share - 100 * +(invited > 0));
          if (!restorer.claim(id, share, claims.get(share)!)) return false;
        }
        const places = [...claims.keys()];
        const hasHoles = Math.max(-1, ...places) !== claims.size - 1;
        const isClosed = closes === 0 && claims.size < shares;
        if (isClosed && restorer.close(id) !== -1) return false;
        bySlot.delete(slot);
        bySlot.set(slot, { id, packet, claims, isClosed, hasHoles });
      }
      const restored = [...bySlot.values()];
      const expectedOpen = restored.filter(({ claims, isClosed, packet }) => !isClosed && claims.size < packet.shares);
      const open = restorer.finish();
      if (open === NO_ROOM || open.join() !== expectedOpen.map(({ id }) => id).join()) return false;
      if (creator.freeSlots !== slots - open.length) return false;
      for (const one of restored) {
        if (!isRight(table, one)) return false;
        if (one.isClosed) seen.closed++;
        else if (one.claims.size === one.packet.shares) seen.full++;
        else if (one.claims.size === 0) seen.untouched++;
        else seen[one.hasHoles ? 'holes' : 'inOrder']++;
      }
      for (const id of gone) if (table.view(id) !== undefined || table.grab(id, 1) !== NOT_FOUND) return false;
      for (let slot = 0; slot < Math.max(...bySlot.keys()); slot++) {
        if (bySlot.has(slot)) continue;
        seen.gaps++;
        if (table.view(packetIdOf(1, slot)) !== undefined || table.grab(packetIdOf(1, slot), 1) !== NOT_FOUND)
          return false;
      }
      // Grabs go on.
      for (const [i, userId] of users.entries()) {
        const one = restored[i % restored.length];
        const { id, packet, claims, isClosed } = one;
        const outcome = grabShare(table, id, userId);
        const share = [...claims].find(([, owner]) => owner === userId)?.[0];
        const firstFree = Array.from({ length: packet.shares }, (_, place) => place).find(
          (place) => !claims.has(place),
        );
        if (share !== undefined) {
          if (outcome !== REPEAT || table.grabbedCents !== listShares(packet)[share]) return false;
        } else if (isClosed || firstFree === undefined) {
          if (outcome !== (isClosed ? EXPIRED : EMPTY)) return false;
        } else {
          if (outcome !== WON || table.grabbedShare !== firstFree) return false;
          if (table.grabbedCents !== listShares(packet)[firstFree]) return false;
          claims.set(firstFree, userId);
          seen.won++;
        }
      }
      if (!restored.every((one) => isRight(table, one))) return false;
      // And the slots: those of packets that are over, and those that were never filled.
      const stillOpen = new Set(expectedOpen.map(({ id }) => slotOf(id)));
      const ids = Array.from({ length: slots - open.length }, (_, i) =>
        createPacket(creator, newPacket({ seed: seedBytes(16, i) })),
      );
      for (const id of ids) {
        if (id === NO_ROOM || stillOpen.has(slotOf(id)) || gone.includes(id) || bySlot.get(slotOf(id))?.id === id)
          return false;
        if (bySlot.has(slotOf(id)) && table.view(bySlot.get(slotOf(id))!.id) !== undefined) return false;
        if (grabShare(table, id, 1) !== WON) return false;
        seen.reused++;
      }
      return (
        new Set(ids.map(slotOf)).size === ids.length &&
        expectedOpen.every((one) => isRight(table, one)) &&
        createPacket(creator, newPacket()) === NO_ROOM
      );
    },
  );
  await checkProperty(t, 'each share once', property, 400);
  for (const [what, count] of Object.entries(seen)) t.ok(count > 20, `${what}: ${count}`);
});

t.test('packets that are over stay readable until their slots are needed, the oldest first', (t) => {
  const { table, restorer, creator } = openEmpty(5, 5 * 16);
  const ids = [3, 0, 4].map((slot) => packetIdOf(2, slot));
  for (const id of ids) restorer.open(id, newPacket({ shares: 2, senderId: 40 + slotOf(id) }));
  restorer.claim(ids[0], 0, 5);
  t.equal(restorer.close(ids[0]), 43, 'a close says who sent the packet');
  for (const userId of [5, 6]) restorer.claim(ids[1], userId - 5, userId);
  t.equal(restorer.close(ids[2]), 44);
  t.strictSame(restorer.finish(), []);
  t.equal(creator.freeSlots, 5);
  const statesOf = () => ids.map((id) => table.view(id)?.state);
  t.strictSame(statesOf(), ['expired', 'empty', 'expired']);
  t.match(table.view(ids[0]), {
    grabs: [{ userId: 5, share: 0 }],
    seed: Buffer.from(newPacket().seed).toString('hex'),
  });
  t.strictSame([grabShare(table, ids[0], 5), grabShare(table, ids[0], 6)], [REPEAT, EXPIRED]);
  t.strictSame([grabShare(table, ids[1], 6), grabShare(table, ids[1], 7)], [REPEAT, EMPTY]);
  const next = [0, 1].map(() => createPacket(creator, newPacket()));
  t.strictSame(next, [packetIdOf(1, 1), packetIdOf(1, 2)], 'first the slots that were never filled');
  t.strictSame(statesOf(), ['expired', 'empty', 'expired']);
  for (let gone = 1; gone <= 3; gone++) {
    t.equal(createPacket(creator, newPacket()), packetIdOf(3, slotOf(ids[gone - 1])));
    t.strictSame(
      statesOf().map((state) => state === undefined),
      [true, gone > 1, gone > 2],
    );
  }
  t.equal(creator.prepare(newPacket()), NO_ROOM);
  t.end();
});

t.test('a claim or close of a packet that is not the one in its slot is refused', (t) => {
  const { restorer, table } = openEmpty();
  const id = packetIdOf(2, 1);
  restorer.open(id, newPacket({ shares: 2 }));
  for (const other of [packetIdOf(1, 1), packetIdOf(3, 1), packetIdOf(2, 2)]) {
    t.notOk(restorer.claim(other, 0, 5));
    t.equal(restorer.close(other), undefined);
  }
  t.notOk(restorer.claim(id, 2, 5), 'a share past the last');
  t.strictSame(restorer.finish(), [id]);
  t.match(table.view(id), { grabs: [], state: 'open' });
  t.end();
});

t.test('a slot past the table, or more words than the arena has, is NO_ROOM', (t) => {
  const { restorer } = openEmpty(2, 64);
  t.equal(restorer.open(packetIdOf(1, 2), newPacket()), NO_ROOM);
  t.equal(restorer.open(packetIdOf(1, 0), newPacket({ shares: 33 })), NO_ROOM);
  t.equal(restorer.open(packetIdOf(1, 0), newPacket({ shares: 32 })), packetIdOf(1, 0));
  t.equal(restorer.open(packetIdOf(1, 1), newPacket({ shares: 1 })), NO_ROOM, 'all of it is in use');
  restorer.claim(packetIdOf(1, 0), 5, 1);
  t.equal(restorer.finish(), NO_ROOM, 'and an order finds no room either');
  t.end();
});

t.test('a second restart takes up what the first one put in another order', (t) => {
  const packet = newPacket({ shares: 6, seed: seedBytes(17, 1) });
  const amounts = listShares(packet);
  const id = packetIdOf(1, 3);
  const grabs = new Map([
    [4, 50],
    [2, 51],
  ]);
  for (let restart = 0; restart < 4; restart++) {
    const { table, restorer } = openEmpty();
    restorer.open(id, packet);
    for (const [share, userId] of grabs) restorer.claim(id, share, userId);
    t.strictSame(restorer.finish(), [id]);
    const view = table.view(id)!;
    t.strictSame(
      new Map(view.grabs.map(({ share, userId }) => [share, userId])),
      new Map([...grabs].sort(([a], [b]) => a - b)),
    );
    t.ok(view.grabs.every(({ share, amountCents }) => amountCents === amounts[share]));
    // Two grab, and of the first of them no record is left at the next restart.
    grabShare(table, id, 60 + restart);
    if (grabs.size === 5) break;
    t.equal(grabShare(table, id, 70 + restart), WON);
    grabs.set(table.grabbedShare, 70 + restart);
  }
  t.equal(grabs.size, 5);
  t.end();
});

t.test('the room of packets whose slots came again, and of an order, is given back', (t) => {
  // One packet of 32 shares needs all the words; one of 6 needs a quarter of them, and half of them with an order.
  const { table, restorer, creator } = openEmpty(1, 64);
  const packet = newPacket({ shares: 32, seed: seedBytes(18, 1) });
  let id = 0;
  for (let generation = 1; generation <= 50; generation++) {
    id = packetIdOf(generation, 0);
    if (restorer.open(id, packet) !== id) t.fail(`no room for generation ${generation}`);
    restorer.close(id);
  }
  id = packetIdOf(51, 0);
  t.equal(restorer.open(id, newPacket({ shares: 6, seed: seedBytes(18, 2) })), id);
  restorer.claim(id, 3, 90);
  t.strictSame(restorer.finish(), [id]);
  table.close(id);
  creator.retire(id);
  for (let i = 0; i < 50; i++) {
    const next = createPacket(creator, newPacket({ shares: 32, seed: seedBytes(19, i) }));
    if (next === NO_ROOM) t.fail(`no room for packet ${i}`);
    const shares = [1, 2, 3].map((userId) => [grabShare(table, next, userId), table.grabbedShare]);
    if (i === 0) {
      const inOrder = [0, 1, 2].map((share) => [WON, share]);
      t.strictSame(shares, inOrder, 'the next packet in the slot has no order');
    }
    table.close(next);
    creator.retire(next);
  }
  t.end();
});

interface Restored {
  id: number;
  packet: NewPacket;
  /** User by share. */
  claims: Map<number, number>;
  isClosed: boolean;
  hasHoles: boolean;
}

/** Whether the table shows exactly the grabs that were recorded, and the sums that follow. */
function isRight(table: PacketTable, { id, packet, claims, isClosed }: Restored): boolean {
  const view: PacketView | undefined = table.view(id);
  if (view === undefined) return false;
  const amounts = listShares(packet);
  const claimedCents = sum([...claims.keys()].map((share) => amounts[share]));
  const isFull = claims.size === packet.shares;
  return (
    view.grabs.length === claims.size &&
    new Set(view.grabs.map(({ share }) => share)).size === claims.size &&
    view.grabs.every(
      ({ share, userId, amountCents }) => claims.get(share) === userId && amounts[share] === amountCents,
    ) &&
    view.claimedCents === claimedCents &&
    view.refundedCents === (isClosed ? packet.totalCents - claimedCents : 0) &&
    view.state === (isFull ? 'empty' : isClosed ? 'expired' : 'open') &&
    (view.seed !== undefined) === (isFull || isClosed) &&
    view.commitment === commitTo(packet.seed).toString('hex') &&
    view.note === Buffer.from(packet.note).toString() &&
    view.invited.join() === packet.invited.join() &&
    (view.luckiest?.amountCents ?? 0) === (isFull ? Math.max(...amounts) : 0) &&
    table.countGrabbed(id) === claims.size &&
    table.sumGrabbed(id) === claimedCents &&
    table.sumLeft(id) === packet.totalCents - claimedCents &&
    table.hasAllClaims(id) &&
    table.isOpen(id) === (!isFull && !isClosed)
  );
}

function openEmpty(slots = 8, words = 1024) {
  const table = new PacketTable(allocatePackets(slots, words));
  const creator = new PacketCreator(table, 0, slots, 0, words);
  return { table, creator, restorer: new PacketRestorer(table, creator) };
}

t.test('packets that are over make room for those that came after them, as they did before the restart', (t) => {
  const table = new PacketTable(allocatePackets(8, 64));
  const creator = new PacketCreator(table, 0, 8, 0, 64);
  const restorer = new PacketRestorer(table, creator);
  for (let slot = 0; slot < 4; slot++) {
    restorer.open(packetIdOf(1, slot), newPacket({ shares: 8, invited: [] }));
    restorer.close(packetIdOf(1, slot));
  }
  const id = packetIdOf(1, 4);
  t.equal(restorer.open(id, newPacket({ shares: 32, invited: [] })), id);
  t.strictSame(restorer.finish(), [id]);
  t.equal(table.view(id)!.shares, 32);
  t.equal(table.view(packetIdOf(1, 0)), undefined, 'the oldest has gone');
  t.equal(grabShare(table, id, 3), WON);
  t.end();
});
