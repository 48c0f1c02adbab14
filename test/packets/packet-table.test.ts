// Tries the rules of a grab in their order, closing, what a packet shows, and that an old id finds nothing.

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { PacketCreator } from '../../lib/packets/packet-creator.ts';
import { packetIdOf, shakePacketIdOf, slotOf } from '../../lib/packets/packet-id.ts';
import { allocatePackets, GrabOutcome, PacketTable } from '../../lib/packets/packet-table.ts';
import { SPLIT_MODES, split } from '../../lib/packets/split.ts';
import { checkProperty } from './check-property.ts';
import { listShares, newPacket, PacketModel } from './packet-model.ts';
import { createPacket, grabShare } from './packet-steps.ts';
import { printSeed, seedBytes } from './seed.ts';

printSeed(t);

const { WON, REPEAT, EMPTY, EXPIRED, NOT_INVITED, NOT_FOUND } = GrabOutcome;

t.test('shares are won in the order of the split, each by one user', (t) => {
  const { table, creator } = openTable();
  const packet = newPacket({ shares: 4 });
  const id = createPacket(creator, packet);
  const won = [11, 12, 13, 14].map((userId) => [grabShare(table, id, userId), table.grabbedCents, table.grabbedShare]);
  t.strictSame(
    won,
    listShares(packet).map((cents, share) => [WON, cents, share]),
  );
  t.end();
});

t.test('a packet that is prepared cannot be found until it is published', (t) => {
  const { table, creator } = openTable();
  const packet = newPacket({ shares: 2 });
  const id = creator.prepare(packet);
  t.equal(table.grab(id, 7), NOT_FOUND);
  t.strictSame([table.view(id), table.facts(id)], [undefined, undefined]);
  t.strictSame(
    [table.close(id), table.isOpen(id), table.countGrabbed(id), table.sumGrabbed(id), table.sumLeft(id)],
    [0, false, 0, 0, 0],
  );
  creator.publish(id);
  t.strictSame(table.view(id), new PacketModel(id, packet).view(), 'then it is whole, and nothing of it is gone');
  t.equal(grabShare(table, id, 7), WON);
  t.end();
});

t.test('an unknown id is NOT_FOUND, whatever is unknown about it', (t) => {
  const { table, creator } = openTable();
  const id = createPacket(creator, newPacket());
  const unknown = {
    'an empty slot': packetIdOf(1, 5),
    'generation 0': slotOf(id),
    'a later generation': packetIdOf(2, slotOf(id)),
    'the last generation': packetIdOf(2047, slotOf(id)),
    'a slot past the table': packetIdOf(1, 8),
    'a shake packet': shakePacketIdOf(0),
    'a shake packet that names the slot': shakePacketIdOf(id),
    zero: 0,
    'the highest id': 2 ** 32 - 1,
  };
  for (const [name, other] of Object.entries(unknown)) {
    t.equal(grabShare(table, other, 7), NOT_FOUND, name);
    t.equal(table.view(other), undefined, name);
    t.equal(table.facts(other), undefined, name);
    t.strictSame(
      [table.close(other), table.isOpen(other), table.hasGrabbed(other, 7), table.countGrabbed(other)],
      [0, false, false, 0],
      name,
    );
    t.strictSame([table.sumGrabbed(other), table.sumLeft(other), table.hasAllClaims(other)], [0, 0, true], name);
  }
  t.equal(table.countGrabbed(id), 0, 'and the packet next to them lost nothing');
  t.end();
});

t.test('a second grab of one user is REPEAT with the same amount: open, empty or closed', (t) => {
  const { table, creator } = openTable();
  const packet = newPacket({ shares: 2, invited: [21, 22] });
  const [first, second] = listShares(packet);
  const id = createPacket(creator, packet);
  grabShare(table, id, 21);
  t.strictSame([grabShare(table, id, 21), table.grabbedCents], [REPEAT, first], 'open');
  grabShare(table, id, 22);
  t.strictSame([grabShare(table, id, 21), table.grabbedCents], [REPEAT, first], 'empty');
  t.strictSame([grabShare(table, id, 22), table.grabbedCents], [REPEAT, second], 'the other user');
  const other = createPacket(creator, packet);
  grabShare(table, other, 22);
  table.close(other);
  t.strictSame([grabShare(table, other, 22), table.grabbedCents], [REPEAT, first], 'closed');
  t.equal(table.countGrabbed(other), 1);
  t.end();
});

