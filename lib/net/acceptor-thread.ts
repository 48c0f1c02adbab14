// The thread of an acceptor: opens its rings, listens, ticks once a second, and stops in good order when main says so.

import type { MessagePort } from 'node:worker_threads';
import { parentPort, workerData } from 'node:worker_threads';
import type { TokenKey } from '../access/token.ts';
import { probeHandles } from '../handles/handle-probe.ts';
import { findSystemCalls } from '../handles/system-calls.ts';
import { goFirst } from '../handles/thread-order.ts';
import { probeUring } from '../handles/uring-probe.ts';
import { Stock } from '../packets/stock.ts';
import { Consumer } from '../ring/consumer.ts';
import { CounterWriter } from '../ring/counters.ts';
import { DoorbellListener, DoorbellRinger } from '../ring/doorbell.ts';
import { Producer } from '../ring/producer.ts';
import type { RingMemory } from '../ring/ring.ts';
import { everySecond } from '../vitals/second-timer.ts';
import { ThreadWatch } from '../vitals/thread-vitals.ts';
import { Acceptor } from './acceptor.ts';
import { ACCEPTOR_COUNTERS } from './acceptor-counters.ts';
import type {
  AcceptorMessage,
  CountAddressesMessage,
  KeysMessage,
  LimitsMessage,
  StopMessage,
} from './acceptor-messages.ts';
import { AcceptorStop } from './acceptor-stop.ts';
import { countAddresses } from './address-count.ts';
import { Admission } from './admission.ts';
import { HandleTransport } from './handle-transport.ts';
import type { NetLimits } from './net-limits.ts';
import { SocketTransport } from './socket-transport.ts';
import type { TlsFiles } from './tls-sockets.ts';
import type { ListenOptions, TransportName } from './transport.ts';
import { WorkerLink } from './worker-link.ts';

/** What main hands to an acceptor. */
export interface AcceptorThreadData {
  listen: ListenOptions;
  transport: TransportName;
  maxConnections: number;
  limits: NetLimits;
  /** See admission.ts. */
  admission: SharedArrayBuffer;
  levels: SharedArrayBuffer;
  stock: SharedArrayBuffer;
  doorbell: SharedArrayBuffer;
  counters: SharedArrayBuffer;
  /** See socket-table.ts. */
  sockets: SharedArrayBuffer;
  answersLosingShakes: boolean;
  /** Whether there is a chat service. */
  hasChat: boolean;
  serverName: string;
  /** What verifies tokens until main sends other keys; undefined lets everybody in as whom he says he is. */
  keys: readonly TokenKey[] | undefined;
  /** Certificate and key, if connections are TLS. */
  tls: TlsFiles | undefined;
  /** For each worker, in order: the rings between it and this acceptor, how to wake it, and where it rings. */
  workers: { requests: RingMemory; replies: RingMemory; doorbell: SharedArrayBuffer; port: MessagePort }[];
  /** Replies that do not come from a worker: those of the journal, once they are durable, and those of main. */
  others: { replies: RingMemory; port: MessagePort }[];
}

/** How often a stop looks whether it is done, in milliseconds. */
const STOP_POLL_MS = 10;

async function run(data: AcceptorThreadData): Promise<void> {
  const { tls } = data;
  const calls = findSystemCalls();
  if (calls !== undefined) goFirst(calls);
  // TLS is what Node puts around a socket: a bare handle has none.
  const handles = data.transport !== 'socket' && tls === undefined ? await probeHandles() : undefined;
  const takesUring = data.transport === 'uring' && typeof handles === 'object';
  const uring = takesUring ? await probeUring(handles, calls && (() => calls)) : undefined;
  // Its own: what changes a limit changes it in place, for everything that reads it.
  const limits = { ...data.limits };
  const acceptor = new Acceptor({
    makeTransport: (handler) =>
      typeof handles === 'object'
        ? new HandleTransport(
            handler,
            handles,
            data.maxConnections,
            limits,
            typeof uring === 'object' ? uring : undefined,
            data.sockets,
          )
        : new SocketTransport(handler, limits, tls),
    maxConnections: data.maxConnections,
    limits,
    admission: new Admission(data.admission),
    levels: new Int32Array(data.levels),
    stock: new Stock(data.stock),
    links: data.workers.map(
      ({ requests, doorbell }) => new WorkerLink(new Producer(requests), new DoorbellRinger(doorbell)),
    ),
    replies: [...data.workers, ...data.others].map(({ replies }) => new Consumer(replies)),
    doorbell: new DoorbellListener(data.doorbell),
    counters: new CounterWriter(data.counters, ACCEPTOR_COUNTERS),
    answersLosingShakes: data.answersLosingShakes,
    takesChat: () => data.hasChat,
    serverName: data.serverName,
    keys: data.keys,
  });
  for (const { port } of [...data.workers, ...data.others]) port.on('message', () => acceptor.onDoorbell());
  acceptor.onDoorbell();
  const watch = new ThreadWatch();
  const stopSeconds = everySecond(0, () => {
    acceptor.keepTime();
    postSecond(acceptor, watch);
  });
  parentPort!.on('message', async (message: StopMessage | CountAddressesMessage | KeysMessage | LimitsMessage) => {
    if (message.kind === 'keys') {
      acceptor.changeKeys(message.keys);
      return;
    }
    if (message.kind === 'count-addresses') {
      post({ kind: 'addresses', counts: await countAddresses(acceptor.transport, data.maxConnections) });
      return;
    }
    if (message.kind === 'limits') {
      acceptor.setLimits(message.limits);
      return;
    }
    stopSeconds();
    stop(acceptor, new AcceptorStop(acceptor, message, limits, performance.now()), data, watch);
  });
  acceptor.transport.listen(data.listen).then(
    (port) => post({ kind: 'listening', port, fallback: explainFallback(handles, uring) }),
    (error: NodeJS.ErrnoException) =>
      post({ kind: 'listen-failed', code: error.code ?? 'UNKNOWN', message: error.message }),
  );
}

/** Why connections are not what was asked for; undefined if they are. */
function explainFallback(handles: unknown, uring: unknown): string | undefined {
  if (typeof handles === 'string') return `connections are plain sockets, which cost more: ${handles}`;
  return typeof uring === 'string' ? `connections go without io_uring, which costs more: ${uring}` : undefined;
}

function stop(acceptor: Acceptor, steps: AcceptorStop, data: AcceptorThreadData, watch: ThreadWatch): void {
  const poll = setInterval(() => {
    if (!steps.step(performance.now())) return;
    clearInterval(poll);
    postSecond(acceptor, watch);
    watch.stop();
    post({ kind: 'stopped' });
    acceptor.transport.close();
    for (const { port } of [...data.workers, ...data.others]) port.close();
    parentPort!.close();
  }, STOP_POLL_MS);
}

function postSecond(acceptor: Acceptor, watch: ThreadWatch): void {
  post({ kind: 'second', latency: acceptor.latency.take(), vitals: watch.take() });
}

function post(message: AcceptorMessage): void {
  parentPort!.postMessage(message);
}

run(workerData as AcceptorThreadData);
