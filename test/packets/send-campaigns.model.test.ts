// Tries the sends against plain packets: after any step of any kind, every cent is grabbed, refunded or outstanding.

import fc from 'fast-check';
import t from 'tap';
import { GrabOutcome, PacketTable } from '../../lib/packets/packet-table.ts';
import type { SendSpec } from '../../lib/packets/send-spec.ts';
import { checkProperty } from './check-property.ts';
import { openSends, START_MS, START_SECOND, sum } from './open-sends.ts';
import { printSeed } from './seed.ts';

printSeed(t);

const { WON } = GrabOutcome;

/** Users who are sent packets, from 0 on. */
const USERS = 7;

t.test('funded = claimed + refunded + outstanding at every step, whatever happens in whatever order', async (t) => {
  const seen = { won: 0, refunds: 0, closed: 0, waits: 0, stepsBack: 0, late: 0, heldUp: 0 };
  const step = fc.record({
    what: fc.constantFrom('tick', 'tick', 'tick', 'grab', 'grab', 'grab', 'grab late', 'leave', 'create'),
    which: fc.nat({ max: 1000 }),
    mayCreate: fc.nat({ max: 5 }),
    ms: fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0, max: 900 }) }, fc.integer({ min: -4000, max: 9000 })),
  });
  const property = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 150, size: 'max' }), async (taken) => {
    const { sends, packets: sent, memory, log, tick, told, over } = openSends(12, 12 * 16);
    // Each user has a worker of his own, who leaves the claim before he does anything else.
    const workers = Array.from({ length: USERS }, () => new PacketTable(memory));
    const leaving = new Map<number, PlainPacket>();
    const leave = (userId: number) => {
      const packet = leaving.get(userId);
      if (packet === undefined) return;
      workers[userId].leaveClaim(userId);
      leaving.delete(userId);
      packet.unleft--;
    };
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
          users: [0, which % USERS],
          expiresInSeconds: 1 + (which % 6),
        };
        const { id } = await sends.create(spec, () => nowMs);
        specs[id] = spec;
        startOf[id] = nowMs;
      } else if (what === 'tick') {
        nowMs += ms;
        if (ms < 0) seen.stepsBack++;
        const nowSecond = Math.floor(nowMs / 1000);
        closeDue(nowSecond);
        const dueLater = Math.max(latestSecond, nowSecond);
        tick(nowMs, mayCreate > 0);
        if (mayCreate === 0 && told.length > heard) return false;
        for (; heard < told.length; heard++) {
          const { userId, packetId } = told[heard];
          let packet = byId.get(packetId);
          if (packet === undefined) {
            const view = sent.view(packetId)!;
            packet = {
              id: packetId,
              totalCents: view.totalCents,
              shares: view.shares,
              dueSecond: Math.max(view.expiresAt, dueLater + 1),
              claimedCents: 0,
              users: [],
              grabbed: new Set(),
              unleft: 0,
              isClosed: false,
              isRefunded: false,
            };
            packets.push(packet);
            byId.set(packetId, packet);
          }
          if (packet.users.includes(userId)) return false;
          packet.users.push(userId);
        }
        latestSecond = dueLater;
      } else if (what === 'leave') {
        leave(which % USERS);
      } else if (packets.length > 0) {
        const packet = packets[which % packets.length];
        const userId = packet.users[which % packet.users.length];
        const isOpen = !packet.isClosed && packet.grabbed.size < packet.shares;
        leave(userId);
        const outcome = workers[userId].grab(packet.id, userId);
        if ((outcome === WON) !== (isOpen && !packet.grabbed.has(userId))) return false;
        if (outcome === WON) {
          packet.grabbed.add(userId);
          packet.claimedCents += workers[userId].grabbedCents;
          packet.unleft++;
          leaving.set(userId, packet);
          if (what === 'grab') leave(userId);
          seen.won++;
        } else if (!isOpen) seen.late++;
      }
      if (!isBalanced()) return false;
    }
    seen.refunds += expired;
    // Some looks more at every packet, while nothing becomes due.
    closeDue(START_SECOND);
    for (let i = 0; i < 12; i++) tick(START_MS, false);
    return packets.every((packet) => !packet.isRefunded || over.includes(packet.id)) && isBalanced() && isLogged();

    /** What is due is closed; it is refunded once every grab of it has been logged. */
    function closeDue(nowSecond: number): void {
      for (const packet of packets) {
        if (packet.dueSecond <= nowSecond) packet.isClosed = true;
        const left = packet.totalCents - packet.claimedCents;
        if (!packet.isClosed || packet.isRefunded || left === 0) continue;
        if (packet.unleft > 0) {
          seen.heldUp++;
          continue;
        }
        packet.isRefunded = true;
        refundedCents += left;
        expired++;
      }
    }

    /** One entry for each packet, and one more for each that expired, with what its users had and what went back. */
    function isLogged(): boolean {
      const closings = log.list('closePacket').sort((a, b) => a.packetId - b.packetId);
      const refunded = packets.filter((packet) => packet.isRefunded).sort((a, b) => a.id - b.id);
      return (
        log
          .list('openPacket')
          .map(({ opening }) => opening.id)
          .join() === packets.map(({ id }) => id).join() &&
        closings.length === refunded.length &&
        refunded.every(({ id, grabbed, totalCents, claimedCents }, i) => {
          const { packetId, taken, refundCents } = closings[i];
          return packetId === id && taken === grabbed.size && refundCents === totalCents - claimedCents;
        })
      );
    }

    function isBalanced(): boolean {
      const totals = sent.totals();
      const statuses = specs.map((_, id) => sends.status(id));
      const claimedCents = sum(packets.map((packet) => packet.claimedCents));
      seen.closed = Math.max(seen.closed, statuses.filter((status) => status?.state === 'closed').length);
      // A send counts a refund when it looks at the packet next.
      const countedCents = sum(over.map((id) => byId.get(id)!.totalCents - byId.get(id)!.claimedCents));
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
        sum(statuses.map((status) => status.refundedCents)) === countedCents &&
        countedCents <= refundedCents &&
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
  /** Grabs whose claims have not been left. */
  unleft: number;
  isClosed: boolean;
  isRefunded: boolean;
}
