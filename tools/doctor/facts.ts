// What this machine is, as far as it says: limits, kernel settings, memory, disk, clock, ports. What it does not say is undefined.

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, freemem, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { probeHandles } from '../../lib/handles/handle-probe.ts';
import { probeUring } from '../../lib/handles/uring-probe.ts';
import { countDescriptors, DEFAULT_SERVER_OPTIONS } from '../../lib/server-options.ts';
import { allocateServer } from '../../lib/server-threads.ts';

export interface DiskFacts {
  /** Where was looked: the data directory, or the nearest folder above it that exists. */
  path: string;
  freeBytes: number | undefined;
  /** Such as ext4 or tmpfs. */
  fileSystem: string | undefined;
  /** How long a write of one block takes to be on the disk, in microseconds. */
  syncUs: { p50: number; p99: number } | undefined;
}

export interface MachineFacts {
  nodeVersion: string;
  /** Why Node's bare handles do not work; '' if they do. */
  handleFault: string;
  /** Why io_uring cannot be used; '' if it can. */
  uringFault: string;
  cpus: number;
  /** Files that a process may have open: now, and at the most without being root. */
  softFiles: number | undefined;
  hardFiles: number | undefined;
  nrOpen: number | undefined;
  fileMax: number | undefined;
  somaxconn: number | undefined;
  portRange: readonly number[] | undefined;
  /** Pages: below, under pressure, at the most. */
  tcpMem: readonly number[] | undefined;
  /** Bytes of a socket's buffers: least, default, most. */
  tcpRmem: readonly number[] | undefined;
  tcpWmem: readonly number[] | undefined;
  /** 0 heuristic, 1 always, 2 never more than the limit. */
  overcommit: number | undefined;
  /** Bytes that may still be reserved where overcommit is 2. */
  commitLeftBytes: number | undefined;
  totalBytes: number;
  availableBytes: number;
  /** Bytes of the tables that a server reserves at its start. */
  reservedBytes: number;
  disk: DiskFacts;
  isClockSynchronised: boolean | undefined;
  ports: readonly { port: number; isFree: boolean; reason: string }[];
}

export interface WhatToAsk {
  data: string;
  host: string;
  ports: readonly number[];
  acceptors: number;
  workers: number;
}

/** Blocks that are written and synced one by one, to measure the disk: a few dozen take a second on a slow one. */
const SYNCS = 48;
const BLOCK_BYTES = 4096;

/** How long another program is waited for, in milliseconds. */
const PROGRAM_MS = 3000;

/** Asks this machine. Writes a small file next to the data and removes it. */
export async function readFacts({ data, host, ports, acceptors, workers }: WhatToAsk): Promise<MachineFacts> {
  const handles = await probeHandles();
  const uring = typeof handles === 'string' ? handles : await probeUring(handles);
  const memory = readText('/proc/meminfo') ?? '';
  const kilobytes = (name: string) => {
    const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(memory);
    return found === null ? undefined : Number(found[1]) * 1024;
  };
  const [commitLimit, committed] = [kilobytes('CommitLimit'), kilobytes('Committed_AS')];
  return {
    nodeVersion: process.versions.node,
    handleFault: typeof handles === 'string' ? handles : '',
    uringFault: typeof uring === 'string' ? uring : '',
    cpus: availableParallelism(),
    softFiles: attempt(countDescriptors),
    hardFiles: readHardFiles(),
    nrOpen: readNumbers('/proc/sys/fs/nr_open')?.[0],
    fileMax: readNumbers('/proc/sys/fs/file-max')?.[0],
    somaxconn: readNumbers('/proc/sys/net/core/somaxconn')?.[0],
    portRange: readNumbers('/proc/sys/net/ipv4/ip_local_port_range'),
    tcpMem: readNumbers('/proc/sys/net/ipv4/tcp_mem'),
    tcpRmem: readNumbers('/proc/sys/net/ipv4/tcp_rmem'),
    tcpWmem: readNumbers('/proc/sys/net/ipv4/tcp_wmem'),
    overcommit: readNumbers('/proc/sys/vm/overcommit_memory')?.[0],
    commitLeftBytes: commitLimit === undefined || committed === undefined ? undefined : commitLimit - committed,
    totalBytes: totalmem(),
    availableBytes: kilobytes('MemAvailable') ?? freemem(),
    reservedBytes: sumBytes(allocateServer({ ...DEFAULT_SERVER_OPTIONS, acceptors, workers })),
    disk: readDisk(data),
    isClockSynchronised: readClock(),
    ports: await Promise.all(ports.map((port) => tryPort(host, port))),
  };
}

