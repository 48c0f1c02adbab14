// A fast lane for bare handles: reads and writes of their sockets through an io_uring, many with one call into the kernel,
// instead of one call of Node into JavaScript for each. It may accept them too. What connects, queues what the peer does not
// take, and closes is a handle.
//
// A turn begins when the event says that something has happened, or somebody asks for one; it hands over what has arrived,
// lets the handler answer, submits the answers, and begins anew with what has come in the meantime. Then the thread sleeps in
// the loop's poll, as it does without the lane; or it naps between arrivals (arrival-rate.ts, gather-rule.ts), and its timers are
// some milliseconds late.

import { ArrivalRate } from './arrival-rate.ts';
import { GatherRule } from './gather-rule.ts';
import { type OwnedDescriptor, ownDescriptor } from './owned-descriptor.ts';
import { Uring } from './uring.ts';
import { NO_BUFFER } from './uring-layout.ts';
import type { UringParts } from './uring-probe.ts';

/** What the owner is told. Connections are named by index. */
export interface LaneHandler {
  onData(connection: number, bytes: Uint8Array, length: number): void;
  /** The thread is about to nap: until something arrives or the loop has something to do, and for a span at the most. */
  onNap?(): void;
  /** It has napped, and some time, in milliseconds, has passed since the turn before; `onTurn` follows if anything has arrived. */
  onNapOver?(ms: number): void;
  /**
   * All that has arrived by now has been handed over: answer, a `flush` follows. Returns whether the thread may wait for the
   * next arrival: not if there is more to write.
   */
  onTurn(): boolean;
  /** The thread goes on in its event loop, and only an event of its own brings it back here. */
  onSleep?(): void;
  /** Nothing more arrives: 0 is the end of the stream, below it an error. */
  onEnd(connection: number, status: number): void;
  /** Somebody has connected to the listener. Only if the lane accepts. */
  onAccept?(descriptor: number): void;
  /** The kernel did not take this much of a write, copied out; or a negative error ended it. */
  onUnsent(connection: number, rest: Uint8Array, error: number): void;
}

/** What the lane does for a connection. */
const LaneState = { FREE: 0, READING: 1, ENDED: 2, LEAVING: 3 } as const;

/** How often the thread is in its loop while it naps. */
export interface LanePace {
  /** The span that bounds a nap, in milliseconds. */
  napMs: number;
  /** A turn goes on for so many of these spans before the loop sees to its timers: so late they may be. */
  turnSpans: number;
}

const PACE: LanePace = { napMs: 2, turnSpans: 4 };

const EAGAIN = -11;

/** How long nobody is accepted after that has failed: for want of descriptors or memory, as a rule. In milliseconds. */
const ACCEPT_PAUSE_MS = 50;

const NO_LISTENER = -1;

/** Owned by one thread. */
export class UringLane {
  readonly #handler: LaneHandler;
  readonly #uring: Uring;
  readonly #event: OwnedDescriptor;
  readonly #ring: OwnedDescriptor;
  readonly #turnSpans: number;
  readonly #turnMs: number;
  readonly #states: Uint8Array;
  readonly #descriptors: Int32Array;
  /** By connection: the latest send, to find what was left of it, and the batch that it went with. */
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  readonly #batches: Int32Array;
  /** Of the sends that are not submitted yet. */
  #batch = 1;
  #bytes: Uint8Array = new Uint8Array(0);
  /** What to do once a connection that leaves has left. */
  readonly #afterLeaving = new Map<number, () => void>();
  readonly #arrivals = new ArrivalRate();
  readonly #gather = new GatherRule();
  /** Connections that are read from. */
  #reading = 0;
  #listener = NO_LISTENER;
  #isInTurn = false;
  #isTurnDue = false;
  #isClosed = false;

