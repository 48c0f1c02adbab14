// Tries the creating of packets and the reuse of their slots and blocks, against plain packets and a plain queue.

import fc from 'fast-check';
import t from 'tap';
import { KEPT_PACKETS } from '../../lib/packets/limits.ts';
import { NO_ROOM, PacketCreator } from '../../lib/packets/packet-creator.ts';
import { generationOf, MAX_GENERATION, packetIdOf, slotOf } from '../../lib/packets/packet-id.ts';
import { allocatePackets, GrabOutcome, PacketTable } from '../../lib/packets/packet-table.ts';
import { checkProperty } from './check-property.ts';
import { newPacket, PacketModel } from './packet-model.ts';
import { createPacket, grabShare } from './packet-steps.ts';
import { printSeed, seedBytes } from './seed.ts';

printSeed(t);

t.test('slots are used in the order of a queue: first all once, then those that were given back longest ago', (t) => {
  const { creator, finish } = openTable(4, 1024);
  const ids = [0, 1, 2, 3].map(() => createPacket(creator, newPacket()));
  t.strictSame(ids.map(slotOf), [0, 1, 2, 3]);
  t.strictSame(ids.map(generationOf), [1, 1, 1, 1]);
  for (const i of [2, 0, 3]) finish(ids[i]);
  t.equal(creator.freeSlots, 3);
  const next = [0, 1, 2].map(() => createPacket(creator, newPacket()));
  t.strictSame(next, [packetIdOf(2, 2), packetIdOf(2, 0), packetIdOf(2, 3)]);
  t.end();
});

t.test('without a free slot there is NO_ROOM, until a packet is given back', (t) => {
  const { creator, finish } = openTable(2, 1024);
  const first = createPacket(creator, newPacket());
  createPacket(creator, newPacket());
  t.equal(creator.freeSlots, 0);
  t.equal(createPacket(creator, newPacket()), NO_ROOM);
  finish(first);
  t.equal(createPacket(creator, newPacket()), packetIdOf(2, 0));
  t.end();
});

t.test('without words for the block there is NO_ROOM; a smaller packet still fits', (t) => {
  const { creator } = openTable(8, 40);
  t.not(createPacket(creator, newPacket({ shares: 16 })), NO_ROOM, '32 of 40 words');
  t.equal(createPacket(creator, newPacket({ shares: 5 })), NO_ROOM, '16 words are not left');
  t.not(createPacket(creator, newPacket({ shares: 4 })), NO_ROOM, '8 words are');
  t.equal(creator.freeSlots, 6, 'nothing was lost by the refusal');
  t.end();
});

t.test('blocks of packets that are over are taken back when the arena is full, the oldest first', (t) => {
  const { creator, table, finish } = openTable(8, 24);
  const ids = [0, 1, 2].map(() => createPacket(creator, newPacket({ shares: 4 })));
  for (const id of ids) finish(id);
  t.ok(
    ids.every((id) => table.view(id)),
    'all can be read while nobody needs their room',
  );
  for (let gone = 1; gone <= 3; gone++) {
    t.not(createPacket(creator, newPacket({ shares: 2 })), NO_ROOM);
    t.strictSame(
      ids.map((id) => table.view(id) === undefined),
      [true, gone > 1, gone > 2],
    );
  }
  t.equal(createPacket(creator, newPacket({ shares: 2 })), NO_ROOM, 'then there is nothing left to take back');
  t.end();
});

t.test('the room of packets that are over is never lost, whatever their shares and invited', (t) => {
  for (const [shares, invited, noteBytes] of [
    [8, 0, 0],
    [5, 6, 0],
    [1, 30, 0],
    [30, 5, 0],
    [3, 1, 33],
  ]) {
    const words = 2 ** Math.ceil(Math.log2(2 * shares + invited + Math.ceil(noteBytes / 4)));
    const { creator, finish } = openTable(3, 2 * words);
    const note = Buffer.alloc(noteBytes, 'n');
    const packet = newPacket({ shares, invited: Array.from({ length: invited }, (_, i) => i), note });
    let refused = 0;
    let last = createPacket(creator, packet);
    for (let i = 0; i < 100; i++) {
      const next = createPacket(creator, packet);
      if (next === NO_ROOM) refused++;
      finish(last);
      last = next;
    }
    t.equal(refused, 0, `${shares} shares, ${invited} invited, a note of ${noteBytes} bytes`);
  }
  t.end();
});