/** The type of the file system that has a path. @param mounts the text of /proc/self/mountinfo */
export function fileSystemOf(path: string, mounts: string): string | undefined {
  let best: { point: string; type: string } | undefined;
  for (const line of mounts.split('\n')) {
    const [fields, more] = line.split(' - ');
    const point = fields.split(' ')[4]?.replaceAll('\\040', ' ');
    const type = more?.split(' ')[0];
    if (point === undefined || type === undefined) continue;
    const isAbove = path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);
    // A later mount on the same place hides the earlier one.
    if (isAbove && (best === undefined || point.length >= best.point.length)) best = { point, type };
  }
  return best?.type;
}

function readDisk(data: string): DiskFacts {
  let path = resolve(data);
  while (!existsSync(path) && dirname(path) !== path) path = dirname(path);
  const space = attempt(() => statfsSync(path));
  return {
    path,
    freeBytes: space === undefined ? undefined : space.bavail * space.bsize,
    fileSystem: fileSystemOf(path, readText('/proc/self/mountinfo') ?? ''),
    syncUs: attempt(() => measureSyncs(path)),
  };
}

function measureSyncs(path: string): DiskFacts['syncUs'] {
  const folder = mkdtempSync(join(path, '.hongbao-doctor-'));
  try {
    const file = openSync(join(folder, 'sync'), 'w');
    const block = Buffer.alloc(BLOCK_BYTES, 1);
    const times: number[] = [];
    for (let i = 0; i < SYNCS; i++) {
      const startedAt = performance.now();
      writeSync(file, block);
      fdatasyncSync(file);
      times.push((performance.now() - startedAt) * 1000);
    }
    closeSync(file);
    times.sort((a, b) => a - b);
    return { p50: times[Math.floor(SYNCS * 0.5)], p99: times[Math.floor(SYNCS * 0.99)] };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readHardFiles(): number | undefined {
  const found = /^Max open files\s+\S+\s+(\S+)/m.exec(readText('/proc/self/limits') ?? '');
  if (found === null) return undefined;
  return found[1] === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(found[1]);
}

function readClock(): boolean | undefined {
  const answer = attempt(() =>
    execFileSync('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
      encoding: 'utf8',
      timeout: PROGRAM_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim(),
  );
  return answer === 'yes' ? true : answer === 'no' ? false : undefined;
}

function tryPort(host: string, port: number): Promise<MachineFacts['ports'][number]> {
  return new Promise((settle) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => settle({ port, isFree: false, reason: error.code ?? '' }));
    server.listen(port, host, () => server.close(() => settle({ port, isFree: true, reason: '' })));
  });
}

/** The bytes of all shared memory within a value. */
function sumBytes(value: unknown): number {
  if (value instanceof SharedArrayBuffer) return value.byteLength;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return 0;
  return Object.values(value).reduce((sum: number, part) => sum + sumBytes(part), 0);
}

function readNumbers(path: string): number[] | undefined {
  const numbers = readText(path)?.trim().split(/\s+/).map(Number);
  return numbers?.every(Number.isFinite) ? numbers : undefined;
}

function readText(path: string): string | undefined {
  return attempt(() => readFileSync(path, 'utf8'));
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}