  /**
   * @param capacity connections at the most
   * @throws Error if the kernel refuses a ring
   */
  constructor(handler: LaneHandler, parts: UringParts, capacity: number, { napMs, turnSpans }: LanePace = PACE) {
    this.#handler = handler;
    this.#turnSpans = turnSpans;
    this.#turnMs = turnSpans * napMs;
    this.#states = new Uint8Array(capacity);
    this.#descriptors = new Int32Array(capacity);
    this.#starts = new Int32Array(capacity);
    this.#ends = new Int32Array(capacity);
    this.#batches = new Int32Array(capacity);
    this.#uring = new Uring(parts.calls, (connection, result) => this.#onUnsent(connection, result), napMs);
    // Sockets that it reads from would outlive a thread that is ended from outside.
    this.#ring = ownDescriptor(this.#uring.descriptor);
    this.#event = parts.openEvent(this.#uring.event, () => this.#turn());
    if (!this.#uring.sleep()) this.#turnSoon();
  }

  /** Begins to accept from a socket that listens. */
  accept(listener: number): void {
    this.#listener = listener;
    this.#uring.accept(listener);
    this.#turnSoon();
  }

  /** Accepts no more, by the time this returns; but what was accepted before may still be told. Close the listener next. */
  stopAccepting(): void {
    this.#listener = NO_LISTENER;
    this.#uring.cancelAccept();
    this.flush();
  }

  /** Begins to read from a connection's socket. */
  enter(connection: number, descriptor: number): void {
    // More are likely to follow, and the loop has to be there for them.
    if (this.#listener === NO_LISTENER) this.#arrivals.countOpen();
    this.#states[connection] = LaneState.READING;
    this.#reading++;
    this.#descriptors[connection] = descriptor;
    this.#batches[connection] = 0;
    this.#uring.receive(connection, descriptor);
    this.#turnSoon();
  }

  /**
   * Call it before each `write`, and before looking whether something of this connection waits: what is left of its last write
   * goes before the next one, so it has to be known by then.
   */
  // HOT
  prepare(connection: number, bytes: Uint8Array): void {
    if (this.#batches[connection] === this.#batch || bytes !== this.#bytes) this.flush();
    this.#bytes = bytes;
  }

  /** Sends what was prepared, from `start` to `end`, with the next `flush`; the bytes stay as they are until then. */
  // HOT
  write(connection: number, bytes: Uint8Array, start: number, end: number): void {
    this.#starts[connection] = start;
    this.#ends[connection] = end;
    this.#batches[connection] = this.#batch;
    this.#uring.send(connection, this.#descriptors[connection], bytes, start, end);
  }

  /** Whether the handler is being told: a `flush` follows by itself. */
  // HOT
  get isInTurn(): boolean {
    return this.#isInTurn;
  }

  /** Hands all writes to the kernel; what it does not take has been told when this returns. */
  // HOT
  flush(): void {
    if (!this.#uring.hasPending || this.#isClosed) return;
    this.#submit(false);
    if (!this.#isInTurn && this.#uring.waiting > 0) this.#turnSoon();
  }

  /** Ends reading; what was written leaves. Close the socket next. */
  leave(connection: number): void {
    const isReading = this.#states[connection] === LaneState.READING;
    this.#states[connection] = isReading ? LaneState.LEAVING : LaneState.FREE;
    if (isReading) {
      this.#reading--;
      this.#uring.cancelReceive(connection);
    }
    // At once: the socket is closed next, and its number may be another's soon.
    this.flush();
    if (isReading) this.#turnSoon();
  }

  /** Calls back once the lane is done with a connection that was told to leave: then its index may name another. */
  afterLeaving(connection: number, call: () => void): void {
    if (this.#states[connection] === LaneState.LEAVING) this.#afterLeaving.set(connection, call);
    else call();
  }

  /** Gives the ring back. Every connection has left, or is not asked for any more. */
  close(): void {
    this.#isClosed = true;
    this.#event.close();
    this.#ring.close();
  }

  // HOT
  #submit(isNapping: boolean): void {
    this.#batch = (this.#batch + 1) | 0 || 1;
    if (isNapping) this.#uring.submitAndNap(this.#gather.begin(this.#arrivals.perMs, this.#reading));
    else this.#uring.submit();
  }

  // HOT
  readonly #turn = (): void => {
    this.#isTurnDue = false;
    if (this.#isClosed) return;
    const uring = this.#uring;
    this.#isInTurn = true;
    uring.wake();
    let countedMs = this.#arrivals.nowMs();
    // A turn in which there is no time for naps counts no spans.
    const endMs = countedMs + this.#turnMs;
    const endSpan = uring.spans + this.#turnSpans;
    let mayNap = true;
    do {
      const wantsNap = mayNap && uring.waiting === 0 && this.#arrivals.isWorthWaiting;
      if (wantsNap) this.#handler.onNap?.();
      const wasNapping = wantsNap && uring.waiting === 0;
      if (uring.waiting === 0) this.#submit(wasNapping);
      else this.flush();
      // Not what comes meanwhile: under load there might be no end to it.
      const reads = uring.waiting;
      if (reads === 0 && !wasNapping) break;
      for (let left = reads; left > 0; left--) this.#take();
      this.#arrivals.countReads(reads);
      if (wasNapping) this.#onNapOver(reads, this.#arrivals.latestMs - countedMs);
      countedMs = this.#arrivals.latestMs;
      if (reads > 0) mayNap = this.#handler.onTurn();
    } while (!uring.takeLoopDue() && uring.spans < endSpan && countedMs < endMs);
    this.flush();
    this.#isInTurn = false;
    if (uring.waiting > 0 || this.#arrivals.isWorthWaiting) this.#turnSoon();
    else this.#sleep();
  };

  // HOT
  #onNapOver(reads: number, ms: number): void {
    this.#gather.end(reads, ms);
    this.#handler.onNapOver?.(ms);
  }

  // HOT
  #take(): void {
    const uring = this.#uring;
    uring.next();
    const { connection, result, buffer, isMore } = uring;
    if (uring.isAccept) {
      this.#onAccept(result, isMore);
      return;
    }
    const isReading = this.#states[connection] === LaneState.READING;
    if (result > 0) {
      if (isReading) this.#handler.onData(connection, uring.buffers[buffer], result);
      uring.giveBack(buffer);
    }
    if (!isMore) this.#onReceiveOver(connection, result);
  }

  #onAccept(result: number, isMore: boolean): void {
    if (result >= 0) this.#handler.onAccept?.(result);
    if (isMore || this.#listener === NO_LISTENER) return;
    if (result >= 0) this.#uring.accept(this.#listener);
    else setTimeout(() => this.#listener !== NO_LISTENER && this.accept(this.#listener), ACCEPT_PAUSE_MS).unref();
  }

  /** The receive of a connection has ended: because the stream has, or only for want of a buffer or of room for completions. */
  #onReceiveOver(connection: number, result: number): void {
    if (this.#states[connection] === LaneState.LEAVING) {
      this.#states[connection] = LaneState.FREE;
      const call = this.#afterLeaving.get(connection);
      this.#afterLeaving.delete(connection);
      call?.();
    } else if (result > 0 || result === NO_BUFFER) {
      this.#uring.receive(connection, this.#descriptors[connection]);
    } else {
      this.#states[connection] = LaneState.ENDED;
      this.#reading--;
      this.#handler.onEnd(connection, result);
    }
  }

  #onUnsent(connection: number, result: number): void {
    const sent = Math.max(result, 0);
    // Not bytes.slice: that of a Buffer is a view, and the caller writes over these bytes at once.
    const rest = Uint8Array.prototype.slice.call(this.#bytes, this.#starts[connection] + sent, this.#ends[connection]);
    this.#handler.onUnsent(connection, rest, result < 0 && result !== EAGAIN ? result : 0);
  }

  #turnSoon(): void {
    if (this.#isTurnDue || this.#isInTurn) return;
    this.#isTurnDue = true;
    setImmediate(this.#turn);
  }

  #sleep(): void {
    this.#handler.onSleep?.();
    if (!this.#uring.sleep()) this.#turnSoon();
  }
}
