// Plans a run of `hongbao million`: how many connections this machine holds, in how many processes, and why.

import { formatCount } from '../../lib/monitor/text-table.ts';

/** Descriptors that a server, and a load client, keep for themselves; the others are connections. */
export interface Reserved {
  server: number;
  client: number;
}

/** What the machine has. */
export interface Machine {
  /** Files that one process, and all processes together, may still open. */
  descriptorsPerProcess: number;
  filesLeft: number;
  availableBytes: number;
  cores: number;
  reserved: Reserved;
}

export interface MillionPlan {
  /** Connections that are made: as many as asked, or fewer. */
  connections: number;
  /** Servers, and clients: each client talks to one server. */
  pairs: number;
  /** Estimate of the memory, in user space and in the kernel. */
  neededBytes: number;
  /** Sentences for people: what was asked, what will be done, and why. */
  sentences: string[];
}

const KB = 1024;
const MB = 1024 * KB;
const GB = 1024 * MB;

/**
 * Memory of one server and one client before the first connection. Measured private memory is 89 and 14 MB; the rest is what
 * grows with the work, not with connections.
 */
const PAIR_BYTES = 130 * MB;

/** Memory of one connection with both its ends: server up to 1 KB, client 1.2 KB, kernel 8.0 KB; and a little more. */
const CONNECTION_BYTES = 11 * KB;

/** Memory that is left alone: below it the system starts to look for processes to end. */
const SPARE_BYTES = GB;

/** Files that are not connections: libraries, pipes, journals, event loops. */
const FILES_PER_PAIR = 100;

/** Plans a run. @param processes how many pairs are wanted; undefined for as few as the descriptors allow */
export function planMillion(asked: number, processes: number | undefined, machine: Machine): MillionPlan {
  const { descriptorsPerProcess, reserved } = machine;
  const mostPerPair = descriptorsPerProcess - Math.max(reserved.server, reserved.client);
  const pairsFor = (connections: number) => processes ?? Math.max(1, Math.ceil(connections / mostPerPair));
  const needFor = (connections: number) => pairsFor(connections) * PAIR_BYTES + connections * CONNECTION_BYTES;

  // The reasons to do less, the one that allows least decides.
  const bounds: { connections: number; why: string }[] = [];
  if (mostPerPair * pairsFor(asked) < asked) {
    bounds.push({
      connections: Math.max(0, mostPerPair * pairsFor(asked)),
      why: `${formatCount(descriptorsPerProcess)} descriptors per process reach for`,
    });
  }
  const memory = machine.availableBytes - SPARE_BYTES;
  if (needFor(asked) > memory) {
    bounds.push({
      connections: largest(asked, (connections) => needFor(connections) <= memory),
      why: `${formatBytes(machine.availableBytes)} of free memory, less ${formatBytes(SPARE_BYTES)} to spare, reach for`,
    });
  }
  const filesFor = (connections: number) => 2 * connections + pairsFor(connections) * FILES_PER_PAIR;
  if (filesFor(asked) > machine.filesLeft) {
    bounds.push({
      connections: largest(asked, (connections) => filesFor(connections) <= machine.filesLeft),
      why: `${formatCount(machine.filesLeft)} files that the system may still open (fs.file-max) reach for`,
    });
  }
  bounds.sort((a, b) => a.connections - b.connections);
  const connections = bounds.length === 0 ? asked : bounds[0].connections;
  const pairs = pairsFor(connections);
  const neededBytes = needFor(connections);
  return {
    connections,
    pairs,
    neededBytes,
    sentences: [
      `${formatCount(asked)} connections asked; ${formatCount(descriptorsPerProcess)} descriptors per process: ` +
        `${countOf(pairs, 'server')} and ${countOf(pairs, 'client')} with up to ` +
        `${formatCount(Math.ceil(connections / pairs))} connections each`,
      ...bounds.slice(0, 1).map(({ why }) => `${why} ${formatCount(connections)} connections: this many will be made`),
      `${formatBytes(machine.availableBytes)} free, about ${formatBytes(neededBytes)} needed; ` +
        `${2 * pairs} processes share ${countOf(machine.cores, 'core')}`,
    ],
  };
}

/** The largest number up to `most` for which it holds, if it holds for all smaller ones; 0 if for none. */
function largest(most: number, holds: (value: number) => boolean): number {
  let low = 0;
  let high = most;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

function countOf(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** Bytes in the unit that suits them: 1.5 GB, 131 MB, 2.2 KB. */
export function formatBytes(bytes: number): string {
  const size = Math.abs(bytes);
  if (size >= GB) return `${(bytes / GB).toFixed(1)} GB`;
  if (size >= 10 * MB) return `${(bytes / MB).toFixed(0)} MB`;
  if (size >= MB) return `${(bytes / MB).toFixed(1)} MB`;
  return `${(bytes / KB).toFixed(1)} KB`;
}
