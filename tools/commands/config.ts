// `hongbao config`: the settled configuration of `serve` and where each value comes from; or the mistakes in a config file.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { formatTable } from '../../lib/monitor/text-table.ts';
import { ConfigError } from '../config/config-error.ts';
import { flagsOf, type OptionTable, settle, showValue, withoutDefaults } from '../config/settle.ts';
import { printJson } from '../control-client.ts';
import { checkServeValues, configOption, serveOptions } from './serve.ts';

const options = {
  ...configOption,
  check: { type: 'string', describe: 'check this file instead; exit code 1 if something is wrong with it' },
  json: { type: 'boolean', default: false, describe: 'print JSON instead of a table' },
} as const;

type ConfigArguments = InferredOptionTypes<typeof options>;

export const configCommand: CommandModule<object, ConfigArguments> = {
  command: 'config',
  describe: 'show what serve would use with these flags and this file, or check a file',
  builder: (yargs) =>
    yargs
      .options(withoutDefaults(serveOptions as OptionTable))
      .options(options)
      .example('$0 config --check hongbao.json', 'every mistake in the file')
      .example('$0 config --config hongbao.json --port 1026', 'what serve would use with the same words') as never,
  handler: config,
};

async function config(args: ArgumentsCamelCase<ConfigArguments>): Promise<void> {
  const { readConfigFile } = await import('../config/config-file.ts');
  if (args.check !== undefined) {
    try {
      const values = readConfigFile(serveOptions, checkServeValues, args.check);
      process.stdout.write(`${args.check}: no mistakes, ${Object.keys(values).length} options\n`);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      process.stderr.write(`${error.mistakes.join('\n')}\n`);
      process.exitCode = 1;
    }
    return;
  }
  const file = args.config === undefined ? {} : readConfigFile(serveOptions, checkServeValues, args.config);
  const { values, origins } = settle(serveOptions, file, flagsOf(serveOptions, args));
  checkServeValues(values);
  const shown = Object.keys(serveOptions).map((name) => ({
    name,
    value: showValue(serveOptions, name, values[name]),
    from: origins[name],
  }));
  if (args.json) printJson(Object.fromEntries(shown.map(({ name, value, from }) => [name, { value, from }])));
  else {
    const rows = [['option', 'value', 'from'], ...shown.map(({ name, value, from }) => [name, value, from])];
    process.stdout.write(`${formatTable(rows).join('\n')}\n`);
  }
}
