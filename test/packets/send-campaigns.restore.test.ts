// Tries the sends of an earlier run: they go on with the very packets that a run without a restart would have made.

import fc from 'fast-check';
import t from 'tap';
import { NO_ROOM } from '../../lib/packets/packet-creator.ts';
import { PacketRestorer } from '../../lib/packets/packet-restorer.ts';
import { GrabOutcome } from '../../lib/packets/packet-table.ts';
import type { RestoredSend } from '../../lib/packets/send-campaigns.ts';
import type { SendSpec } from '../../lib/packets/send-spec.ts';
import { checkProperty } from './check-property.ts';
import type { InstantLog, LogEntry } from './instant-log.ts';
import { openSends, START_MS, sum } from './open-sends.ts';
import { grabShare } from './packet-steps.ts';
import { printSeed, seedBytes } from './seed.ts';

printSeed(t);

/** A record as a journal has it: an entry of main, or a grab. */
type Line = LogEntry | { what: 'grab'; packetId: number; share: number; userId: number; cents: number };

type Opened = ReturnType<typeof openSends>;

const SLOTS = 30;

const FAR_MS = START_MS + 3_600_000;

t.test('index, totals and recipients go on exactly, wherever the run was interrupted', async (t) => {
  const seen = { open: 0, over: 0, refunds: 0, lost: 0, grabsLost: 0, waited: 0, begun: 0, unbegun: 0 };
  const steps = fc.array(
    fc.record({ what: fc.constantFrom('tick', 'grab', 'grab', 'grab'), number: fc.nat({ max: 1000 }) }),
    {
      maxLength: 60,
      size: 'max',
    },
  );
  const property = fc.asyncProperty(
    steps,
    fc.record({
      count: fc.integer({ min: 1, max: 25 }),
      shares: fc.integer({ min: 1, max: 4 }),
      low: fc.integer({ min: 4, max: 200 }),
      span: fc.nat({ max: 500 }),
      lastUser: fc.nat({ max: 9 }),
      /** Packets that have room at once. */
      atOnce: fc.constantFrom(3, 8, 64),
      /** Turns at the end, and grabs, that never become durable. */
      lost: fc.nat({ max: 3 }),
    }),
    async (taken, { count, shares, low, span, lastUser, atOnce, lost }) => {
      const spec: SendSpec = {
        count,
        rate: 10,
        shares,
        total: span === 0 ? low : [low, low + span],
        users: [0, lastUser],
        expiresInSeconds: 2,
      };
      const whole = openSends(64, 64 * 64, () => seedBytes(21, 0));
      await whole.sends.create(spec, () => START_MS);
      whole.tick(FAR_MS);

      // The run that is interrupted.
      const words = atOnce * 16;
      const first = openSends(SLOTS, words, () => seedBytes(21, 0));
      await first.sends.create(spec, () => START_MS);
      const lines: Line[] = [];
      takeLines(first.log, lines);
      let nowMs = START_MS;
      for (const { what, number } of taken) {
        if (what === 'tick') {
          nowMs += number;
          first.tick(nowMs);
          const due = Math.min(count, Math.floor((nowMs - START_MS) / 100));
          if (first.sends.status(1).created < due) seen.waited++;
        } else grabAny(first, number, lines);
        takeLines(first.log, lines);
      }
      // What comes last is lost: entries of packets that nobody was told of.
      first.log.hold();
      first.tick(nowMs + 100 * lost);
      seen.lost += first.log.pending;
      // With a hole among its claims a packet takes more room.
      for (let i = 0; i < lost && atOnce > 8; i++) if (loseGrab(lines)) seen.grabsLost++;
      const { opening, send } = sumUp(lines);
      if (opening === undefined) return false;

      const second = openSends(SLOTS, words, () => seedBytes(22, 0));
      const restored = restore(second, lines, { opening, ...send });
      if (restored === undefined) return false;
      seen.open += restored.open.length;
      seen.over += send.created - restored.open.length;
      seen[send.created === 0 ? 'unbegun' : 'begun']++;
      const status = second.sends.status(1);
      const isSameBefore =
        status.created === send.created &&
        status.totalCents === send.totalCents &&
        status.grabbedShares === send.grabbedShares &&
        status.claimedCents === send.claimedCents &&
        status.refundedCents === send.refundedCents;
      if (!isSameBefore) return false;
      const { packets, sends } = second;
      const { outstandingCents } = packets.totals();
      if (outstandingCents !== send.totalCents - send.claimedCents - send.refundedCents) return false;

      // Not a packet before its time after the restart.
      second.tick(FAR_MS + 99);
      takeLines(second.log, lines);
      if (sends.status(1).created !== send.created) return false;
      for (let i = 1; sends.status(1).state !== 'closed'; i++) {
        if (i > 400) return false;
        second.tick(FAR_MS + 100 * i);
        for (let grabs = 0; grabs < 3; grabs++) grabAny(second, 37 * i + grabs, lines);
        takeLines(second.log, lines);
      }
      const both = lines.flatMap((line) => (line.what === 'openPacket' ? [line.opening] : []));
      const expected = whole.log.list('openPacket').map(({ opening }) => opening);
      seen.refunds += lines.filter((line) => line.what === 'closePacket').length;
      const after = sends.status(1);
      const { send: all } = sumUp(lines);
      return (
        JSON.stringify(both.map(toNumbers)) === JSON.stringify(expected.map(toNumbers)) &&
        both.length === count &&
        after.totalCents === sum(expected.map(({ packet }) => packet.totalCents)) &&
        after.totalCents === after.claimedCents + after.refundedCents &&
        after.claimedCents === all.claimedCents &&
        after.refundedCents === all.refundedCents &&
        after.grabbedShares === all.grabbedShares &&
        packets.totals().outstandingCents === 0
      );
    },
  );
  await checkProperty(t, 'the same packets', property, 600);
  for (const [what, count] of Object.entries(seen)) t.ok(count > 5, `${what}: ${count}`);
});

