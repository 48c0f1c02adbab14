// Tries the open drops in shared memory step by step in one thread: taking, moving, closing, and the stock of the SETs.

import fc from 'fast-check';
import t from 'tap';
import { allocateDrops, DropTable, type OpenDrop } from '../../lib/packets/drop-table.ts';
import { DROP_ARENA_WORDS, MAX_OPEN_DROPS } from '../../lib/packets/limits.ts';
import { SHAKE_NUMBERS, shakePacketIdOf } from '../../lib/packets/packet-id.ts';
import { checkProperty } from './check-property.ts';
import { printSeed } from './seed.ts';
import { allocateSmallDrops, STARTS } from './small-drops.ts';

printSeed(t);

const always = () => true;

t.test('packets are won in the order of their numbers, from whichever SET, and each has its own amount', (t) => {
  const table = openTable(3, { id: 5, firstAmount: 10, firstNumber: 700 });
  table.amounts.set([111, 222, 333], 10);
  table.release(0, 2, 1);
  table.release(0, 0, 2);
  const won = [0, 2, 0].map((set) => {
    t.ok(table.take(0, set, 9, always));
    return [table.takenDropId, table.takenNumber, table.takenPacketId, table.takenAmountCents];
  });
  t.strictSame(won, [
    [5, 0, 2 ** 31 + 700, 111],
    [5, 1, 2 ** 31 + 701, 222],
    [5, 2, 2 ** 31 + 702, 333],
  ]);
  for (const set of [0, 1, 2]) t.notOk(table.take(0, set, 9, always), `SET ${set} has none left`);
  t.end();
});

t.test(
  'with a list of numbers the packets won have those, one after the other, and the amounts in the same order',
  (t) => {
    // Places from 0 on: a list at word 0 is a list as well.
    for (const [numbers, firstAmount] of [
      [0, 10],
      [10, 0],
      [31, 40],
    ]) {
      const table = openTable(2, { id: 5, firstAmount, firstNumber: 700, numbers });
      table.amounts.set([111, 222, 333], firstAmount);
      table.amounts.set([2, 5, 6], numbers);
      table.release(0, 1, 2);
      table.release(0, 0, 1);
      const won = [1, 0, 1].map((set) => {
        t.ok(table.take(0, set, 9, always));
        return [table.takenNumber, table.takenPacketId, table.takenAmountCents];
      });
      t.strictSame(won, [
        [2, shakePacketIdOf(702), 111],
        [5, shakePacketIdOf(705), 222],
        [6, shakePacketIdOf(706), 333],
      ]);
      for (let i = 0; i < 3; i++) table.settle(0);
      table.close(0);
      table.open(0, { id: 6, firstAmount, firstNumber: 800, winsPerUser: 0 });
      table.release(0, 0, 1);
      table.take(0, 0, 9, always);
      t.strictSame([table.takenNumber, table.takenPacketId], [0, shakePacketIdOf(800)], 'not in the next drop');
    }
    t.end();
  },
);

t.test('numbers go on from 0 after 2^31 - 1', (t) => {
  const table = openTable(1, { id: 1, firstAmount: 0, firstNumber: SHAKE_NUMBERS - 1 });
  table.release(0, 0, 2);
  table.take(0, 0, 9, always);
  t.equal(table.takenPacketId, 2 ** 32 - 1);
  table.take(0, 0, 9, always);
  t.equal(table.takenPacketId, 2 ** 31);
  t.end();
});

t.test('who may not win leaves the packet where it is, and whoever decides is told the drop and its limit', (t) => {
  const table = openTable(2, { id: 44, winsPerUser: 3 });
  table.release(0, 1, 1);
  const asked: number[][] = [];
  const decide = (may: boolean) => (dropId: number, winsPerUser: number, userId: number) => {
    asked.push([dropId, winsPerUser, userId]);
    return may;
  };
  t.notOk(table.take(0, 1, 12, decide(false)));
  t.equal(table.countLeft(0, 1), 1);
  t.ok(table.stock.hasAny(1));
  t.ok(table.take(0, 1, 13, decide(true)));
  t.strictSame(asked, [
    [44, 3, 12],
    [44, 3, 13],
  ]);
  t.notOk(table.take(0, 0, 13, decide(true)), 'and nobody is asked where there is nothing');
  t.equal(asked.length, 2);
  t.end();
});

