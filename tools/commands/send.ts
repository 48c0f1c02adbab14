// `hongbao send`: sends packets to users, who are told and grab a share each; shows, pauses, resumes, or closes a send.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { parseUsers } from '../../clients/load/load-options.ts';
import { allowOneOperation, operateCampaign, startCampaign } from '../campaign-command.ts';
import { controlOf, controlOption } from '../control-client.ts';
import { UsageError } from '../usage-error.ts';

const options = {
  count: { type: 'number', describe: 'packets' },
  rate: { type: 'number', default: 200, describe: 'packets created a second' },
  shares: { type: 'number', default: 3, describe: 'shares of each packet, and users it is sent to' },
  total: { type: 'string', describe: 'cents of each packet, or low:high' },
  users: { type: 'string', describe: 'first:last user id; they are sent to in turn' },
  mode: { choices: ['lucky', 'line', 'equal'] as const, default: 'lucky', describe: 'how a packet is split' },
  expires: { type: 'number', describe: 'seconds that a packet lives  [default: a day]' },
  recipients: { type: 'number', describe: 'users that each packet is sent to  [default: as many as shares]' },
  cap: { type: 'number', describe: 'cents that it puts into packets at the most  [default: no bound]' },
  'start-at': { type: 'string', describe: 'when it begins, such as 2027-02-17T20:00:00+08:00  [default: now]' },
  'dry-run': { type: 'boolean', default: false, describe: 'only say what it would do, when, and what it can cost' },
  show: { type: 'number', describe: 'show the send with this id instead of starting one' },
  close: { type: 'number', describe: 'create nothing more of the send with this id; what is out can still be grabbed' },
  pause: { type: 'number', describe: 'create nothing more of the send with this id, until it is resumed' },
  resume: { type: 'number', describe: 'go on creating the send with this id' },
  list: { type: 'boolean', default: false, describe: 'list the last sends, newest first' },
  wait: { type: 'boolean', default: false, describe: 'wait until every packet is grabbed or has expired' },
  ...controlOption,
} as const;

type SendArguments = InferredOptionTypes<typeof options>;

export const sendCommand: CommandModule<object, SendArguments> = {
  command: 'send',
  describe: 'send packets to users, who are told and grab a share each',
  builder: (yargs) =>
    allowOneOperation(yargs.options(options))
      .example(
        '$0 send --count 2000 --rate 200 --shares 3 --total 300 --users 0:9999',
        '3.00 yuan to 3 users, 2,000 times',
      )
      .example('$0 send --show 1', 'how send 1 stands'),
  handler: send,
};

async function send(args: ArgumentsCamelCase<SendArguments>): Promise<void> {
  const control = controlOf(args);
  if (await operateCampaign(control, '/sends', args)) return;
  const users = args.users === undefined ? undefined : parseUsers(args.users);
  const total = args.total === undefined ? undefined : parseTotal(args.total);
  if (args.count === undefined || total === undefined || users === undefined) {
    throw new UsageError(
      'a send needs --count, --total CENTS or LOW:HIGH, and --users FIRST:LAST; or --show, --close, --pause or --resume with an id',
    );
  }
  const { count, rate, shares, mode, expires: expiresInSeconds } = args;
  const { cap, recipients, startAt, dryRun } = args;
  const body = {
    count,
    rate,
    shares,
    recipients,
    total,
    users,
    mode,
    expiresInSeconds,
    cap,
    startAt,
    dryRun: dryRun || undefined,
  };
  await startCampaign(control, '/sends', body, args.wait && !dryRun);
}

/** Reads `cents` or `low:high`. Returns undefined if it is neither. */
function parseTotal(text: string): number | [number, number] | undefined {
  const match = /^(\d+)(?::(\d+))?$/.exec(text);
  if (match === null) return undefined;
  return match[2] === undefined ? Number(match[1]) : [Number(match[1]), Number(match[2])];
}
