// The outgoing path of an acceptor: frames are written into one buffer, and leave in one write per connection and turn.

import { type Transport, WriteOutcome } from './transport.ts';

/** Bytes of the buffer: the replies to a full read of 64 KiB. */
const BUFFER_BYTES = 128 * 1024;

/** Below this much room a fresh buffer is taken: the rest is still held by connections that do not read. */
const LEAST_ROOM = 16 * 1024;

/** Owned by one acceptor. */
export class Outgoing {
  readonly #transport: Transport;
  readonly #onTooSlow: (connection: number) => void;
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  /** Bytes before this are held by connections that have not read them yet. */
  #start = 0;
  #end = 0;
  #connection = -1;
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

  /** Makes room for a frame of `length` bytes (at most 16 KiB) to a connection. Returns its place in `bytes`. */
  // HOT
  reserve(connection: number, length: number): number {
    if (connection !== this.#connection || this.#end + length > BUFFER_BYTES) {
      this.flush();
      this.#connection = connection;
    }
    const place = this.#end;
    this.#end += length;
    return place;
  }

  /** Sends a frame that was built elsewhere. */
  send(connection: number, frame: Uint8Array): void {
    const place = this.reserve(connection, frame.length);
    this.#buffer.set(frame, place);
  }

  /** Hands what was reserved to the transport. */
  // HOT
  flush(): void {
    if (this.#end === this.#start) return;
    const connection = this.#connection;
    this.sentBytes += this.#end - this.#start;
    const outcome = this.#transport.write(connection, this.#buffer, this.#start, this.#end);
    this.#connection = -1;
    if (outcome === WriteOutcome.KEPT) {
      this.#start = this.#end;
      if (BUFFER_BYTES - this.#start < LEAST_ROOM) {
        this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
        this.#start = 0;
        this.#end = 0;
      }
      return;
    }
    this.#end = this.#start;
    if (outcome === WriteOutcome.TOO_SLOW) this.#onTooSlow(connection);
  }

  /** Forgets what was reserved for a connection that is gone. */
  drop(connection: number): void {
    if (connection !== this.#connection) return;
    this.#end = this.#start;
    this.#connection = -1;
  }
}
