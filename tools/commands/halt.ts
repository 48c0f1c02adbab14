// `hongbao halt`: the kill switch: pauses every drop and send of a running server, and lets them go on.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { callControl, controlOf, controlOption, printJson } from '../control-client.ts';

const options = {
  end: { type: 'boolean', default: false, describe: 'let go on what it has paused' },
  show: { type: 'boolean', default: false, describe: 'only say whether it is on' },
  ...controlOption,
} as const;

type HaltArguments = InferredOptionTypes<typeof options>;

export const haltCommand: CommandModule<object, HaltArguments> = {
  command: 'halt',
  describe: 'kill switch: pause every drop and send, and refuse new ones',
  builder: (yargs) => yargs.options(options).conflicts('end', 'show'),
  handler: halt,
};

async function halt(args: ArgumentsCamelCase<HaltArguments>): Promise<void> {
  printJson(await callControl(controlOf(args), args.show ? 'GET' : args.end ? 'DELETE' : 'POST', '/halt'));
}
