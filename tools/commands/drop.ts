// `hongbao drop`: starts a drop (packets that users win by shaking), shows, pauses, resumes, or closes one.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { allowOneOperation, operateCampaign, startCampaign } from '../campaign-command.ts';
import { controlOf, controlOption } from '../control-client.ts';
import { UsageError } from '../usage-error.ts';

const options = {
  count: { type: 'number', describe: 'packets' },
  rate: { type: 'number', default: 200, describe: 'packets released a second' },
  budget: { type: 'number', describe: 'cents over all packets' },
  min: { type: 'number', describe: 'least cents of a packet  [default: 1]' },
  max: { type: 'number', describe: 'most cents of a packet  [default: 20000]' },
  'wins-per-user': { type: 'number', describe: 'how often one user may win  [default: any number of times]' },
  'start-at': { type: 'string', describe: 'when it begins, such as 2027-02-17T20:00:00+08:00  [default: now]' },
  'dry-run': { type: 'boolean', default: false, describe: 'only say what it would do, when, and what it can cost' },
  show: { type: 'number', describe: 'show the drop with this id instead of starting one' },
  close: { type: 'number', describe: 'close the drop with this id: what nobody won goes back' },
  pause: { type: 'number', describe: 'release nothing more of the drop with this id, until it is resumed' },
  resume: { type: 'number', describe: 'go on releasing the drop with this id' },
  list: { type: 'boolean', default: false, describe: 'list the last drops, newest first' },
  wait: { type: 'boolean', default: false, describe: 'wait until the drop is closed' },
  ...controlOption,
} as const;

type DropArguments = InferredOptionTypes<typeof options>;

export const dropCommand: CommandModule<object, DropArguments> = {
  command: 'drop',
  describe: 'start a drop: packets that users win by shaking',
  builder: (yargs) =>
    allowOneOperation(yargs.options(options))
      .example('$0 drop --count 4000 --rate 200 --budget 400000', '4,000 packets in 20 seconds, 4,000.00 yuan in all')
      .example('$0 drop --show 1', 'how drop 1 stands'),
  handler: drop,
};

async function drop(args: ArgumentsCamelCase<DropArguments>): Promise<void> {
  const control = controlOf(args);
  if (await operateCampaign(control, '/drops', args)) return;
  if (args.count === undefined || args.budget === undefined) {
    throw new UsageError(
      'a drop needs --count and --budget (in cents); or use --show, --close, --pause or --resume with an id',
    );
  }
  const body = {
    count: args.count,
    rate: args.rate,
    budget: args.budget,
    min: args.min,
    max: args.max,
    winsPerUser: args.winsPerUser,
    startAt: args.startAt,
    dryRun: args.dryRun || undefined,
  };
  await startCampaign(control, '/drops', body, args.wait && !args.dryRun);
}
