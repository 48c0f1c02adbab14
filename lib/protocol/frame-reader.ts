// Cuts a stream of bytes back into frames, wherever the network cut it. One reader serves all connections of its owner.
//
// Whole frames are handed over in place, without a copy. Only a frame that a read left incomplete is kept, in a buffer
// that grows with the bytes that really arrived and never beyond the frame's own length; so a peer that announces
// 16 KiB and sends one byte costs a few hundred bytes. A header is judged as soon as its first 4 bytes are there.

import { HEADER_BYTES, OPCODE_OFFSET } from './classic-layout.ts';
import { FrameFault, type FrameRules, judgeHeader } from './frame-rules.ts';

/** Receives the frames that a reader found. */
export interface FrameSink {
  /**
   * Takes one whole frame of `length` bytes at `offset`. The bytes are only good during the call.
   * Returns false to stop reading what is left of this chunk (the connection is being closed).
   */
  onFrame(connection: number, bytes: Uint8Array, offset: number, length: number, opcode: number): boolean;
}

/** Bytes a kept frame starts with: holds every classic frame. */
const FIRST_PARTIAL_BYTES = 64;

/** The bytes whose arrival lets a header be judged: length and opcode. */
const JUDGED_BYTES = 4;

interface Partial {
  bytes: Uint8Array;
  /** Bytes that have arrived, always less than the frame's length. */
  have: number;
  /** The reader's tick when the frame's first byte arrived. */
  sinceTick: number;
}

/** See the head of this file. Not shared between threads. */
export class FrameReader {
  /** The owner's coarse clock, in any unit; kept with each incomplete frame so that `findStale` can judge its age. */
  tick = 0;
  /** Others may be put in their place between two calls; a header that was judged stays so. */
  rules: FrameRules;
  readonly #sink: FrameSink;
  readonly #partials = new Map<number, Partial>();

  constructor(rules: FrameRules, sink: FrameSink) {
    this.rules = rules;
    this.#sink = sink;
  }

  /** Connections that have an incomplete frame waiting. */
  get partialCount(): number {
    return this.#partials.size;
  }

  /**
   * Reads the first `length` bytes of `bytes` as the next piece of this connection's stream and hands every whole frame
   * to the sink. Returns FrameFault.NONE, or the fault that makes the rest of the stream unreadable; the caller then
   * closes the connection and calls `forget`.
   */
  // HOT
  feed(connection: number, bytes: Uint8Array, length: number): FrameFault {
    let offset = 0;
    if (this.#partials.size !== 0) {
      const partial = this.#partials.get(connection);
      if (partial !== undefined) {
        offset = this.#complete(connection, partial, bytes, length);
        if (offset < 0) return -offset as FrameFault;
      }
    }
    while (length - offset >= JUDGED_BYTES) {
      const frameLength = (bytes[offset] << 8) | bytes[offset + 1];
      const opcode = (bytes[offset + OPCODE_OFFSET] << 8) | bytes[offset + OPCODE_OFFSET + 1];
      const fault = judgeHeader(this.rules, frameLength, opcode);
      if (fault !== FrameFault.NONE) return fault;
      if (length - offset < frameLength) break;
      if (!this.#sink.onFrame(connection, bytes, offset, frameLength, opcode)) return FrameFault.NONE;
      offset += frameLength;
    }
    if (offset < length) this.#keep(connection, bytes, offset, length);
    return FrameFault.NONE;
  }

  /** Drops what is kept of a connection that has been closed. */
  forget(connection: number): void {
    this.#partials.delete(connection);
  }

  /** The connections whose incomplete frame began before `tick`. */
  findStale(tick: number): number[] {
    const stale: number[] = [];
    for (const [connection, partial] of this.#partials) {
      if (partial.sinceTick < tick) stale.push(connection);
    }
    return stale;
  }

  /** Keeps the start of a frame whose rest has not arrived. */
  #keep(connection: number, bytes: Uint8Array, offset: number, length: number): void {
    const have = length - offset;
    const kept = new Uint8Array(Math.max(FIRST_PARTIAL_BYTES, have));
    kept.set(bytes.subarray(offset, length));
    this.#partials.set(connection, { bytes: kept, have, sinceTick: this.tick });
  }

  /**
   * Adds a chunk to a kept frame and hands the frame over once it is whole. Returns how many bytes of the chunk were
   * used (all of them when the reading stops here), or a fault, negated.
   */
  #complete(connection: number, partial: Partial, bytes: Uint8Array, length: number): number {
    let offset = 0;
    let target = partial.have < JUDGED_BYTES ? JUDGED_BYTES : frameLengthOf(partial.bytes);
    for (;;) {
      const taken = Math.min(target - partial.have, length - offset);
      append(partial, bytes, offset, taken, target);
      offset += taken;
      if (partial.have < target) return offset;
      const frameLength = frameLengthOf(partial.bytes);
      if (target === JUDGED_BYTES) {
        const fault = judgeHeader(this.rules, frameLength, opcodeOf(partial.bytes));
        if (fault !== FrameFault.NONE) return -fault;
      }
      if (target >= HEADER_BYTES) break;
      target = frameLength;
    }
    this.#partials.delete(connection);
    const goOn = this.#sink.onFrame(connection, partial.bytes, 0, partial.have, opcodeOf(partial.bytes));
    return goOn ? offset : length;
  }
}

/** Copies `count` bytes behind what has arrived; the buffer doubles as needed, up to `target` bytes. */
function append(partial: Partial, bytes: Uint8Array, offset: number, count: number, target: number): void {
  const needed = partial.have + count;
  if (needed > partial.bytes.length) {
    const grown = new Uint8Array(Math.min(Math.max(needed, partial.bytes.length * 2), Math.max(target, needed)));
    grown.set(partial.bytes.subarray(0, partial.have));
    partial.bytes = grown;
  }
  partial.bytes.set(bytes.subarray(offset, offset + count), partial.have);
  partial.have = needed;
}

function frameLengthOf(bytes: Uint8Array): number {
  return (bytes[0] << 8) | bytes[1];
}

function opcodeOf(bytes: Uint8Array): number {
  return (bytes[OPCODE_OFFSET] << 8) | bytes[OPCODE_OFFSET + 1];
}
