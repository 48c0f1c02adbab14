// `hongbao monitor`: a monitor of its own, for several servers and load clients: merges their samples and shows them.

import { mkdirSync } from 'node:fs';
import type { Logger } from 'pino';
import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { isLoopback } from '../../lib/access/loopback.ts';
import { Monitor } from '../../lib/monitor/monitor.ts';
import { makeRunHeader } from '../../lib/monitor/run-header.ts';
import { RunLog } from '../../lib/monitor/run-log.ts';
import { CONTROL_AUTHS } from '../../lib/server-options.ts';
import { SERVER_NAME } from '../../lib/version.ts';
import { checkWhole } from '../check-whole.ts';
import { logOptions, openLog } from '../log.ts';
import { UsageError } from '../usage-error.ts';

const options = {
  host: { type: 'string', default: '127.0.0.1', describe: 'address where samples are taken and the dashboard is' },
  port: { type: 'number', default: 8990, describe: 'its port; 0 picks a free one' },
  data: { type: 'string', default: './data', describe: 'directory of its control tokens, where it asks for one' },
  auth: {
    choices: CONTROL_AUTHS,
    default: 'auto',
    describe: 'whether it asks for a control token: auto does so beyond this machine (hongbao control-token)',
  },
  runs: { type: 'string', default: './data/runs', describe: 'directory of run logs' },
  'run-log': { type: 'boolean', default: true, describe: 'write a run log (--no-run-log does not)' },
  ...logOptions,
} as const;

type MonitorArguments = InferredOptionTypes<typeof options>;

export const monitorCommand: CommandModule<object, MonitorArguments> = {
  command: 'monitor',
  describe: 'gather the samples of several servers and load clients, and show them',
  builder: (yargs) =>
    yargs
      .options(options)
      .example('$0 monitor', 'then: hongbao serve --monitor http://127.0.0.1:8990, and the same for hongbao load'),
  handler: monitor,
};

async function monitor(args: ArgumentsCamelCase<MonitorArguments>): Promise<void> {
  checkWhole('port', args.port, 0, 65_535);
  const log = openLog(args.logLevel, args.logPretty);
  const logError = (error: Error) => log.error({ err: error }, error.message);
  const runLog = args.runLog ? openRunLog(args.runs, logError) : undefined;
  const gathered = new Monitor(runLog);
  // Loaded only when it is needed: --help and mistakes answer at once.
  const { buildMonitorServer } = await import('../../lib/control/monitor-server.ts');
  const app = buildMonitorServer(gathered, SERVER_NAME, args.host, logError, await openMonitorGate(args, log));
  const address = await app.listen({ host: args.host, port: args.port }).catch((error: Error) => {
    throw new UsageError(`cannot listen on ${args.host}:${args.port}: ${error.message}`);
  });
  log.info(`monitor at ${address}${runLog === undefined ? '' : `, run log ${runLog.path}`}`);
  const stop = async () => {
    await app.close();
    await gathered.close();
    process.exit(0);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

async function openMonitorGate({ host, auth, data }: ArgumentsCamelCase<MonitorArguments>, log: Logger) {
  const { openGate } = await import('../../lib/server-access.ts');
  const isGuarded = auth === 'token' || !isLoopback(host);
  try {
    if (isGuarded) mkdirSync(data, { recursive: true });
    return openGate(data, isGuarded, (sentence) => log.info(sentence));
  } catch (error) {
    throw new UsageError(`--data: ${(error as Error).message}`);
  }
}

function openRunLog(directory: string, onError: (error: Error) => void): RunLog {
  try {
    return new RunLog({ directory, header: makeRunHeader('monitor', SERVER_NAME), onError });
  } catch (error) {
    throw new UsageError(`--runs: ${(error as Error).message}`);
  }
}
