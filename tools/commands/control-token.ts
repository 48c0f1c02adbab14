// `hongbao control-token`: prints a token of the control API.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { AccessError } from '../../lib/access/access-error.ts';
import { CONTROL_RIGHTS, readControlTokens } from '../../lib/access/control-tokens.ts';
import { UsageError } from '../usage-error.ts';

const options = {
  right: {
    choices: CONTROL_RIGHTS,
    default: 'operate',
    describe: 'read: to see everything; operate: to change things too',
  },
  data: { type: 'string', default: './data', describe: 'data directory of the server or monitor' },
} as const;

type ControlTokenArguments = InferredOptionTypes<typeof options>;

export const controlTokenCommand: CommandModule<object, ControlTokenArguments> = {
  command: 'control-token',
  describe: 'print a token of the control API, for where it asks for one',
  builder: (yargs) =>
    yargs
      .options(options)
      .example(
        'HONGBAO_CONTROL_TOKEN=$($0 control-token --right read) $0 watch --control http://10.0.0.5:8989',
        'look on from another machine',
      ),
  handler: async ({ data, right }: ArgumentsCamelCase<ControlTokenArguments>) => {
    try {
      process.stdout.write(`${readControlTokens(data)[right]}\n`);
    } catch (error) {
      if (!(error instanceof AccessError)) throw error;
      const how = '; a server makes it that is started with --control-auth token or beyond loopback';
      throw new UsageError(`${error.message}${error.code === 'missing' ? how : ''}`);
    }
  },
};
