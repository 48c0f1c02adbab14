// A whole server: builds the rings, starts the threads, generates packets, answers the control API, stops in good order.
//
// Main thread. It owns no socket of a user. When a thread fails, the server is over: `failed` settles and the process is
// to end, for no thread can go on without the others.

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import type { FastifyInstance } from 'fastify';
import { Piscina } from 'piscina';
import type { TokenKey } from './access/token.ts';
import { buildControlServer } from './control/control-server.ts';
import { findSystemCalls } from './handles/system-calls.ts';
import { orderThreads } from './handles/thread-order.ts';
import { DataLock } from './ledger/data-lock.ts';
import type { JournalMessage, JournalThreadData } from './ledger/journal-thread.ts';
import { LedgerError } from './ledger/ledger-error.ts';
import { NodeFiles } from './ledger/node-files.ts';
import { type OnRecoveryProgress, type Recovery, recover } from './ledger/recovery.ts';
import { JOURNAL_NAME } from './ledger/segment-layout.ts';
import { loadWallet, type WalletHost } from './ledger/wallet-host.ts';
import type { IntervalCounts } from './monitor/interval-report.ts';
import { LatencyLog } from './monitor/latency-log.ts';
import type {
  AcceptorMessage,
  KeysMessage,
  LimitsMessage,
  ListeningMessage,
  StopMessage,
} from './net/acceptor-messages.ts';
import { LATENCY_KINDS, type LatencyKind } from './net/latency.ts';
import { closeSockets } from './net/socket-table.ts';
import { SHARE_ARENA_WORDS } from './packets/limits.ts';
import { PacketCreator } from './packets/packet-creator.ts';
import { PacketTable } from './packets/packet-table.ts';
import { SeedSource } from './packets/seed-source.ts';
import { DoorbellRinger } from './ring/doorbell.ts';
import { openAccess, type ServerAccess } from './server-access.ts';
import { readAddresses } from './server-addresses.ts';
import { ServerChat } from './server-chat.ts';
import { makeControlTarget } from './server-control.ts';
import { ServerError } from './server-error.ts';
import { ServerHistory } from './server-history.ts';
import { ServerLevels } from './server-levels.ts';
import { ServerMetrics } from './server-metrics.ts';
import { ServerMonitor } from './server-monitor.ts';
import { hasChat, type LiveOptions, netLimitsOf, type ServerOptions, settleOptions } from './server-options.ts';
import { describeRecovery, restoreUsers } from './server-recovery.ts';
import { type ServerStatus, StatusBoard } from './server-status.ts';
import {
  allocateServer,
  describeChat,
  moduleUrl,
  type ServerMemory,
  type ServerThreads,
  startThreads,
} from './server-threads.ts';
import { ServerWork } from './server-work.ts';
import { SERVER_NAME } from './version.ts';

/**
 * Parts of the time for a stop (drainSeconds): that by which the acceptors are to be done, and those after which the acceptors, the
 * workers and the journal are ended. The workers and the journal need milliseconds; the rest is for what is not a thread.
 */
const ACCEPTORS_SHARE = 0.65;
const STOP_SHARES = { acceptors: 0.7, workers: 0.8, journal: 0.95 } as const;

/** What Node calls a thread that has ended. */
const ENDED = -1;

/** The number of this node: the journal names it, so that many may be told apart. */
const NODE = 1;

/** What a start and a running server tell whoever started it. */
export interface ServerEvents {
  /** What stops nothing, but belongs into the log. */
  onError(error: Error): void;
  /** What is worth a line in the log, such as what recovery found, as a sentence. */
  onInfo?(sentence: string): void;
  onRecoveryProgress?: OnRecoveryProgress;
}

/**
 * Starts a server and resolves once it serves: reads the data directory first, and takes up everything where it stood.
 * @throws {ServerError} bad_option, descriptors, data, listen
 */