t.test('what is left is created at the rate of the send, from the restart on', async (t) => {
  const first = openSends(20);
  await first.sends.create({ count: 10, rate: 10, shares: 1, total: [50, 90], users: [1, 9] }, () => START_MS);
  first.tick(START_MS + 400);
  const lines: Line[] = [];
  takeLines(first.log, lines);
  const { opening, send } = sumUp(lines);
  const second = openSends(20);
  restore(second, lines, { opening: opening!, ...send });
  for (const [ms, created] of [
    [0, 4],
    [99, 4],
    [100, 5],
    [350, 7],
    [599, 9],
    [600, 10],
    [5000, 10],
  ]) {
    second.tick(FAR_MS + ms);
    t.equal(second.sends.status(1).created, created, `after ${ms} ms`);
  }
  t.equal(second.sends.status(1).state, 'created');
  t.end();
});

t.test('a send of which all was created is closed when its open packets are over', async (t) => {
  const first = openSends(8);
  await first.sends.create({ count: 2, rate: 10, shares: 1, total: 50, users: [1, 9] }, () => START_MS);
  first.tick(START_MS + 1000);
  const lines: Line[] = [];
  takeLines(first.log, lines);
  const { opening, send } = sumUp(lines);
  const second = openSends(8);
  restore(second, lines, { opening: opening!, ...send });
  t.match(second.sends.status(1), { created: 2, state: 'created', totalCents: 100, claimedCents: 0 });
  t.equal(second.sends.activeCount, 1);
  for (const { opening: made } of first.log.list('openPacket'))
    grabShare(second.table, made.id, made.packet.invited[0]);
  second.tick(START_MS + 2000);
  t.match(second.sends.status(1), { grabbedShares: 2, claimedCents: 100, state: 'closed' });
  t.strictSame([second.sends.activeCount, second.told], [0, []], 'nobody is told of a packet again');
  second.sends.continueFrom(7);
  t.equal((await second.sends.create({ count: 1, rate: 1, shares: 1, total: 5, users: [1, 1] }, () => START_MS)).id, 8);
  t.end();
});

