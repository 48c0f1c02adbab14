// `hongbao experiment`: the published experiment on this machine, from the first connection to the audit, with a verdict.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { MOST_QPS } from '../../clients/load/load-options.ts';
import { RESERVED_DESCRIPTORS } from '../../lib/net/limits.ts';
import { countDescriptors } from '../../lib/server-options.ts';
import { checkWhole } from '../check-whole.ts';
import { type ExperimentPlan, PUBLISHED, planExperiment } from '../experiment/plan.ts';
import { formatPlan } from '../experiment/print-experiment.ts';
import { ProgressLine } from '../progress-line.ts';
import { LANGUAGES } from '../report/words.ts';
import { UsageError } from '../usage-error.ts';
import { formatVerdict } from '../verdict.ts';

/** What --quick takes, where nothing else is said: about a minute. */
const QUICK = { scale: 0.05, connections: 2000 };

const options = {
  scale: {
    type: 'number',
    describe: 'share of the published packets, above 0: they come as fast, for less long  [default: 1]',
  },
  connections: { type: 'number', describe: 'users  [default: a million, or what the descriptors allow]' },
  qps: { type: 'string', default: '30000,60000', describe: 'shakes a second, one phase each, with commas between' },
  quick: {
    type: 'boolean',
    default: false,
    describe: `about a minute: --scale ${QUICK.scale} --connections ${QUICK.connections}`,
  },
  durability: { choices: ['fsync', 'buffered'] as const, default: 'fsync', describe: 'that of the server' },
  output: {
    alias: 'o',
    type: 'string',
    default: './data/experiments',
    describe: 'gets a directory of this run: data, run log, report',
  },
  lang: { choices: LANGUAGES, default: 'en', describe: 'language of the report' },
  port: { type: 'number', default: 0, describe: 'where the dashboard is meanwhile; 0 picks a free port' },
} as const;

type ExperimentArguments = InferredOptionTypes<typeof options>;
type Parsed = ArgumentsCamelCase<ExperimentArguments>;

export const experimentCommand: CommandModule<object, ExperimentArguments> = {
  command: 'experiment',
  describe: 'the whole published experiment, scaled to this machine, with verdict and report',
  builder: (yargs) =>
    yargs
      .options(options)
      .example('$0 experiment', 'all of it: about eleven minutes')
      .example('$0 experiment --quick', 'a twentieth of the packets, 2,000 users: about a minute'),
  handler: experiment,
};

async function experiment(args: Parsed): Promise<void> {
  const plan = readPlan(args);
  checkWhole('port', args.port, 0, 65_535);
  process.stdout.write(`${formatPlan(plan).join('\n')}\n`);
  const { holdExperiment } = await import('../experiment/whole-experiment.ts');
  const progress = new ProgressLine();
  const { verdict, report, runLog } = await holdExperiment({
    plan,
    output: args.output,
    durability: args.durability,
    language: args.lang,
    port: args.port,
    onDashboard: (url) => process.stdout.write(`dashboard: ${url}\n\n`),
    onProgress: (shown) => progress.show(shown),
    onError: (error) => process.stderr.write(`hongbao: ${error.message}\n`),
  }).finally(() => progress.end());
  process.stdout.write(`${[...formatVerdict(verdict), `report: ${report}`, `run log: ${runLog}`].join('\n')}\n`);
  process.exitCode = verdict.isPassed ? 0 : 1;
}

function readPlan(args: Parsed): ExperimentPlan {
  const scale = args.scale ?? (args.quick ? QUICK.scale : 1);
  if (!(scale > 0 && scale <= 100)) throw new UsageError('--scale must be above 0, and at most 100');
  const rates = args.qps.split(',').map(Number);
  for (const qps of rates) checkWhole('qps', qps, 1, MOST_QPS);
  const most = countDescriptors() - RESERVED_DESCRIPTORS;
  const connections = args.connections ?? Math.min(most, args.quick ? QUICK.connections : PUBLISHED.connections);
  checkWhole('connections', connections, PUBLISHED.shares, 10_000_000);
  if (connections > most) {
    throw new UsageError(
      `a process may open ${most} connections here, not ${connections}: raise it with ulimit -n, or see hongbao million`,
    );
  }
  return planExperiment({ connections, rates, scale });
}
