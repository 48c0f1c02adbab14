// A thread of drop-table.stress.test.ts: shakes for the users of its SETs and remembers what it has won.

import { parentPort, workerData } from 'node:worker_threads';
import { type DropMemory, DropTable } from '../../lib/packets/drop-table.ts';
import { MAX_OPEN_DROPS } from '../../lib/packets/limits.ts';
import { limitOf } from './drop-table.stress-rules.ts';
import { TestRandom } from './seed.ts';
import { awaitStart } from './stress-workers.ts';

export interface ShakeWorkerData {
  memory: DropMemory;
  index: number;
  workers: number;
  seed: number;
}

export interface ShakeReport {
  /** Drop id, packet id, cents, user of every packet that was won. */
  wins: Float64Array;
  /** Shakes that saw stock and found none. */
  late: number;
  /** Shakes that saw no stock. */
  none: number;
  faults: string[];
}

/** Wins are credited in lots of up to this many, so that drops that are closed have to wait for some. */
const MOST_UNSETTLED = 8;

const { memory, index, workers, seed, control } = workerData as ShakeWorkerData & { control: SharedArrayBuffer };
const table = new DropTable(memory);
const random = new TestRandom(seed + 1000 * index);
const sets = Array.from({ length: table.sets }, (_, set) => set).filter((set) => set % workers === index);
/** By drop id * 2^20 + user. */
const winsOf = new Map<number, number>();
let judgedId = 0;
let judgedLimit = 0;
const wins: number[] = [];
const unsettled: number[] = [];
const faults: string[] = [];
const report: ShakeReport = { wins: new Float64Array(), late: 0, none: 0, faults };

const { isRunning } = awaitStart(control);
while (isRunning()) {
  const set = random.pick(sets);
  const what = random.below(64);
  if (what === 0) changeSessions(set);
  if (what < 8 || unsettled.length >= MOST_UNSETTLED) settleAll();
  shake(set, set + table.sets * random.below(4));
}
settleAll();
report.wins = Float64Array.from(wins);
parentPort!.postMessage(report);

function shake(set: number, userId: number): void {
  if (!table.stock.hasAny(set)) {
    report.none++;
    return;
  }
  const from = random.below(MAX_OPEN_DROPS);
  for (let i = 0; i < MAX_OPEN_DROPS; i++) {
    const slot = (from + i) % MAX_OPEN_DROPS;
    if (!table.take(slot, set, userId, mayWin)) continue;
    const { takenDropId, takenPacketId, takenAmountCents } = table;
    if (judgedId !== takenDropId || judgedLimit !== limitOf(takenDropId)) {
      faults.push(`judged for drop ${judgedId} with limit ${judgedLimit}, won from ${takenDropId}`);
    }
    const key = takenDropId * 2 ** 20 + userId;
    winsOf.set(key, (winsOf.get(key) ?? 0) + 1);
    wins.push(takenDropId, takenPacketId, takenAmountCents, userId);
    unsettled.push(slot);
    return;
  }
  report.late++;
}

/** Says yes or no by what the user has won, and remembers what it was asked. */
function mayWin(dropId: number, limit: number, userId: number): boolean {
  judgedId = dropId;
  judgedLimit = limit;
  return limit === 0 || (winsOf.get(dropId * 2 ** 20 + userId) ?? 0) < limit;
}

function settleAll(): void {
  for (const slot of unsettled.splice(0)) table.settle(slot);
}

function changeSessions(set: number): void {
  const sessions = table.stock.countSessions(set);
  table.stock.addSessions(set, sessions > 0 && random.below(2) === 0 ? -1 : 1);
}
