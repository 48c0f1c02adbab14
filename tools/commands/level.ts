// `hongbao level`: how much a running server sheds; sets that by hand, or leaves it to the server again.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { callControl, controlOf, controlOption, printJson } from '../control-client.ts';
import { UsageError } from '../usage-error.ts';

interface LevelArguments extends InferredOptionTypes<typeof controlOption> {
  level: string | undefined;
}

export const levelCommand: CommandModule<object, LevelArguments> = {
  command: 'level [level]',
  describe: 'show or set how much a running server sheds',
  builder: (yargs) =>
    yargs
      .positional('level', {
        type: 'string',
        describe: '0 nothing, 1 records and the like, 2 half of the shakes, 3 all shakes; auto leaves it to the server',
      })
      .options(controlOption)
      .example('$0 level 3', 'a kill switch for shakes: only grabs and money run')
      .example('$0 level auto', 'the server decides again'),
  handler: level,
};

async function level(args: ArgumentsCamelCase<LevelArguments>): Promise<void> {
  const { level } = args;
  const control = controlOf(args);
  if (level === undefined) return printJson(await callControl(control, 'GET', '/level'));
  if (level === 'auto') return printJson(await callControl(control, 'DELETE', '/level'));
  if (!/^\d$/.test(level)) throw new UsageError('the level must be 0, 1, 2, 3 or auto');
  printJson(await callControl(control, 'PUT', '/level', { level: Number(level) }));
}
