// What a machine's facts mean for a server with so many connections: a table of what is right, what to change, and how.

import { formatCount } from '../../lib/monitor/text-table.ts';
import { BACKLOG, RESERVED_DESCRIPTORS } from '../../lib/net/limits.ts';
import type { MachineFacts } from './facts.ts';
import * as need from './limits.ts';

export type CheckState = 'ok' | 'change' | 'cannot tell';

export interface Check {
  what: string;
  state: CheckState;
  /** What was found, and what it means. */
  found: string;
  /** What to run, or to write where; '' if there is nothing to do. */
  command: string;
}

export interface Wanted {
  connections: number;
  acceptors: number;
  workers: number;
}

/** How many connections the descriptors of a process carry; 0 if it does not say. */
export function carriedBy({ softFiles, hardFiles }: MachineFacts): number {
  const files = Math.max(softFiles ?? 0, hardFiles ?? 0);
  return Math.max(0, Math.min(files, need.MOST_CONNECTIONS + RESERVED_DESCRIPTORS) - RESERVED_DESCRIPTORS);
}

/** Every check, in the order in which they are printed. */
export function checkMachine(facts: MachineFacts, wanted: Wanted): Check[] {
  const files = wanted.connections + RESERVED_DESCRIPTORS;
  return [
    checkNode(facts),
    checkHandles(facts),
    checkUring(facts),
    checkFiles(facts, files),
    checkKernelNumber('fs.nr_open', facts.nrOpen, files, 'files that one process may be allowed'),
    checkKernelNumber('fs.file-max', facts.fileMax, files, 'files open on the whole machine'),
    checkKernelNumber('net.core.somaxconn', facts.somaxconn, BACKLOG, 'connections that may wait to be accepted'),
    checkPortRange(facts),
    checkTcpMemory(facts, wanted.connections),
    checkBuffers('net.ipv4.tcp_rmem', facts.tcpRmem, '4096 131072 6291456'),
    checkBuffers('net.ipv4.tcp_wmem', facts.tcpWmem, '4096 16384 4194304'),
    checkMemory(facts, wanted.connections),
    checkOvercommit(facts),
    ...checkDisk(facts),
    checkCpus(facts, wanted),
    checkClock(facts),
    ...facts.ports.map(checkPort),
  ];
}

function checkNode({ nodeVersion }: MachineFacts): Check {
  const isGood = Number(nodeVersion.split('.')[0]) >= need.NODE_MAJOR;
  const found = `${nodeVersion}; ${need.NODE_MAJOR} or later is needed`;
  return judge('Node', isGood, found, `install Node ${need.NODE_MAJOR}`);
}

function checkHandles({ handleFault }: MachineFacts): Check {
  if (handleFault === '') return judge('bare handles', true, 'work on this Node');
  const found = `${handleFault}: connections are plain sockets, which cost more`;
  return judge('bare handles', false, found, `use Node ${need.NODE_MAJOR}, the one in the package`);
}

function checkUring({ uringFault }: MachineFacts): Check {
  if (uringFault === '') return judge('io_uring', true, 'works here');
  const found = `${uringFault}: requests cost about a fifth more without it`;
  const command = uringFault.endsWith('ENOMEM')
    ? 'LimitMEMLOCK=8M in the service, or as root: ulimit -l 8192'
    : 'sysctl -w kernel.io_uring_disabled=0; in a container, a seccomp profile that allows io_uring';
  return judge('io_uring', false, found, command);
}

function checkFiles({ softFiles, hardFiles }: MachineFacts, files: number): Check {
  const what = 'open files';
  if (softFiles === undefined && hardFiles === undefined) return unknown(what, 'ulimit -Hn');
  const most = Math.max(softFiles ?? 0, hardFiles ?? 0);
  const carried = Math.max(0, most - RESERVED_DESCRIPTORS);
  const found = `soft ${countOf(softFiles)}, hard ${countOf(hardFiles)}: ${countOf(carried)} connections`;
  return judge(what, most >= files, found, `LimitNOFILE=${files} in the service, or as root: ulimit -n ${files}`);
}