t.test('a packet that main takes back while its winner is being judged is not won', (t) => {
  const table = openTable(1, { id: 1 });
  table.release(0, 0, 2);
  let asked = 0;
  const takeBackMeanwhile = () => {
    if (asked++ === 0) table.takeBack(0, 0, 2);
    return true;
  };
  t.notOk(table.take(0, 0, 9, takeBackMeanwhile));
  t.equal(asked, 1);
  t.equal(table.countLeft(0, 0), 0);
  t.notOk(table.stock.hasAny(0));
  t.end();
});

t.test('a winner who was judged for one drop does not win from the next drop in its slot', (t) => {
  const table = openTable(1, { id: 1, winsPerUser: 1 });
  table.amounts.set([50, 60]);
  table.release(0, 0, 1);
  const asked: number[] = [];
  const replaceMeanwhile = (dropId: number) => {
    asked.push(dropId);
    if (dropId === 1) {
      table.takeBack(0, 0, 1);
      table.close(0);
      table.open(0, { id: 2, firstAmount: 1, firstNumber: 30, winsPerUser: 1 });
      table.release(0, 0, 1);
    }
    return true;
  };
  t.ok(table.take(0, 0, 9, replaceMeanwhile));
  t.strictSame(asked, [1, 2], 'he is judged again');
  t.strictSame([table.takenDropId, table.takenPacketId, table.takenAmountCents], [2, shakePacketIdOf(30), 60]);
  t.end();
});

t.test('a slot without a drop gives nothing, before it is opened and after it was closed', (t) => {
  const table = openTable(1, { id: 1 });
  t.notOk(table.take(1, 0, 9, always), 'never opened');
  table.release(0, 0, 1);
  table.close(0);
  t.notOk(table.take(0, 0, 9, always), 'closed with something left in it');
  t.end();
});

t.test('a slot that is in use is not opened again', (t) => {
  const table = openTable(1, { id: 1 });
  t.throws(() => table.open(0, { id: 2, firstAmount: 0, firstNumber: 0, winsPerUser: 0 }));
  table.close(0);
  table.open(0, { id: 2, firstAmount: 0, firstNumber: 0, winsPerUser: 0 });
  t.equal(table.countSettled(0), 0);
  t.end();
});

t.test('winners count as credited only once they are settled, and from the start again in the next drop', (t) => {
  const table = openTable(1, { id: 1 });
  table.release(0, 0, 2);
  table.take(0, 0, 9, always);
  t.equal(table.countSettled(0), 0);
  table.settle(0);
  t.equal(table.countSettled(0), 1);
  table.take(0, 0, 9, always);
  table.settle(0);
  table.close(0);
  table.open(0, { id: 2, firstAmount: 0, firstNumber: 50, winsPerUser: 0 });
  t.equal(table.countSettled(0), 0);
  table.release(0, 0, 1);
  table.take(0, 0, 9, always);
  t.equal(table.takenPacketId, shakePacketIdOf(50), 'the next drop counts its own numbers');
  t.end();
});

t.test('taking back gives as many as there are and at most as many as asked', (t) => {
  const table = openTable(1, { id: 1 });
  table.release(0, 0, 5);
  t.equal(table.takeBack(0, 0, 2), 2);
  t.equal(table.countLeft(0, 0), 3);
  t.equal(table.takeBack(0, 0, 100), 3);
  t.equal(table.takeBack(0, 0, 100), 0);
  t.notOk(table.stock.hasAny(0));
  t.end();
});

t.test('sequences go on through every wrap', (t) => {
  for (const start of STARTS) {
    const table = new DropTable(allocateSmallDrops(1, 64, start));
    table.open(0, { id: 1, firstAmount: 0, firstNumber: 0, winsPerUser: 0 });
    t.notOk(table.stock.hasAny(0) || table.take(0, 0, 9, always), `nothing at ${start}`);
    table.release(0, 0, 10);
    let taken = 0;
    while (taken < 8 && table.take(0, 0, 9, always)) taken++;
    t.strictSame([taken, table.countLeft(0, 0), table.stock.hasAny(0)], [8, 2, true]);
    t.strictSame([table.takeBack(0, 0, 10), table.countLeft(0, 0), table.stock.hasAny(0)], [2, 0, false]);
  }
  t.end();
});

t.test('the sessions of a SET count up and down', (t) => {
  const { stock } = openTable(3, { id: 1 });
  stock.addSessions(1, 1);
  stock.addSessions(1, 1);
  stock.addSessions(1, -1);
  t.strictSame([stock.countSessions(0), stock.countSessions(1), stock.countSessions(2)], [0, 1, 0]);
  t.end();
});

