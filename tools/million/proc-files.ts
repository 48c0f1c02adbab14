// Reads what Linux says of memory and files, from the text files below /proc. CPU time is in ../proc-stat.ts.

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

export function readFilesLeft(): number {
  return parseFilesLeft(readFileSync('/proc/sys/fs/file-nr', 'utf8'));
}

function readKb(text: string, name: string): number {
  const found = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text);
  if (found === null) throw new Error(`there is no ${name} in what the system says of its memory`);
  return Number(found[1]);
}
