// The log of a serving process: pino on stderr, JSON for programs, or lines for people.

import { type Logger, pino } from 'pino';
import { default as pretty } from 'pino-pretty';

/** The options of a command that logs. */
export const logOptions = {
  'log-level': {
    choices: ['debug', 'info', 'warn', 'error', 'silent'] as const,
    default: 'info',
    describe: 'what is logged on stderr',
  },
  'log-pretty': {
    type: 'boolean',
    default: process.stderr.isTTY === true,
    describe: 'log lines for people instead of JSON; so by itself on a terminal',
  },
} as const;

/** Opens the log. Lines go out at once: the last one before an exit is the one that matters. */
export function openLog(level: string, isPretty: boolean): Logger {
  const stream = isPretty
    ? pretty({ destination: 2, sync: true, ignore: 'sets,acceptors,workers,port,controlPort,maxConnections' })
    : pino.destination({ fd: 2, sync: true });
  return pino({ level, base: null }, stream);
}
