// The request keys that each user's sends, top-ups and withdrawals came with lately: what makes each of them happen once.
//
// A key stays until KEYS_PER_USER others of that user came after it. It is in the record of what it did, so it is known
// again after a restart.

import { KEYS_PER_USER } from '../ledger/limits.ts';

/** What a key was used for. Two uses of a key are the same request if kind and signature are the same. */
export interface KeyUse {
  kind: 'send' | 'topup' | 'withdraw';
  /** A send: see signatureOf in send-words.ts. A transfer: its cents. */
  signature: number;
  /** The packet of a send; 0 while it is under way. */
  packetId: number;
}

/** Owned by one worker. */
export class RequestKeys {
  readonly #byUser = new Map<number, Map<string, KeyUse>>();

  /** What a user's key was used for, or undefined. */
  find(userId: number, key: string): KeyUse | undefined {
    return this.#byUser.get(userId)?.get(key);
  }

  /** Remembers a key; the user's oldest one that is not under way is forgotten for it. */
  add(userId: number, key: string, use: KeyUse): void {
    let keys = this.#byUser.get(userId);
    if (keys === undefined) {
      keys = new Map();
      this.#byUser.set(userId, keys);
    }
    keys.set(key, use);
    if (keys.size <= KEYS_PER_USER) return;
    for (const [oldest, { kind, packetId }] of keys) {
      if (kind === 'send' && packetId === 0) continue;
      keys.delete(oldest);
      return;
    }
  }

  /** Forgets a key whose request did nothing. */
  remove(userId: number, key: string): void {
    const keys = this.#byUser.get(userId);
    if (keys?.delete(key) && keys.size === 0) this.#byUser.delete(userId);
  }
}
