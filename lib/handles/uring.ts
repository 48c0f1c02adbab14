// An io_uring of one thread, for stream sockets: reads that go on by themselves, and writes that are handed over together.
//
// One call into the kernel submits everything that was queued and brings in what has happened since. What is used of it:
//
//   receive   one request a connection. It completes at each arrival, with the bytes in a buffer out of a common stock,
//             until the stream ends or the request is cancelled.
//   send      done during `submit`, or not at all: what the kernel does not take at once is told back, and nothing is told of
//             a send that was done. So the bytes may be used again as soon as `submit` returns.
//   accept    one request a listener. It completes with the descriptor of each connection.
//   cancel    ends a receive or an accept; its last completion follows.
//
// Completions come only while the thread is in the kernel for them (DEFER_TASKRUN). `sleep` turns the event on: it becomes
// readable when there is something to come for.
//
// Layout of the shared memory: linux/io_uring.h. The kernel reads entries up to the submission tail and writes completions up
// to the completion tail; each side's own index is stored with release, the other's loaded with acquire (Atomics are both).
// Source: "Efficient IO with io_uring", Jens Axboe, 2019; io_uring_setup(2), io_uring_enter(2).

import { BufferStock } from './buffer-stock.ts';
import { CompletionBacklog } from './completion-backlog.ts';
import type { SystemCalls } from './system-calls.ts';
import {
  ACCEPT_FLAGS,
  ACCEPT_MULTISHOT,
  CQ_EVENT_DISABLED,
  CQE_BUFFER_SHIFT,
  CQE_MORE,
  CQE_WORDS,
  OP_ACCEPT,
  OP_ASYNC_CANCEL,
  OP_POLL_ADD,
  OP_RECV,
  OP_SEND,
  OP_TIMEOUT,
  PARAMS_CQ_ADDRESS,
  PARAMS_CQ_ENTRIES,
  PARAMS_CQ_OFFSETS,
  PARAMS_FLAGS,
  PARAMS_SQ_ADDRESS,
  PARAMS_SQ_OFFSETS,
  PARAMS_WORDS,
  POLLIN,
  RECV_MULTISHOT,
  REGISTER_EVENTFD,
  SEND_FLAGS,
  SETUP_CQSIZE,
  SETUP_DEFER_TASKRUN,
  SETUP_NO_MMAP,
  SETUP_SINGLE_ISSUER,
  SETUP_SUBMIT_ALL,
  SETUP_TASKRUN_FLAG,
  SQ_CQ_OVERFLOW,
  SQ_TASKRUN,
  SQE_ADDRESS,
  SQE_BUFFER_SELECT,
  SQE_CODE,
  SQE_DESCRIPTOR,
  SQE_LENGTH,
  SQE_NO_SUCCESS,
  SQE_OPERATION_FLAGS,
  SQE_USER_DATA,
  SQE_WORDS,
  SQES_OFFSET,
  TIMEOUT_MULTISHOT,
} from './uring-layout.ts';

const ENTRIES = 256;
const COMPLETIONS = 4096;
/** Of both rings, with their heads and tails; and of the entries. */
const RINGS_BYTES = 4 * CQE_WORDS * COMPLETIONS + 4 * ENTRIES + 512;
const ENTRIES_BYTES = 4 * SQE_WORDS * ENTRIES;

/** In the low bits of user_data, below the connection. */
const Kind = { RECEIVE: 0, SEND: 1, CANCEL: 2, LOOP: 3, ACCEPT: 4 } as const;
const KIND_BITS = 3;

/** The user_data of what ends naps. */
const LOOP_READY = Kind.LOOP;
const NAPS_OVER = (1 << KIND_BITS) | Kind.LOOP;

const EINVAL = -22;

/** Tries a call that the kernel refuses for the moment so often. */
const MOST_TRIES = 1000;

