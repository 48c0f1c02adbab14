// `hongbao qps`: gives running load clients another rate, all from the same second on.

import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { MOST_QPS, parseTarget } from '../../clients/load/load-options.ts';
import type { RateChange } from '../../clients/load/load-steering.ts';
import { checkWhole } from '../check-whole.ts';
import { callControl } from '../control-client.ts';
import { UsageError } from '../usage-error.ts';

interface QpsArguments {
  qps: number;
  clients: string[];
}

/** How long all clients together may take to hear of it, in milliseconds. */
const NOTICE_MS = 500;

export const qpsCommand: CommandModule<object, QpsArguments> = {
  command: 'qps <qps>',
  describe: 'change the rate of running load clients',
  builder: (yargs) =>
    yargs
      .positional('qps', { type: 'number', demandOption: true, describe: 'shakes a second over the whole population' })
      .option('clients', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'host:port of each control (hongbao load --control), with commas or spaces between',
      })
      .example('$0 qps 60000 --clients 127.0.0.1:9001,127.0.0.1:9002', 'both clients, from the same second on'),
  handler: setQps,
};

async function setQps(args: ArgumentsCamelCase<QpsArguments>): Promise<void> {
  checkWhole('qps', args.qps, 0, MOST_QPS);
  const names = args.clients.flatMap((text) => text.split(',')).filter((name) => name !== '');
  if (names.length === 0) throw new UsageError('--clients must name at least one host:port');
  const bases = names.map(readBase);
  const fromMs = Math.ceil((Date.now() + NOTICE_MS) / 1000) * 1000;
  const calls = bases.map((base) => callControl(base, 'PUT', '/qps', { qps: args.qps, fromMs }));
  const outcomes = await Promise.allSettled(calls as Promise<RateChange>[]);
  const lines = outcomes.map((outcome, i) => describe(names[i], outcome, fromMs));
  process.stdout.write(`${lines.join('\n')}\n`);
  if (outcomes.some((outcome) => outcome.status === 'rejected' || outcome.value.fromMs !== fromMs))
    process.exitCode = 1;
}

function readBase(name: string): string {
  const target = parseTarget(name);
  if (target === undefined) throw new UsageError(`--clients must be host:port, not ${name}`);
  return `http://${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
}

function describe(name: string, outcome: PromiseSettledResult<RateChange>, fromMs: number): string {
  if (outcome.status === 'rejected') return `${name}: FAILED: ${(outcome.reason as Error).message}`;
  const { qps, fromMs: atMs } = outcome.value;
  const late = atMs === fromMs ? '' : `, ${(atMs - fromMs) / 1000} s after the others`;
  return `${name}: ${qps}/s from ${new Date(atMs).toISOString()} on${late}`;
}
