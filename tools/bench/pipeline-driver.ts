// Drives any request-reply server over many connections: closed loop at a depth, or open loop at a rate. For benches.
//
// A connection's requests are prepared as one run of bytes before the clock starts, so that driving costs little. Latency is
// measured from when a request was due (open loop) or sent (closed loop) to when its reply was read.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { JsHistogram } from 'hdr-histogram-js';
import { buildMicroseconds } from '../../lib/monitor/microseconds.ts';

/** One connection's part of a run. */
export interface DriverPlan {
  /** All requests, one behind the other. */
  requests: Buffer;
  /** Where each request ends in `requests`. */
  ends: Int32Array;
}

/** Finds replies in what has arrived. */
export interface ReplyParser {
  /**
   * Reads the whole replies among `length` bytes and tells each to `onReply`; a negative value is no reply to a request.
   * Returns how many bytes they took; the rest comes again, with more behind it.
   */
  parse(bytes: Buffer, length: number, onReply: (value: number) => void): number;
}

export interface DriverResult {
  replies: number;
  seconds: number;
  latency: JsHistogram;
  /** Sum of the values that the parser told, and how many of them were 0. */
  sum: number;
  zeros: number;
}

const READ_BYTES = 256 * 1024;

/** Between two looks at what is due, open loop, in milliseconds. */
const OPEN_LOOP_MS = 1;

export class DriverConnection {
  readonly socket: Socket;
  readonly #parser: ReplyParser;
  readonly #onReply: (connection: DriverConnection, value: number) => void;
  readonly #read = Buffer.alloc(READ_BYTES);
  #kept = 0;
  plan: DriverPlan = { requests: Buffer.alloc(0), ends: new Int32Array(0) };
  sent = 0;
  answered = 0;
  /** By request: when it was sent or due, in microseconds. */
  times = new Float64Array(0);

  constructor(port: number, parser: ReplyParser, onReply: (connection: DriverConnection, value: number) => void) {
    this.#parser = parser;
    this.#onReply = onReply;
    const chunk = Buffer.alloc(64 * 1024);
    this.socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer: chunk, callback: (count, buffer) => this.#onData(buffer as Buffer, count) },
    });
  }

  async open(): Promise<void> {
    await once(this.socket, 'connect');
  }

  load(plan: DriverPlan): void {
    this.plan = plan;
    this.sent = 0;
    this.answered = 0;
    this.times = new Float64Array(plan.ends.length);
  }

  /** Sends the next requests, in one write. @param dueUs when they were due; left out: now */
  send(count: number, dueUs?: (index: number) => number): void {
    const { requests, ends } = this.plan;
    const until = Math.min(ends.length, this.sent + count);
    if (until === this.sent) return;
    const from = this.sent === 0 ? 0 : ends[this.sent - 1];
    const nowUs = performance.now() * 1000;
    for (let i = this.sent; i < until; i++) this.times[i] = dueUs?.(i) ?? nowUs;
    this.sent = until;
    this.socket.write(requests.subarray(from, ends[until - 1]));
  }

  #onData(bytes: Buffer, count: number): boolean {
    let data = bytes;
    let length = count;
    if (this.#kept > 0) {
      bytes.copy(this.#read, this.#kept, 0, count);
      data = this.#read;
      length = this.#kept + count;
    }
    const used = this.#parser.parse(data, length, (value) => this.#onReply(this, value));
    data.copy(this.#read, 0, used, length);
    this.#kept = length - used;
    return true;
  }
}

/** What a run is to do. `rate` 0: closed loop with `depth` requests under way on each connection. */
export interface DriverOptions {
  depth: number;
  /** Requests a second over all connections, open loop. */
  rate: number;
}

export class PipelineDriver {
  readonly #connections: DriverConnection[];
  #result: DriverResult = emptyResult();
  #depth = 0;
  #left = 0;
  #onDone: () => void = () => {};
  /** Replies outside a run go here. */
  #onStray: (connection: DriverConnection, value: number) => void = () => {};

  constructor(port: number, connections: number, makeParser: () => ReplyParser) {
    this.#connections = Array.from(
      { length: connections },
      () => new DriverConnection(port, makeParser(), (connection, value) => this.#onReply(connection, value)),
    );
  }

  async open(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.open()));
  }

  /** Sends one request on every connection and waits for all replies: to log in, for instance. */
  async greet(makeRequest: (index: number) => Buffer): Promise<void> {
    let left = this.#connections.length;
    const done = new Promise<void>((resolve) => {
      this.#onStray = (_connection, value) => {
        if (value >= 0 && --left === 0) resolve();
      };
    });
    this.#connections.forEach((connection, i) => {
      connection.socket.write(makeRequest(i));
    });
    await done;
    this.#onStray = () => {};
  }

  /** Runs every connection's plan to its end. */
  async run(plans: readonly DriverPlan[], { depth, rate }: DriverOptions): Promise<DriverResult> {
    this.#result = emptyResult();
    this.#depth = rate > 0 ? 0 : depth;
    this.#left = plans.reduce((sum, plan) => sum + plan.ends.length, 0);
    this.#connections.forEach((connection, i) => {
      connection.load(plans[i]);
    });
    const done = new Promise<void>((resolve) => {
      this.#onDone = resolve;
    });
    const startedAt = performance.now();
    if (rate > 0) this.#sendAtRate(rate, startedAt);
    else for (const connection of this.#connections) connection.send(depth);
    await done;
    this.#result.seconds = (performance.now() - startedAt) / 1000;
    return this.#result;
  }

  close(): void {
    for (const { socket } of this.#connections) socket.destroy();
  }

  #sendAtRate(rate: number, startedAt: number): void {
    let next = 0;
    const count = this.#connections.length;
    const timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedAt) / 1000) * rate);
      for (; next < due; next++) {
        const dueUs = startedAt * 1000 + (next / rate) * 1e6;
        this.#connections[next % count].send(1, () => dueUs);
      }
      if (this.#connections.every(({ sent, plan }) => sent === plan.ends.length)) clearInterval(timer);
    }, OPEN_LOOP_MS);
  }

  #onReply(connection: DriverConnection, value: number): void {
    if (this.#left === 0) {
      this.#onStray(connection, value);
      return;
    }
    if (value < 0) return;
    const result = this.#result;
    result.replies++;
    result.sum += value;
    if (value === 0) result.zeros++;
    const us = performance.now() * 1000 - connection.times[connection.answered++];
    result.latency.recordValue(Math.max(1, Math.round(us)));
    // Half of the depth at a time: one write for many requests, and never an empty pipeline.
    const underWay = connection.sent - connection.answered;
    if (this.#depth > 0 && underWay <= this.#depth / 2) connection.send(this.#depth - underWay);
    if (--this.#left === 0) this.#onDone();
  }
}

function emptyResult(): DriverResult {
  return { replies: 0, seconds: 0, latency: buildMicroseconds(), sum: 0, zeros: 0 };
}