function checkKernelNumber(name: string, value: number | undefined, least: number, what: string): Check {
  if (value === undefined) return unknown(name, `sysctl ${name}`);
  const found = `${countOf(value)} ${what}; ${countOf(least)} are needed`;
  return judge(name, value >= least, found, `sysctl -w ${name}=${least}`);
}

function checkPortRange({ portRange, ports }: MachineFacts): Check {
  const what = 'net.ipv4.ip_local_port_range';
  if (portRange === undefined || portRange.length < 2) return unknown(what, `sysctl ${what}`);
  const [low, high] = portRange;
  const count = high - low + 1;
  const command = `sysctl -w ${what}="10000 65535"`;
  const taken = ports.find(({ port }) => port >= low && port <= high);
  if (taken !== undefined) {
    const found = `${low} to ${high} has ${taken.port} in it: a client may take the server's port`;
    return judge(what, false, found, command);
  }
  const found = `${countOf(count)} ports for each address of a load client`;
  return judge(what, count >= need.LOAD_PORTS, found, command);
}

function checkTcpMemory({ tcpMem, totalBytes }: MachineFacts, connections: number): Check {
  const what = 'net.ipv4.tcp_mem';
  if (tcpMem === undefined || tcpMem.length < 3) return unknown(what, `sysctl ${what}`);
  const pages = Math.ceil(connections * need.TCP_PAGES_PER_CONNECTION);
  const pressure = tcpMem[1];
  const found = `pressure begins at ${inMB(pressure * need.PAGE_BYTES)}; under load ${inMB(pages * need.PAGE_BYTES)} are in use`;
  const high = Math.max(pages * 2, Math.floor(totalBytes / need.PAGE_BYTES / 4));
  return judge(what, pressure >= pages, found, `sysctl -w ${what}="${pages} ${Math.ceil(pages * 1.5)} ${high}"`);
}

function checkBuffers(name: string, value: readonly number[] | undefined, usual: string): Check {
  if (value === undefined || value.length < 3) return unknown(name, `sysctl ${name}`);
  const found = `${inKB(value[1])} at first, ${inKB(value[2])} at the most; frames here have some bytes`;
  return judge(name, value[1] <= need.MOST_BUFFER_BYTES, found, `sysctl -w ${name}="${usual}"`);
}

function checkMemory({ availableBytes, totalBytes }: MachineFacts, connections: number): Check {
  const bytes = need.PROCESS_BYTES + connections * (need.BYTES_PER_CONNECTION + need.KERNEL_BYTES_PER_CONNECTION);
  const found = `${inMB(availableBytes)} of ${inMB(totalBytes)} available; about ${inMB(bytes)} are needed`;
  return judge('memory', availableBytes >= bytes, found, 'more memory, or fewer connections with --max-connections');
}

function checkOvercommit({ overcommit, commitLeftBytes, reservedBytes }: MachineFacts): Check {
  const what = 'vm.overcommit_memory';
  if (overcommit === undefined) return unknown(what, `sysctl ${what}`);
  const reserved = `tables of ${inMB(reservedBytes)} are reserved and filled as they are used`;
  if (overcommit !== 2) return judge(what, true, `${overcommit}: ${reserved}`);
  if (commitLeftBytes === undefined) return unknown(what, 'grep Commit /proc/meminfo');
  const found = `2: ${inMB(commitLeftBytes)} may be reserved; ${reserved}`;
  return judge(what, commitLeftBytes >= reservedBytes, found, `sysctl -w ${what}=0`);
}