export async function startServer(given: Partial<ServerOptions>, events: ServerEvents): Promise<Server> {
  const options = settleOptions(given);
  // Acceptors that share a port must be told the same one, and must not share it with those of another server.
  if (options.acceptors > 1) options.port = await reservePort(options.host, options.port);
  const server = new Server(options, events);
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    if (error instanceof LedgerError) throw new ServerError('data', error.message, { cause: error });
    throw error;
  }
  return server;
}

/** One server of this process. Made by `startServer`. */
export class Server {
  readonly options: ServerOptions;
  readonly latency = new LatencyLog<LatencyKind>(LATENCY_KINDS);
  /** Settles, with the reason, when the server cannot go on. */
  readonly failed: Promise<ServerError>;
  /** Where clients connect, and where the control API is. */
  port = 0;
  controlPort = 0;
  readonly #events: ServerEvents;
  readonly #memory: ServerMemory;
  readonly #levels: ServerLevels;
  readonly #splitters: Piscina;
  readonly #history: ServerHistory;
  /** Added to the clock of this process, so that time never goes back behind what the journal has. */
  #clockOffsetMs = 0;
  /** Batches in the journal before this run. */
  #batchesBefore = 0;
  #lock: DataLock | undefined;
  /** Set at the beginning of the start. */
  #access: ServerAccess | undefined;
  #wallet: WalletHost | undefined;
  #chat: ServerChat | undefined;
  #work!: ServerWork;
  #board!: StatusBoard;
  #monitor: ServerMonitor | undefined;
  #control: FastifyInstance | undefined;
  #threads: ServerThreads = { acceptors: [], workers: [], journal: undefined, mainPorts: [], acceptorPorts: [] };
  #generator: NodeJS.Timeout | undefined;
  #isServing = false;
  #isStopping = false;
  #stopped: Promise<void> | undefined;
  #fail: (error: ServerError) => void = () => {};

