// The shared memory of a server and the threads that work on it: who is joined to whom by which ring.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { TokenKey } from './access/token.ts';
import { CHAT_COUNTERS } from './chat/chat-counters.ts';
import type { ChatThreadData } from './chat/chat-thread.ts';
import { ENTRY_WORDS } from './ledger/entry-layout.ts';
import type { ReplyShape } from './ledger/journal.ts';
import { JOURNAL_COUNTERS } from './ledger/journal-counters.ts';
import type { JournalThreadData } from './ledger/journal-thread.ts';
import { ACCEPTOR_COUNTERS } from './net/acceptor-counters.ts';
import type { AcceptorThreadData } from './net/acceptor-thread.ts';
import { allocateAdmission } from './net/admission.ts';
import { allocateLevels } from './net/level-words.ts';
import { MAX_IN_FLIGHT } from './net/limits.ts';
import { allocateSockets } from './net/socket-table.ts';
import type { TlsFiles } from './net/tls-sockets.ts';
import { allocateDrops, type DropMemory } from './packets/drop-table.ts';
import { SHARE_ARENA_WORDS } from './packets/limits.ts';
import { allocatePackets, type PacketMemory } from './packets/packet-table.ts';
import {
  REPLY_AMOUNT,
  REPLY_CENTS_HIGH,
  REPLY_CENTS_LOW,
  REPLY_HELD_HIGH,
  REPLY_HELD_LOW,
  REPLY_RESULT,
  REPLY_WORDS,
  REQUEST_WORDS,
} from './protocol/slot-layout.ts';
import { allocateCounters } from './ring/counters.ts';
import { allocateDoorbell } from './ring/doorbell.ts';
import { allocateRing, type RingMemory } from './ring/ring.ts';
import { ServicePulse } from './ring/service-pulse.ts';
import { hasChat, netLimitsOf, type ServerOptions } from './server-options.ts';
import type { RestoredUsers } from './sets/restored-users.ts';
import { WORKER_COUNTERS } from './sets/worker-counters.ts';
import type { WorkerThreadData } from './sets/worker-thread.ts';

/** Everything that the threads of one server share. */
export interface ServerMemory {
  /** One word each; 1 tells the SET workers, or the journal, to end. */
  stop: SharedArrayBuffer;
  stopJournal: SharedArrayBuffer;
  /** See net/admission.ts. */
  admission: SharedArrayBuffer;
  /** How much is shed: see net/level-words.ts. */
  levels: SharedArrayBuffer;
  drops: DropMemory;
  packets: PacketMemory;
  mainDoorbell: SharedArrayBuffer;
  journalDoorbell: SharedArrayBuffer;
  journalCounters: SharedArrayBuffer;
  /** One of each per acceptor. */
  acceptorDoorbells: SharedArrayBuffer[];
  acceptorCounters: SharedArrayBuffer[];
  /** See net/socket-table.ts. */
  sockets: SharedArrayBuffer[];
  /** One of each per worker. */
  workerDoorbells: SharedArrayBuffer[];
  workerCounters: SharedArrayBuffer[];
  /** By worker: main's commands, and what the worker says to main. */
  commands: RingMemory[];
  mainReplies: RingMemory[];
  /** By acceptor, then worker. */
  requests: RingMemory[][];
  replies: RingMemory[][];
  /** Entries for the journal: of each worker, and of main behind them. */
  entries: RingMemory[];
  /** Durable replies: to each acceptor, and to main behind them. */
  durableReplies: RingMemory[];
  /** By acceptor: main's replies. */
  sideReplies: RingMemory[];
  /** How the chat service fares, what it counts, and how it is woken. */
  chatPulse: SharedArrayBuffer;
  chatCounters: SharedArrayBuffer;
  chatDoorbell: SharedArrayBuffer;
  /** By worker: what it says to the chat service, and what that says to it. Empty if there is no service. */
  chatPasses: RingMemory[];
  chatAnswers: RingMemory[];
}

export interface ServerThreads {
  acceptors: Worker[];
  workers: Worker[];
  journal: Worker | undefined;
  /** Where main is rung: by each worker, and by the journal. */
  mainPorts: MessagePort[];
  /** Where main rings each acceptor. */
  acceptorPorts: MessagePort[];
}

/** What the threads start with beside the memory. */
export interface ThreadStart {
  serverName: string;
  /** By worker. */
  restored: readonly RestoredUsers[];
  disk: JournalThreadData['disk'];
  clockOffsetMs: number;
  /** See AcceptorThreadData. */
  keys: readonly TokenKey[] | undefined;
  tls: TlsFiles | undefined;
}

