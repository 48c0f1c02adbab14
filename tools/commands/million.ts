// `hongbao million`: a million connections on one machine, in as many server and client processes as that takes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { LOAD_DESCRIPTORS } from '../../clients/load/load-options.ts';
import { RESERVED_DESCRIPTORS } from '../../lib/net/limits.ts';
import { countDescriptors, DURABILITIES } from '../../lib/server-options.ts';
import { checkWhole } from '../check-whole.ts';
import { Family } from '../million/family.ts';
import { type Machine, type MillionPlan, planMillion } from '../million/plan.ts';
import { findMillionFaults, formatMillion, toMillionJson } from '../million/print-million.ts';
import { readFilesLeft, readKernelMemory } from '../million/proc-files.ts';
import { type MillionResult, runMillion } from '../million/run-million.ts';
import { type Progress, ProgressLine } from '../progress-line.ts';
import { UsageError } from '../usage-error.ts';

const options = {
  connections: { type: 'number', default: 1_000_000, describe: 'connections over all servers' },
  qps: { type: 'number', default: 30_000, describe: 'shakes a second over all connections' },
  duration: { type: 'number', default: 60, describe: 'seconds to shake' },
  'drop-rate': { type: 'number', default: 200, describe: 'packets a second that are won by shaking; 0 for none' },
  'send-rate': { type: 'number', default: 200, describe: 'packets a second sent to 3 users each; 0 for none' },
  durability: { choices: DURABILITIES, default: 'fsync' as const, describe: 'see hongbao serve --help' },
  processes: {
    type: 'number',
    describe: 'servers, and as many clients  [default: as few as the descriptors allow]',
  },
  data: { type: 'string', describe: 'directory for the data of all servers, kept  [default: a temporary one]' },
  json: { type: 'string', describe: 'file to write the result to, as JSON' },
} as const;

type MillionArguments = InferredOptionTypes<typeof options>;
type Parsed = ArgumentsCamelCase<MillionArguments>;

const MOST_CONNECTIONS = 10_000_000;
const MOST_RATE = 1_000_000;
const MOST_SECONDS = 86_400;
const MOST_PROCESSES = 1000;

/** Exit codes of a process that a signal has ended. */
const SIGNAL_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export const millionCommand: CommandModule<object, MillionArguments> = {
  command: 'million',
  describe: 'hold a million connections on this machine, and let them shake',
  builder: (yargs) =>
    yargs
      .options(options)
      .example('$0 million', 'a million connections, 30,000 shakes a second for a minute')
      .example('$0 million --connections 20000 --duration 10', 'the same in small')
      .epilogue(
        'Servers with more than 10,000 connections listen on all addresses of the machine while it runs. Needs Linux.',
      ),
  handler: million,
};

async function million(args: Parsed): Promise<void> {
  checkArguments(args);
  const plan = planMillion(args.connections, args.processes, readMachine());
  process.stdout.write(`${plan.sentences.join('\n')}\n\n`);
  if (plan.connections < plan.pairs) throw new UsageError('this machine has no room for it: see above');

  const directory = mkdtempSync(join(tmpdir(), 'hongbao-million-'));
  const family = new Family(join(directory, 'compiled'));
  let signalCode: number | undefined;
  for (const [signal, code] of Object.entries(SIGNAL_CODES)) {
    process.on(signal, () => {
      signalCode = code;
      family.fail(new UsageError(`${signal}: everything that was started is being ended`));
    });
  }
  try {
    const result = await run(args, plan, directory, family);
    finish(args, plan, result);
  } catch (error) {
    // Said before the end of all processes, which may take a while.
    process.stderr.write(`hongbao: ${(error as Error).message}\n`);
    process.exitCode = 1;
  } finally {
    await family.end();
    rmSync(directory, { recursive: true, force: true });
  }
  process.exit(signalCode ?? process.exitCode);
}

async function run(args: Parsed, plan: MillionPlan, directory: string, family: Family): Promise<MillionResult> {
  const progress = new ProgressLine();
  let shakingAt: number | undefined;
  try {
    return await runMillion(
      {
        load: {
          connections: plan.connections,
          qps: args.qps,
          durationSeconds: args.duration,
          dropRate: args.dropRate,
          sendRate: args.sendRate,
        },
        pairs: plan.pairs,
        cores: availableParallelism(),
        data: args.data ?? join(directory, 'data'),
        warmUpData: join(directory, 'warm-up'),
        durability: args.durability,
        onProgress: (phase, how) => {
          if (phase === 'shaking') shakingAt ??= performance.now();
          const time = phase === 'shaking' ? { done: secondsSince(shakingAt!), total: args.duration } : {};
          progress.show({ phase, ...readCounted(how), ...time });
        },
      },
      family,
    );
  } finally {
    progress.end();
  }
}

/** What the run says of a phase, as a progress bar takes it: `3 of 10` in numbers, anything else as it is. */
function readCounted(how: string): Omit<Progress, 'phase'> {
  const counted = /^(\d+) of (\d+)$/.exec(how);
  if (counted !== null) return { done: Number(counted[1]), total: Number(counted[2]) };
  return how === '' ? {} : { how };
}

function secondsSince(atMs: number): number {
  return (performance.now() - atMs) / 1000;
}

function finish(args: Parsed, plan: MillionPlan, result: MillionResult): void {
  const faults = findMillionFaults(result);
  const lines = formatMillion(result, args.qps);
  if (faults.length > 0) lines.push('', ...faults.map((fault) => `FAILED: ${fault}`));
  process.stdout.write(`${lines.join('\n')}\n`);
  if (args.json !== undefined) {
    writeFileSync(args.json, JSON.stringify(toMillionJson(result, args.qps, plan.sentences), null, 2));
  }
  process.exitCode = faults.length > 0 ? 1 : 0;
}

function checkArguments(args: Parsed): void {
  if (process.platform !== 'linux') throw new UsageError('hongbao million reads /proc, which only Linux has');
  checkWhole('connections', args.connections, 1, MOST_CONNECTIONS);
  checkWhole('qps', args.qps, 0, MOST_RATE);
  checkWhole('duration', args.duration, 1, MOST_SECONDS);
  checkWhole('drop-rate', args.dropRate, 0, MOST_RATE);
  checkWhole('send-rate', args.sendRate, 0, MOST_RATE);
  if (args.processes !== undefined) {
    checkWhole('processes', args.processes, 1, Math.min(MOST_PROCESSES, args.connections));
  }
}

function readMachine(): Machine {
  return {
    descriptorsPerProcess: countDescriptors(),
    filesLeft: readFilesLeft(),
    availableBytes: readKernelMemory().availableBytes,
    cores: availableParallelism(),
    reserved: { server: RESERVED_DESCRIPTORS, client: LOAD_DESCRIPTORS },
  };
}
