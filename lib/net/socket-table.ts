// The sockets of one acceptor that no handle owns: each connection's, and the one that listens.
//
// A thread that is ended from outside closes nothing by itself but its handles. So the table lies in shared memory, and main
// closes what is left in it. The acceptor takes a socket out before it closes it or gives it away, so that main never closes
// what is somebody else's by then.
//
// Layout, in 32-bit words: one a connection, and one more for the listener; the descriptor and 1, or 0 if there is none.

import { closeSync } from 'node:fs';

/** What a place holds when there is no socket. */
export const NO_SOCKET = -1;

/** @param connections at the most */
export function allocateSockets(connections: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (connections + 1));
}

/** Owned by the acceptor. */
export class SocketTable {
  /** The place of the socket that listens. */
  readonly listener: number;
  readonly #words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.listener = this.#words.length - 1;
  }

  /** The descriptor at a place, or NO_SOCKET. */
  get(place: number): number {
    return this.#words[place] - 1;
  }

  set(place: number, descriptor: number): void {
    Atomics.store(this.#words, place, descriptor + 1);
  }

  /** Takes the descriptor out of a place: it is the caller's, or NO_SOCKET. */
  take(place: number): number {
    return Atomics.exchange(this.#words, place, 0) - 1;
  }
}

/** Closes every socket that an acceptor has left behind. Main calls it once the thread has ended. */
export function closeSockets(memory: SharedArrayBuffer): void {
  const table = new SocketTable(memory);
  for (let place = 0; place <= table.listener; place++) {
    const descriptor = table.take(place);
    if (descriptor !== NO_SOCKET) closeSync(descriptor);
  }
}