/**
 * The young generation of a thread's heap, in megabytes. What a request leaves behind dies young and is small, so a
 * larger one only means more memory: with V8's own choice a connection costs about twice as much.
 */
const YOUNG_GENERATION_MB = 16;

/** Slots of main's ring to each worker: a second of notices at a few thousand packets a second. */
const COMMAND_SLOTS = 16_384;

/** Slots of each ring to the journal: a quarter of a second of grabs at 60,000 a second, 4 MB. */
const ENTRY_SLOTS = 16_384;

/** Slots of main's ring to each acceptor: what finds no room waits in main. */
const SIDE_SLOTS = 4096;

/** Slots of the rings between a worker and the chat service: what may be under way, or so, half a megabyte each. */
const CHAT_PASS_SLOTS = 4096;
const CHAT_ANSWER_SLOTS = 8192;

/** The words of a reply that the journal changes if the record of it is lost. */
export const REPLY_SHAPE: ReplyShape = {
  result: REPLY_RESULT,
  cleared: [REPLY_AMOUNT, REPLY_CENTS_LOW, REPLY_CENTS_HIGH, REPLY_HELD_LOW, REPLY_HELD_HIGH],
};

export function allocateServer(options: ServerOptions): ServerMemory {
  const { acceptors, workers } = options;
  const each = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
  // Room for every request that may be under way to any worker.
  const durableSlots = 2 ** Math.ceil(Math.log2(workers * MAX_IN_FLIGHT));
  return {
    stop: new SharedArrayBuffer(4),
    stopJournal: new SharedArrayBuffer(4),
    levels: allocateLevels(),
    admission: allocateAdmission(options.maxConnections),
    drops: allocateDrops(options.sets),
    packets: allocatePackets(options.packetSlots, SHARE_ARENA_WORDS),
    mainDoorbell: allocateDoorbell(),
    journalDoorbell: allocateDoorbell(),
    journalCounters: allocateCounters(JOURNAL_COUNTERS),
    acceptorDoorbells: each(acceptors, allocateDoorbell),
    acceptorCounters: each(acceptors, () => allocateCounters(ACCEPTOR_COUNTERS)),
    sockets: each(acceptors, () => allocateSockets(options.maxConnections)),
    workerDoorbells: each(workers, allocateDoorbell),
    workerCounters: each(workers, () => allocateCounters(WORKER_COUNTERS)),
    commands: each(workers, () => allocateRing(COMMAND_SLOTS, REQUEST_WORDS)),
    mainReplies: each(workers, () => allocateRing(2 * MAX_IN_FLIGHT, REPLY_WORDS)),
    requests: each(acceptors, () => each(workers, () => allocateRing(2 * MAX_IN_FLIGHT, REQUEST_WORDS))),
    replies: each(acceptors, () => each(workers, () => allocateRing(2 * MAX_IN_FLIGHT, REPLY_WORDS))),
    entries: each(workers + 1, () => allocateRing(ENTRY_SLOTS, ENTRY_WORDS)),
    durableReplies: each(acceptors + 1, () => allocateRing(durableSlots, REPLY_WORDS)),
    sideReplies: each(acceptors, () => allocateRing(SIDE_SLOTS, REPLY_WORDS)),
    chatPulse: ServicePulse.allocate(),
    chatCounters: allocateCounters(CHAT_COUNTERS),
    chatDoorbell: allocateDoorbell(),
    chatPasses: each(hasChat(options) ? workers : 0, () => allocateRing(CHAT_PASS_SLOTS, REPLY_WORDS)),
    chatAnswers: each(hasChat(options) ? workers : 0, () => allocateRing(CHAT_ANSWER_SLOTS, REQUEST_WORDS)),
  };
}

/** Starts every thread. They report by message; see acceptor-messages.ts and journal-thread.ts. */
export function startThreads(options: ServerOptions, memory: ServerMemory, start: ThreadStart): ServerThreads {
  const { acceptors, workers } = options;
  const open = () => new MessageChannel();
  // port1 stays with whoever is woken through it, port2 goes to whoever rings. By acceptor: its workers, the journal, main.
  const bells = Array.from({ length: acceptors }, () => Array.from({ length: workers + 2 }, open));
  const mainBells = Array.from({ length: workers + 1 }, open);
  const journalBell = open();
  const journalIndex = workers;
  const mainIndex = workers + 1;
  return {
    acceptors: memory.acceptorDoorbells.map((_, a) => startAcceptor(options, memory, start, a, bells[a])),
    workers: memory.workerDoorbells.map((_, w) => {
      const ports = [...bells.map((row) => row[w].port2), mainBells[w].port2];
      return startWorker(options, memory, start, w, ports);
    }),
    journal: startJournal(
      memory,
      start,
      [...bells.map((row) => row[journalIndex].port2), mainBells[workers].port2],
      journalBell.port2,
    ),
    mainPorts: [...mainBells.map(({ port1 }) => port1), journalBell.port1],
    acceptorPorts: bells.map((row) => row[mainIndex].port2),
  };
}

