// Tries the life of sent packets with real threads: several grab while main opens, expires, refunds and reuses, with a
// log that is always a little behind.
//
// main: SentPackets ──board of ids──► grab worker 0..2, each with users of its own ──wins──► main adds up
//
// Allowed outcomes of a grab are all six; of a packet only these: its close is logged, if shares were left, when the record
// of every grab is out, with what was taken and what was not; that goes to its sender once, when the entry is durable.

import t from 'tap';
import { NO_ROOM, PacketCreator } from '../../lib/packets/packet-creator.ts';
import { generationOf, MAX_GENERATION, slotOf } from '../../lib/packets/packet-id.ts';
import { allocatePackets, PacketTable } from '../../lib/packets/packet-table.ts';
import { SentPackets } from '../../lib/packets/sent-packets.ts';
import { InstantLog } from './instant-log.ts';
import { listShares } from './packet-model.ts';
import { numbersOf } from './packet-table.stress-numbers.ts';
import type { GrabReport, GrabWorkerData } from './packet-table.stress-worker.ts';
import { printSeed, seed, TestRandom } from './seed.ts';
import { pauseThread, StressWorkers } from './stress-workers.ts';

printSeed(t);

const WORKERS = 3;
const SLOTS = 24;
const AT_ONCE = 12;
const BLOCK_WORDS = SLOTS * 24;
const RUN_MS = 3000;
const START_SECOND = 1_800_000_000;

/** What became of a packet. */
interface Made {
  k: number;
  id: number;
  closings: { taken: number; refundCents: number }[];
  refunds: number[];
}

