// The buffers that the reads of an io_uring go into: the kernel takes one for each arrival, and gets it back once it is read.

import type { SystemCalls } from './system-calls.ts';
import { BUFFER_ID_HALF, BUFFER_TAIL_HALF, BUFFER_WORDS, REGISTER_BUFFERS } from './uring-layout.ts';

/** How many, a power of two, and the bytes of each: 2 MiB, of which little is under way at any time. */
const BUFFERS = 1024;
const BUFFER_BYTES = 2048;

/** Owned by the thread of its ring. */
export class BufferStock {
  /** By number. */
  readonly buffers: readonly Buffer[];
  readonly #places: readonly (readonly [low: number, high: number])[];
  /** The ring of free buffers, as the kernel sees it. */
  readonly #words: Int32Array;
  readonly #halves: Uint16Array;
  #tail = 0;

  /** @throws Error if the kernel refuses them */
  constructor(calls: SystemCalls, ring: number) {
    const all = Buffer.allocUnsafeSlow(BUFFERS * BUFFER_BYTES);
    const starts = Array.from({ length: BUFFERS }, (_, buffer) => buffer * BUFFER_BYTES);
    this.buffers = starts.map((start) => all.subarray(start, start + BUFFER_BYTES));
    this.#places = this.buffers.map((buffer) => calls.addressOf(buffer));
    const memory = calls.mapMemory(4 * BUFFER_WORDS * BUFFERS);
    this.#words = new Int32Array(memory);
    this.#halves = new Uint16Array(memory);
    for (let free = 0; free < BUFFERS; free++) this.giveBack(free);
    // struct io_uring_buf_reg: the address, how many, the group, and room that has to be 0.
    const registration = new Uint32Array(10);
    registration.set([...calls.addressOf(this.#halves), BUFFERS]);
    calls.register(ring, REGISTER_BUFFERS, registration, 1);
  }

  /** A buffer may be read into again. */
  // HOT
  giveBack(buffer: number): void {
    const word = (this.#tail & (BUFFERS - 1)) * BUFFER_WORDS;
    const place = this.#places[buffer];
    this.#words[word] = place[0];
    this.#words[word + 1] = place[1];
    this.#words[word + 2] = BUFFER_BYTES;
    this.#halves[word * 2 + BUFFER_ID_HALF] = buffer;
    this.#tail = (this.#tail + 1) & 0xffff;
    Atomics.store(this.#halves, BUFFER_TAIL_HALF, this.#tail);
  }
}
