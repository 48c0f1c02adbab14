// Tries the drops against plain sums: after any step of any kind, every cent is won, refunded or outstanding.

import fc from 'fast-check';
import t from 'tap';
import type { DropSpec } from '../../lib/packets/drop-spec.ts';
import type { DropTable } from '../../lib/packets/drop-table.ts';
import { MAX_OPEN_DROPS } from '../../lib/packets/limits.ts';
import { checkProperty } from './check-property.ts';
import { openDrops, START_MS, sum } from './open-drops.ts';
import { printSeed } from './seed.ts';
import { STARTS } from './small-drops.ts';

printSeed(t);

t.test('funded = claimed + refunded + outstanding at every step, whatever happens in whatever order', async (t) => {
  const seen = { won: 0, closed: 0, waited: 0, moved: 0, stepsBack: 0 };
  const step = fc.record({
    what: fc.constantFrom('tick', 'tick', 'take', 'take', 'take', 'take late', 'settle', 'close', 'create', 'session'),
    which: fc.nat({ max: 1000 }),
    set: fc.nat({ max: 2 }),
    ms: fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0, max: 60 }) }, fc.integer({ min: -2000, max: 3000 })),
  });
  const steps = fc.array(step, { maxLength: 150, size: 'max' });
  const property = fc.asyncProperty(steps, fc.constantFrom(...STARTS), async (taken, start) => {
    const { drops, table, left, leftIn } = openDrops(3, start);
    const specs: DropSpec[] = [];
    const releasedOf: number[] = [];
    const startOf: number[] = [];
    const wonCents: number[] = [];
    const wonCount: number[] = [];
    const unsettled: { slot: number; dropId: number; cents: number }[] = [];
    const settledCents: number[] = [];
    const packetIds = new Set<number>();
    let nowMs = START_MS;
    let latestMs = START_MS;
    const settleFirst = () => {
      const first = unsettled.shift();
      if (first === undefined) return;
      table.settle(first.slot);
      settledCents[first.dropId] += first.cents;
    };
    for (const { what, which, set, ms } of taken) {
      if (what === 'create') {
        const count = 1 + (which % 12);
        const spec: DropSpec = { count, rate: 1 + (which % 300), budget: count * (1 + (which % 50)) };
        const { id } = await drops.create(spec, () => nowMs);
        specs[id] = spec;
        startOf[id] = nowMs;
        releasedOf[id] = wonCents[id] = wonCount[id] = settledCents[id] = 0;
      } else if (what === 'tick') {
        nowMs += ms;
        if (ms < 0) seen.stepsBack++;
        latestMs = Math.max(latestMs, nowMs);
        const before = [0, 1, 2].map(leftIn);
        drops.tick(nowMs);
        if ([0, 1, 2].some((one) => leftIn(one) < before[one])) seen.moved++;
      } else if (what === 'take' || what === 'take late') {
        const had = table.stock.hasAny(set);
        const slot = takeAny(table, set, which);
        // With somebody who may always win: there was stock exactly if he won.
        if (had !== slot >= 0) return false;
        if (slot < 0) continue;
        const { takenDropId, takenPacketId, takenAmountCents } = table;
        if (packetIds.has(takenPacketId) || takenPacketId < 2 ** 31) return false;
        packetIds.add(takenPacketId);
        wonCents[takenDropId] += takenAmountCents;
        wonCount[takenDropId]++;
        unsettled.push({ slot, dropId: takenDropId, cents: takenAmountCents });
        seen.won++;
        if (what === 'take') settleFirst();
      } else if (what === 'settle') {
        settleFirst();
      } else if (what === 'close' && specs.length > 1) {
        const { state } = await drops.close(1 + (which % (specs.length - 1)));
        if (state === 'closed') seen.closed++;
        if (state === 'closing') seen.waited++;
      } else if (what === 'session') {
        const stays = table.stock.countSessions(set) > 0;
        table.stock.addSessions(set, stays ? -1 : 1);
      }
      if (!isBalanced()) return false;
    }
    while (unsettled.length > 0) settleFirst();
    for (let id = 1; id < specs.length; id++) await drops.close(id);
    drops.tick(latestMs);
    return isBalanced() && drops.totals().outstandingCents === 0 && left() === 0 && !table.stock.hasAny(0);

    function isBalanced(): boolean {
      const totals = drops.totals();
      let refundedCents = 0;
      let outstandingCents = 0;
      let shouldBeLeft = 0;
      for (let id = 1; id < specs.length; id++) {
        const status = drops.status(id);
        const { budget, count, rate } = specs[id];
        const due = Math.min(count, Math.floor(((latestMs - startOf[id]) / 1000) * rate));
        const isOver = status.state === 'closed';
        const isRight =
          status.claimedCents === settledCents[id] &&
          status.released >= releasedOf[id] &&
          status.released <= Math.max(0, due) &&
          wonCount[id] <= status.released &&
          status.refundedCents === (isOver ? budget - wonCents[id] : 0) &&
          (!isOver || status.claimed === wonCount[id]);
        if (!isRight) return false;
        releasedOf[id] = status.released;
        refundedCents += status.refundedCents;
        if (!isOver) outstandingCents += budget - status.claimedCents;
        if (status.state === 'releasing' || status.state === 'released') shouldBeLeft += status.released - wonCount[id];
      }
      return (
        totals.fundedCents === sum(specs.slice(1).map((spec) => spec.budget)) &&
        totals.refundedCents === refundedCents &&
        totals.outstandingCents === outstandingCents &&
        totals.fundedCents === sum(settledCents.slice(1)) + totals.refundedCents + totals.outstandingCents &&
        left() === shouldBeLeft
      );
    }
  });
  await checkProperty(t, 'the books balance', property, 500);
  for (const [what, count] of Object.entries(seen)) t.ok(count > 20, `${what}: ${count}`);
});

/** Takes a packet from the first slot that gives one, beginning anywhere; -1 if none does. */
function takeAny(table: DropTable, set: number, from: number): number {
  for (let i = 0; i < MAX_OPEN_DROPS; i++) {
    const slot = (from + i) % MAX_OPEN_DROPS;
    if (table.take(slot, set, 1, () => true)) return slot;
  }
  return -1;
}