t.test('the memory holds as many drops and packets as the limits say, and every table sees the same', (t) => {
  const memory = allocateDrops(2);
  const main = new DropTable(memory);
  const worker = new DropTable(memory);
  t.equal(main.amounts.length, 2 * DROP_ARENA_WORDS, 'for amounts, and for the numbers of what is taken up again');
  main.amounts[2 * DROP_ARENA_WORDS - 1] = 77;
  const slot = MAX_OPEN_DROPS - 1;
  main.open(slot, { id: 2 ** 31 - 1, firstAmount: 2 * DROP_ARENA_WORDS - 1, firstNumber: 3, winsPerUser: 0 });
  main.release(slot, 1, 1);
  t.ok(worker.stock.hasAny(1));
  t.ok(worker.take(slot, 1, 9, always));
  t.strictSame([worker.takenDropId, worker.takenAmountCents], [2 ** 31 - 1, 77]);
  t.notOk(main.stock.hasAny(1));
  t.end();
});

t.test('any order of steps over several drops agrees with plain counts, and the stock is never wrong', async (t) => {
  const sets = 3;
  const slots = 3;
  const seen = { won: 0, movedBack: 0, reopened: 0 };
  const steps = fc.array(
    fc.record({
      what: fc.constantFrom('release', 'release', 'take', 'take', 'take', 'take back', 'reopen'),
      slot: fc.nat({ max: slots - 1 }),
      set: fc.nat({ max: sets - 1 }),
      packets: fc.integer({ min: 1, max: 4 }),
    }),
    { maxLength: 120, size: 'max' },
  );
  const property = fc.property(steps, fc.constantFrom(...STARTS), (taken, start) => {
    const table = new DropTable(allocateSmallDrops(sets, 4096, start));
    const left = Array.from({ length: slots }, () => new Array<number>(sets).fill(0));
    const drops = Array.from({ length: slots }, () => ({ id: 0, firstNumber: 0, assigned: 0, released: 0 }));
    let nextId = 1;
    const reopen = (slot: number) => {
      const id = nextId++;
      drops[slot] = { id, firstNumber: 1000 * id, assigned: 0, released: 0 };
      table.amounts.fill(id, 10 * id, 10 * id + 10);
      table.open(slot, { id, firstAmount: 10 * id, firstNumber: 1000 * id, winsPerUser: 0 });
    };
    for (let slot = 0; slot < slots; slot++) reopen(slot);
    for (const { what, slot, set, packets } of taken) {
      const drop = drops[slot];
      if (what === 'release' && drop.released + packets <= 10) {
        table.release(slot, set, packets);
        left[slot][set] += packets;
        drop.released += packets;
      } else if (what === 'take') {
        if (table.take(slot, set, 1, always) !== left[slot][set] > 0) return false;
        if (left[slot][set] > 0) {
          left[slot][set]--;
          seen.won++;
          const isRight =
            table.takenDropId === drop.id &&
            table.takenPacketId === shakePacketIdOf(drop.firstNumber + drop.assigned++) &&
            table.takenAmountCents === drop.id;
          if (!isRight) return false;
        }
      } else if (what === 'take back') {
        const back = table.takeBack(slot, set, packets);
        if (back !== Math.min(packets, left[slot][set])) return false;
        if (back > 0) seen.movedBack++;
        left[slot][set] -= back;
        drop.released -= back;
      } else if (what === 'reopen' && left[slot].every((count) => count === 0)) {
        table.close(slot);
        reopen(slot);
        seen.reopened++;
      }
      for (let one = 0; one < sets; one++) {
        const hasAny = left.some((counts) => counts[one] > 0);
        if (table.stock.hasAny(one) !== hasAny) return false;
        if (left.some((counts, other) => table.countLeft(other, one) !== counts[one])) return false;
      }
    }
    return true;
  });
  await checkProperty(t, 'what is left, what is won, what is in stock', property, 300);
  for (const [what, count] of Object.entries(seen)) t.ok(count > 100, `${what}: ${count}`);
});

/** A table with one open drop in slot 0. */
function openTable(sets: number, drop: Partial<OpenDrop> & { id: number }): DropTable {
  const table = new DropTable(allocateSmallDrops(sets, 64));
  table.open(0, { firstAmount: 0, firstNumber: 0, winsPerUser: 0, ...drop });
  return table;
}