t.test('who is not invited hears that first, before empty or expired', (t) => {
  const { table, creator } = openTable();
  const id = createPacket(creator, newPacket({ shares: 1, invited: [21, 22] }));
  t.equal(grabShare(table, id, 23), NOT_INVITED, 'open');
  grabShare(table, id, 21);
  t.equal(grabShare(table, id, 23), NOT_INVITED, 'empty');
  t.equal(grabShare(table, id, 22), EMPTY);
  const other = createPacket(creator, newPacket({ shares: 1, invited: [21, 22] }));
  table.close(other);
  t.equal(grabShare(table, other, 23), NOT_INVITED, 'expired');
  t.equal(grabShare(table, other, 22), EXPIRED);
  t.equal(table.countGrabbed(other), 0);
  t.end();
});

t.test('nothing left is EMPTY; closed is EXPIRED, whether or not shares are left', (t) => {
  const { table, creator } = openTable();
  const full = createPacket(creator, newPacket({ shares: 1 }));
  grabShare(table, full, 1);
  t.equal(grabShare(table, full, 2), EMPTY);
  t.equal(table.close(full), 0);
  t.equal(grabShare(table, full, 2), EXPIRED);
  const half = createPacket(creator, newPacket({ shares: 2 }));
  grabShare(table, half, 1);
  table.close(half);
  t.equal(grabShare(table, half, 2), EXPIRED);
  t.end();
});

t.test('closing returns what was not taken, once', (t) => {
  const { table, creator } = openTable();
  const packet = newPacket({ shares: 4 });
  const [first, second] = listShares(packet);
  const id = createPacket(creator, packet);
  grabShare(table, id, 1);
  grabShare(table, id, 2);
  t.equal(table.close(id), 1000 - first - second);
  t.equal(table.close(id), 0, 'the second time nothing');
  t.notOk(table.isOpen(id));
  t.equal(table.close(createPacket(creator, packet)), 1000, 'all of it where nobody grabbed');
  t.end();
});

t.test('user ids up to the highest are told apart, also from nobody', (t) => {
  const { table, creator } = openTable();
  const id = createPacket(creator, newPacket({ shares: 3 }));
  const users = [0, 0x7fff_ffff, 1];
  t.strictSame(
    users.map((userId) => table.hasGrabbed(id, userId)),
    [false, false, false],
  );
  t.strictSame(
    users.map((userId) => grabShare(table, id, userId)),
    [WON, WON, WON],
  );
  t.strictSame(
    users.map((userId) => grabShare(table, id, userId)),
    [REPEAT, REPEAT, REPEAT],
  );
  t.equal(grabShare(table, id, 2), EMPTY);
  t.end();
});

t.test('any order of grabs and closing does what a plain packet does', async (t) => {
  const seen = new Map<number, number>();
  const packets = fc.record({
    mode: fc.constantFrom(...SPLIT_MODES),
    shares: fc.integer({ min: 1, max: 6 }),
    invitedUsers: fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 6 }),
    totalCents: fc.integer({ min: 6, max: 500 }),
    note: fc.constantFrom('', 'a', 'four', '恭喜发财，大吉大利').map((text) => Buffer.from(text)),
  });
  const steps = fc.array(
    fc.record({ packet: fc.nat(), userId: fc.integer({ min: 0, max: 9 }), closes: fc.nat({ max: 15 }) }),
    { maxLength: 60, size: 'max' },
  );
  const property = fc.property(fc.array(packets, { minLength: 1, maxLength: 4 }), steps, (made, taken) => {
    const { table, creator } = openTable();
    const models = made.map(({ invitedUsers, ...numbers }, i) => {
      const packet = newPacket({ ...numbers, invited: invitedUsers, seed: seedBytes(3, i) });
      return new PacketModel(createPacket(creator, packet), packet);
    });
    for (const { packet, userId, closes } of taken) {
      const model = models[packet % models.length];
      if (closes === 0) {
        if (table.close(model.id) !== model.close()) return false;
        continue;
      }
      const outcome = grabShare(table, model.id, userId);
      const [expected, cents] = model.grab(userId);
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      if (outcome !== expected) return false;
      if ((outcome === WON || outcome === REPEAT) && table.grabbedCents !== cents) return false;
    }
    return models.every((model) => {
      const { id } = model;
      const sameState =
        table.isOpen(id) === model.isOpen &&
        table.countGrabbed(id) === model.grabs.length &&
        table.sumGrabbed(id) === model.claimedCents &&
        table.sumLeft(id) === model.packet.totalCents - model.claimedCents &&
        table.hasAllClaims(id) &&
        Array.from({ length: 10 }, (_, userId) => userId).every(
          (userId) => table.hasGrabbed(id, userId) === model.grabs.some((grab) => grab.userId === userId),
        );
      return sameState && isSame(table.view(id), model.view());
    });
  });
  await checkProperty(t, 'the same outcomes, amounts and views', property, 300);
  for (const outcome of [WON, REPEAT, EMPTY, EXPIRED, NOT_INVITED]) {
    t.ok((seen.get(outcome) ?? 0) > 50, `outcome ${outcome} came ${seen.get(outcome)} times`);
  }
});

