// The requests of a client that wait for their reply, found again by the stamp that the reply echoes.

import { readStamp } from '../lib/protocol/classic.ts';
import { ClientError } from './client-error.ts';

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: ClientError) => void;
  timer: NodeJS.Timeout;
}

export class PendingRequests {
  readonly #timeoutMs: number;
  readonly #byStamp = new Map<number, Pending>();
  #lastStamp = 0;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** How many requests wait. */
  get size(): number {
    return this.#byStamp.size;
  }

  /** A stamp that no request of this client had before. */
  nextStamp(): number {
    return ++this.#lastStamp;
  }

  /** Starts waiting for the reply to a request. */
  add(stamp: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#byStamp.delete(stamp);
        reject(new ClientError('timeout', `no reply within ${this.#timeoutMs} ms`));
      }, this.#timeoutMs);
      this.#byStamp.set(stamp, { resolve, reject, timer });
    });
  }

  /** Gives the request that this frame answers its result; false if it answers none, or came too late. */
  settle(bytes: Uint8Array, offset: number, value: unknown): boolean {
    const pending = this.#take(bytes, offset);
    pending?.resolve(value);
    return pending !== undefined;
  }

  /** Fails the request that this frame answers; false if it answers none. */
  fail(bytes: Uint8Array, offset: number, error: ClientError): boolean {
    const pending = this.#take(bytes, offset);
    pending?.reject(error);
    return pending !== undefined;
  }

  /** Fails everything that waits. */
  failAll(error: ClientError): void {
    for (const { reject, timer } of this.#byStamp.values()) {
      clearTimeout(timer);
      reject(error);
    }
    this.#byStamp.clear();
  }

  #take(bytes: Uint8Array, offset: number): Pending | undefined {
    const stamp = readStamp(bytes, offset);
    const pending = this.#byStamp.get(stamp);
    if (pending === undefined) return undefined;
    clearTimeout(pending.timer);
    this.#byStamp.delete(stamp);
    return pending;
  }
}