  constructor(options: ServerOptions, events: ServerEvents) {
    this.options = options;
    this.#events = events;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    this.#memory = allocateServer(options);
    this.#levels = new ServerLevels(this.#memory, (sentence) => events.onInfo?.(sentence));
    this.#splitters = new Piscina({
      filename: moduleUrl('packets/split-task').href,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: 1000,
      atomics: 'disabled',
      execArgv: [],
    });
    this.#history = new ServerHistory({
      data: this.#isWritten ? options.data : undefined,
      keepSegments: options.keepSegments,
      readDurableBatch: () => this.#batchesBefore + this.#board.readBatches(),
      onError: (error) => events.onError(error),
    });
  }

  /** Recovers, starts the threads, and listens. @throws {ServerError} listen; {LedgerError} */
  async start(): Promise<void> {
    const { options } = this;
    const memory = this.#memory;
    const table = new PacketTable(memory.packets);
    const creator = new PacketCreator(table, 0, options.packetSlots, 0, SHARE_ARENA_WORDS);
    const recovery = this.#isWritten ? this.#recover(table, creator) : undefined;
    this.#access = await openAccess(options, {
      onKeys: (keys) => this.#changeKeys(keys),
      onError: (error) => this.#events.onError(error),
      onInfo: (sentence) => this.#events.onInfo?.(sentence),
    });
    if (options.wallet !== '') this.#wallet = await loadWallet(options.wallet);
    const seeds = new SeedSource();
    this.#work = new ServerWork({
      options,
      memory,
      table,
      creator,
      recovery,
      splitDrop: (request, seed, shared, at) => this.#splitters.run({ request, seed, memory: shared, at }),
      wallet: this.#wallet,
      readRecords: (userId, request) => this.#history.records(userId, request),
      drawSeed: () => seeds.draw(),
      readNowMs: this.#readNowMs,
      sleep: (ms, signal) => sleep(ms, undefined, signal === undefined ? { ref: false } : { ref: false, signal }),
      onError: (error) => this.#events.onError(error),
    });
    await this.#work.restore();
    const before = recovery?.state.totals ?? NOTHING_BEFORE;
    const { drops, packets } = this.#work;
    this.#board = new StatusBoard(
      memory,
      this.#levels,
      drops,
      packets,
      this.latency,
      SERVER_NAME,
      options.durability,
      before,
    );
    await this.#startChat();
    await this.#startThreads(recovery);
    this.#monitor = new ServerMonitor({
      options,
      port: this.port,
      board: this.#board,
      latency: this.latency,
      onError: (error) => this.#events.onError(error),
    });
    await this.#listenForControl(this.#monitor);
    await this.#monitor.start();
    this.#levels.start();
    this.#isServing = true;
    this.#work.settleReservations();
    if (recovery !== undefined) this.#history.fold(recovery.end.segment - 1);
    this.#tick();
  }

  /** Everything about the server, as GET /status has it. */
  status(): Promise<ServerStatus> {
    return this.#board.read();
  }

  /** What happened since the last call, for the interval report. */
  takeInterval(): IntervalCounts {
    return this.#board.takeInterval();
  }

  /** Puts other values in the place of options, for what is there and for what comes. They must have been checked. */
  change(changes: Partial<LiveOptions>): void {
    Object.assign(this.options, changes);
    this.#history.keepSegments = this.options.keepSegments;
    const message: LimitsMessage = { kind: 'limits', limits: netLimitsOf(this.options) };
    for (const acceptor of this.#threads.acceptors) acceptor.postMessage(message);
  }

  /**
   * Stops in good order: no new connections, every request that had arrived is answered, every connection closed, everything
   * on the disk. Resolves when all threads have ended, within about drainSeconds. Stopping again waits for the same end.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#isStopping = true;
    this.#isServing = false;
    clearTimeout(this.#generator);
    this.#levels.stop();
    this.#access?.stop();
    const { drainSeconds, reconnectSeconds, drainTo } = this.options;
    const startedAt = performance.now();
    const byShare = (share: number) => startedAt + drainSeconds * 1000 * share;
    const message: StopMessage = {
      kind: 'stop',
      goingAway: { reconnectAfterSeconds: reconnectSeconds, ...(drainTo === '' ? {} : { target: drainTo }) },
      withinMs: drainSeconds * 1000 * ACCEPTORS_SHARE,
    };
    const { acceptors, workers, journal, mainPorts, acceptorPorts } = this.#threads;
    await this.#awaitExits(acceptors, byShare(STOP_SHARES.acceptors), () => {
      for (const acceptor of acceptors) acceptor.postMessage(message);
    });
    await this.#awaitExits(workers, byShare(STOP_SHARES.workers), () => {
      Atomics.store(new Int32Array(this.#memory.stop), 0, 1);
      for (const doorbell of this.#memory.workerDoorbells) new DoorbellRinger(doorbell).ring();
    });
    await this.#awaitExits(journal === undefined ? [] : [journal], byShare(STOP_SHARES.journal), () => {
      Atomics.store(new Int32Array(this.#memory.stopJournal), 0, 1);
      new DoorbellRinger(this.#memory.journalDoorbell).ring();
    });
    await this.#monitor?.stop();
    await this.#endThreads();
    for (const port of [...mainPorts, ...acceptorPorts]) port.close();
    this.#lock?.release();
  }

  get #isWritten(): boolean {
    return this.options.durability !== 'memory';
  }

  /** Unix milliseconds that never step: a wall clock that is set must not release an hour's packets at once. */
  readonly #readNowMs = () => performance.timeOrigin + performance.now() + this.#clockOffsetMs;

  /** Takes the data directory for this server and reads what is in it. @throws {LedgerError} */
  #recover(table: PacketTable, creator: PacketCreator): Recovery {
    const { data } = this.options;
    this.#lock = new DataLock(data);
    const files = new NodeFiles(join(data, JOURNAL_NAME));
    const recovery = recover(data, files, table, creator, this.#events.onRecoveryProgress);
    files.close();
    const { timeMs, nextBatch } = recovery.end;
    this.#batchesBefore = nextBatch - 1;
    const aheadMs = timeMs - this.#readNowMs();
    if (aheadMs > 0) {
      this.#clockOffsetMs = aheadMs;
      const seconds = Math.ceil(aheadMs / 1000);
      this.#events.onError(
        new Error(`the clock is ${seconds} s behind the journal: this server goes on from the journal's time`),
      );
    }
    if (nextBatch > 1) this.#events.onInfo?.(describeRecovery(recovery));
    return recovery;
  }

  async #startThreads(recovery: Recovery | undefined): Promise<void> {
    const { options } = this;
    const memory = this.#memory;
    const work = this.#work;
    this.#threads = startThreads(options, memory, {
      serverName: SERVER_NAME,
      restored: restoreUsers(recovery, options.sets, options.workers, (dropId) => work.drops.slotOf(dropId)),
      disk: this.#describeDisk(recovery),
      clockOffsetMs: this.#clockOffsetMs,
      keys: this.#access?.keys,
      tls: this.#access?.tls,
    });
    const { acceptors, workers, journal, mainPorts, acceptorPorts } = this.#threads;
    for (const port of mainPorts) port.on('message', () => work.onDoorbell());
    work.ringAcceptor = (acceptor) => acceptorPorts[acceptor].postMessage(null);
    work.onDoorbell();
    for (const thread of [...acceptors, ...workers, journal!]) this.#supervise(thread);
    acceptors.forEach((thread, a) => {
      thread.on('exit', () => closeSockets(memory.sockets[a]));
    });
    journal!.on('message', (message: JournalMessage) => this.#onJournalMessage(message));
    const [{ port, fallback }] = await Promise.all(acceptors.map((acceptor) => this.#awaitListening(acceptor)));
    this.port = port;
    if (this.#access?.tls !== undefined) {
      this.#events.onInfo?.('connections are TLS over plain sockets, which cost more than bare handles');
    }
    if (fallback !== undefined) this.#events.onInfo?.(fallback);
    const namesOf = (threads: Worker[]) => threads.map((thread) => thread.threadName!);
    orderThreads({ first: namesOf(acceptors), second: namesOf([...workers, journal!]) }, findSystemCalls());
  }

  async #startChat(): Promise<void> {
    const { options } = this;
    if (!hasChat(options)) return;
    this.#chat = new ServerChat({
      data: describeChat(options, this.#memory, this.#isWritten ? options.data : ''),
      name: options.chat,
      threadUrl: moduleUrl('chat/chat-thread'),
      onError: (error) => this.#events.onError(error),
      onInfo: (sentence) => this.#events.onInfo?.(sentence),
    });
    await this.#chat.start();
  }

  #describeDisk(recovery: Recovery | undefined): JournalThreadData['disk'] {
    if (recovery === undefined) return undefined;
    const { data, segmentBytes, durability } = this.options;
    const { segment, offset, nextBatch, nextSequence, chain, timeMs } = recovery.end;
    return {
      directory: join(data, JOURNAL_NAME),
      position: { segment, offset, nextBatch, nextSequence, chain, timeMs },
      node: NODE,
      segmentBytes,
      syncs: durability === 'fsync',
    };
  }

  #changeKeys(keys: TokenKey[]): void {
    const message: KeysMessage = { kind: 'keys', keys };
    for (const acceptor of this.#threads.acceptors) acceptor.postMessage(message);
  }

  #onJournalMessage(message: JournalMessage): void {
    if (message.kind === 'segment-closed') this.#history.fold(message.segment);
    else this.#fail(new ServerError('journal', message.message));
  }

  #tick(): void {
    this.#board.update();
    this.#work.tick();
    this.#generator = setTimeout(() => this.#tick(), this.#work.tickMs);
  }

  /** A thread that fails, or ends unasked, is the end of the server. */
  #supervise(thread: Worker): void {
    // A thread that has ended has no name any more.
    const name = thread.threadName;
    thread.on('error', (error) => {
      const cause = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#fail(new ServerError('thread', `the thread ${name} has failed: ${cause}`, { cause: error }));
    });
    thread.on('exit', (code) => {
      if (!this.#isStopping) this.#fail(new ServerError('thread', `the thread ${name} ended with ${code}`));
    });
    thread.on('message', (message: AcceptorMessage) => {
      if (message.kind === 'second') {
        this.latency.add(message.latency);
        this.#monitor?.addVitals(message.vitals);
      }
    });
  }

  #awaitListening(acceptor: Worker): Promise<ListeningMessage> {
    const { host, port } = this.options;
    return new Promise((resolve, reject) => {
      acceptor.on('message', (message: AcceptorMessage) => {
        if (message.kind === 'listening') resolve(message);
        if (message.kind === 'listen-failed') reject(listenError(`${host}:${port}`, message.code, message.message));
      });
      this.failed.then(reject);
    });
  }

  async #listenForControl(watch: ServerMonitor): Promise<void> {
    const { controlHost, controlPort } = this.options;
    const target = makeControlTarget({
      isServing: () => this.#isServing,
      work: this.#work,
      board: this.#board,
      metrics: new ServerMetrics(this.#board, this.latency),
      history: this.#history,
      levels: this.#levels,
      watch,
      host: controlHost,
      maxCampaignCents: this.options.maxCampaignCents,
      readAddresses: () => readAddresses(this.#threads.acceptors),
      readNowMs: this.#readNowMs,
      onInfo: (sentence) => this.#events.onInfo?.(sentence),
    });
    const control = buildControlServer(target, (error) => this.#events.onError(error), this.#access?.gate);
    this.#control = control;
    try {
      await control.listen({ host: controlHost, port: controlPort });
    } catch (error) {
      const { code = 'UNKNOWN', message } = error as NodeJS.ErrnoException;
      throw listenError(`${controlHost}:${controlPort}`, code, message);
    }
    this.controlPort = (control.server.address() as AddressInfo).port;
  }

  /** Asks threads to end and waits until they have, at most to an instant of performance.now(). */
  async #awaitExits(threads: readonly Worker[], byMs: number, ask: () => void): Promise<void> {
    const running = threads.filter(({ threadId }) => threadId !== ENDED);
    const exits = Promise.all(running.map((thread) => once(thread, 'exit')));
    ask();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, Math.max(0, byMs - performance.now()));
    });
    await Promise.race([exits, timeout]);
    clearTimeout(timer);
    for (const { threadId, threadName } of running) {
      if (threadId !== ENDED)
        this.#events.onError(new Error(`the thread ${threadName} did not stop in time: it is ended`));
    }
  }

  /** Ends whatever still runs. */
  async #endThreads(): Promise<void> {
    const { acceptors, workers, journal } = this.#threads;
    const threads = [...acceptors, ...workers, ...(journal === undefined ? [] : [journal])];
    await Promise.all(threads.map((thread) => thread.terminate()));
    await this.#control?.close();
    await this.#history.close();
    await this.#splitters.destroy();
    await this.#wallet?.close();
    await this.#chat?.stop();
  }
}

const NOTHING_BEFORE = { fundedCents: 0, claimedCents: 0, refundedCents: 0, toppedUpCents: 0, withdrawnCents: 0 };

/** Makes sure that nobody has the port, or finds a free one for 0. Returns it. @throws {ServerError} listen */
async function reservePort(host: string, wanted: number): Promise<number> {
  const probe = createServer().listen(wanted, host);
  try {
    await once(probe, 'listening');
  } catch (error) {
    const { code = 'UNKNOWN', message } = error as NodeJS.ErrnoException;
    throw listenError(`${host}:${wanted}`, code, message);
  }
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

function listenError(address: string, code: string, message: string): ServerError {
  const reason =
    code === 'EADDRINUSE'
      ? 'it is in use by another program; choose another port, or stop that program'
      : code === 'EACCES'
        ? 'this user may not use it; choose a port above 1023'
        : message;
  return new ServerError('listen', `cannot listen on ${address}: ${reason}`);
}
