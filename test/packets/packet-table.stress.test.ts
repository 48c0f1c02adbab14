// Tries the packet table with real threads: several grab the same packets while main closes them and reuses their slots.
//
// main ──board of ids──► grab worker 0..2, each with users of its own ──wins──► main adds up
//
// Allowed outcomes of a grab are all six; of a packet only these: the shares won are the first ones of its split, each
// won once, by different invited users, and won + refunded = total to the cent. Totals that look only at what was marked as
// changed know every packet that is over as it is.

import t from 'tap';
import { LiveTotals } from '../../lib/packets/live-totals.ts';
import { NO_ROOM, PacketCreator } from '../../lib/packets/packet-creator.ts';
import { generationOf, MAX_GENERATION, slotOf } from '../../lib/packets/packet-id.ts';
import { allocatePackets, GrabOutcome, PacketTable } from '../../lib/packets/packet-table.ts';
import { listShares } from './packet-model.ts';
import { createPacket } from './packet-steps.ts';
import { numbersOf } from './packet-table.stress-numbers.ts';
import type { GrabReport, GrabWorkerData } from './packet-table.stress-worker.ts';
import { printSeed, seed, TestRandom } from './seed.ts';
import { pauseThread, StressWorkers } from './stress-workers.ts';

printSeed(t);

const WORKERS = 3;
const SLOTS = 24;
/** Packets of the moment: fewer than slots, so that packets that are over can still be asked for. */
const AT_ONCE = 12;
/** Too few for every slot at once, so that blocks of packets that are over are taken back ahead of time. */
const BLOCK_WORDS = SLOTS * 20;
const RUN_MS = 4000;

interface Made {
  k: number;
  refundedCents: number;
}

t.test('whatever the threads do, every share is won at most once and every cent is won or refunded', async (t) => {
  const memory = allocatePackets(SLOTS, BLOCK_WORDS);
  const table = new PacketTable(memory);
  const creator = new PacketCreator(table, 0, SLOTS, 0, BLOCK_WORDS);
  const live = new LiveTotals(table);
  const board = new Int32Array(new SharedArrayBuffer(4 * AT_ONCE));
  const records = new Int32Array(new SharedArrayBuffer(4 * SLOTS));
  const random = new TestRandom(seed);
  const made = new Map<number, Made>();
  const patience = new Int32Array(AT_ONCE);
  const faults: string[] = [];
  let refusals = 0;
  let waits = 0;
  let lastGeneration = 0;

  /** Puts the next packet into a place of the board. */
  const createAt = (place: number) => {
    const k = made.size;
    const id = createPacket(creator, numbersOf(k));
    if (id === NO_ROOM) {
      refusals++;
      return;
    }
    made.set(id, { k, refundedCents: 0 });
    live.add(id);
    lastGeneration = Math.max(lastGeneration, generationOf(id));
    patience[place] = random.below(4) === 0 ? 0 : 1 + random.below(40);
    Atomics.store(board, place, id);
  };
  /** Closes a packet when its time has come; gives it back when it is over and everybody has left his claim. */
  const turnOver = (place: number) => {
    const id = board[place];
    const packet = made.get(id);
    if (packet !== undefined) {
      if (table.isOpen(id) && patience[place]-- <= 0) packet.refundedCents += table.close(id);
      if (table.isOpen(id)) return;
      if (!table.hasAllClaims(id)) {
        waits++;
        return;
      }
      // With every claim there every record is out: one that says that the packet is over comes behind them.
      if (Atomics.load(records, slotOf(id)) !== table.countGrabbed(id)) faults.push(`packet ${id} lacks a record`);
      Atomics.store(records, slotOf(id), 0);
      if (table.sumGrabbed(id) + packet.refundedCents !== numbersOf(packet.k).totalCents) faults.push(`packet ${id}`);
      live.look();
      if (live.leftOf(id) !== table.sumLeft(id)) faults.push(`of packet ${id} a change was not marked`);
      live.forget(id);
      creator.retire(id);
      Atomics.store(board, place, 0);
    }
    createAt(place);
  };

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
  for (let place = 0; place < AT_ONCE; place++) createAt(place);
  await workers.start();
  const endAt = Date.now() + RUN_MS;
  // No slot goes round all its generations: an id names one packet throughout.
  for (let pass = 0; Date.now() < endAt && lastGeneration < MAX_GENERATION - 2; pass++) {
    for (let place = 0; place < AT_ONCE; place++) turnOver(place);
    if (pass % 8 === 0) pauseThread(0.05);
  }
  const reports = await workers.stop();
  for (const id of board) {
    const packet = made.get(id);
    if (packet) packet.refundedCents += table.close(id);
  }

  live.look();
  t.equal(
    live.leftCents,
    [...board].reduce((sum, id) => sum + table.sumLeft(id), 0),
  );
  t.strictSame([...faults, ...reports.flatMap((report) => report.faults)], [], 'no thread saw anything wrong');
  t.strictSame(findWrongPackets(made, reports), [], 'all packets add up');
  const outcomes = Object.entries(GrabOutcome).map(([name, outcome]) => ({
    name,
    count: reports.reduce((sum, report) => sum + report.outcomes[outcome], 0),
  }));
  for (const { name, count } of outcomes) t.ok(count > 100, `${name} came ${count} times`);
  const views = reports.reduce((sum, report) => sum + report.views, 0);
  const refunded = [...made.values()].filter((packet) => packet.refundedCents > 0).length;
  t.ok(views > 100, `${views} views were read`);
  t.ok(made.size > 1000 && refunded > 100, `${made.size} packets, of which ${refunded} gave a refund`);
  t.ok(waits > 0, `${waits} times a packet that was over waited for a claim`);
  t.comment(`${refusals} times there was no room`);
});

/** Adds up what all threads say they have won, packet by packet. */
function findWrongPackets(made: Map<number, Made>, reports: readonly GrabReport[]): string[] {
  const winsOf = new Map<number, { userId: number; cents: number }[]>([...made.keys()].map((id) => [id, []]));
  const wrong: string[] = [];
  for (const { wins } of reports) {
    for (let i = 0; i < wins.length; i += 3) {
      const of = winsOf.get(wins[i]);
      if (of === undefined) wrong.push(`packet ${wins[i]}, which never was, gave ${wins[i + 2]} cents`);
      else of.push({ userId: wins[i + 1], cents: wins[i + 2] });
    }
  }
  for (const [id, { k, refundedCents }] of made) {
    const packet = numbersOf(k);
    const wins = winsOf.get(id)!;
    const first = listShares(packet).slice(0, wins.length);
    const wonCents = wins.reduce((sum, win) => sum + win.cents, 0);
    const users = new Set(wins.map((win) => win.userId));
    const isRight =
      wonCents + refundedCents === packet.totalCents &&
      sorted(wins.map((win) => win.cents)) === sorted(first) &&
      users.size === wins.length &&
      (packet.invited.length === 0 || [...users].every((userId) => packet.invited.includes(userId)));
    if (!isRight) wrong.push(`packet ${id}: ${JSON.stringify({ packet, wins, refundedCents })}`);
  }
  return wrong.slice(0, 5);
}

function sorted(cents: readonly number[]): string {
  return [...cents].sort((a, b) => a - b).join();
}
