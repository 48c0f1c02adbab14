// An acceptor without a thread, a socket or a worker: a test plays the peers and the workers, one step at a time.

import { Acceptor } from '../../lib/net/acceptor.ts';
import { ACCEPTOR_COUNTERS, AcceptorCount, closeCount } from '../../lib/net/acceptor-counters.ts';
import { Admission, allocateAdmission } from '../../lib/net/admission.ts';
import { CLOSE_REASONS, type CloseReason } from '../../lib/net/close-reasons.ts';
import { allocateLevels } from '../../lib/net/level-words.ts';
import { MAX_IN_FLIGHT } from '../../lib/net/limits.ts';
import { DEFAULT_NET_LIMITS, type NetLimits } from '../../lib/net/net-limits.ts';
import { type Transport, WriteOutcome } from '../../lib/net/transport.ts';
import { WorkerLink } from '../../lib/net/worker-link.ts';
import { Stock } from '../../lib/packets/stock.ts';
import {
  REPLY_AMOUNT,
  REPLY_CONNECTION,
  REPLY_GENERATION,
  REPLY_KIND,
  REPLY_PACKET,
  REPLY_RESULT,
  REPLY_RICH,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_WORDS,
  REPLY_WORKER,
  REQUEST_CONNECTION,
  REQUEST_GENERATION,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RICH,
  REQUEST_STAMP_HIGH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  REQUEST_WORDS,
  ReplyKind,
  RequestKind,
} from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateCounters, CounterReader, CounterWriter } from '../../lib/ring/counters.ts';
import { allocateDoorbell, DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { FULL, Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { type RawFrame, readFrames } from './raw-client.ts';

/** A request as it lies in its slot. */
export interface RigRequest {
  kind: RequestKind;
  connection: number;
  generation: number;
  userId: number;
  packetId: number;
  stampHigh: number;
  stampLow: number;
  rich: number;
}

/** What a worker says to a request, or unasked. Left out: 0. */
export interface RigReply {
  kind: ReplyKind;
  connection: number;
  generation: number;
  userId?: number;
  result?: number;
  packetId?: number;
  amountCents?: number;
  stampLow?: number;
  rich?: number;
}

/** The network of the rig: what is written is kept as it is when it is flushed, and every peer reads. */
export class FakeTransport implements Transport {
  readonly tellsTurns: boolean;
  outcome: WriteOutcome = WriteOutcome.DONE;
  readonly ended: number[] = [];
  readonly destroyed: number[] = [];
  readonly #written = new Map<number, Buffer>();
  #unflushed: [connection: number, bytes: Uint8Array][] = [];

  constructor(tellsTurns: boolean) {
    this.tellsTurns = tellsTurns;
  }

  listen(): Promise<number> {
    return Promise.resolve(1);
  }

  stopListening(): void {}

  addressOf(): string | undefined {
    return '127.0.0.1';
  }

  write(connection: number, bytes: Uint8Array, start: number, end: number): WriteOutcome {
    this.#unflushed.push([connection, bytes.subarray(start, end)]);
    return this.outcome;
  }

  flush(): void {
    for (const [connection, bytes] of this.#unflushed) {
      this.#written.set(connection, Buffer.concat([this.#written.get(connection) ?? Buffer.alloc(0), bytes]));
    }
    this.#unflushed = [];
  }

  close(): void {}

  end(connection: number): void {
    this.ended.push(connection);
  }

  destroy(connection: number): void {
    this.destroyed.push(connection);
  }

  /** The frames written to a connection since the last call. */
  take(connection: number): RawFrame[] {
    this.flush();
    const { frames } = readFrames(this.#written.get(connection) ?? Buffer.alloc(0));
    this.#written.delete(connection);
    return frames;
  }
}

export interface RigOptions {
  sets?: number;
  workers?: number;
  maxConnections?: number;
  takesChat?: () => boolean;
  limits?: Partial<NetLimits>;
  /** Whether the test tells the acceptor of turns and naps. */
  tellsTurns?: boolean;
}

export class AcceptorRig {
  readonly transport: FakeTransport;
  readonly acceptor: Acceptor;
  readonly stock: Stock;
  /** See level-words.ts. */
  readonly levels = new Int32Array(allocateLevels());
  readonly links: WorkerLink[];
  readonly #requests: Consumer[];
  /** What a worker has taken from its ring while somebody else logged in. */
  readonly #taken: RigRequest[][];
  readonly #replies: Producer[];
  readonly #counters: CounterReader;
  readonly #doorbell = allocateDoorbell();

  constructor(options: RigOptions = {}) {
    const { sets = 4, workers = 1, maxConnections = 64, takesChat = () => true, limits, tellsTurns = false } = options;
    this.transport = new FakeTransport(tellsTurns);
    const each = <T>(make: () => T): T[] => Array.from({ length: workers }, make);
    const requests = each(() => allocateRing(2 * MAX_IN_FLIGHT, REQUEST_WORDS));
    // Of the workers, of the journal, and of main.
    const replies = Array.from({ length: workers + 2 }, () => allocateRing(2 * MAX_IN_FLIGHT, REPLY_WORDS));
    const counters = allocateCounters(ACCEPTOR_COUNTERS);
    const stock = Stock.allocate(sets);
    this.stock = new Stock(stock);
    this.links = requests.map((ring) => new WorkerLink(new Producer(ring), new DoorbellRinger(allocateDoorbell())));
    this.#taken = each(() => []);
    this.#requests = requests.map((ring) => new Consumer(ring));
    this.#replies = replies.map((ring) => new Producer(ring));
    this.#counters = new CounterReader([counters], ACCEPTOR_COUNTERS);
    this.acceptor = new Acceptor({
      makeTransport: () => this.transport,
      maxConnections,
      limits: { ...DEFAULT_NET_LIMITS, ...limits },
      admission: new Admission(allocateAdmission(maxConnections)),
      levels: this.levels,
      stock: new Stock(stock),
      links: this.links,
      replies: replies.map((ring) => new Consumer(ring)),
      doorbell: new DoorbellListener(this.#doorbell),
      counters: new CounterWriter(counters, ACCEPTOR_COUNTERS),
      answersLosingShakes: true,
      takesChat,
      serverName: 'rig',
    });
  }

  /** A peer connects. */
  open(address = '127.0.0.1'): number {
    return this.acceptor.onOpen(address);
  }

  /** A peer connects and logs in; the worker says yes. Returns the connection and what its requests carry. */
  join(userId: number, hello: Buffer): { connection: number; generation: number } {
    const connection = this.open();
    this.receive(connection, hello);
    const worker = (userId % this.stock.sets) % this.links.length;
    const requests = this.takeRequests(worker);
    const login = requests.pop()!;
    this.#taken[worker] = requests;
    this.answer(login, {}, worker);
    this.drain();
    this.transport.take(connection);
    return { connection, generation: login.generation };
  }

  /** Bytes of a peer arrive, in one read. */
  receive(connection: number, ...frames: Uint8Array[]): void {
    const bytes = Buffer.concat(frames);
    this.acceptor.onData(connection, bytes, bytes.length);
  }

  /** A worker takes what is in its ring, or `most` of it. */
  takeRequests(worker = 0, most = Number.POSITIVE_INFINITY): RigRequest[] {
    const ring = this.#requests[worker];
    const requests = this.#taken[worker].splice(0);
    while (requests.length < most && ring.available() > 0) {
      const slot = ring.slotAt(0);
      const word = (index: number) => ring.words[slot + index];
      requests.push({
        kind: word(REQUEST_KIND) as RequestKind,
        connection: word(REQUEST_CONNECTION),
        generation: word(REQUEST_GENERATION),
        userId: word(REQUEST_USER),
        packetId: word(REQUEST_PACKET),
        stampHigh: word(REQUEST_STAMP_HIGH),
        stampLow: word(REQUEST_STAMP_LOW),
        rich: word(REQUEST_RICH),
      });
      ring.release(1);
    }
    return requests;
  }

  /** The rings that bring replies and belong to no worker. */
  get journalRing(): number {
    return this.links.length;
  }

  get mainRing(): number {
    return this.links.length + 1;
  }

  /** A worker answers a request in kind. @param ring the reply comes through it: the worker's own, the journal's or main's */
  answer(request: RigRequest, reply: Partial<RigReply> = {}, worker = 0, ring = worker): void {
    const { connection, generation, userId, packetId, stampLow, rich } = request;
    const kind = REPLY_OF[request.kind]!;
    this.say({ kind, connection, generation, userId, packetId, stampLow, rich, ...reply }, worker, ring);
  }

  /** A worker says something; false when its ring is full. */
  say(reply: RigReply, worker = 0, ring = worker): boolean {
    const producer = this.#replies[ring];
    const place = producer.claim();
    if (place === FULL) return false;
    const { words } = producer;
    words.fill(0, place, place + REPLY_WORDS);
    words[place + REPLY_KIND] = reply.kind;
    words[place + REPLY_CONNECTION] = reply.connection;
    words[place + REPLY_GENERATION] = reply.generation;
    words[place + REPLY_USER] = reply.userId ?? 0;
    words[place + REPLY_RESULT] = reply.result ?? 0;
    words[place + REPLY_PACKET] = reply.packetId ?? 0;
    words[place + REPLY_AMOUNT] = reply.amountCents ?? 0;
    words[place + REPLY_STAMP_HIGH] = 0;
    words[place + REPLY_STAMP_LOW] = reply.stampLow ?? 0;
    words[place + REPLY_RICH] = reply.rich ?? 0;
    words[place + REPLY_WORKER] = worker;
    producer.publish();
    return true;
  }

  /** Whoever has published rings: whether the acceptor is to be woken. */
  ring(): boolean {
    let isWoken = false;
    new DoorbellRinger(this.#doorbell, () => {
      isWoken = true;
    }).ring();
    return isWoken;
  }

  /** The acceptor takes the replies. */
  drain(): void {
    this.acceptor.drainReplies();
  }

  /** Seconds pass. */
  passSeconds(seconds: number): void {
    for (let i = 0; i < seconds; i++) this.acceptor.keepTime();
  }

  count(name: keyof typeof AcceptorCount): number {
    this.#counters.update();
    return this.#counters.count(AcceptorCount[name]);
  }

  closes(): Partial<Record<CloseReason, number>> {
    this.#counters.update();
    const counted = CLOSE_REASONS.map((reason) => [reason, this.#counters.count(closeCount(reason))] as const);
    return Object.fromEntries(counted.filter(([, count]) => count > 0));
  }
}

/** Which reply answers a request. */
const REPLY_OF: Partial<Record<RequestKind, ReplyKind>> = {
  [RequestKind.LOGIN]: ReplyKind.LOGIN,
  [RequestKind.SHAKE]: ReplyKind.SHAKE,
  [RequestKind.GRAB]: ReplyKind.GRAB,
};
