// The outgoing path of an acceptor: frames for many connections are written into one buffer, and leave in one write per
// connection when the owner flushes.
//
// A run is what one connection is sent in one write. Runs start at fixed distances, so that the views that writes need can be
// made once and used again (see ../handles/view-cache.ts).

import { VIEW_STEP_BYTES } from '../handles/view-cache.ts';
import { MAX_FRAME_BYTES } from '../protocol/limits.ts';
import { type Transport, WriteOutcome } from './transport.ts';

/** Bytes of the buffer: the replies to a full read of 64 KiB. */
const BUFFER_BYTES = 128 * 1024;

/** Below this much room a fresh buffer is taken: the rest is still held by connections that do not read. */
const LEAST_ROOM = 2 * MAX_FRAME_BYTES;

/** Connections that may have something waiting for the next flush. */
const MOST_RUNS = 128;

const NOBODY = -1;

/** Owned by one acceptor. */
export class Outgoing {
  readonly #transport: Transport;
  readonly #onTooSlow: (connection: number) => void;
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  /** Bytes before this are held by connections that have not read them yet. */
  #start = 0;
  #end = 0;
  /** By run: whom it goes to, and where it begins and ends in the buffer. */
  readonly #connections = new Int32Array(MOST_RUNS);
  readonly #starts = new Int32Array(MOST_RUNS);
  readonly #ends = new Int32Array(MOST_RUNS);
  #runs = 0;
  /** Whether the transport may still have to flush bytes that the next runs would be written over. */
  #isHandedOver = false;
  /** Bytes handed to the transport since the owner last took the count. */
  sentBytes = 0;

  constructor(transport: Transport, onTooSlow: (connection: number) => void) {
    this.#transport = transport;
    this.#onTooSlow = onTooSlow;
  }

  /** Where frames are written; it changes only inside `reserve` and `flush`. */
  // HOT
  get bytes(): Buffer {
    return this.#buffer;
  }

  /** How many writes wait for the next flush. */
  // HOT
  get runs(): number {
    return this.#runs;
  }

  /** Makes room for a frame of `length` bytes (at most 16 KiB) to a connection. Returns its place in `bytes`. */
  // HOT
  reserve(connection: number, length: number): number {
    const last = this.#runs - 1;
    if (last >= 0 && this.#connections[last] === connection && this.#end + length <= BUFFER_BYTES) {
      const place = this.#end;
      this.#end += length;
      this.#ends[last] = this.#end;
      return place;
    }
    return this.#begin(connection, length);
  }

  /** Sends a frame that was built elsewhere. */
  send(connection: number, frame: Uint8Array): void {
    const place = this.reserve(connection, frame.length);
    this.#buffer.set(frame, place);
  }

  /** Sends what was reserved. */
  // HOT
  flush(): void {
    if (this.#runs === 0) return;
    this.handOver();
    this.#flushTransport();
  }

  /** Hands what was reserved to the transport, which may flush when it likes; it is made to when more is reserved. */
  // HOT
  handOver(): void {
    const runs = this.#runs;
    if (runs > 0) this.#isHandedOver = true;
    let kept = this.#start;
    for (let run = 0; run < runs; run++) {
      const connection = this.#connections[run];
      if (connection === NOBODY) continue;
      const start = this.#starts[run];
      const end = this.#ends[run];
      this.sentBytes += end - start;
      const outcome = this.#transport.write(connection, this.#buffer, start, end);
      if (outcome === WriteOutcome.KEPT) kept = end;
      else if (outcome === WriteOutcome.TOO_SLOW) this.#onTooSlow(connection);
    }
    this.#runs = 0;
    this.#start = kept;
    this.#end = kept;
    if (BUFFER_BYTES - kept < LEAST_ROOM) {
      this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
      this.#start = 0;
      this.#end = 0;
    }
  }

  /** Forgets what was reserved for a connection that is gone. */
  drop(connection: number): void {
    for (let run = 0; run < this.#runs; run++) {
      if (this.#connections[run] === connection) this.#connections[run] = NOBODY;
    }
  }

  // HOT
  #flushTransport(): void {
    this.#isHandedOver = false;
    this.#transport.flush();
  }

  #begin(connection: number, length: number): number {
    if (this.#isHandedOver) this.#flushTransport();
    let place = Math.ceil(this.#end / VIEW_STEP_BYTES) * VIEW_STEP_BYTES;
    if (this.#runs === MOST_RUNS || place + length > BUFFER_BYTES) {
      this.flush();
      place = Math.ceil(this.#end / VIEW_STEP_BYTES) * VIEW_STEP_BYTES;
    }
    this.#connections[this.#runs] = connection;
    this.#starts[this.#runs] = place;
    this.#end = place + length;
    this.#ends[this.#runs] = this.#end;
    this.#runs++;
    return place;
  }
}
