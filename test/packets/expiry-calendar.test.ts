// Tries the calendar of expiries against a plain map: every packet comes out once, when its second has come.

import fc from 'fast-check';
import t from 'tap';
import { ExpiryCalendar } from '../../lib/packets/expiry-calendar.ts';
import { packetIdOf, slotOf } from '../../lib/packets/packet-id.ts';
import { checkProperty } from './check-property.ts';
import { printSeed } from './seed.ts';

printSeed(t);

const SLOTS = 12;
const START = 1_800_000_000;

t.test(
  'what comes out is what a plain map says, with the clock going forward, standing and stepping back',
  async (t) => {
    let taken = 0;
    let replaced = 0;
    const steps = fc.array(
      fc.record({
        what: fc.constantFrom('add', 'add', 'take'),
        slot: fc.integer({ min: 0, max: SLOTS - 1 }),
        // Mostly a few seconds; now and then far more seconds than there are lists, or back.
        seconds: fc.oneof(
          { weight: 5, arbitrary: fc.integer({ min: -3, max: 8 }) },
          { weight: 1, arbitrary: fc.integer({ min: -5000, max: 5000 }) },
        ),
      }),
      { maxLength: 80, size: 'max' },
    );
    const property = fc.property(steps, (done) => {
      const calendar = new ExpiryCalendar(SLOTS, START);
      const dueOf = new Map<number, number>();
      const idInSlot = new Array<number>(SLOTS).fill(0);
      let generation = 1;
      let now = START;
      let latest = START;
      for (const { what, slot, seconds } of done) {
        if (what === 'add') {
          if (dueOf.delete(idInSlot[slot])) replaced++;
          const id = packetIdOf(generation++, slot);
          idInSlot[slot] = id;
          // One that is due already waits for the next second that has not been taken out.
          dueOf.set(id, Math.max(now + seconds, latest + 1));
          calendar.add(id, now + seconds);
        } else {
          now += seconds;
          latest = Math.max(latest, now);
          const out = calendar.takeDue(now);
          const due = [...dueOf].filter(([, second]) => second <= now);
          if (sorted(out).join() !== sorted(due.map(([id]) => id)).join()) return false;
          const order = out.map((id) => dueOf.get(id)!);
          if (order.some((second, i) => i > 0 && second < order[i - 1])) return false;
          for (const id of out) dueOf.delete(id);
          taken += out.length;
        }
      }
      // In the end everything that was not replaced comes out, by whichever of the two ways.
      return sorted(calendar.takeDue(latest + 20_000)).join() === sorted([...dueOf.keys()]).join();
    });
    await checkProperty(t, 'any order of adding, replacing and taking', property, 1000);
    t.ok(taken > 500 && replaced > 500, `${taken} taken, ${replaced} replaced`);
  },
);

t.test('a clock that steps back takes nothing out, and nothing twice when it comes forward again', (t) => {
  const calendar = new ExpiryCalendar(SLOTS, START);
  calendar.add(packetIdOf(1, 0), START + 5);
  calendar.add(packetIdOf(1, 1), START + 10);
  t.strictSame(calendar.takeDue(START + 5), [packetIdOf(1, 0)]);
  t.strictSame(calendar.takeDue(START - 3600), []);
  t.strictSame(calendar.takeDue(START + 5), []);
  calendar.add(packetIdOf(2, 0), START - 3000);
  t.strictSame(calendar.takeDue(START + 6), [packetIdOf(2, 0)], 'entered while the clock was back');
  t.strictSame(calendar.takeDue(START + 10), [packetIdOf(1, 1)]);
  t.end();
});

t.test('a second with many packets gives each of them once', (t) => {
  const slots = 5000;
  const calendar = new ExpiryCalendar(slots, START);
  for (let slot = 0; slot < slots; slot++) calendar.add(packetIdOf(1, slot), START + 1);
  for (let slot = 0; slot < slots; slot += 2) calendar.add(packetIdOf(2, slot), START + 2);
  const out = calendar.takeDue(START + 1);
  t.strictSame(
    sorted(out).map(slotOf),
    Array.from({ length: slots / 2 }, (_, i) => 2 * i + 1),
  );
  t.end();
});

function sorted(ids: readonly number[]): number[] {
  return [...ids].sort((a, b) => a - b);
}
