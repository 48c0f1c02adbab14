// `hongbao token`: prints a token for a user, and keeps the keys that sign them.

import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { AccessError } from '../../lib/access/access-error.ts';
import { MAX_TOKEN_SECONDS, MAX_TOKEN_USER_ID } from '../../lib/access/limits.ts';
import { signToken } from '../../lib/access/token.ts';
import { listKeys, readTokenKeys, retireKey, rotateKeys } from '../../lib/access/token-keys.ts';
import { formatTable } from '../../lib/monitor/text-table.ts';
import { checkWhole } from '../check-whole.ts';
import { UsageError } from '../usage-error.ts';

const options = {
  user: { type: 'number', describe: 'user id that the token is for' },
  ttl: { type: 'string', default: '1h', describe: 'how long it is good: seconds, or a number with s, m, h or d' },
  data: { type: 'string', default: './data', describe: 'data directory of the server, which has the keys' },
  rotate: {
    type: 'boolean',
    describe: 'make a new key, which signs from now on; older ones still verify',
  },
  retire: { type: 'string', describe: 'id of a key whose tokens are good no more' },
  keys: { type: 'boolean', describe: 'list the keys, without their secrets' },
} as const;

type TokenArguments = InferredOptionTypes<typeof options>;

/** Seconds of each unit of --ttl. */
const UNITS: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 };

export const tokenCommand: CommandModule<object, TokenArguments> = {
  command: 'token',
  describe: 'make a token for a user, or rotate and retire the keys that sign them',
  builder: (yargs) =>
    yargs
      .options(options)
      .conflicts('user', ['rotate', 'retire', 'keys'])
      .conflicts('retire', ['rotate', 'keys'])
      .conflicts('rotate', 'keys')
      .example('$0 token --user 42 --ttl 1h', 'a token for user 42')
      .example('$0 token --rotate', 'a new key; a running server takes it within a second or two'),
  handler: run,
};

async function run(args: ArgumentsCamelCase<TokenArguments>): Promise<void> {
  try {
    process.stdout.write(`${answer(args).join('\n')}\n`);
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    const how = `; start hongbao serve --auth token --data ${args.data} first`;
    throw new UsageError(`${error.message}${error.code === 'missing' ? how : ''}`);
  }
}

function answer({ user, ttl, data, rotate, retire, keys }: ArgumentsCamelCase<TokenArguments>): string[] {
  const nowSeconds = Math.floor(Date.now() / 1000);
  if (rotate) return [`the key ${rotateKeys(data, nowSeconds)} signs from now on`];
  if (retire !== undefined) {
    retireKey(data, retire, nowSeconds);
    return [`the key ${retire} is retired`];
  }
  if (keys) return formatTable([['key', 'made', 'state'], ...listKeys(data).map(describeKey)]);
  if (user === undefined) throw new UsageError('say --user ID for a token, or --rotate, --retire KEY or --keys');
  checkWhole('user', user, 0, MAX_TOKEN_USER_ID);
  return [signToken(readTokenKeys(data).at(-1)!, user, nowSeconds + readSeconds(ttl))];
}

function describeKey({ id, createdAt, retiredAt, isSigning }: ReturnType<typeof listKeys>[number]): string[] {
  const state = retiredAt !== undefined ? `retired ${formatTime(retiredAt)}` : isSigning ? 'signs' : 'verifies';
  return [id, formatTime(createdAt), state];
}

function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19);
}

function readSeconds(text: string): number {
  const match = /^([1-9]\d{0,8})([smhd]?)$/.exec(text);
  const seconds = match === null ? 0 : Number(match[1]) * UNITS[match[2]];
  if (seconds >= 1 && seconds <= MAX_TOKEN_SECONDS) return seconds;
  throw new UsageError(`--ttl must be 1 second to ${MAX_TOKEN_SECONDS / 86_400} days, such as 90s, 30m, 12h or 7d`);
}
