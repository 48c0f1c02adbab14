// Who goes first where cores are short: the thread that a request waits for, before those that nobody waits for.
//
// The scheduler of Linux lets a thread that runs go on to the end of its turn, a millisecond or more, whoever wakes meanwhile.
// So a garbage collection or a second's sample on the acceptor's core holds up every request of that millisecond, unless the
// acceptor has asked for short turns and the others are nicer.

import { readdirSync, readFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import type { SystemCalls } from './system-calls.ts';

/** The shortest turn that the kernel gives, in nanoseconds. */
const SHORT_SLICE = 100_000;

/** How much nicer the others are: a quarter of a core is theirs all the same where another thread wants all of it. */
const NICER = 5;

/** Of the process, before anything here has changed it. */
const NICE = getPriority();

const TASKS = '/proc/self/task';

/** Of a thread's name the kernel keeps so many letters. */
const NAME_LENGTH = 15;

/** Lets this thread run as soon as it wakes, where the system has that. */
export function goFirst(calls: SystemCalls): void {
  try {
    calls.setSlice(SHORT_SLICE);
  } catch {
    // An older kernel or a sandbox: turns are as long as they were.
  }
}

/**
 * Makes every thread of this process nicer, also those of Node and V8, except those that have one of these names. Threads that
 * are started later are as nice as who starts them. Elsewhere than on Linux, where threads have no niceness, nothing changes.
 */
export function stepBack(exceptNames: readonly string[]): void {
  if (process.platform !== 'linux') return;
  const exceptions = new Set(exceptNames.map((name) => name.slice(0, NAME_LENGTH)));
  const nice = Math.min(NICE + NICER, constants.priority.PRIORITY_LOW);
  for (const thread of readdirSync(TASKS)) {
    try {
      const name = readFileSync(`${TASKS}/${thread}/comm`, 'utf8').trim();
      if (!exceptions.has(name)) setPriority(Number(thread), nice);
    } catch {
      // It has ended meanwhile.
    }
  }
}
