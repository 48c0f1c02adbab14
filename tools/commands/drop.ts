// `hongbao drop`: starts a drop (packets that users win by shaking), shows, pauses, resumes, or closes one.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { callControl, controlOf, controlOption, printJson } from '../control-client.ts';
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
    yargs
      .options(options)
      .conflicts('show', ['close', 'pause', 'resume'])
      .conflicts('close', ['pause', 'resume'])
      .conflicts('pause', 'resume')
      .example('$0 drop --count 4000 --rate 200 --budget 400000', '4,000 packets in 20 seconds, 4,000.00 yuan in all')
      .example('$0 drop --show 1', 'how drop 1 stands'),
  handler: drop,
};

async function drop(args: ArgumentsCamelCase<DropArguments>): Promise<void> {
  const { show, close, pause, resume } = args;
  const control = controlOf(args);
  if (args.list) return printJson(await callControl(control, 'GET', '/drops'));
  if (show !== undefined) return printJson(await callControl(control, 'GET', `/drops/${show}`));
  if (close !== undefined) return printJson(await callControl(control, 'POST', `/drops/${close}/close`));
  if (pause !== undefined) return printJson(await callControl(control, 'POST', `/drops/${pause}/pause`));
  if (resume !== undefined) return printJson(await callControl(control, 'POST', `/drops/${resume}/resume`));
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
  let status = (await callControl(control, 'POST', '/drops', body)) as { id: number; state: string };
  while (args.wait && !args.dryRun && status.state !== 'closed') {
    await sleep(200);
    status = (await callControl(control, 'GET', `/drops/${status.id}`)) as typeof status;
  }
  printJson(status);
}
