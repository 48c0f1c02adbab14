// `hongbao watch`: what a running server and its clients do, second by second: a full screen, or a line a second.

import { setInterval } from 'node:timers/promises';
import type { ArgumentsCamelCase, CommandModule, InferredOptionTypes } from 'yargs';
import { checkWhole } from '../check-whole.ts';
import { controlOf, controlOption } from '../control-client.ts';
import { type Follower, followLive } from '../watch/follow-live.ts';
import { WatchLines } from '../watch/watch-lines.ts';
import { WatchScreen } from '../watch/watch-screen.ts';

const options = {
  ...controlOption,
  lines: {
    type: 'boolean',
    default: false,
    describe: 'print a line a second; so by itself where stdout is no terminal',
  },
  count: { type: 'number', describe: 'print so many lines, then end' },
} as const;

type WatchArguments = InferredOptionTypes<typeof options>;

/** How often it is looked whether something is due, in milliseconds. */
const TICK_MS = 100;

const MOST_LINES = 1_000_000_000;

/** What ends it in good order. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

interface Viewer extends Follower {
  /** Called every TICK_MS. */
  tick(): void;
  close?(): void;
}

export const watchCommand: CommandModule<object, WatchArguments> = {
  command: 'watch',
  describe: 'watch a running server and its load clients; q or Ctrl-C quits',
  builder: (yargs) =>
    yargs
      .options(options)
      .example('$0 watch', 'a full screen, once a second')
      .example('$0 watch --lines --count 60 | tee minute.txt', 'a minute in lines'),
  handler: watch,
};

async function watch(args: ArgumentsCamelCase<WatchArguments>): Promise<void> {
  if (args.count !== undefined) checkWhole('count', args.count, 1, MOST_LINES);
  const stop = new AbortController();
  const end = () => stop.abort();
  const onOutputError = (error: NodeJS.ErrnoException) => {
    // Whoever read the lines has read enough, or the terminal is gone.
    if (error.code === 'EPIPE' || error.code === 'EIO') end();
    else throw error;
  };
  for (const signal of SIGNALS) process.once(signal, end);
  process.stdout.on('error', onOutputError);
  const viewer = makeViewer(args, end);
  try {
    await Promise.all([followLive(controlOf(args), viewer, stop.signal), tick(viewer, stop.signal)]);
  } finally {
    end();
    viewer.close?.();
    for (const signal of SIGNALS) process.removeListener(signal, end);
    process.stdout.removeListener('error', onOutputError);
  }
}

function makeViewer({ lines, count, control }: ArgumentsCamelCase<WatchArguments>, end: () => void): Viewer {
  const { stdout, stderr, stdin, env } = process;
  if (lines || count !== undefined || !stdout.isTTY) {
    const output = {
      print: (line: string) => stdout.write(`${line}\n`),
      say: (sentence: string) => stderr.write(`hongbao: ${sentence}\n`),
    };
    return new WatchLines(output, count ?? Number.POSITIVE_INFINITY, end);
  }
  const isColored = (env.NO_COLOR ?? '') === '';
  return new WatchScreen(control, stdout, stdin, isColored, end);
}

async function tick(viewer: Viewer, signal: AbortSignal): Promise<void> {
  const ticks = setInterval(TICK_MS, undefined, { signal });
  try {
    for await (const _ of ticks) viewer.tick();
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
  }
}
