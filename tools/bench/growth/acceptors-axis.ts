// The axis of acceptors: who spends CPU on a losing shake, and how evenly acceptors share the connections.
//
// A losing shake that took a lock, wrote a shared line or went through one thread would cost more with more acceptors, or
// would show as CPU of a thread that is no acceptor.

import { formatCount } from '../../../lib/monitor/text-table.ts';
import type { TaskStat } from '../../proc-stat.ts';
import type { PointResult, Run } from './axis.ts';
import { formatFigure } from './print-growth.ts';
import { described, openLoop, serverPoint } from './server-axes.ts';
import { type AxisMaker, connectionsOf, pick } from './settings.ts';
import { runShakes, type ShakeRun } from './shake-run.ts';

const ACCEPTORS = [1, 2, 4];

/** Names of the server's threads, as far as the kernel keeps them, and what the table calls them. */
const COLUMNS = new Map([
  ['acceptor-thread', 'acceptors'],
  ['worker-thread', 'workers'],
  ['journal-thread', 'journal'],
  ['node-MainThread', 'main'],
  ['node-V8Worker', 'V8'],
]);
const OTHERS = 'others';
const NOT_IN_THE_PATH = ['workers', 'journal', 'main'];

/** Connections that one acceptor holds: the fewest, the most, and an equal part. */
const FEWEST = 'fewest held';
const MOST = 'most held';
const PART = 'equal part';

/** Threads that are not in the path have their timers: so much of a shake's cost at the most is no growth. */
const MOST_ELSEWHERE = 0.05;

/** Even: no acceptor holds more connections than its part by above a fifth. */
const MOST_UNEVEN = 1.2;

export const acceptorsAxis: AxisMaker = (settings) => {
  const { seconds, rate } = settings;
  const connections = connectionsOf(settings, 5000);
  return {
    varies: 'acceptors',
    series: [
      { title: `${openLoop(settings)}, ${described(connections)}; threads in us of CPU per shake`, cost: 'in all' },
    ],
    points: pick(ACCEPTORS, settings).map((acceptors) =>
      serverPoint(
        `${acceptors}`,
        [`--acceptors=${acceptors}`],
        [async (server) => addThreads(await runShakes(server, { connections, load: { rate }, seconds }), connections)],
      ),
    ),
    conclude: (results) => [concludePath(results), ...results.map(concludeSplit)],
  };
};

/** The CPU time of each kind of thread between two looks, in microseconds. */
export function spentByKind(from: readonly TaskStat[], to: readonly TaskStat[]): Record<string, number> {
  const spent: Record<string, number> = {};
  for (const name of [...COLUMNS.values(), OTHERS]) spent[name] = 0;
  const before = new Map(from.map(({ id, cpuUs }) => [id, cpuUs]));
  for (const { id, name, cpuUs } of to) spent[COLUMNS.get(name) ?? OTHERS] += cpuUs - (before.get(id) ?? 0);
  return spent;
}

function addThreads({ from, to, shakes, cost, figures, faults }: ShakeRun, connections: number): Run {
  const perShake = Object.entries(spentByKind(from.threads, to.threads)).map(([name, us]) => [name, us / shakes]);
  const held = to.status.acceptors.map(({ open }) => open);
  const sum = held.reduce((sum, open) => sum + open, 0);
  return {
    cost,
    figures: {
      ...Object.fromEntries(perShake),
      ...figures,
      [FEWEST]: Math.min(...held),
      [MOST]: Math.max(...held),
      [PART]: sum / held.length,
    },
    faults: sum === connections ? faults : [...faults, `the acceptors hold ${sum} connections, not ${connections}`],
  };
}

function concludePath(results: readonly PointResult[]): string {
  let most = 0;
  let elsewhere = '';
  for (const { label, runs } of results) {
    for (const { cost, figures } of runs) {
      const us = NOT_IN_THE_PATH.reduce((sum, name) => sum + figures[name], 0);
      if (us / cost < most) continue;
      most = us / cost;
      elsewhere = `${formatFigure(us)} of ${formatFigure(cost)} us per shake with ${label}`;
    }
  }
  const verdict = most <= MOST_ELSEWHERE ? 'only acceptors' : 'NOT ONLY ACCEPTORS';
  return `${verdict}: workers, journal and main together take at most ${elsewhere}`;
}

function concludeSplit({ label, runs }: PointResult): string {
  const fewest = Math.min(...runs.map(({ figures }) => figures[FEWEST]));
  const most = Math.max(...runs.map(({ figures }) => figures[MOST]));
  const part = runs[0].figures[PART];
  const verdict = most <= part * MOST_UNEVEN ? 'even' : 'NOT EVEN';
  return `${verdict}: with ${label}, an acceptor holds ${formatCount(fewest)} to ${formatCount(most)} connections`;
}
