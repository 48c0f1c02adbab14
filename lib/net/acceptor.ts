// One acceptor: reads what clients send, answers losing shakes itself, passes the rest to the SET workers and writes
// their replies.
//
// Runs on a thread of its own with an event loop. It sleeps in the loop's poll, and workers ring it through a port. Where its
// transport has it nap between arrivals it looks into the reply rings after each nap, and nobody has to ring: unless replies
// had to wait for arrivals that did not come, or so many are due that one ring is for several. So that replies need not wait
// for a long turn of the loop to end, the rings are also drained between reads.

import type { TokenKey } from '../access/token.ts';
import { HoldOff } from '../handles/hold-off.ts';
import type { Stock } from '../packets/stock.ts';
import type { GoingAway } from '../protocol/extended.ts';
import { FrameReader } from '../protocol/frame-reader.ts';
import { FrameFault, makeServerRules } from '../protocol/frame-rules.ts';
import type { Consumer } from '../ring/consumer.ts';
import type { CounterWriter } from '../ring/counters.ts';
import type { DoorbellListener } from '../ring/doorbell.ts';
import { sharedClockUs } from '../ring/shared-clock.ts';
import { AcceptorCount } from './acceptor-counters.ts';
import type { Admission } from './admission.ts';
import type { CloseReason } from './close-reasons.ts';
import { ConnectionKeeper } from './connection-keeper.ts';
import { ConnectionState, ConnectionTable } from './connection-table.ts';
import { FlushRule } from './flush-rule.ts';
import { LatencyRecorder } from './latency.ts';
import { BYTES_PER_DRAIN, READS_PER_DRAIN, TOLD_PER_TURN } from './limits.ts';
import type { NetLimits } from './net-limits.ts';
import { Outgoing } from './outgoing.ts';
import { ReplyPath } from './reply-path.ts';
import { RequestPath } from './request-path.ts';
import { RestRule } from './rest-rule.ts';
import { Shedder } from './shedder.ts';
import type { Transport, TransportHandler } from './transport.ts';
import type { WorkerLink } from './worker-link.ts';

/** A nap after so many milliseconds in which replies have come should have ended sooner. */
const LONG_NAP_MS = 0.5;

/** With more requests of a worker under way than this, its replies are many at once, and worth being rung for. */
const FEW_IN_FLIGHT = 16;

export interface AcceptorParts {
  /** Makes the transport that reports to this acceptor. */
  makeTransport: (handler: TransportHandler) => Transport;
  maxConnections: number;
  /** This acceptor's own: `setLimits` changes them in place. */
  limits: NetLimits;
  admission: Admission;
  stock: Stock;
  /** See level-words.ts. */
  levels: Int32Array;
  links: readonly WorkerLink[];
  /** The reply rings: of each worker, of the journal, of main. */
  replies: readonly Consumer[];
  doorbell: DoorbellListener;
  counters: CounterWriter;
  answersLosingShakes: boolean;
  /** Whether requests for chat are taken at this moment. */
  takesChat: () => boolean;
  serverName: string;
  /** What verifies tokens; undefined where none are asked for. */
  keys?: readonly TokenKey[] | undefined;
}

export class Acceptor implements TransportHandler {
  readonly transport: Transport;
  readonly latency = new LatencyRecorder();
  readonly #limits: NetLimits;
  readonly #table: ConnectionTable;
  readonly #keeper: ConnectionKeeper;
  readonly #shedder: Shedder;
  readonly #requests: RequestPath;
  readonly #replyPath: ReplyPath;
  readonly #outgoing: Outgoing;
  readonly #reader: FrameReader;
  readonly #flushRule: FlushRule;
  readonly #restRule = new RestRule();
  readonly #links: readonly WorkerLink[];
  readonly #replies: readonly Consumer[];
  readonly #doorbell: DoorbellListener;
  /** Whether sleep has been announced: whoever publishes a reply rings, or has rung already. */
  #isListening = false;
  /** Of naps in which nobody needs to ring. */
  readonly #quietNaps = new HoldOff();
  readonly #counters: CounterWriter;
  /** Since the reply rings were last drained. */
  #undrainedReads = 0;
  #undrainedBytes = 0;
  #isStopping = false;
  #shownInFlight = 0;
  /** Connections below this one have been told that the server goes away. */
  #told = 0;