function checkDisk({ disk }: MachineFacts): Check[] {
  const { path, freeBytes, fileSystem, syncUs } = disk;
  const move = 'move the data directory: docs/OPERATIONS.md';
  const space =
    freeBytes === undefined
      ? unknown('disk space', `df ${path}`)
      : judge(
          'disk space',
          freeBytes >= need.FREE_BYTES,
          `${inMB(freeBytes)} free at ${path}`,
          `${move}, or --keep-segments`,
        );
  return [space, checkFileSystem(path, fileSystem, move), checkSyncs(path, syncUs, fileSystem, move)];
}

function checkFileSystem(path: string, fileSystem: string | undefined, move: string): Check {
  const what = 'file system';
  if (fileSystem === undefined) return unknown(what, `findmnt -T ${path}`);
  if (need.VOLATILE_FILE_SYSTEMS.includes(fileSystem)) {
    return judge(what, false, `${fileSystem}: nothing in it survives a restart of the machine`, move);
  }
  if (need.LOCAL_FILE_SYSTEMS.includes(fileSystem)) return judge(what, true, fileSystem);
  return { ...unknown(what, ''), found: `${fileSystem}: whether a sync reaches a disk is up to it` };
}

function checkSyncs(
  path: string,
  syncUs: MachineFacts['disk']['syncUs'],
  fileSystem: string | undefined,
  move: string,
): Check {
  const what = 'fdatasync';
  if (syncUs === undefined) return unknown(what, `is ${path} writable for this user?`);
  const found = `p50 ${inMs(syncUs.p50)}, p99 ${inMs(syncUs.p99)}: so long a reply about money waits at the least`;
  const isVolatile = need.VOLATILE_FILE_SYSTEMS.includes(fileSystem ?? '');
  if (syncUs.p50 < need.LEAST_SYNC_US && !isVolatile) {
    return {
      ...unknown(what, ''),
      found: `p50 ${inMs(syncUs.p50)}: a cache answers; is it safe when the power fails?`,
    };
  }
  return judge(what, syncUs.p50 <= need.MOST_SYNC_US, found, `a faster disk: ${move}`);
}

function checkCpus({ cpus }: MachineFacts, { acceptors, workers }: Wanted): Check {
  const threads = acceptors + workers;
  const found = `${cpus} for ${acceptors} acceptors and ${workers} workers, and little for the journal and main`;
  const most = Math.max(1, Math.floor(cpus / 2));
  return judge('CPUs', cpus >= threads, found, `--acceptors ${most} --workers ${Math.max(1, cpus - most)}`);
}

function checkClock({ isClockSynchronised }: MachineFacts): Check {
  if (isClockSynchronised === undefined) return unknown('clock', 'timedatectl, or chronyc tracking');
  const found = isClockSynchronised ? 'synchronised' : 'not synchronised: times in records and expiries drift';
  return judge('clock', isClockSynchronised, found, 'timedatectl set-ntp true');
}

function checkPort({ port, isFree, reason }: MachineFacts['ports'][number]): Check {
  const what = `port ${port}`;
  if (isFree) return judge(what, true, 'free');
  const found = reason === 'EADDRINUSE' ? 'in use by another program' : `not to be had: ${reason}`;
  return judge(
    what,
    false,
    found,
    reason === 'EADDRINUSE' ? `ss -ltnp 'sport = :${port}'` : 'choose another port or address',
  );
}

function judge(what: string, isGood: boolean, found: string, command = ''): Check {
  return { what, state: isGood ? 'ok' : 'change', found, command: isGood ? '' : command };
}

function unknown(what: string, command: string): Check {
  return { what, state: 'cannot tell', found: 'this machine does not say', command };
}

function countOf(value: number | undefined): string {
  if (value === undefined) return 'unknown';
  return value >= Number.MAX_SAFE_INTEGER - RESERVED_DESCRIPTORS ? 'unlimited' : formatCount(value);
}

function inMB(bytes: number): string {
  return `${formatCount(bytes / 2 ** 20)} MB`;
}

function inKB(bytes: number): string {
  return `${formatCount(bytes / 1024)} KB`;
}

function inMs(us: number): string {
  return `${(us / 1000).toFixed(2)} ms`;
}
