// Bench: how costs grow, along one axis after the other: connections, SETs, open packets, frames a read, and more.
//
//   load client process --TCP--> hongbao serve process        main figure: CPU of the server per request
//
// Both are the real ones, and both ends are compared after every run: one that disagrees shows no speed, and the exit code
// is 1. Costs are to stay flat along each axis; whether they do is printed, and changes no exit code.

import { existsSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { formatCount } from '../../lib/monitor/text-table.ts';
import { RESERVED_DESCRIPTORS } from '../../lib/net/limits.ts';
import { countDescriptors } from '../../lib/server-options.ts';
import { checkWhole } from '../check-whole.ts';
import { UsageError } from '../usage-error.ts';
import { acceptorsAxis } from './growth/acceptors-axis.ts';
import { type SeriesResult, walkAxis } from './growth/axis.ts';
import { formatSeries } from './growth/print-growth.ts';
import { connectionsAxis, durabilityAxis, framesAxis, packetsAxis, setsAxis } from './growth/server-axes.ts';
import type { AxisMaker, GrowthSettings } from './growth/settings.ts';
import { ringAxis } from './ring.ts';
import { splitAxis } from './split.ts';

const AXES: Record<string, AxisMaker> = {
  connections: connectionsAxis,
  sets: setsAxis,
  packets: packetsAxis,
  frames: framesAxis,
  durability: durabilityAxis,
  acceptors: acceptorsAxis,
  ring: ringAxis,
  split: splitAxis,
};

const NAMES = Object.keys(AXES);

const args = await yargs(hideBin(process.argv))
  .usage('how costs grow: CPU of the server per request along one axis after the other')
  .options({
    only: { type: 'string', default: NAMES.join(','), describe: 'axes to walk, with commas between them' },
    rounds: { type: 'number', describe: 'runs at each point, by turns  [default: 3, quick 1]' },
    seconds: { type: 'number', describe: 'seconds that are measured of each run  [default: 1.5, quick 1]' },
    quick: { type: 'boolean', default: false, describe: 'two points of each axis, in two minutes' },
    connections: {
      type: 'number',
      describe: 'connections of the axes that vary something else  [default: 100 to 5,000, by axis]',
    },
    rate: { type: 'number', default: 20_000, describe: 'shakes a second of the open loops' },
    json: { type: 'string', describe: 'file to write every run to, as JSON' },
  })
  .strict()
  .parseAsync();

async function main(): Promise<void> {
  const names = readNames(args.only);
  const rounds = args.rounds ?? (args.quick ? 1 : 3);
  const settings = readSettings();
  checkWhole('rounds', rounds, 1, 100);
  // Leaving ends the processes that were started: see bench-server.ts and shake-run.ts.
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));

  const machine = describeMachine(settings);
  print([
    ...machine,
    `${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${settings.seconds} s, points by turns; medians, then the least and the most`,
    '',
  ]);
  const axes: Record<string, SeriesResult[]> = {};
  for (const name of names) {
    const axis = AXES[name](settings);
    print([`== ${name}`, ...(axis.remarks ?? []), '']);
    axes[name] = await walkAxis(axis, rounds, showProgress);
    showProgress('');
    for (const series of axes[name]) print(formatSeries(axis.varies, series));
  }
  if (args.json !== undefined) writeFileSync(args.json, JSON.stringify({ machine, rounds, settings, axes }, null, 2));
  const wrong = Object.values(axes)
    .flat()
    .flatMap(({ points }) => points.filter(({ faults }) => faults.length > 0));
  if (wrong.length > 0) {
    print([`WRONG: ${wrong.length} points have a result that is not right`]);
    process.exitCode = 1;
  }
}

function readNames(text: string): string[] {
  const names = text.split(',');
  for (const name of names) {
    if (!NAMES.includes(name)) throw new UsageError(`--only takes ${NAMES.join(', ')}, not ${name || 'nothing'}`);
  }
  return names;
}

function readSettings(): GrowthSettings {
  if (!existsSync('/proc/self/stat')) throw new UsageError('the bench reads CPU times under /proc, which is not there');
  const { connections, rate, quick: isQuick } = args;
  const seconds = args.seconds ?? (isQuick ? 1 : 1.5);
  if (!(seconds >= 0.1 && seconds <= 600)) throw new UsageError('--seconds must be 0.1 to 600');
  const mostConnections = countDescriptors() - RESERVED_DESCRIPTORS;
  if (connections !== undefined) checkWhole('connections', connections, 1, mostConnections);
  checkWhole('rate', rate, 1, 1_000_000);
  return { seconds, connections, rate, isQuick, mostConnections };
}

function describeMachine({ mostConnections }: GrowthSettings): string[] {
  const cores = cpus();
  return [
    `${cores.length} cores (${cores[0]?.model.trim() ?? 'unknown'}), Node ${process.version}, ${process.platform}-${process.arch}; ` +
      `${formatCount(mostConnections)} connections possible`,
    'the load client runs on the same cores as the server: answered/s is what both reach together',
  ];
}

/** On a terminal, in place. */
function showProgress(what: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${what}`);
}

function print(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

try {
  await main();
} catch (error) {
  showProgress('');
  process.stderr.write(`bench: ${error instanceof UsageError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
}
