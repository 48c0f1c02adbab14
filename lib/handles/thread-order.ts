// Who goes first where cores are short: the thread that a request waits for, before those that nobody waits for.
//
// The scheduler of Linux gives the core of a thread that runs to another that wakes, and lets that one go on to the end of its
// turn, a millisecond or more, whoever wakes meanwhile. So a garbage collection or a second's sample on the acceptor's core holds
// up every request of that millisecond, unless the acceptor has asked for short turns, the others take no core from anybody
// when they wake (SCHED_BATCH), and those that nobody waits for are nicer as well.

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

/** Names of the threads that are not like all the others. */
export interface ThreadOrder {
  /** They are left alone: they go first by themselves. */
  first: readonly string[];
  /** They wait for a core until it is free or their turn comes, and have the same share of it as the first. */
  second: readonly string[];
}

/**
 * Makes every other thread of this process, also those of Node and V8, wait as the second ones do, and nicer. Threads that are
 * started later are as who starts them. Elsewhere than on Linux, where threads have no niceness, nothing changes.
 * @param calls without them threads are nicer only
 */
export function orderThreads({ first, second }: ThreadOrder, calls: SystemCalls | undefined): void {
  if (process.platform !== 'linux') return;
  const firsts = new Set(first.map(keptName));
  const seconds = new Set(second.map(keptName));
  const nice = Math.min(NICE + NICER, constants.priority.PRIORITY_LOW);
  for (const thread of readdirSync(TASKS).map(Number)) {
    try {
      const name = readFileSync(`${TASKS}/${thread}/comm`, 'utf8').trim();
      if (firsts.has(name)) continue;
      if (!seconds.has(name)) setPriority(thread, nice);
      calls?.setBatch(thread);
    } catch {
      // It has ended meanwhile, or a sandbox refuses.
    }
  }
}

function keptName(name: string): string {
  return name.slice(0, NAME_LENGTH);
}
