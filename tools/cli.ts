// The command line: hongbao COMMAND. Each command is a file in commands/.

import yargs, { type CommandModule } from 'yargs';
import { hideBin } from 'yargs/helpers';
import { VERSION } from '../lib/version.ts';
import { UsageError } from './usage-error.ts';

/** The commands, in the order in which the help lists them. */
// biome-ignore lint/suspicious/noExplicitAny: the arguments of each command are of another type
const COMMANDS: Record<string, () => Promise<CommandModule<object, any>>> = {
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  config: async () => (await import('./commands/config.ts')).configCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  load: async () => (await import('./commands/load.ts')).loadCommand,
  qps: async () => (await import('./commands/qps.ts')).qpsCommand,
  million: async () => (await import('./commands/million.ts')).millionCommand,
  monitor: async () => (await import('./commands/monitor.ts')).monitorCommand,
  experiment: async () => (await import('./commands/experiment.ts')).experimentCommand,
  report: async () => (await import('./commands/report.ts')).reportCommand,
  drop: async () => (await import('./commands/drop.ts')).dropCommand,
  send: async () => (await import('./commands/send.ts')).sendCommand,
  status: async () => (await import('./commands/status.ts')).statusCommand,
  level: async () => (await import('./commands/level.ts')).levelCommand,
  halt: async () => (await import('./commands/halt.ts')).haltCommand,
  watch: async () => (await import('./commands/watch.ts')).watchCommand,
  token: async () => (await import('./commands/token.ts')).tokenCommand,
  'control-token': async () => (await import('./commands/control-token.ts')).controlTokenCommand,
  audit: async () => (await import('./commands/audit.ts')).auditCommand,
  verify: async () => (await import('./commands/verify.ts')).verifyCommand,
};

const names = Object.keys(COMMANDS);
const words = hideBin(process.argv);
// Only the command that is named is loaded: most answer in half the time without the others.
const isNamed = words.length > 0 && Object.hasOwn(COMMANDS, words[0]);
const commands = await Promise.all((isNamed ? words.slice(0, 1) : names).map((name) => COMMANDS[name]()));

await yargs(words)
  .scriptName('hongbao')
  .usage('$0 <command>\n\nA red-packet server over raw TCP, and what belongs to it.')
  .command(commands)
  .demandCommand(1, `say what to do: ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`)
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
