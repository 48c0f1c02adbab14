// Reads what Linux says of memory, files and CPU time, from the text files below /proc.

import { readFileSync } from 'node:fs';

/** Memory of the kernel, in bytes. */
export interface KernelMemory {
  /** What processes can still get. */
  availableBytes: number;
  /** What grows with sockets: slabs, stacks of threads, page tables, and buffers of TCP. */
  usedBytes: number;
}

const KB = 1024;

/** Pages of /proc/net/sockstat: 4 KB on every machine that Node has a binary for here. */
const PAGE_BYTES = 4096;

/** Ticks of /proc/PID/stat in a second: the kernel shows 100 to programs, whatever it counts itself. */
const TICKS_PER_SECOND = 100;

/** Private memory of a process from its smaps_rollup, in bytes: what goes when it ends. */
export function parsePrivateBytes(smapsRollup: string): number {
  return (readKb(smapsRollup, 'Private_Clean') + readKb(smapsRollup, 'Private_Dirty')) * KB;
}

/** From /proc/meminfo and /proc/net/sockstat. */
export function parseKernelMemory(meminfo: string, sockstat: string): KernelMemory {
  const used = ['Slab', 'KernelStack', 'PageTables'].reduce((sum, name) => sum + readKb(meminfo, name), 0) * KB;
  const pages = Number(/^TCP:.* mem (\d+)/m.exec(sockstat)?.[1] ?? 0);
  return { availableBytes: readKb(meminfo, 'MemAvailable') * KB, usedBytes: used + pages * PAGE_BYTES };
}

/** CPU time of a process from its stat, in seconds: its own and the kernel's for it. */
export function parseCpuSeconds(stat: string): number {
  // The name, in brackets, may hold blanks and brackets itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** How many files the system may still open, from /proc/sys/fs/file-nr. */
export function parseFilesLeft(fileNr: string): number {
  const [open, free, most] = fileNr.trim().split(/\s+/).map(Number);
  return most - (open - free);
}

export function readPrivateBytes(pid: number): number {
  return parsePrivateBytes(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
}

export function readKernelMemory(): KernelMemory {
  return parseKernelMemory(readFileSync('/proc/meminfo', 'utf8'), readFileSync('/proc/net/sockstat', 'utf8'));
}

export function readCpuSeconds(pid: number): number {
  return parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

export function readFilesLeft(): number {
  return parseFilesLeft(readFileSync('/proc/sys/fs/file-nr', 'utf8'));
}

function readKb(text: string, name: string): number {
  const found = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text);
  if (found === null) throw new Error(`there is no ${name} in what the system says of its memory`);
  return Number(found[1]);
}
