// Tries the drops of an earlier run: whatever was won then, every number is won once in all and every cent of the budget
// goes somewhere.

import fc from 'fast-check';
import t from 'tap';
import { MAX_OPEN_DROPS } from '../../lib/packets/limits.ts';
import type { DropOpening } from '../../lib/packets/movement-log.ts';
import { SHAKE_NUMBERS, shakePacketIdOf } from '../../lib/packets/packet-id.ts';
import { split } from '../../lib/packets/split.ts';
import { checkProperty } from './check-property.ts';
import { openDrops, START_MS, sum } from './open-drops.ts';
import { printSeed, seedBytes } from './seed.ts';

printSeed(t);

t.test('what was won and what is won add up to the budget, each number once with its own amount', async (t) => {
  const seen = { all: 0, none: 0, some: 0, closed: 0, again: 0 };
  const drop = fc.record({
    isWon: fc.oneof(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 70 }),
      fc.array(fc.constant<boolean>(false), { minLength: 1, maxLength: 20 }),
      fc.array(fc.constant<boolean>(true), { minLength: 1, maxLength: 20 }),
    ),
    perPacket: fc.integer({ min: 3, max: 400 }),
    minCents: fc.integer({ min: 1, max: 3 }),
    firstNumber: fc.oneof(fc.nat({ max: 1000 }), fc.constant(SHAKE_NUMBERS - 5)),
    rate: fc.integer({ min: 1, max: 1000 }),
    /** How many are won after the restart, before the next one or the close; -1 for all. */
    winsNow: fc.integer({ min: -1, max: 20 }),
    closes: fc.boolean(),
  });
  const property = fc.asyncProperty(fc.array(drop, { minLength: 1, maxLength: 4 }), async (given) => {
    const earlier = given.map(({ isWon, perPacket, minCents, firstNumber, rate }, i) => {
      const opening = openingOf(7 + i, {
        count: isWon.length,
        budget: isWon.length * perPacket,
        minCents,
        firstNumber,
        rate,
      });
      const won = new Set(isWon.flatMap((isOne, number) => (isOne ? [number] : [])));
      if (won.size === 0) seen.none++;
      else seen[won.size === isWon.length ? 'all' : 'some']++;
      return { opening, amounts: amountsOf(opening), won };
    });
    // Twice: the second run ends early and is taken up again.
    let restart = await restore();
    given.forEach(({ winsNow }, i) => {
      for (let wins = 0; wins < winsNow && winFrom(earlier[i].opening.id); wins++) seen.again++;
    });
    if (!isRight()) return false;
    restart = await restore();
    for (const [i, { winsNow, closes }] of given.entries()) {
      const { id } = earlier[i].opening;
      for (let wins = 0; (wins < winsNow || !closes) && winFrom(id); wins++);
      if (closes) await restart.drops.close(id);
      if (closes) seen.closed++;
    }
    restart.drops.tick(START_MS + 900_001);
    if (!isRight()) return false;
    const closings = restart.log.list('closeDrop').sort((a, b) => a.dropId - b.dropId);
    return (
      closings.length === earlier.length &&
      closings.every(({ dropId, won, refundCents }, i) => {
        const { opening, won: numbers, amounts } = earlier[i];
        const leftCents = opening.budget - sum([...numbers].map((number) => amounts[number]));
        return dropId === opening.id && won === numbers.size && refundCents === leftCents;
      }) &&
      restart.drops.totals().outstandingCents === 0 &&
      restart.left() === 0
    );

    async function restore() {
      const opened = openDrops(3);
      for (const { opening, won } of earlier)
        await opened.drops.restore({ opening, won: toBits(opening.count, won) }, START_MS);
      opened.drops.tick(START_MS + 900_000);
      return opened;
    }

    /** Wins the next packet of a drop from any SET; false if there is none. */
    function winFrom(dropId: number): boolean {
      const { table, drops } = restart;
      const { opening, amounts, won } = earlier.find((one) => one.opening.id === dropId)!;
      if (drops.status(dropId).state === 'closed') return false;
      const slot = drops.slotOf(dropId);
      const set = [0, 1, 2].find((one) => table.take(slot, one, 9, () => true));
      if (set === undefined) return false;
      table.settle(slot);
      const { takenNumber, takenPacketId, takenAmountCents, takenDropId } = table;
      const isRightOne =
        takenDropId === dropId &&
        !won.has(takenNumber) &&
        takenAmountCents === amounts[takenNumber] &&
        takenPacketId === shakePacketIdOf(opening.firstNumber + takenNumber);
      if (!isRightOne) throw new Error(`number ${takenNumber} of drop ${dropId}`);
      won.add(takenNumber);
      return true;
    }

    function isRight(): boolean {
      return earlier.every(({ opening, won, amounts }) => {
        const { claimed, claimedCents, refundedCents, released, budget, state } = restart.drops.status(opening.id);
        const wonCents = sum([...won].map((number) => amounts[number]));
        return (
          budget === opening.budget &&
          claimed === won.size &&
          claimedCents === wonCents &&
          released === opening.count &&
          refundedCents === (state === 'closed' ? budget - wonCents : 0)
        );
      });
    }
  });
  await checkProperty(t, 'each number once', property, 300);
  for (const [what, count] of Object.entries(seen)) t.ok(count > 50, `${what}: ${count}`);
});

