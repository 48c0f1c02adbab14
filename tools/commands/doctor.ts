// `hongbao doctor`: what this machine can carry, and what to change on it, each with the command to run.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { formatCount } from '../../lib/monitor/text-table.ts';
import { DEFAULT_SERVER_OPTIONS as DEFAULTS } from '../../lib/server-options.ts';
import { checkWhole } from '../check-whole.ts';
import { printJson } from '../control-client.ts';
import type { Check } from '../doctor/checks.ts';
import { MOST_CONNECTIONS } from '../doctor/limits.ts';

const options = {
  connections: {
    type: 'number',
    describe: 'connections that are wanted',
    defaultDescription: 'what the descriptors carry',
  },
  data: { type: 'string', default: DEFAULTS.data, describe: "directory of the server's files" },
  host: { type: 'string', default: DEFAULTS.host, describe: 'address where clients connect' },
  port: { type: 'number', default: DEFAULTS.port, describe: 'TCP port where clients connect' },
  'control-port': { type: 'number', default: DEFAULTS.controlPort, describe: 'port of the HTTP control API' },
  acceptors: { type: 'number', default: DEFAULTS.acceptors, describe: 'threads that own connections' },
  workers: { type: 'number', default: DEFAULTS.workers, describe: 'threads that own SETs' },
  json: { type: 'boolean', default: false, describe: 'print JSON instead of a table' },
} as const;

type DoctorArguments = InferredOptionTypes<typeof options>;

/** What a machine that says nothing is asked for. */
const CONNECTIONS_UNKNOWN = 10_000;

export const doctorCommand: CommandModule<object, DoctorArguments> = {
  command: 'doctor',
  describe: 'check what this machine can carry, and say what to change; exit code 1 if something must change',
  builder: (yargs) => yargs.options(options).example('$0 doctor --connections 1000000', 'for a million connections'),
  handler: doctor,
};

async function doctor(args: ArgumentsCamelCase<DoctorArguments>): Promise<void> {
  const { data, host, port, controlPort, acceptors, workers } = args;
  if (args.connections !== undefined) checkWhole('connections', args.connections, 1, MOST_CONNECTIONS);
  for (const [name, value] of [
    ['port', port],
    ['control-port', controlPort],
  ] as const)
    checkWhole(name, value, 1, 65_535);
  checkWhole('acceptors', acceptors, 1, 64);
  checkWhole('workers', workers, 1, 64);
  const { readFacts } = await import('../doctor/facts.ts');
  const { carriedBy, checkMachine } = await import('../doctor/checks.ts');
  const facts = await readFacts({ data, host, ports: [port, controlPort], acceptors, workers });
  const connections = args.connections ?? (carriedBy(facts) || CONNECTIONS_UNKNOWN);
  const checks = checkMachine(facts, { connections, acceptors, workers });
  if (args.json) printJson({ connections, checks, facts });
  else process.stdout.write(`${formatChecks(connections, checks).join('\n')}\n`);
  if (checks.some(({ state }) => state === 'change')) process.exitCode = 1;
}

/** A line for each check, and below one that is not ok what to run. */
export function formatChecks(connections: number, checks: readonly Check[]): string[] {
  const width = Math.max(...checks.map(({ what }) => what.length));
  const lines = checks.flatMap(({ what, state, found, command }) => [
    `${what.padEnd(width)}  ${state.padEnd('cannot tell'.length)}  ${found}`,
    ...(command === '' ? [] : [`${' '.repeat(width)}  ${' '.repeat('cannot tell'.length)}  -> ${command}`]),
  ]);
  const changes = checks.filter(({ state }) => state === 'change').length;
  const verdict = changes === 0 ? 'nothing must change' : `${changes} to change`;
  return [`for ${formatCount(connections)} connections`, '', ...lines, '', verdict];
}