/** Owned by the thread that made it: only that one may call it. */
export class Uring {
  /** The descriptor of the ring, which is the maker's to close: sockets stay open as long as a receive of it goes on. */
  readonly descriptor: number;
  /** Becomes readable when something has happened since `sleep`; the maker's too. */
  readonly event: number;
  /** The completion that `next` has brought: whose it is, and what it came to: bytes, 0 at the end, or a negative error. */
  connection = 0;
  result = 0;
  /** Whether it is nobody's yet, but of an accept: then the result is a descriptor, or a negative error. */
  isAccept = false;
  /** Whether this receive, or accept, goes on. */
  isMore = false;
  /** Where the bytes are; give it back. Only with a result above 0. */
  buffer = 0;
  /** Spans that have ended while naps were taken: each ends one. */
  spans = 0;
  readonly #calls: SystemCalls;
  readonly #onUnsent: (connection: number, result: number) => void;
  readonly #sqes: Int32Array;
  /** The rings' words, and where in them is what. */
  readonly #words: Int32Array;
  readonly #sqHead: number;
  readonly #sqTail: number;
  readonly #sqFlags: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqFlags: number;
  readonly #cqes: number;
  #tail = 0;
  #pending = 0;
  readonly #backlog = new CompletionBacklog();
  readonly #stock: BufferStock;
  readonly #loopPoll: number;
  #isWatchingLoop = false;
  #isTimed = false;
  /** Whether this kernel's timeouts go on by themselves: known once one has, or could not. */
  #doesTimeRepeat: boolean | undefined;
  #isLoopDue = false;
  /** How long naps last, as seconds and nanoseconds, and where that lies. */
  readonly #nap = new BigInt64Array(new ArrayBuffer(16));
  readonly #napLow: number;
  readonly #napHigh: number;
  /** Where the bytes of the latest sends lie. */
  #sent: Uint8Array | undefined;
  #sentLow = 0;
  #sentHigh = 0;

