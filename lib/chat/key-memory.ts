// The request keys of chat that came lately, and what they were answered: the same key again gives the same answer.

import { MAX_KEYS, MAX_KEYS_PER_USER } from './limits.ts';

export interface KnownKey<T> {
  /** Of the request's content: the same key with another one is a mistake. */
  digest: string;
  answer: T;
}

/** Owned by one thread. */
export class KeyMemory<T> {
  readonly #maxKeys: number;
  /** By user, the one who used a key last behind the others; his keys the oldest first. */
  readonly #users = new Map<number, Map<string, KnownKey<T>>>();
  #size = 0;

  /** @param maxKeys only tests give one */
  constructor(maxKeys = MAX_KEYS) {
    this.#maxKeys = maxKeys;
  }

  get size(): number {
    return this.#size;
  }

  find(userId: number, key: string): KnownKey<T> | undefined {
    return this.#users.get(userId)?.get(key);
  }

  /** Remembers a key that is not known yet; the oldest of this user, or of somebody who was not here for long, is forgotten. */
  add(userId: number, key: string, known: KnownKey<T>): void {
    const keys = this.#users.get(userId) ?? new Map<string, KnownKey<T>>();
    this.#users.delete(userId);
    this.#users.set(userId, keys);
    keys.set(key, known);
    this.#size++;
    if (keys.size > MAX_KEYS_PER_USER) this.#forgetOldest(userId, keys);
    if (this.#size > this.#maxKeys) {
      const [first, theirs] = this.#users.entries().next().value!;
      this.#forgetOldest(first, theirs);
    }
  }

  /** Forgets a key whose request was not tried. */
  remove(userId: number, key: string): void {
    const keys = this.#users.get(userId);
    if (keys?.delete(key) !== true) return;
    this.#size--;
    if (keys.size === 0) this.#users.delete(userId);
  }

  #forgetOldest(userId: number, keys: Map<string, KnownKey<T>>): void {
    this.remove(userId, keys.keys().next().value!);
  }
}
