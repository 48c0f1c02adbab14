// A whole server: builds the rings, starts the threads, generates packets, answers the control API, stops in good order.
//
// Main thread. It owns no socket of a user. When a thread fails, the server is over: `failed` settles and the process is
// to end, for no thread can go on without the others.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Worker } from 'node:worker_threads';
import type { FastifyInstance } from 'fastify';
import { Piscina } from 'piscina';
import { buildControlServer, type ControlTarget } from './control/control-server.ts';
import type { IntervalCounts } from './monitor/interval-report.ts';
import { LatencyLog } from './monitor/latency-log.ts';
import type { AcceptorMessage, StopMessage } from './net/acceptor-messages.ts';
import { LATENCY_KINDS, type LatencyKind } from './net/latency.ts';
import { DropCampaigns } from './packets/drop-campaigns.ts';
import { DropTable } from './packets/drop-table.ts';
import { SHARE_ARENA_WORDS } from './packets/limits.ts';
import { PacketCreator } from './packets/packet-creator.ts';
import { PacketTable } from './packets/packet-table.ts';
import { SEED_BYTES } from './packets/seeded-random.ts';
import { SendCampaigns } from './packets/send-campaigns.ts';
import { DoorbellRinger } from './ring/doorbell.ts';
import { Producer } from './ring/producer.ts';
import { ServerError } from './server-error.ts';
import { type ServerOptions, settleOptions } from './server-options.ts';
import { type ServerStatus, StatusBoard } from './server-status.ts';
import { allocateServer, moduleUrl, type ServerMemory, type ServerThreads, startThreads } from './server-threads.ts';
import { NoticeSender } from './sets/notice-sender.ts';
import { SERVER_NAME } from './version.ts';

/** How often packets are released and created, in milliseconds. */
const GENERATOR_MS = 10;

/** The same while there is nothing to release or create, in milliseconds: an idle server costs next to nothing. */
const IDLE_GENERATOR_MS = 100;

/** How long the acceptors and then the workers may take to stop, in milliseconds; after that they are ended. */
const STOP_MS = 10_000;

/** What Node calls a thread that has ended. */
const ENDED = -1;

const drawSeed = () => randomBytes(SEED_BYTES);

/** Unix milliseconds that never step: a wall clock that is set must not release an hour's packets at once. */
const readNowMs = () => performance.timeOrigin + performance.now();

/**
 * Starts a server and resolves once it serves.
 * @param onError told of errors that stop nothing but belong into the log
 * @throws {ServerError} bad_option, descriptors, data, listen
 */