t.test('whatever the threads do, what was not grabbed goes back once, behind every grab', async (t) => {
  const memory = allocatePackets(SLOTS, BLOCK_WORDS);
  const table = new PacketTable(memory);
  const log = new InstantLog();
  const board = new Int32Array(new SharedArrayBuffer(4 * AT_ONCE));
  const records = new Int32Array(new SharedArrayBuffer(4 * SLOTS));
  const random = new TestRandom(seed);
  const made: Made[] = [];
  const byId = new Map<number, Made>();
  const faults: string[] = [];
  const places: number[] = Array.from({ length: AT_ONCE }, (_, place) => place);
  const placeOf = new Map<number, number>();
  let nowSecond = START_SECOND;
  let entries = 0;
  let lastGeneration = 0;
  const packets = new SentPackets(
    table,
    new PacketCreator(table, 0, SLOTS, 0, BLOCK_WORDS),
    log,
    {
      tellUser: () => {},
      refund: (k, cents) => made[k].refunds.push(cents),
      onOver: (packetId, _sendId, shares, claimedCents, refundedCents) => {
        const { totalCents } = numbersOf(byId.get(packetId)!.k);
        if (records[slotOf(packetId)] !== shares) faults.push(`packet ${packetId} is over without a record`);
        if (claimedCents + refundedCents !== totalCents) faults.push(`packet ${packetId} does not add up`);
        records[slotOf(packetId)] = 0;
        const place = placeOf.get(packetId)!;
        Atomics.store(board, place, 0);
        places.push(place);
      },
    },
    START_SECOND,
  );

  /** Sends the next packet; it comes on the board when it opens. */
  const createNext = (): boolean => {
    const k = made.length;
    const place = places.at(-1)!;
    const packet = { ...numbersOf(k), createdAt: nowSecond, expiresAt: nowSecond + 1 + random.below(30) };
    const origin = { sendId: 0, index: 0, source: 1, reservation: 0, key: '' } as const;
    const id = packets.create(packet, origin, () => Atomics.store(board, place, id));
    if (id === NO_ROOM) return false;
    places.pop();
    placeOf.set(id, place);
    made.push({ k, id, closings: [], refunds: [] });
    byId.set(id, made[k]);
    lastGeneration = Math.max(lastGeneration, generationOf(id));
    return true;
  };
  const turn = () => {
    packets.tick(1000 * nowSecond);
    for (; entries < log.entries.length; entries++) {
      const entry = log.entries[entries];
      if (entry.what !== 'closePacket') continue;
      const { packetId, taken, refundCents } = entry;
      byId.get(packetId)!.closings.push({ taken, refundCents });
      if (Atomics.load(records, slotOf(packetId)) !== taken) faults.push(`packet ${packetId} closed before a record`);
    }
    const { fundedCents, refundedCents, outstandingCents } = packets.totals();
    if (fundedCents < refundedCents + outstandingCents || outstandingCents < 0) faults.push('the books');
  };

  log.hold();
  const workers = new StressWorkers<GrabReport>(
    new URL('./packet-table.stress-worker.ts', import.meta.url),
    WORKERS,
    (index): GrabWorkerData => ({
      memory,
      board: board.buffer as SharedArrayBuffer,
      records: records.buffer as SharedArrayBuffer,
      index,
      workers: WORKERS,
      seed,
    }),
  );
  await workers.start();
  const endAt = Date.now() + RUN_MS;
  let waits = 0;
  // No slot goes round all its generations: an id names one packet throughout.
  for (let pass = 0; Date.now() < endAt && lastGeneration < MAX_GENERATION - 2; pass++) {
    while (places.length > 0 && createNext());
    turn();
    if (packets.areOpening || packets.areClosing) waits++;
    log.makeDurable(random.below(log.pending + 1));
    nowSecond += random.below(2);
    if (pass % 8 === 0) pauseThread(0.05);
  }
  const reports = await workers.stop();
  for (let i = 0; i < 5; i++) {
    nowSecond += 100;
    turn();
    log.makeDurable();
  }
  turn();

  t.strictSame(
    [...faults, ...reports.flatMap((report) => report.faults)].slice(0, 20),
    [],
    'nobody saw anything wrong',
  );
  t.strictSame(findWrongPackets(made, reports), [], 'all packets add up');
  const { fundedCents, refundedCents, outstandingCents, open } = packets.totals();
  t.strictSame([outstandingCents, open], [0, 0], 'in the end nothing is outstanding');
  const wonCents = reports.reduce(
    (sum, { wins }) => sum + wins.reduce((cents, win, i) => cents + (i % 3 === 2 ? win : 0), 0),
    0,
  );
  t.equal(fundedCents, wonCents + refundedCents, 'funded = won + refunded');
  const refunded = made.filter((packet) => packet.refunds.length > 0);
  const parted = refunded.filter((packet) => packet.closings[0].taken > 0);
  t.ok(made.length > 500, `${made.length} packets`);
  t.ok(
    refunded.length > 100 && parted.length > 50,
    `${refunded.length} with a refund, ${parted.length} of them in part`,
  );
  t.ok(waits > 100, `${waits} times something was on its way`);
});

/** Adds up what all threads say they have won, packet by packet. */
function findWrongPackets(made: readonly Made[], reports: readonly GrabReport[]): string[] {
  const winsOf = new Map<number, { userId: number; cents: number }[]>(made.map(({ id }) => [id, []]));
  const wrong: string[] = [];
  for (const { wins } of reports) {
    for (let i = 0; i < wins.length; i += 3) {
      const of = winsOf.get(wins[i]);
      if (of === undefined) wrong.push(`packet ${wins[i]}, which never was, gave ${wins[i + 2]} cents`);
      else of.push({ userId: wins[i + 1], cents: wins[i + 2] });
    }
  }
  for (const { id, k, closings, refunds } of made) {
    const packet = numbersOf(k);
    const wins = winsOf.get(id)!;
    const left = listShares(packet).slice(wins.length);
    const refundCents = left.reduce((sum, cents) => sum + cents, 0);
    const expected = left.length === 0 ? [] : [{ taken: wins.length, refundCents }];
    const wonCents = wins.reduce((sum, win) => sum + win.cents, 0);
    const isRight =
      wonCents + refundCents === packet.totalCents &&
      new Set(wins.map((win) => win.userId)).size === wins.length &&
      JSON.stringify(closings) === JSON.stringify(expected) &&
      refunds.join() === expected.map((closing) => closing.refundCents).join();
    if (!isRight) wrong.push(`packet ${id}: ${JSON.stringify({ packet, wins, closings, refunds })}`);
  }
  return wrong.slice(0, 5);
}