t.test('a packet that is over stays readable until its slot comes up', (t) => {
  const { creator, table, finish } = openTable(3, 1024);
  const ids = [0, 1, 2].map(() => createPacket(creator, newPacket()));
  finish(ids[0]);
  finish(ids[1]);
  createPacket(creator, newPacket());
  t.equal(table.view(ids[0]), undefined);
  t.equal(table.view(ids[1])!.state, 'expired');
  t.end();
});

t.test('generations go from 1 to the last and from 1 again, and the id before finds nothing', (t) => {
  const { creator, table, finish } = openTable(1, 64);
  let last = 0;
  let wrong = 0;
  for (let i = 0; i < 2 * MAX_GENERATION + 5; i++) {
    const id = createPacket(creator, newPacket({ shares: 1 }));
    if (id !== packetIdOf((i % MAX_GENERATION) + 1, 0)) wrong++;
    if (last !== 0 && (grabShare(table, last, 1) !== GrabOutcome.NOT_FOUND || table.view(last) !== undefined)) wrong++;
    if (grabShare(table, id, 1) !== GrabOutcome.WON || table.grabbedCents !== 1000) wrong++;
    creator.retire(id);
    last = id;
  }
  t.equal(wrong, 0);
  t.equal(generationOf(last), 5);
  finish(createPacket(creator, newPacket()));
  t.end();
});

t.test('a packet that can still be grabbed, or that somebody is still reading, is not given back', (t) => {
  const { creator, table } = openTable(2, 64);
  const id = createPacket(creator, newPacket({ shares: 2 }));
  t.throws(() => creator.retire(id), 'shares are left');
  table.grab(id, 1);
  table.close(id);
  t.throws(() => creator.retire(id), 'a claim is missing');
  table.leaveClaim(1);
  creator.retire(id);
  t.equal(creator.freeSlots, 2);
  t.end();
});

t.test('owners of parts of one table keep to their own slots and words', (t) => {
  const table = new PacketTable(allocatePackets(8, 128));
  const owners = [new PacketCreator(table, 0, 4, 0, 64), new PacketCreator(table, 4, 4, 64, 64)];
  t.throws(() => new PacketCreator(table, 4, 5, 64, 64), 'slots past the table');
  t.throws(() => new PacketCreator(table, 4, 4, 64, 65), 'words past the arena');
  const models: PacketModel[] = [];
  for (let i = 0; i < 20; i++) {
    const packet = newPacket({ shares: 4, seed: seedBytes(2, i) });
    const id = createPacket(owners[i % 2], packet);
    if (id !== NO_ROOM) models.push(new PacketModel(id, packet));
    if (id !== NO_ROOM && Math.floor(slotOf(id) / 4) !== i % 2) t.fail(`slot ${slotOf(id)} belongs to the other owner`);
  }
  t.equal(models.length, 8, 'four each');
  for (const model of models) t.strictSame(table.view(model.id), model.view());
  t.end();
});