function grabAny({ table, log, creator }: Opened, number: number, lines: Line[]): void {
  const openings = log.list('openPacket');
  const known = lines.flatMap((line) => (line.what === 'openPacket' ? [line.opening] : []));
  const all = [...new Map([...known, ...openings.map(({ opening }) => opening)].map((one) => [one.id, one])).values()];
  if (all.length === 0 || creator.freeSlots === table.slots) return;
  const { id, packet } = all[number % all.length];
  const userId = packet.invited[number % packet.invited.length];
  takeLines(log, lines);
  if (grabShare(table, id, userId) !== GrabOutcome.WON) return;
  lines.push({ what: 'grab', packetId: id, share: table.grabbedShare, userId, cents: table.grabbedCents });
}

/** Entries of each log that are among the lines already. */
const takenOf = new WeakMap<InstantLog, number>();

/** Writes the entries that have become durable behind the lines. */
function takeLines(log: InstantLog, lines: Line[]): void {
  const { durable } = log;
  lines.push(...durable.slice(takenOf.get(log) ?? 0));
  takenOf.set(log, durable.length);
}

/** Takes away the first grab of the last packet that has one and is not over: its worker's entries were late. */
function loseGrab(lines: Line[]): boolean {
  const over = new Set(lines.flatMap((line) => (line.what === 'closePacket' ? [line.packetId] : [])));
  const sharesLeft = new Map<number, number>();
  for (const line of lines) {
    if (line.what === 'openPacket') sharesLeft.set(line.opening.id, line.opening.packet.shares);
    else if (line.what === 'grab') sharesLeft.set(line.packetId, sharesLeft.get(line.packetId)! - 1);
  }
  const grabs = lines.flatMap((line) => (line.what === 'grab' ? [line] : []));
  const last = grabs.findLast(({ packetId }) => !over.has(packetId) && sharesLeft.get(packetId)! > 0);
  const first = grabs.find(({ packetId }) => packetId === last?.packetId);
  if (first === undefined) return false;
  lines.splice(lines.indexOf(first), 1);
  return true;
}

/** The sums of the one send in the lines, as recovery adds them up. */
function sumUp(lines: readonly Line[]) {
  const send = { created: 0, totalCents: 0, grabbedShares: 0, claimedCents: 0, refundedCents: 0 };
  for (const line of lines) {
    if (line.what === 'openPacket') {
      send.created++;
      send.totalCents += line.opening.packet.totalCents;
    } else if (line.what === 'grab') {
      send.grabbedShares++;
      send.claimedCents += line.cents;
    } else if (line.what === 'closePacket') send.refundedCents += line.refundCents;
  }
  const opening = lines.find((line) => line.what === 'openSend')?.send;
  return { opening, send };
}

/** Takes up what the lines say; undefined if there is no room. */
function restore(to: Opened, lines: readonly Line[], send: Omit<RestoredSend, 'open'>): RestoredSend | undefined {
  const { table, creator, packets, sends } = to;
  const restorer = new PacketRestorer(table, creator);
  for (const line of lines) {
    if (line.what === 'openPacket') restorer.open(line.opening.id, line.opening.packet);
    else if (line.what === 'grab') restorer.claim(line.packetId, line.share, line.userId);
    else if (line.what === 'closePacket') restorer.close(line.packetId);
  }
  const open = restorer.finish();
  if (open === NO_ROOM) return undefined;
  sends.continueFrom(send.opening.id);
  for (const packetId of open) packets.restore(packetId, send.opening.id, table.facts(packetId)!.expiresAt);
  const restored = {
    ...send,
    open,
    grabbedShares: send.grabbedShares - sum(open.map((packetId) => table.countGrabbed(packetId))),
    claimedCents: send.claimedCents - sum(open.map((packetId) => table.sumGrabbed(packetId))),
  };
  sends.restore(restored, FAR_MS);
  return restored;
}

/** What a packet has from its send: all but its slot, its times and the seed of its split. */
function toNumbers({ sendId, index, source, packet }: Extract<LogEntry, { what: 'openPacket' }>['opening']) {
  const { mode, totalCents, shares, minCents, maxCents, senderId, invited } = packet;
  return [sendId, index, source, mode, totalCents, shares, minCents, maxCents, senderId, ...invited];
}