t.test('the seed is hidden until nothing can be grabbed; then everybody can check the split', (t) => {
  const { table, creator } = openTable();
  const packet = newPacket({ shares: 2, seed: seedBytes(5, 5) });
  for (const end of ['taken', 'closed']) {
    const id = createPacket(creator, packet);
    const before = table.view(id)!;
    t.notOk('seed' in before, 'not before anybody grabbed');
    grabShare(table, id, 1);
    t.notOk('seed' in table.view(id)!, 'not while a share is left');
    if (end === 'taken') grabShare(table, id, 2);
    else table.close(id);
    const after = table.view(id)!;
    const shown = Buffer.from(after.seed!, 'hex');
    t.equal(createHash('sha256').update(shown).digest('hex'), before.commitment, 'it is what was committed to');
    const recomputed = new Int32Array(2);
    split(after, shown, recomputed);
    t.strictSame(
      after.grabs.map((grab) => grab.amountCents),
      [...recomputed].slice(0, after.grabs.length),
      `${end}: the view has all that the split needs`,
    );
  }
  t.end();
});

t.test('the luckiest has the highest share, the earliest on a tie, and is known when all are taken', (t) => {
  const { table, creator } = openTable();
  const tied = newPacket({ totalCents: 9, shares: 3, seed: findSeed(9, '1,4,4') });
  const id = createPacket(creator, tied);
  grabShare(table, id, 31);
  grabShare(table, id, 32);
  t.equal(table.view(id)!.luckiest, undefined, 'not before the last share is taken');
  grabShare(table, id, 33);
  t.strictSame(table.view(id)!.luckiest, { userId: 32, amountCents: 4 });
  const closed = createPacket(creator, tied);
  grabShare(table, closed, 31);
  table.close(closed);
  t.equal(table.view(closed)!.luckiest, undefined, 'never when shares went back');
  t.end();
});

t.test('a share whose taker has not left his claim yet counts, but nobody is named for it', (t) => {
  const { table, creator, memory } = openTable();
  const packet = newPacket({ totalCents: 9, shares: 3, seed: findSeed(9, '1,6,2') });
  const id = createPacket(creator, packet);
  const other = new PacketTable(memory);
  grabShare(table, id, 31);
  t.equal(other.grab(id, 32), WON);
  grabShare(table, id, 33);
  t.notOk(table.hasAllClaims(id));
  t.notOk(table.hasGrabbed(id, 32), 'he is not named yet');
  const view = table.view(id)!;
  t.equal(view.claimedCents, 9);
  t.strictSame(
    view.grabs.map((grab) => grab.userId),
    [31, 33],
  );
  t.equal(view.luckiest, undefined);
  other.leaveClaim(32);
  t.ok(table.hasAllClaims(id) && table.hasGrabbed(id, 32));
  t.strictSame(table.view(id)!.luckiest, { userId: 32, amountCents: 6 });
  t.end();
});

t.test('what a notice needs is a copy of the packet, with the first three invited', (t) => {
  const { table, creator } = openTable();
  const packet = newPacket({ mode: 'line', senderId: 77, expiresAt: 4_000_000_000, shares: 2, invited: [5, 6, 7, 8] });
  const facts = table.facts(createPacket(creator, packet))!;
  t.match(facts, { totalCents: 1000, shares: 2, senderId: 77, expiresAt: 4_000_000_000 });
  t.equal(SPLIT_MODES[facts.mode], 'line');
  t.strictSame(facts.firstInvited, [5, 6, 7]);
  t.strictSame(Buffer.from(facts.seed), packet.seed);
  t.strictSame([facts.noteBytes, facts.note.length], [0, 0], 'no note');
  for (const text of ['a', 'four', 'fives', '恭喜发财，大吉大利']) {
    const note = Buffer.from(text);
    const noted = table.facts(createPacket(creator, newPacket({ invited: [1, 2], note })))!;
    t.equal(Buffer.from(noted.note.buffer, 0, noted.noteBytes).toString(), text);
    t.equal(noted.note.length, Math.ceil(note.length / 4), 'in whole words');
  }
  t.strictSame(table.facts(createPacket(creator, newPacket({ invited: [9] })))!.firstInvited, [9, 0, 0]);
  t.strictSame(table.facts(createPacket(creator, newPacket()))!.firstInvited, [0, 0, 0]);
  t.end();
});