t.test('what was not won is released at the rate of the drop, from the restart on', async (t) => {
  const { drops, left } = openDrops(2);
  const opening = openingOf(3, { count: 100, budget: 1000, rate: 50 });
  const won = new Set(Array.from({ length: 40 }, (_, i) => 2 * i));
  await drops.restore({ opening, won: toBits(100, won) }, START_MS);
  t.match(drops.status(3), { released: 40, claimed: 40, state: 'releasing' });
  for (const [ms, released] of [
    [19, 0],
    [20, 1],
    [1000, 50],
    [1199, 59],
    [1200, 60],
    [90_000, 60],
  ]) {
    drops.tick(START_MS + ms);
    t.strictSame([left(), drops.status(3).released], [released, 40 + released], `after ${ms} ms`);
  }
  t.equal(drops.status(3).state, 'released');
  t.end();
});

t.test('a drop of which everything was won but not its close is closed at the next tick', async (t) => {
  const { drops, log, win } = openDrops(1);
  const opening = openingOf(1, { count: 9, budget: 900 });
  await drops.restore({ opening, won: toBits(9, new Set([0, 1, 2, 3, 4, 5, 6, 7, 8])) }, START_MS);
  t.equal(win(0, 4), undefined);
  drops.tick(START_MS);
  t.strictSame(log.entries, [{ what: 'closeDrop', dropId: 1, won: 9, refundCents: 0 }]);
  t.match(drops.status(1), { state: 'closed', claimedCents: 900, refundedCents: 0 });
  t.equal(drops.openCount, 0);
  t.end();
});

t.test('the limit of wins of one user reaches across the restart', async (t) => {
  const { drops, win } = openDrops(
    1,
    0,
    new Map([
      ['5/1', 2],
      ['5/2', 1],
    ]),
  );
  const opening = openingOf(5, { count: 20, budget: 200, rate: 1000, winsPerUser: 2 });
  await drops.restore({ opening, won: toBits(20, new Set([3, 4, 9])) }, START_MS);
  drops.tick(START_MS + 1000);
  t.strictSame(
    [1, 2, 3].map((userId) => [0, 1, 2, 3].filter(() => win(0, userId)).length),
    [0, 1, 2],
  );
  t.end();
});

t.test('drops of this run go on behind those of the earlier one, in other slots and words', async (t) => {
  const { drops, log, win, table } = openDrops(1);
  drops.continueFrom(9, 5000);
  const opening = openingOf(8, { count: 20, budget: 200, firstNumber: 4000, rate: 1000 });
  await drops.restore({ opening, won: toBits(20, new Set([0, 19])) }, START_MS);
  const { id } = await drops.create({ count: 30, rate: 1000, budget: 3000 }, () => START_MS);
  t.equal(id, 10);
  t.match(log.list('openDrop')[0].drop, { id: 10, firstNumber: 5000 });
  t.not(drops.slotOf(8), drops.slotOf(10));
  drops.tick(START_MS + 1000);
  const cents = new Map([
    [8, 0],
    [10, 0],
  ]);
  const numbers: number[] = [];
  for (let packet = win(0, 5); packet; packet = win(0, 5)) {
    cents.set(packet.dropId, cents.get(packet.dropId)! + packet.amountCents);
    numbers.push(packet.packetId - 2 ** 31);
  }
  const amounts = amountsOf(opening);
  t.strictSame(
    [...cents],
    [
      [8, 200 - amounts[0] - amounts[19]],
      [10, 3000],
    ],
  );
  t.strictSame(
    numbers.sort((a, b) => a - b),
    [...Array.from({ length: 18 }, (_, i) => 4001 + i), ...Array.from({ length: 30 }, (_, i) => 5000 + i)],
  );
  drops.tick(START_MS + 2000);
  t.notOk(table.stock.hasAny(0));
  t.strictSame([drops.status(8).state, drops.status(10).state], ['closed', 'closed']);
  t.end();
});

t.test('as many drops as can be open are taken up, and their slots and words are used again', async (t) => {
  const { drops } = openDrops(1);
  for (let id = 1; id <= MAX_OPEN_DROPS; id++) {
    const opening = openingOf(id, { count: 3, budget: 30 });
    await drops.restore({ opening, won: toBits(3, new Set([id % 3])) }, START_MS);
  }
  t.equal(drops.openCount, MAX_OPEN_DROPS);
  await t.rejects(drops.restore({ opening: openingOf(99, { count: 1, budget: 5 }), won: new Uint8Array(1) }, START_MS));
  for (let id = 1; id <= MAX_OPEN_DROPS; id++) await drops.close(id);
  drops.continueFrom(99, 0);
  for (let i = 0; i < MAX_OPEN_DROPS; i++) await drops.create({ count: 100, rate: 1, budget: 100 }, () => START_MS);
  t.equal(drops.openCount, MAX_OPEN_DROPS);
  t.end();
});

function openingOf(id: number, changes: Partial<DropOpening> & { count: number; budget: number }): DropOpening {
  return {
    id,
    rate: 1000,
    minCents: 1,
    maxCents: 20_000,
    winsPerUser: 0,
    firstNumber: 0,
    createdMs: START_MS - 60_000,
    seed: seedBytes(12, id),
    ...changes,
  };
}

function amountsOf({ count, budget, minCents, maxCents, seed }: DropOpening): Int32Array {
  const amounts = new Int32Array(count);
  split({ mode: 'lucky', totalCents: budget, shares: count, minCents, maxCents }, seed, amounts);
  return amounts;
}

function toBits(count: number, numbers: ReadonlySet<number>): Uint8Array {
  const bits = new Uint8Array(Math.ceil(count / 8));
  for (const number of numbers) bits[number >> 3] |= 1 << (number & 7);
  return bits;
}