export async function startServer(given: Partial<ServerOptions>, onError: (error: Error) => void): Promise<Server> {
  const options = settleOptions(given);
  // Acceptors that share a port must be told the same one, and must not share it with those of another server.
  if (options.acceptors > 1) options.port = await reservePort(options.host, options.port);
  const server = new Server(options, onError);
  await server.start();
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
  readonly #memory: ServerMemory;
  readonly #drops: DropCampaigns;
  readonly #sends: SendCampaigns;
  readonly #notices: NoticeSender;
  readonly #board: StatusBoard;
  readonly #splitters: Piscina;
  readonly #control: FastifyInstance;
  #threads: ServerThreads = { acceptors: [], workers: [] };
  #generator: NodeJS.Timeout | undefined;
  #isServing = false;
  #isStopping = false;
  #stopped: Promise<void> | undefined;
  #fail: (error: ServerError) => void = () => {};

  constructor(options: ServerOptions, onError: (error: Error) => void) {
    this.options = options;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    const memory = allocateServer(options);
    this.#memory = memory;
    this.#splitters = new Piscina({
      filename: moduleUrl('packets/split-task').href,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: 1000,
      atomics: 'disabled',
      execArgv: [],
    });
    this.#drops = new DropCampaigns(
      new DropTable(memory.drops),
      (request, seed, _into, at) => this.#splitters.run({ request, seed, memory: memory.drops.amounts, at }),
      drawSeed,
    );
    this.#notices = new NoticeSender(
      memory.commands.map((ring) => new Producer(ring)),
      memory.workerDoorbells.map((doorbell) => new DoorbellRinger(doorbell)),
      options.sets,
    );
    const packets = new PacketTable(memory.packets);
    this.#sends = new SendCampaigns(
      packets,
      new PacketCreator(packets, 0, options.packetSlots, 0, SHARE_ARENA_WORDS),
      drawSeed,
      (userId, packetId) => this.#notices.tell(userId, packetId),
      options.maxShares,
      Math.floor(readNowMs() / 1000),
    );
    this.#board = new StatusBoard(memory, this.#drops, this.#sends, this.latency, SERVER_NAME);
    this.#control = buildControlServer(this.#controlTarget(), onError);
  }

  /** @throws {ServerError} listen */
  async start(): Promise<void> {
    try {
      this.#threads = startThreads(this.options, this.#memory, SERVER_NAME);
      for (const thread of [...this.#threads.acceptors, ...this.#threads.workers]) this.#supervise(thread);
      const ports = await Promise.all(this.#threads.acceptors.map((acceptor) => this.#awaitListening(acceptor)));
      this.port = ports[0];
      await this.#listenForControl();
    } catch (error) {
      this.#isStopping = true;
      await this.#endThreads();
      throw error;
    }
    this.#isServing = true;
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

  /**
   * Stops in good order: no new connections, every request that had arrived is answered, every connection closed.
   * Resolves when all threads have ended; within about STOP_MS in any case. Stopping again waits for the same end.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#isStopping = true;
    this.#isServing = false;
    clearTimeout(this.#generator);
    const message: StopMessage = { kind: 'stop' };
    const { acceptors, workers } = this.#threads;
    await this.#awaitExits(acceptors, () => {
      for (const acceptor of acceptors) acceptor.postMessage(message);
    });
    await this.#awaitExits(workers, () => {
      Atomics.store(new Int32Array(this.#memory.stop), 0, 1);
      for (const doorbell of this.#memory.workerDoorbells) new DoorbellRinger(doorbell).ring();
    });
    await this.#endThreads();
  }

  #tick(): void {
    const nowMs = readNowMs();
    this.#board.update();
    this.#drops.tick(nowMs);
    this.#notices.flush();
    this.#sends.tick(nowMs, this.#notices.isClear);
    this.#notices.flush();
    const isBusy = this.#drops.openCount > 0 || this.#sends.activeCount > 0 || !this.#notices.isClear;
    this.#generator = setTimeout(() => this.#tick(), isBusy ? GENERATOR_MS : IDLE_GENERATOR_MS);
  }

  #controlTarget(): ControlTarget {
    return {
      isServing: () => this.#isServing,
      status: () => this.#board.read(),
      createDrop: (body) => this.#drops.create(body, readNowMs),
      drop: (id) => this.#drops.status(id),
      closeDrop: (id) => this.#drops.close(id),
      createSend: (body) => this.#sends.create(body, readNowMs()),
      send: (id) => this.#sends.status(id),
      packet: (id) => this.#sends.packet(id),
    };
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
      if (message.kind === 'latency') this.latency.add(message.histograms);
    });
  }

  #awaitListening(acceptor: Worker): Promise<number> {
    const { host, port } = this.options;
    return new Promise((resolve, reject) => {
      acceptor.on('message', (message: AcceptorMessage) => {
        if (message.kind === 'listening') resolve(message.port);
        if (message.kind === 'listen-failed') reject(listenError(`${host}:${port}`, message.code, message.message));
      });
      this.failed.then(reject);
    });
  }

  async #listenForControl(): Promise<void> {
    const { controlHost, controlPort } = this.options;
    try {
      await this.#control.listen({ host: controlHost, port: controlPort });
    } catch (error) {
      const { code = 'UNKNOWN', message } = error as NodeJS.ErrnoException;
      throw listenError(`${controlHost}:${controlPort}`, code, message);
    }
    this.controlPort = (this.#control.server.address() as AddressInfo).port;
  }

  /** Asks threads to end and waits until they have, at most STOP_MS. */
  async #awaitExits(threads: readonly Worker[], ask: () => void): Promise<void> {
    const running = threads.filter(({ threadId }) => threadId !== ENDED);
    const exits = Promise.all(running.map((thread) => once(thread, 'exit')));
    ask();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, STOP_MS);
    });
    await Promise.race([exits, timeout]);
    clearTimeout(timer);
  }

  /** Ends whatever still runs. */
  async #endThreads(): Promise<void> {
    await Promise.all([...this.#threads.acceptors, ...this.#threads.workers].map((thread) => thread.terminate()));
    await this.#control.close();
    await this.#splitters.destroy();
  }
}

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