t.test('seconds after 2038 and the bounds of a packet read back as they were written', (t) => {
  const { table, creator } = openTable();
  const packet = newPacket({
    mode: 'equal',
    createdAt: 4_294_000_000,
    expiresAt: 2 ** 32 - 1,
    totalCents: 0x7fff_ffff,
    shares: 1,
    minCents: 5,
    maxCents: 0x7fff_ffff,
    senderId: 12,
  });
  const id = createPacket(creator, packet);
  t.strictSame(table.view(id), new PacketModel(id, packet).view());
  t.end();
});

t.test('the id of a packet whose slot has been used again finds nothing, never the packet that came after', (t) => {
  const { table, creator } = openTable(1);
  const old = createPacket(creator, newPacket({ shares: 2 }));
  grabShare(table, old, 1);
  table.close(old);
  creator.retire(old);
  t.equal(table.view(old)!.state, 'expired', 'it can be read until its slot is needed');
  t.equal(grabShare(table, old, 1), REPEAT);
  const next = createPacket(creator, newPacket({ shares: 2, seed: seedBytes(1, 2) }));
  t.equal(slotOf(next), slotOf(old));
  t.equal(grabShare(table, old, 1), NOT_FOUND, 'who had a share of the old one');
  t.equal(grabShare(table, old, 9), NOT_FOUND, 'who had none');
  t.equal(table.close(old), 0);
  t.equal(table.view(old), undefined);
  t.equal(table.facts(old), undefined);
  t.notOk(table.hasGrabbed(old, 1));
  t.ok(table.isOpen(next) && table.countGrabbed(next) === 0, 'the new one is untouched');
  t.end();
});

t.test('an id that was guessed before its packet is there finds nothing, not what the slot held before', (t) => {
  // Room for two packets of 8 words; the third asks for 18, so both old ones are taken away in vain.
  const { table, creator } = openTable(2, 16);
  const old = [createPacket(creator, newPacket({ shares: 3 })), createPacket(creator, newPacket({ shares: 3 }))];
  for (const id of old) {
    for (const userId of [1, 2, 3]) grabShare(table, id, userId);
    creator.retire(id);
  }
  t.equal(createPacket(creator, newPacket({ shares: 9 })), -1, 'no room');
  for (const id of old) {
    const guessed = packetIdOf(2, slotOf(id));
    t.equal(grabShare(table, guessed, 1), NOT_FOUND, 'whoever had a share of the old one');
    t.equal(grabShare(table, guessed, 9), NOT_FOUND, 'anybody else');
    t.equal(table.view(guessed), undefined);
    t.equal(table.facts(guessed), undefined);
    t.strictSame(
      [table.hasGrabbed(guessed, 1), table.isOpen(guessed), table.countGrabbed(guessed), table.sumGrabbed(guessed)],
      [false, false, 0, 0],
    );
  }
  t.end();
});

/** A table and the creator of all its packets. */
function openTable(slots = 8, words = 1024) {
  const memory = allocatePackets(slots, words);
  const table = new PacketTable(memory);
  return { memory, table, creator: new PacketCreator(table, 0, slots, 0, words) };
}

/** A seed that splits a total in the lucky way into these shares. */
function findSeed(totalCents: number, wanted: string): Buffer {
  const shares = wanted.split(',').length;
  for (let i = 0; ; i++) {
    if (listShares(newPacket({ totalCents, shares, seed: seedBytes(9, i) })).join() === wanted) return seedBytes(9, i);
  }
}

function isSame(one: unknown, other: unknown): boolean {
  const sorted = (value: unknown) =>
    JSON.stringify(Object.entries(value as object).sort(([a], [b]) => (a < b ? -1 : 1)));
  return sorted(one) === sorted(other);
}
