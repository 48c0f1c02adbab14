// The shared memory of a server and the threads that work on it: who is joined to whom by which ring.

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { ACCEPTOR_COUNTERS } from './net/acceptor-counters.ts';
import type { AcceptorThreadData } from './net/acceptor-thread.ts';
import { DEFAULT_NET_LIMITS, MAX_IN_FLIGHT } from './net/limits.ts';
import { allocateDrops, type DropMemory } from './packets/drop-table.ts';
import { SHARE_ARENA_WORDS } from './packets/limits.ts';
import { allocatePackets, type PacketMemory } from './packets/packet-table.ts';
import { REPLY_WORDS, REQUEST_WORDS } from './protocol/slot-layout.ts';
import { allocateCounters } from './ring/counters.ts';
import { allocateDoorbell } from './ring/doorbell.ts';
import { allocateRing, type RingMemory } from './ring/ring.ts';
import type { ServerOptions } from './server-options.ts';
import { WORKER_COUNTERS } from './sets/worker-counters.ts';
import type { WorkerThreadData } from './sets/worker-thread.ts';

/** Everything that the threads of one server share. */
export interface ServerMemory {
  /** One word; 1 tells the SET workers to end. */
  stop: SharedArrayBuffer;
  openConnections: SharedArrayBuffer;
  drops: DropMemory;
  packets: PacketMemory;
  /** One of each per acceptor. */
  acceptorDoorbells: SharedArrayBuffer[];
  acceptorCounters: SharedArrayBuffer[];
  /** One of each per worker; `commands` is the ring from main. */
  workerDoorbells: SharedArrayBuffer[];
  workerCounters: SharedArrayBuffer[];
  commands: RingMemory[];
  /** By acceptor, then worker. */
  requests: RingMemory[][];
  replies: RingMemory[][];
}

export interface ServerThreads {
  acceptors: Worker[];
  workers: Worker[];
}

/**
 * The young generation of a thread's heap, in megabytes. What a request leaves behind dies young and is small, so a
 * larger one only means more memory: with V8's own choice a connection costs about twice as much.
 */
const YOUNG_GENERATION_MB = 16;

/** Slots of main's ring to each worker: a second of notices at a few thousand packets a second. */
const COMMAND_SLOTS = 16_384;

export function allocateServer(options: ServerOptions): ServerMemory {
  const { acceptors, workers } = options;
  const each = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
  return {
    stop: new SharedArrayBuffer(4),
    openConnections: new SharedArrayBuffer(4),
    drops: allocateDrops(options.sets),
    packets: allocatePackets(options.packetSlots, SHARE_ARENA_WORDS),
    acceptorDoorbells: each(acceptors, allocateDoorbell),
    acceptorCounters: each(acceptors, () => allocateCounters(ACCEPTOR_COUNTERS)),
    workerDoorbells: each(workers, allocateDoorbell),
    workerCounters: each(workers, () => allocateCounters(WORKER_COUNTERS)),
    commands: each(workers, () => allocateRing(COMMAND_SLOTS, REQUEST_WORDS)),
    requests: each(acceptors, () => each(workers, () => allocateRing(2 * MAX_IN_FLIGHT, REQUEST_WORDS))),
    replies: each(acceptors, () => each(workers, () => allocateRing(2 * MAX_IN_FLIGHT, REPLY_WORDS))),
  };
}

/** Starts every thread. They report by message; see acceptor-messages.ts. */
export function startThreads(options: ServerOptions, memory: ServerMemory, serverName: string): ServerThreads {
  // By acceptor, then worker: port1 stays with the acceptor, which is woken through it; port2 goes to the worker.
  const bells = memory.requests.map((row) => row.map(() => new MessageChannel()));
  const acceptors = memory.acceptorDoorbells.map((doorbell, a) => {
    const data: AcceptorThreadData = {
      listen: { host: options.host, port: options.port, reusePort: options.acceptors > 1 },
      maxConnections: options.maxConnections,
      limits: { ...DEFAULT_NET_LIMITS, ...options.netLimits },
      openConnections: memory.openConnections,
      stock: memory.drops.stock,
      doorbell,
      counters: memory.acceptorCounters[a],
      answersLosingShakes: options.losingShake === 'acceptor',
      serverName,
      workers: memory.workerDoorbells.map((workerDoorbell, w) => ({
        requests: memory.requests[a][w],
        replies: memory.replies[a][w],
        doorbell: workerDoorbell,
        port: bells[a][w].port1,
      })),
    };
    return startThread(
      'net/acceptor-thread',
      data,
      data.workers.map(({ port }) => port),
    );
  });
  const workers = memory.workerDoorbells.map((doorbell, w) => {
    const data: WorkerThreadData = {
      stop: memory.stop,
      doorbell,
      waitStrategy: options.waitStrategy,
      counters: memory.workerCounters[w],
      drops: memory.drops,
      packets: memory.packets,
      commands: memory.commands[w],
      maxInFlight: MAX_IN_FLIGHT,
      acceptors: memory.acceptorDoorbells.map((acceptorDoorbell, a) => ({
        requests: memory.requests[a][w],
        replies: memory.replies[a][w],
        doorbell: acceptorDoorbell,
        port: bells[a][w].port2,
      })),
    };
    return startThread(
      'sets/worker-thread',
      data,
      data.acceptors.map(({ port }) => port),
    );
  });
  return { acceptors, workers };
}

/** Where a module of this folder lies: a .ts file in the checkout, a .js file in the built package. */
export function moduleUrl(path: string): URL {
  return new URL(`./${path}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
}

function startThread(path: string, data: object, ports: MessagePort[]): Worker {
  return new Worker(moduleUrl(path), {
    workerData: data,
    transferList: ports,
    execArgv: [],
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    name: path.slice(path.indexOf('/') + 1),
  });
}