  /**
   * @param onUnsent a send was not done, or not wholly: how many bytes were sent, or a negative error. Called inside `submit`.
   * @param napMs the span that bounds naps, in milliseconds
   * @throws Error if the kernel does not have what is needed, or refuses it
   */
  constructor(calls: SystemCalls, onUnsent: (connection: number, result: number) => void, napMs: number) {
    this.#calls = calls;
    this.#onUnsent = onUnsent;
    this.#loopPoll = calls.findLoopPoll();
    const { descriptor, params, rings, entries } = openRing(calls);
    this.descriptor = descriptor;
    this.#words = new Int32Array(rings);
    this.#sqes = new Int32Array(entries);
    this.event = calls.makeEvent();
    const [sqHead, sqTail, , , sqFlags, , sqArray] = params.subarray(PARAMS_SQ_OFFSETS);
    const [cqHead, cqTail, , , , cqes, cqFlags] = params.subarray(PARAMS_CQ_OFFSETS);
    this.#sqHead = sqHead / 4;
    this.#sqTail = sqTail / 4;
    this.#sqFlags = sqFlags / 4;
    this.#cqHead = cqHead / 4;
    this.#cqTail = cqTail / 4;
    this.#cqFlags = cqFlags / 4;
    this.#cqes = cqes / 4;
    for (let entry = 0; entry < ENTRIES; entry++) this.#words[sqArray / 4 + entry] = entry;
    try {
      this.#stock = new BufferStock(calls, this.descriptor);
      calls.register(this.descriptor, REGISTER_EVENTFD, new Int32Array([this.event]), 1);
    } catch (error) {
      calls.close(this.descriptor);
      calls.close(this.event);
      throw error;
    }
    this.#nap[1] = BigInt(napMs * 1_000_000);
    [this.#napLow, this.#napHigh] = calls.addressOf(this.#nap);
    this.wake();
  }

  /** The bytes of each buffer, by number. */
  // HOT
  get buffers(): readonly Buffer[] {
    return this.#stock.buffers;
  }

  /** Begins to read from a socket. */
  receive(connection: number, descriptor: number): void {
    const code = OP_RECV | (SQE_BUFFER_SELECT << 8) | (RECV_MULTISHOT << 16);
    this.#put(code, descriptor, 0, 0, 0, 0, (connection << KIND_BITS) | Kind.RECEIVE);
  }

  /** Begins to accept connections of a socket that listens: one at a time of these. */
  accept(listener: number): void {
    this.#put(OP_ACCEPT | (ACCEPT_MULTISHOT << 16), listener, 0, 0, 0, ACCEPT_FLAGS, Kind.ACCEPT);
  }

  /** Ends the accept. */
  cancelAccept(): void {
    this.#cancel(Kind.ACCEPT);
  }

  /** Ends the receive of a connection, if there is one. */
  cancelReceive(connection: number): void {
    this.#cancel((connection << KIND_BITS) | Kind.RECEIVE);
  }

  /** Sends `bytes` from `start` to `end` with the next `submit`. One a connection: what is left of the first goes first. */
  // HOT
  send(connection: number, descriptor: number, bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#sent) this.#locate(bytes);
    const low = this.#sentLow + start;
    const high = low > 0xffff_ffff ? this.#sentHigh + 1 : this.#sentHigh;
    const code = OP_SEND | (SQE_NO_SUCCESS << 8);
    this.#put(code, descriptor, low, high, end - start, SEND_FLAGS, (connection << KIND_BITS) | Kind.SEND);
  }

  /** Whether something waits for `submit`. */
  // HOT
  get hasPending(): boolean {
    return this.#pending > 0;
  }

  /** How many completions `next` has to bring. */
  // HOT
  get waiting(): number {
    return this.#backlog.length;
  }

  /** Hands over what is queued, and brings in what has happened. @throws Error if the kernel does not take it */
  // HOT
  submit(): void {
    // Interrupted, or short of memory: what was not taken is still there.
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      this.#enter(0);
      if (!this.#isMoreToSubmit()) return;
    }
    throw new Error('the kernel does not take what is submitted');
  }

  /**
   * The same, and if nothing has happened yet, blocks the thread until something does: here, or in the thread's event loop,
   * which then is due; at most as long as naps may last, to the end of a span.
   *
   * @param least so many things have to happen, unless that takes too long
   */
  // HOT
  submitAndNap(least: number): void {
    if ((Atomics.load(this.#words, this.#sqFlags) & SQ_TASKRUN) !== 0) {
      this.submit();
      return;
    }
    if (!this.#isWatchingLoop) this.#put(OP_POLL_ADD, this.#loopPoll, 0, 0, 0, POLLIN, LOOP_READY);
    this.#isWatchingLoop = true;
    if (!this.#isTimed) this.#startTime();
    // A timeout that has completed just before the wait begins does not end it, unless one completion is enough. Where there is
    // always a next one, that may take twice as long as naps may last; elsewhere it might take for ever.
    this.#enter(this.#doesTimeRepeat === true ? least : 1);
    if (this.#isMoreToSubmit()) this.submit();
  }

  /** Whether the event loop has had something to do since this was asked last. */
  // HOT
  takeLoopDue(): boolean {
    const isDue = this.#isLoopDue;
    this.#isLoopDue = false;
    return isDue;
  }

  /** Brings the next completion of a receive or accept into the fields. False if there is none. */
  // HOT
  next(): boolean {
    const backlog = this.#backlog;
    if (!backlog.take()) return false;
    const { data, result, flags } = backlog;
    this.connection = data >>> KIND_BITS;
    this.isAccept = data === Kind.ACCEPT;
    this.result = result;
    this.isMore = (flags & CQE_MORE) !== 0;
    this.buffer = flags >>> CQE_BUFFER_SHIFT;
    return true;
  }

  /** A buffer may be read into again. */
  // HOT
  giveBack(buffer: number): void {
    this.#stock.giveBack(buffer);
  }

  /** Turns the event on. Returns false, and leaves it off, if there is something to come for already. */
  sleep(): boolean {
    const words = this.#words;
    if (this.#isWatchingLoop || this.#isTimed) this.#endNaps();
    Atomics.store(words, this.#cqFlags, 0);
    // The kernel sets its flag before it looks whether the event is on, and we look in the other order: one of us sees it.
    const hasWork = (Atomics.load(words, this.#sqFlags) & SQ_TASKRUN) !== 0;
    const hasCome = Atomics.load(words, this.#cqTail) !== words[this.#cqHead] || this.#backlog.length > 0;
    const isQuiet = !this.#isWatchingLoop && !this.#isTimed && this.#pending === 0;
    if (!hasWork && !hasCome && isQuiet) return true;
    this.wake();
    return false;
  }

  /** Turns the event off: somebody looks anyway. */
  wake(): void {
    Atomics.store(this.#words, this.#cqFlags, CQ_EVENT_DISABLED);
  }

  /** One timer for many naps, on and on: to set one for each would cost more than the nap. */
  #startTime(): void {
    const flags = this.#doesTimeRepeat === false ? 0 : TIMEOUT_MULTISHOT;
    this.#put(OP_TIMEOUT, -1, this.#napLow, this.#napHigh, 1, flags, NAPS_OVER);
    this.#isTimed = true;
  }

  /**
   * What naps have begun does not outlive them. Time would go on waking this thread. And while an eventfd is counted up, as for
   * every message to the loop, the kernel counts up no other: if the ring watched the loop then, it would have something to
   * come for, and nobody be woken any more.
   */
  #endNaps(): void {
    if (this.#isWatchingLoop) this.#cancel(LOOP_READY);
    if (this.#isTimed) this.#cancel(NAPS_OVER);
    this.submit();
  }

  /** @param data user_data of what is to end */
  #cancel(data: number): void {
    this.#put(OP_ASYNC_CANCEL | (SQE_NO_SUCCESS << 8), -1, data, 0, 0, 0, Kind.CANCEL);
  }

  // HOT
  #enter(least: number): void {
    Atomics.store(this.#words, this.#sqTail, this.#tail);
    this.#calls.enterRing(this.descriptor, this.#pending, least);
    this.#collect();
    this.#pending = (this.#tail - Atomics.load(this.#words, this.#sqHead)) | 0;
  }

  /** Whether something was not taken, or completions found no room: what was not sent may be told in one of these. */
  // HOT
  #isMoreToSubmit(): boolean {
    return this.#pending > 0 || (Atomics.load(this.#words, this.#sqFlags) & SQ_CQ_OVERFLOW) !== 0;
  }

  /**
   * Queues an entry. Words that are not named here are 0 in every entry, and stay so.
   *
   * @param code opcode, flags of the entry, and above them those of the operation @param low @param high the address
   * @param data user_data: the connection, and below it the kind
   */
  // HOT
  #put(code: number, descriptor: number, low: number, high: number, length: number, flags: number, data: number): void {
    if (this.#pending === ENTRIES) this.submit();
    const sqes = this.#sqes;
    const entry = (this.#tail & (ENTRIES - 1)) * SQE_WORDS;
    sqes[entry + SQE_CODE] = code;
    sqes[entry + SQE_DESCRIPTOR] = descriptor;
    sqes[entry + SQE_ADDRESS] = low;
    sqes[entry + SQE_ADDRESS + 1] = high;
    sqes[entry + SQE_LENGTH] = length;
    sqes[entry + SQE_OPERATION_FLAGS] = flags;
    sqes[entry + SQE_USER_DATA] = data;
    this.#tail = (this.#tail + 1) | 0;
    this.#pending++;
  }

  /** Takes every completion out of the ring: what was not sent is told at once, the rest waits for `next`. */
  // HOT
  #collect(): void {
    const words = this.#words;
    let head = words[this.#cqHead];
    while (head !== Atomics.load(words, this.#cqTail)) {
      const place = this.#cqes + (head & (COMPLETIONS - 1)) * CQE_WORDS;
      const data = words[place];
      const result = words[place + 2];
      const kind = data & ((1 << KIND_BITS) - 1);
      head = (head + 1) | 0;
      if (kind === Kind.RECEIVE || kind === Kind.ACCEPT) this.#backlog.append(data, result, words[place + 3]);
      else if (kind === Kind.LOOP) this.#onNapEnded(data, result, words[place + 3]);
      if (kind !== Kind.SEND) continue;
      // Who is told may submit again, and then takes completions from here on.
      Atomics.store(words, this.#cqHead, head);
      this.#onUnsent(data >>> KIND_BITS, result);
      head = words[this.#cqHead];
    }
    Atomics.store(words, this.#cqHead, head);
  }

  #onNapEnded(data: number, result: number, flags: number): void {
    if (data === LOOP_READY) {
      this.#isLoopDue = true;
      this.#isWatchingLoop = false;
      return;
    }
    this.spans++;
    this.#isTimed = (flags & CQE_MORE) !== 0;
    if (this.#isTimed) this.#doesTimeRepeat = true;
    else if (result === EINVAL) this.#doesTimeRepeat = false;
  }

  #locate(bytes: Uint8Array): void {
    const [low, high] = this.#calls.addressOf(bytes);
    this.#sent = bytes;
    this.#sentLow = low;
    this.#sentHigh = high;
  }
}

interface OpenRing {
  descriptor: number;
  /** As the kernel has filled them in. */
  params: Uint32Array;
  rings: ArrayBuffer;
  entries: ArrayBuffer;
}

/**
 * A ring in memory that we bring along, so that it ends with its descriptor. Kernels before 6.10 map their own: there a ring ends
 * with the process, and a thread that is ended from outside leaves its sockets open until then.
 */
function openRing(calls: SystemCalls): OpenRing {
  const rings = calls.mapMemory(RINGS_BYTES);
  const entries = calls.mapMemory(ENTRIES_BYTES);
  const params = makeParams(SETUP_NO_MMAP);
  params.set(calls.addressOf(new Uint8Array(entries)), PARAMS_SQ_ADDRESS);
  params.set(calls.addressOf(new Uint8Array(rings)), PARAMS_CQ_ADDRESS);
  try {
    return { descriptor: calls.setUpRing(ENTRIES, params), params, rings, entries };
  } catch {
    return openMappedRing(calls);
  }
}

function openMappedRing(calls: SystemCalls): OpenRing {
  const params = makeParams(0);
  const descriptor = calls.setUpRing(ENTRIES, params);
  const rings = calls.mapRing(descriptor, 0, RINGS_BYTES);
  return { descriptor, params, rings, entries: calls.mapRing(descriptor, SQES_OFFSET, ENTRIES_BYTES) };
}

function makeParams(moreFlags: number): Uint32Array {
  const params = new Uint32Array(PARAMS_WORDS);
  params[PARAMS_CQ_ENTRIES] = COMPLETIONS;
  params[PARAMS_FLAGS] =
    SETUP_CQSIZE | SETUP_SUBMIT_ALL | SETUP_TASKRUN_FLAG | SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN | moreFlags;
  return params;
}