  constructor(parts: AcceptorParts) {
    const { links, counters, stock, limits } = parts;
    this.#limits = limits;
    this.transport = parts.makeTransport(this);
    this.#links = links;
    this.#replies = parts.replies;
    this.#doorbell = parts.doorbell;
    this.#counters = counters;
    this.#table = new ConnectionTable(parts.maxConnections);
    this.#outgoing = new Outgoing(this.transport, (connection) => this.#keeper.closeSlow(connection));
    this.#reader = new FrameReader(makeServerRules(limits.maxFrameBytes), {
      onFrame: (connection, bytes, offset, length, opcode) =>
        this.#requests.onFrame(connection, bytes, offset, length, opcode),
    });
    const shared = { table: this.#table, outgoing: this.#outgoing, links, counters, limits };
    this.#keeper = new ConnectionKeeper({
      ...shared,
      transport: this.transport,
      reader: this.#reader,
      admission: parts.admission,
      maxConnections: parts.maxConnections,
    });
    this.#flushRule = new FlushRule(() => this.#sendAnswers(), this.#restRule);
    const { answersLosingShakes, takesChat, serverName, levels, keys } = parts;
    this.#shedder = new Shedder({ ...shared, levels });
    this.#requests = new RequestPath({
      ...shared,
      keeper: this.#keeper,
      shedder: this.#shedder,
      stock,
      answersLosingShakes,
      takesChat,
      keys,
    });
    this.#replyPath = new ReplyPath({ ...shared, keeper: this.#keeper, latency: this.latency, serverName });
  }

  onOpen(address: string): number {
    this.#restRule.countOpen();
    return this.#keeper.open(address);
  }

  // HOT
  onData(connection: number, bytes: Uint8Array, length: number): void {
    if (this.#isStopping || this.#table.states[connection] === ConnectionState.CLOSING) return;
    // What waits for the end of the turn counts from its beginning: that is when it had arrived.
    if (this.#outgoing.runs === 0) this.#requests.receivedUs = sharedClockUs();
    this.#table.heardTick[connection] = this.#keeper.tick;
    this.#counters.add(AcceptorCount.bytesReceived, length);
    const fault = this.#reader.feed(connection, bytes, length);
    if (fault !== FrameFault.NONE) this.#keeper.close(connection, 'frame', 'frame');
    if (!this.transport.tellsTurns && this.#flushRule.countRead()) this.#sendAnswers();
    for (let i = 0; i < this.#links.length; i++) this.#links[i].flush();
    this.#undrainedReads++;
    this.#undrainedBytes += length;
    if (this.#undrainedReads >= READS_PER_DRAIN || this.#undrainedBytes >= BYTES_PER_DRAIN) this.drainReplies();
  }

  // HOT
  onTurn(): void {
    this.#outgoing.handOver();
    this.#countAnswers();
  }

  onEnd(connection: number): void {
    this.#keeper.close(connection, 'peer');
  }

  onClosed(connection: number, reason: CloseReason): void {
    this.#keeper.forget(connection, reason);
  }

  // HOT
  onNap(): void {
    if (this.#mostInFlight() > FEW_IN_FLIGHT || this.#quietNaps.skips()) {
      this.onSleep();
    } else if (this.#isListening) {
      this.#doorbell.cancelSleep();
      this.#isListening = false;
    }
  }

  // HOT
  onNapOver(ms: number): void {
    if (this.#isListening || !this.#hasReplies()) return;
    if (ms < LONG_NAP_MS) this.#quietNaps.countGain();
    else this.#quietNaps.countLoss();
    this.#drain();
    this.#countAnswers();
  }

  // HOT
  onSleep(): void {
    if (!this.#isListening) this.onDoorbell();
  }

  /** A worker has rung: takes every reply, then announces sleep, and looks again before it believes it. */
  onDoorbell(): void {
    this.#isListening = true;
    for (;;) {
      this.drainReplies();
      this.#doorbell.announceSleep();
      if (!this.#hasReplies()) return;
      this.#doorbell.cancelSleep();
    }
  }

  /** Writes the replies that have come. */
  // HOT
  drainReplies(): void {
    this.#sendAnswers();
    this.#drain();
    this.#countSentBytes();
  }

  /** A second has passed: ends connections that ran out of time, and sends what found no room in a request ring. */
  keepTime(): void {
    this.#keeper.keepTime();
    this.#shedder.tick = this.#keeper.tick;
    for (const link of this.#links) link.flush();
    this.drainReplies();
  }

  /** Verifies tokens with these keys from now on; who is logged in stays so. */
  changeKeys(keys: readonly TokenKey[]): void {
    this.#requests.keys = keys;
  }

  /** Other limits, also for the connections that are there; who is there already stays. */
  setLimits(limits: NetLimits): void {
    Object.assign(this.#limits, limits);
    this.#reader.rules = makeServerRules(limits.maxFrameBytes);
  }

  /** The server goes away: extended sessions are told by calls of `tellSome`, and those that log in from now on at once. */
  goAway(goingAway: GoingAway): void {
    this.#keeper.goAway(goingAway);
  }

  /** Tells as many extended sessions as one turn of the loop may. True once everybody has been told. */
  tellSome(): boolean {
    this.#told = this.#keeper.tellSome(this.#told, TOLD_PER_TURN);
    this.#sendAnswers();
    return this.#told === this.#table.highWater;
  }

  /** Whether somebody is logged in with an extended session. */
  get hasExtended(): boolean {
    return this.#keeper.hasExtended();
  }

  /** Reads no more; replies to what was read still go out. */
  stopReading(): void {
    this.#isStopping = true;
  }

  /** True once every request that was read has been answered. */
  get isDrained(): boolean {
    return this.#links.every((link) => link.inFlight + link.chatInFlight + link.waitingCount === 0);
  }

  /** Connections of this acceptor that are not gone yet. */
  get openCount(): number {
    return this.#keeper.openCount;
  }

  /** Closes every connection, in good order. */
  closeAll(): void {
    this.#keeper.closeAll();
  }

  /** Closes at once what has not gone by itself. */
  destroyAll(): void {
    this.#keeper.destroyAll();
  }

  /** The same; answers that were given here leave with the first of them. */
  // HOT
  #drain(): void {
    this.#undrainedReads = 0;
    this.#undrainedBytes = 0;
    const nowUs = sharedClockUs();
    let hasDrained = false;
    for (let i = 0; i < this.#replies.length; i++) {
      while (this.#replyPath.drain(this.#replies[i], nowUs) > 0) hasDrained = true;
    }
    if (hasDrained) for (let i = 0; i < this.#links.length; i++) this.#links[i].flush();
    this.#showInFlight();
  }

  // HOT
  #hasReplies(): boolean {
    for (let i = 0; i < this.#replies.length; i++) if (this.#replies[i].available() > 0) return true;
    return false;
  }

  /** How many requests are under way, for whoever decides what is shed. */
  // HOT
  #showInFlight(): void {
    const inFlight = this.#mostInFlight();
    if (inFlight === this.#shownInFlight) return;
    this.#counters.add(AcceptorCount.inFlight, inFlight - this.#shownInFlight);
    this.#shownInFlight = inFlight;
  }

  /** Requests under way with the worker that has most of them. */
  // HOT
  #mostInFlight(): number {
    let most = 0;
    for (let i = 0; i < this.#links.length; i++) most = Math.max(most, this.#links[i].inFlight);
    return most;
  }

  /** Sends what was answered here, and times it. */
  // HOT
  #sendAnswers(): void {
    this.#outgoing.flush();
    this.#countAnswers();
  }

  // HOT
  #countAnswers(): void {
    const answered = this.#requests.answeredShakes;
    if (answered > 0) {
      this.latency.record('shake', (sharedClockUs() - this.#requests.receivedUs) | 0, answered);
      this.#requests.answeredShakes = 0;
    }
    this.#countSentBytes();
  }

  // HOT
  #countSentBytes(): void {
    if (this.#outgoing.sentBytes === 0) return;
    this.#counters.add(AcceptorCount.bytesSent, this.#outgoing.sentBytes);
    this.#outgoing.sentBytes = 0;
  }
}
