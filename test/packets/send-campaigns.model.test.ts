// Tries the sends against plain packets: after any step of any kind, every cent is grabbed, refunded or outstanding.

import fc from 'fast-check';
import t from 'tap';
import { GrabOutcome } from '../../lib/packets/packet-table.ts';
import type { SendSpec } from '../../lib/packets/send-campaigns.ts';
import { checkProperty } from './check-property.ts';
import { openSends, START_MS, START_SECOND, sum } from './open-sends.ts';
import { printSeed } from './seed.ts';

printSeed(t);

const { WON } = GrabOutcome;

t.test('funded = claimed + refunded + outstanding at every step, whatever happens in whatever order', async (t) => {
  const seen = { won: 0, refunds: 0, closed: 0, waits: 0, stepsBack: 0, late: 0 };
  const step = fc.record({
    what: fc.constantFrom('tick', 'tick', 'tick', 'grab', 'grab', 'grab', 'grab', 'create'),
    which: fc.nat({ max: 1000 }),
    mayCreate: fc.nat({ max: 5 }),
    ms: fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0, max: 900 }) }, fc.integer({ min: -4000, max: 9000 })),
  });
  const property = fc.property(fc.array(step, { minLength: 20, maxLength: 150, size: 'max' }), (taken) => {
    const { sends, table, told } = openSends(12, 12 * 16);
    const specs: SendSpec[] = [];
    const startOf: number[] = [];
    const packets: PlainPacket[] = [];
    const byId = new Map<number, PlainPacket>();
    let nowMs = START_MS;
    let latestSecond = START_SECOND;
    let refundedCents = 0;
    let expired = 0;
    let heard = 0;
    for (const { what, which, mayCreate, ms } of taken) {
      if (what === 'create') {
        const spec: SendSpec = {
          count: 1 + (which % 9),
          rate: 1 + (which % 20),
          shares: 1 + (which % 5),
          total: which % 2 ? 20 + which : [20, 20 + which],
          users: [0, which % 7],
          expiresInSeconds: 1 + (which % 6),
        };
        const { id } = sends.create(spec, nowMs);
        specs[id] = spec;
        startOf[id] = nowMs;
      } else if (what === 'tick') {
        nowMs += ms;
        if (ms < 0) seen.stepsBack++;
        const nowSecond = Math.floor(nowMs / 1000);
        for (const packet of packets) {
          if (packet.isClosed || packet.dueSecond > nowSecond) continue;
          packet.isClosed = true;
          const left = packet.totalCents - packet.claimedCents;
          refundedCents += left;
          if (left > 0) expired++;
        }
        const dueLater = Math.max(latestSecond, nowSecond);
        sends.tick(nowMs, mayCreate > 0);
        if (mayCreate === 0 && told.length > heard) return false;
        for (; heard < told.length; heard++) {
          const { userId, packetId } = told[heard];
          let packet = byId.get(packetId);
          if (packet === undefined) {
            const view = sends.packet(packetId);
            packet = {
              id: packetId,
              totalCents: view.totalCents,
              shares: view.shares,
              dueSecond: Math.max(view.expiresAt, dueLater + 1),
              claimedCents: 0,
              users: [],
              grabbed: new Set(),
              isClosed: false,
            };
            packets.push(packet);
            byId.set(packetId, packet);
          }
          if (packet.users.includes(userId)) return false;
          packet.users.push(userId);
        }
        latestSecond = dueLater;
      } else if (packets.length > 0) {
        const packet = packets[which % packets.length];
        const userId = packet.users[which % packet.users.length];
        const isOpen = !packet.isClosed && packet.grabbed.size < packet.shares;
        const outcome = table.grab(packet.id, userId);
        if ((outcome === WON) !== (isOpen && !packet.grabbed.has(userId))) return false;
        if (outcome === WON) {
          packet.grabbed.add(userId);
          packet.claimedCents += table.grabbedCents;
          seen.won++;
        } else if (!isOpen) seen.late++;
      }
      if (!isBalanced()) return false;
    }
    seen.refunds += expired;
    return true;

    function isBalanced(): boolean {
      const totals = sends.totals();
      const statuses = specs.map((_, id) => sends.status(id));
      const claimedCents = sum(packets.map((packet) => packet.claimedCents));
      const over = statuses.filter((status) => status?.state === 'closed').length;
      seen.closed = Math.max(seen.closed, over);
      return (
        totals.fundedCents === sum(packets.map((packet) => packet.totalCents)) &&
        totals.refundedCents === refundedCents &&
        totals.fundedCents === claimedCents + totals.refundedCents + totals.outstandingCents &&
        totals.sent === packets.length &&
        totals.expired === expired &&
        totals.open === packets.filter((packet) => !packet.isClosed && packet.grabbed.size < packet.shares).length &&
        totals.grabbedShares === sum(packets.map((packet) => packet.grabbed.size)) &&
        sum(statuses.map((status) => status.totalCents)) === totals.fundedCents &&
        sum(statuses.map((status) => status.claimedCents)) === claimedCents &&
        sum(statuses.map((status) => status.refundedCents)) === refundedCents &&
        sum(statuses.map((status) => status.grabbedShares)) === totals.grabbedShares &&
        statuses.every((status, id) => status === undefined || isInTime(status, id))
      );
    }

    function isInTime(status: { created: number; state: string }, id: number): boolean {
      const { count, rate } = specs[id];
      const due = Math.min(count, Math.floor((((latestSecond + 1) * 1000 - startOf[id]) / 1000) * rate));
      if (status.created < count && status.created < due) seen.waits++;
      return status.created <= Math.max(0, due) && (status.state === 'creating') === status.created < count;
    }
  });
  await checkProperty(t, 'the books balance', property, 200);
  for (const [what, count] of Object.entries(seen)) t.ok(count > 2, `${what}: ${count}`);
});

interface PlainPacket {
  id: number;
  totalCents: number;
  shares: number;
  /** The second at which it is closed. */
  dueSecond: number;
  claimedCents: number;
  users: number[];
  grabbed: Set<number>;
  isClosed: boolean;
}