function startAcceptor(
  options: ServerOptions,
  memory: ServerMemory,
  start: ThreadStart,
  a: number,
  bells: readonly MessageChannel[],
): Worker {
  const ports = bells.map(({ port1 }) => port1);
  const data: AcceptorThreadData = {
    listen: { host: options.host, port: options.port, reusePort: options.acceptors > 1 },
    transport: options.transport,
    maxConnections: options.maxConnections,
    limits: netLimitsOf(options),
    admission: memory.admission,
    levels: memory.levels,
    stock: memory.drops.stock,
    doorbell: memory.acceptorDoorbells[a],
    counters: memory.acceptorCounters[a],
    sockets: memory.sockets[a],
    answersLosingShakes: options.losingShake === 'acceptor',
    hasChat: hasChat(options),
    serverName: start.serverName,
    keys: start.keys,
    tls: start.tls,
    workers: memory.workerDoorbells.map((doorbell, w) => ({
      requests: memory.requests[a][w],
      replies: memory.replies[a][w],
      doorbell,
      port: ports[w],
    })),
    others: [memory.durableReplies[a], memory.sideReplies[a]].map((replies, i) => ({
      replies,
      port: ports[memory.workerDoorbells.length + i],
    })),
  };
  return startThread('net/acceptor-thread', data, ports);
}

/** @param ports of the acceptors, and of main behind them */
function startWorker(
  options: ServerOptions,
  memory: ServerMemory,
  start: ThreadStart,
  w: number,
  ports: MessagePort[],
): Worker {
  const doorbells = [...memory.acceptorDoorbells, memory.mainDoorbell];
  const data: WorkerThreadData = {
    worker: w,
    stop: memory.stop,
    doorbell: memory.workerDoorbells[w],
    waitStrategy: options.waitStrategy,
    counters: memory.workerCounters[w],
    drops: memory.drops,
    packets: memory.packets,
    entries: memory.entries[w],
    journalDoorbell: memory.journalDoorbell,
    restored: start.restored[w],
    maxInFlight: MAX_IN_FLIGHT,
    acceptors: [
      ...doorbells.map((doorbell, a) => ({
        requests: memory.requests[a]?.[w] ?? memory.commands[w],
        replies: memory.replies[a]?.[w] ?? memory.mainReplies[w],
        doorbell,
        port: ports[a],
      })),
      ...memory.chatPasses.slice(w, w + 1).map((replies) => ({
        requests: memory.chatAnswers[w],
        replies,
        doorbell: memory.chatDoorbell,
        port: undefined,
      })),
    ],
    main: memory.acceptorDoorbells.length,
    chatPulse: memory.chatPulse,
  };
  return startThread('sets/worker-thread', data, ports);
}

/** @param ports of the acceptors, and of main behind them @param mainPort to ring main as a producer */
function startJournal(memory: ServerMemory, start: ThreadStart, ports: MessagePort[], mainPort: MessagePort): Worker {
  const data: JournalThreadData = {
    stop: memory.stopJournal,
    doorbell: memory.journalDoorbell,
    counters: memory.journalCounters,
    producers: memory.entries.map((entries, p) => ({
      entries,
      doorbell: memory.workerDoorbells[p] ?? memory.mainDoorbell,
      port: p < memory.workerDoorbells.length ? undefined : mainPort,
    })),
    targets: [...memory.acceptorDoorbells, memory.mainDoorbell].map((doorbell, a) => ({
      replies: memory.durableReplies[a],
      doorbell,
      port: ports[a],
    })),
    replyShape: REPLY_SHAPE,
    disk: start.disk,
    clockOffsetMs: start.clockOffsetMs,
  };
  return startThread('ledger/journal-thread', data, [...ports, mainPort]);
}

/** What the thread of the chat service starts with. @param directory for its files; '' for none */
export function describeChat(options: ServerOptions, memory: ServerMemory, directory: string): ChatThreadData {
  return {
    url: options.chat === 'builtin' ? '' : pathToFileURL(resolve(options.chat)).href,
    directory,
    pulse: memory.chatPulse,
    counters: memory.chatCounters,
    doorbell: memory.chatDoorbell,
    sets: options.sets,
    workers: memory.workerDoorbells.map((doorbell, w) => ({
      passes: memory.chatPasses[w],
      answers: memory.chatAnswers[w],
      doorbell,
    })),
  };
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
