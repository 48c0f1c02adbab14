// What Linux says of a process under /proc: the CPU time of it and of each of its threads, its resident memory, its open files.

import { readdirSync, readFileSync } from 'node:fs';

/** The kernel counts CPU time in hundredths of a second, whatever its own clock is. */
const TICK_US = 10_000;

/** Places of utime and stime among the fields behind the name. */
const USER_FIELD = 11;
const SYSTEM_FIELD = 12;

/** A process or a thread, as a stat file has it. */
export interface TaskStat {
  id: number;
  /** At most 15 bytes; the kernel lets it hold blanks and parentheses. */
  name: string;
  /** In user and kernel mode so far, in microseconds. */
  cpuUs: number;
}

/** Reads the text of /proc/PID/stat or /proc/PID/task/TID/stat. @throws {Error} if it is something else */
export function parseStat(text: string): TaskStat {
  // The name ends at the last parenthesis: no field behind it has one.
  const [open, close] = [text.indexOf('('), text.lastIndexOf(')')];
  const fields = text.slice(close + 2).split(' ');
  const cpuUs = (Number(fields[USER_FIELD]) + Number(fields[SYSTEM_FIELD])) * TICK_US;
  if (open < 0 || close < open || Number.isNaN(cpuUs)) throw new Error(`not the stat of a process: ${text}`);
  return { id: Number(text.slice(0, open)), name: text.slice(open + 1, close), cpuUs };
}

/** CPU time of a process so far, threads that have ended included, in microseconds. */
export function readCpuUs(pid: number): number {
  return parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).cpuUs;
}

/** The threads that a process has now, oldest first. */
export function readThreads(pid: number): TaskStat[] {
  const threads: TaskStat[] = [];
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    try {
      threads.push(parseStat(readFileSync(`/proc/${pid}/task/${id}/stat`, 'utf8')));
    } catch (error) {
      // It ended since the folder was read.
      if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return threads.sort((a, b) => a.id - b.id);
}

/** Resident memory of a process, in bytes. */
export function readResidentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (found === null) throw new Error(`/proc/${pid}/status does not tell the resident memory`);
  return Number(found[1]) * 1024;
}

/** Files, sockets among them, that a process has open. */
export function countOpenFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}
