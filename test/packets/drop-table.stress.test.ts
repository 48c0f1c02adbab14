// Tries the drops with real threads: two shake for half of the SETs each while main releases, moves, closes and opens.
//
// main: DropCampaigns ──released──► shake worker 0, 1 (SETs of their own) ──wins──► main adds up
//
// Allowed: a shake that sees stock finds none. Never: a packet won twice, a packet that was given back won, a cent that
// is neither won nor refunded, a win from a drop that the user was not judged for.

import t from 'tap';
import { DropCampaigns, type DropStatus } from '../../lib/packets/drop-campaigns.ts';
import { DropTable } from '../../lib/packets/drop-table.ts';
import { limitOf } from './drop-table.stress-rules.ts';
import type { ShakeReport, ShakeWorkerData } from './drop-table.stress-worker.ts';
import { InstantLog } from './instant-log.ts';
import { splitNow } from './open-drops.ts';
import { printSeed, seed, seedBytes, TestRandom } from './seed.ts';
import { allocateSmallDrops } from './small-drops.ts';
import { pauseThread, StressWorkers } from './stress-workers.ts';

printSeed(t);

const WORKERS = 2;
const SETS = 6;
const OPEN_AT_ONCE = 5;
const RUN_MS = 4000;
/** The clock that main hands in runs this much faster, so that stock is moved often. */
const CLOCK_FACTOR = 200;
const MOST_DROPS = 9000;

t.test('whatever the threads do, every packet is won at most once and every cent is won or refunded', async (t) => {
  // Just below 2^31: the sequences of every SET wrap during the run.
  const memory = allocateSmallDrops(SETS, 2 ** 16, 0x7fff_ff80);
  const table = new DropTable(memory);
  const random = new TestRandom(seed);
  let seeds = 0;
  const log = new InstantLog();
  const drops = new DropCampaigns(table, splitNow, () => seedBytes(seed, seeds++), log);
  const firstNumbers = [0];
  const opened: DropStatus[] = [];
  const open: number[] = [];
  const faults: string[] = [];
  let waited = 0;
  let nextNumber = 0;
  const begunAt = performance.now();
  const readNowMs = () => 1_800_000_000_000 + (performance.now() - begunAt) * CLOCK_FACTOR;

  const openNext = async () => {
    const id = opened.length + 1;
    const count = 1 + random.below(random.pick([5, 60, 300]));
    const spec = { count, rate: 1 + random.below(2000), budget: count + random.below(200 * count) };
    const winsPerUser = limitOf(id) === 0 ? undefined : limitOf(id);
    opened.push(await drops.create({ ...spec, winsPerUser }, readNowMs));
    firstNumbers[id] = nextNumber;
    nextNumber += count;
    open.push(id);
  };
  const isConserved = () => {
    const { fundedCents, refundedCents, outstandingCents } = drops.totals();
    return fundedCents >= refundedCents + outstandingCents && outstandingCents >= 0;
  };

  const workers = new StressWorkers<ShakeReport>(
    new URL('./drop-table.stress-worker.ts', import.meta.url),
    WORKERS,
    (index): ShakeWorkerData => ({ memory, index, workers: WORKERS, seed }),
  );
  await workers.start();
  const endAt = Date.now() + RUN_MS;
  while (Date.now() < endAt && opened.length < MOST_DROPS) {
    while (open.length < OPEN_AT_ONCE) await openNext();
    drops.tick(readNowMs());
    if (!isConserved()) faults.push(`the books after ${opened.length} drops: ${JSON.stringify(drops.totals())}`);
    const which = random.below(open.length);
    if (random.below(6) === 0 && (await drops.close(open[which])).state === 'closing') waited++;
    for (let i = open.length - 1; i >= 0; i--) {
      const { state } = drops.status(open[i]);
      if (state === 'closing' || state === 'closed') open.splice(i, 1);
    }
    if (random.below(4) === 0) pauseThread(0.1);
  }
  for (const { id } of opened) await drops.close(id);
  const reports = await workers.stop();
  drops.tick(readNowMs());

  t.strictSame([...faults, ...reports.flatMap((report) => report.faults)], [], 'no thread saw anything wrong');
  const { wrong, wonCents, wonPackets } = addUp(reports, opened, firstNumbers, drops);
  t.strictSame(wrong.slice(0, 5), [], 'all drops add up');
  const totals = drops.totals();
  t.equal(totals.outstandingCents, 0);
  t.equal(totals.fundedCents, wonCents + totals.refundedCents, 'funded = won + refunded');
  t.strictSame(
    log
      .list('closeDrop')
      .map(({ dropId, won, refundCents }) => [dropId, won, refundCents])
      .sort(([a], [b]) => a - b),
    opened.map(({ id }) => [id, drops.status(id).claimed, drops.status(id).refundedCents]),
    'every drop was closed in the log once, with what was won and what went back',
  );
  t.strictSame(
    Array.from({ length: SETS }, (_, set) => table.stock.hasAny(set)),
    new Array(SETS).fill(false),
    'the stock has nothing left',
  );
  t.ok(opened.length > 100 && wonPackets > 1000, `${opened.length} drops, ${wonPackets} packets won`);
  t.ok(waited > 0, `${waited} closed drops had to wait for a winner`);
  t.ok(totals.refundedCents > 0, `${totals.refundedCents} of ${totals.fundedCents} cents refunded`);
  t.comment(
    `${reports.map((report) => report.late)} shakes came late, ${reports.map((report) => report.none)} saw none`,
  );
});

/** Adds up what all threads say they have won, drop by drop. */
function addUp(reports: readonly ShakeReport[], opened: readonly DropStatus[], first: number[], drops: DropCampaigns) {
  const wrong: string[] = [];
  const packets = opened.map((drop) => new Array<number>(drop.count).fill(0));
  const cents = opened.map(() => 0);
  const winsOf = new Map<string, number>();
  let wonPackets = 0;
  for (const { wins } of reports) {
    for (let i = 0; i < wins.length; i += 4) {
      const [dropId, packetId, amountCents, userId] = wins.subarray(i, i + 4);
      const index = packetId - 2 ** 31 - first[dropId];
      const drop = packets[dropId - 1];
      if (!(index >= 0 && index < drop.length)) wrong.push(`packet ${packetId} is not one of drop ${dropId}`);
      else if (drop[index]++ > 0) wrong.push(`packet ${packetId} of drop ${dropId} was won twice`);
      cents[dropId - 1] += amountCents;
      wonPackets++;
      const key = `${dropId}/${userId}`;
      winsOf.set(key, (winsOf.get(key) ?? 0) + 1);
      if (limitOf(dropId) > 0 && winsOf.get(key)! > limitOf(dropId)) wrong.push(`user ${userId} won too often`);
    }
  }
  opened.forEach(({ id, budget }, i) => {
    const status = drops.status(id);
    const won = packets[i].filter((times) => times > 0).length;
    const isRight =
      status.state === 'closed' &&
      status.claimed === won &&
      status.claimedCents === cents[i] &&
      status.refundedCents === budget - cents[i] &&
      packets[i].lastIndexOf(1) === won - 1;
    if (!isRight) wrong.push(`${JSON.stringify(status)}, but ${won} were won with ${cents[i]} cents`);
  });
  return { wrong, wonCents: cents.reduce((sum, one) => sum + one, 0), wonPackets };
}
