// How much each user may ask for: a bucket that fills at a steady rate and holds a few at once.

import { MAX_RATED_USERS } from './limits.ts';

interface Bucket {
  /** What is left, as of then. */
  left: number;
  atMs: number;
}

/** Owned by one thread. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #atOnce: number;
  readonly #maxUsers: number;
  #buckets = new Map<number, Bucket>();

  /** @param maxUsers only tests give one */
  constructor(perSecond: number, atOnce: number, maxUsers = MAX_RATED_USERS) {
    this.#perSecond = perSecond;
    this.#atOnce = atOnce;
    this.#maxUsers = maxUsers;
  }

  /** Users whose buckets are not known to be full. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one for a user: 0, or how long to wait for it, in milliseconds. */
  take(userId: number, nowMs: number): number {
    const bucket = this.#buckets.get(userId);
    const left = bucket === undefined ? this.#atOnce : this.#leftIn(bucket, nowMs);
    if (left < 1) return Math.ceil(((1 - left) / this.#perSecond) * 1000);
    if (bucket === undefined && this.#buckets.size >= this.#maxUsers) this.#buckets.clear();
    this.#buckets.set(userId, { left: left - 1, atMs: nowMs });
    return 0;
  }

  /** Forgets the buckets that are full again. Call it every few seconds. */
  keepTime(nowMs: number): void {
    for (const [userId, bucket] of this.#buckets) {
      if (this.#leftIn(bucket, nowMs) >= this.#atOnce) this.#buckets.delete(userId);
    }
  }

  #leftIn({ left, atMs }: Bucket, nowMs: number): number {
    return Math.min(this.#atOnce, left + ((nowMs - atMs) / 1000) * this.#perSecond);
  }
}
