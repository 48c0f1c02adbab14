// The command line: hongbao COMMAND. Each command is a file in commands/.

import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { VERSION } from '../lib/version.ts';
import { auditCommand } from './commands/audit.ts';
import { configCommand } from './commands/config.ts';
import { controlTokenCommand } from './commands/control-token.ts';
import { doctorCommand } from './commands/doctor.ts';
import { dropCommand } from './commands/drop.ts';
import { experimentCommand } from './commands/experiment.ts';
import { haltCommand } from './commands/halt.ts';
import { levelCommand } from './commands/level.ts';
import { loadCommand } from './commands/load.ts';
import { millionCommand } from './commands/million.ts';
import { monitorCommand } from './commands/monitor.ts';
import { qpsCommand } from './commands/qps.ts';
import { reportCommand } from './commands/report.ts';
import { sendCommand } from './commands/send.ts';
import { serveCommand } from './commands/serve.ts';
import { statusCommand } from './commands/status.ts';
import { tokenCommand } from './commands/token.ts';
import { verifyCommand } from './commands/verify.ts';
import { watchCommand } from './commands/watch.ts';
import { UsageError } from './usage-error.ts';

await yargs(hideBin(process.argv))
  .scriptName('hongbao')
  .usage('$0 <command>\n\nA red-packet server over raw TCP, and what belongs to it.')
  .command(serveCommand)
  .command(configCommand)
  .command(doctorCommand)
  .command(loadCommand)
  .command(qpsCommand)
  .command(millionCommand)
  .command(monitorCommand)
  .command(experimentCommand)
  .command(reportCommand)
  .command(dropCommand)
  .command(sendCommand)
  .command(statusCommand)
  .command(levelCommand)
  .command(haltCommand)
  .command(watchCommand)
  .command(tokenCommand)
  .command(controlTokenCommand)
  .command(auditCommand)
  .command(verifyCommand)
  .demandCommand(
    1,
    'say what to do: serve, config, doctor, load, drop, send, status, level, halt, watch, monitor, experiment, report, qps, ' +
      'million, token, control-token, audit or verify',
  )
  .strict()
  .recommendCommands()
  .wrap(Math.min(110, process.stdout.columns ?? 110))
  .fail(fail)
  .help()
  .version(VERSION)
  .parseAsync();

/** What the user can mend is one line and exit code 1; anything else is a fault of ours and shows where it happened. */
function fail(message: string | undefined, error: Error | undefined): void {
  const line = message?.replace(/\s*\n\s*/g, ' ');
  if (error === undefined) process.stderr.write(`hongbao: ${line}; see hongbao --help\n`);
  else process.stderr.write(`hongbao: ${error instanceof UsageError ? error.message : error.stack}\n`);
  process.exit(1);
}
