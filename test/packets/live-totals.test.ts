// Totals that look only at what has changed are those of looking at everything, whatever happens to the packets.

import t from 'tap';
import { LiveTotals } from '../../lib/packets/live-totals.ts';
import { NO_ROOM } from '../../lib/packets/packet-creator.ts';
import { openSends, START_MS, START_SECOND, sum } from './open-sends.ts';
import { newPacket } from './packet-model.ts';
import { grabShare } from './packet-steps.ts';
import { printSeed, seed, seedBytes, TestRandom } from './seed.ts';

printSeed(t);

const SLOTS = 32;
const STEPS = 5000;

t.test('packets are created, grabbed, expire, and others take their slots', (t) => {
  const random = new TestRandom(seed);
  const { packets, table, over } = openSends(SLOTS);
  const live = new LiveTotals(table);
  const ids = new Set<number>();
  let nowMs = START_MS;
  let looks = 0;
  for (let step = 0; step < STEPS; step++) {
    const chosen = [...ids][random.below(Math.max(ids.size, 1))];
    switch (random.below(4)) {
      case 0: {
        const expiresAt = Math.floor(nowMs / 1000) + 1 + random.below(20);
        const packet = newPacket({
          seed: seedBytes(seed, step),
          createdAt: START_SECOND,
          expiresAt,
          shares: 3,
          totalCents: 300,
        });
        const id = packets.create(packet, { sendId: 0, index: 0, source: 1, reservation: 0, key: '' }, (opened) => {
          ids.add(opened);
          live.add(opened);
        });
        packets.settle();
        t.ok(id === NO_ROOM || ids.has(id));
        break;
      }
      case 1:
        nowMs += random.below(1000);
        packets.tick(nowMs);
        break;
      default:
        if (chosen !== undefined) grabShare(table, chosen, random.below(10));
    }
    for (const id of over.splice(0)) {
      ids.delete(id);
      live.forget(id);
    }
    if (random.below(3) > 0) continue;
    looks++;
    live.look();
    const all = [...ids];
    const expected = {
      open: all.filter((id) => table.isOpen(id)).length,
      leftCents: sum(all.map((id) => table.sumLeft(id))),
      grabbedShares: sum(all.map((id) => table.countGrabbed(id))),
    };
    const { open, leftCents, grabbedShares } = live;
    if (JSON.stringify({ open, leftCents, grabbedShares }) !== JSON.stringify(expected)) {
      t.match(live, expected, `step ${step}`);
      break;
    }
    t.ok(chosen === undefined || !ids.has(chosen) || live.leftOf(chosen) === table.sumLeft(chosen));
  }
  t.ok(looks > STEPS / 10);
  t.end();
});