t.test('any order of creating, grabbing, closing and giving back leaves every packet as a plain one', async (t) => {
  const seen = { noSlot: 0, noWords: 0, reused: 0, gone: 0, readable: 0 };
  const steps = fc.array(
    fc.record({
      what: fc.constantFrom('create', 'create', 'grab', 'grab', 'close', 'retire'),
      which: fc.nat(),
      userId: fc.integer({ min: 0, max: 4 }),
      shares: fc.integer({ min: 1, max: 14 }),
      invited: fc.integer({ min: 0, max: 4 }),
      noteBytes: fc.constantFrom(0, 0, 3, 8),
    }),
    { minLength: 20, maxLength: 150, size: 'max' },
  );
  const property = fc.property(steps, (taken) => {
    const { table, creator } = openTable(5, 120);
    // Fresh slots come first, unless a returned one has already lost its packet, for want of words.
    const fresh = [0, 1, 2, 3, 4];
    const returned: number[] = [];
    const live: PacketModel[] = [];
    const retired: PacketModel[] = [];
    for (const { what, which, userId, shares, invited, noteBytes } of taken) {
      const model = live[which % live.length];
      if (what === 'create') {
        const packet = newPacket({
          shares,
          invited: Array.from({ length: invited }, (_, i) => i),
          seed: seedBytes(4, live.length + retired.length),
          note: Buffer.alloc(noteBytes, 0x61 + (which % 26)),
        });
        const id = createPacket(creator, packet);
        if (id === NO_ROOM) {
          const slotsLeft = fresh.length + returned.length;
          if (slotsLeft === 0) seen.noSlot++;
          else seen.noWords++;
          // With slots left it is for want of words, and then no packet that is over may hold any.
          if (slotsLeft > 0 && retired.some((old) => table.view(old.id))) return false;
          continue;
        }
        const queue = slotOf(id) === fresh[0] ? fresh : returned;
        if (slotOf(id) !== queue.shift()) return false;
        if (generationOf(id) > 1) seen.reused++;
        live.push(new PacketModel(id, packet));
      } else if (what === 'grab' && live.length > 0) {
        const outcome = grabShare(table, model.id, userId);
        const [expected, cents] = model.grab(userId);
        if (outcome !== expected || (outcome === GrabOutcome.WON && table.grabbedCents !== cents)) return false;
      } else if (what === 'close' && live.length > 0) {
        if (table.close(model.id) !== model.close()) return false;
      } else if (what === 'retire' && live.length > 0 && !model.isOpen) {
        creator.retire(model.id);
        live.splice(live.indexOf(model), 1);
        retired.push(model);
        returned.push(slotOf(model.id));
      }
      if (creator.freeSlots !== fresh.length + returned.length) return false;
      if (!live.every((packet) => isSame(table.view(packet.id), packet.view()))) return false;
      for (const old of retired) {
        const view = table.view(old.id);
        if (view === undefined) seen.gone++;
        else seen.readable++;
        // A packet that is over is as it was, or unknown; and the one to come is not there before it is.
        if (view !== undefined && !isSame(view, old.view())) return false;
        if (view === undefined && grabShare(table, old.id, userId) !== GrabOutcome.NOT_FOUND) return false;
        const next = packetIdOf(generationOf(old.id) + 1, slotOf(old.id));
        const isThere = [...live, ...retired].some((packet) => packet.id === next);
        if (!isThere && table.view(next) !== undefined) return false;
      }
    }
    return true;
  });
  await checkProperty(t, 'the same views at every step', property, 150);
  for (const [what, count] of Object.entries(seen)) t.ok(count > 50, `${what}: ${count}`);
});

/** A table and the creator of all its packets; `finish` closes a packet and gives it back. */
function openTable(slots: number, words: number) {
  const table = new PacketTable(allocatePackets(slots, words));
  const creator = new PacketCreator(table, 0, slots, 0, words);
  const finish = (id: number) => {
    table.close(id);
    creator.retire(id);
  };
  return { table, creator, finish };
}

function isSame(one: unknown, other: unknown): boolean {
  const sorted = (value: unknown) => JSON.stringify(Object.entries(value ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sorted(one) === sorted(other);
}

t.test('a packet cannot be given back twice', (t) => {
  const { creator, finish } = openTable(4, 64);
  const id = createPacket(creator, newPacket());
  finish(id);
  t.throws(() => creator.retire(id), 'two packets would share its slot');
  t.end();
});

t.test('old packets give their slots back before fresh ones are used, once enough of them are kept', (t) => {
  const { creator, table, finish } = openTable(KEPT_PACKETS + 100, 8 * (KEPT_PACKETS + 100));
  const ids: number[] = [];
  for (let i = 0; i < KEPT_PACKETS + 50; i++) {
    const id = createPacket(creator, newPacket({ shares: 1 }));
    ids.push(id);
    finish(id);
  }
  const slots = new Set(ids.map(slotOf));
  t.equal(slots.size, KEPT_PACKETS + 1, 'no more slots than are kept, and the one in use');
  t.equal(ids.filter((id) => table.view(id) !== undefined).length, KEPT_PACKETS + 1, 'and so many can still be read');
  t.equal(table.view(ids[48]), undefined);
  t.ok(table.view(ids[49]), 'the latest ones');
  t.end();
});
