// Who may connect: how many in all, of one address, and in one second, as all acceptors count them together.
//
// Shared words:
//
// | word | what |
// |---|---|
// | 0 | connections that are open |
// | 1 | the present second, its lowest 11 bits, above the connections that were taken in it, 20 bits |
// | 2 | secret of this server that addresses are hashed with, so that nobody can choose whom he is counted with |
// | 3 to 3 + n | connections by one hash of their address |
// | 3 + n to 3 + 2n | the same by another hash |
//
// Two addresses may share a word, seldom both: the smaller of an address's two counts is at least its own, and nearly always
// exactly that. So no address ever gets more than its limit, and hardly one gets less. After G. Cormode and S. Muthukrishnan, "An improved data
// stream summary: the count-min sketch and its applications", 2005, with deletion.

import { randomInt } from 'node:crypto';
import { networkOf } from './client-network.ts';
import type { CloseReason } from './close-reasons.ts';
import type { NetLimits } from './net-limits.ts';

const OPEN_WORD = 0;
const RATE_WORD = 1;
const SECRET_WORD = 2;
const COUNTS_WORD = 3;

const COUNT_BITS = 20;
const COUNT_MASK = 2 ** COUNT_BITS - 1;
/** So whoever comes 2,048 s after the last one, to the second, finds the count of that second; nobody else does. */
const SECOND_MASK = 2 ** 11 - 1;

/** Counts of each hash for one connection: where every connection of a full server has another address, one in 60 shares both words. */
const COUNTS_PER_CONNECTION = 8;

/** @param maxConnections of all acceptors */
export function allocateAdmission(maxConnections: number): SharedArrayBuffer {
  const counts = 2 ** Math.ceil(Math.log2(maxConnections * COUNTS_PER_CONNECTION));
  const memory = new SharedArrayBuffer((COUNTS_WORD + 2 * counts) * 4);
  new Int32Array(memory)[SECRET_WORD] = randomInt(2 ** 31);
  return memory;
}

/** One acceptor's view. */
export class Admission {
  readonly #words: Int32Array;
  readonly #mask: number;
  /** The first word of the counts by the other hash. */
  readonly #otherWord: number;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    const counts = (this.#words.length - COUNTS_WORD) / 2;
    this.#mask = counts - 1;
    this.#otherWord = COUNTS_WORD + counts;
  }

  /** What counts a client's address: to be kept until `leave`. @param address as the system writes it */
  hash(address: string): number {
    const network = networkOf(address);
    let hash = this.#words[SECRET_WORD];
    for (let i = 0; i < network.length; i++) hash = Math.imul(hash ^ network.charCodeAt(i), 0x01000193);
    return mix(hash);
  }

  /**
   * Counts a connection that comes, unless it is one too many: then it returns why. 0 is no limit.
   * @param hash see `hash` @param nowSeconds Unix seconds
   */
  enter(
    hash: number,
    maxConnections: number,
    limits: Pick<NetLimits, 'maxPerAddress' | 'maxAcceptsPerSecond'>,
    nowSeconds: number,
  ): CloseReason | undefined {
    const words = this.#words;
    if (Atomics.add(words, OPEN_WORD, 1) >= maxConnections) {
      Atomics.sub(words, OPEN_WORD, 1);
      return 'limit';
    }
    Atomics.add(words, this.#wordOf(hash), 1);
    Atomics.add(words, this.#otherWordOf(hash), 1);
    let refusal: CloseReason | undefined;
    if (limits.maxPerAddress > 0 && this.#countOf(hash) > limits.maxPerAddress) refusal = 'address-limit';
    // Last: who is refused anyway takes nothing from the others' second.
    else if (limits.maxAcceptsPerSecond > 0 && !this.#takeAccept(limits.maxAcceptsPerSecond, nowSeconds)) {
      refusal = 'accept-limit';
    }
    if (refusal !== undefined) this.leave(hash);
    return refusal;
  }

  /** A connection that had entered is gone. */
  leave(hash: number): void {
    Atomics.sub(this.#words, OPEN_WORD, 1);
    Atomics.sub(this.#words, this.#wordOf(hash), 1);
    Atomics.sub(this.#words, this.#otherWordOf(hash), 1);
  }

  /**
   * How many there are of an address, once oneself is counted. What the adds have found would not do: of two who come at once,
   * each might be the first in one of the words. The last of too many finds them all in both words, and only now and then one is
   * refused who might have stayed.
   */
  #countOf(hash: number): number {
    const words = this.#words;
    return Math.min(Atomics.load(words, this.#wordOf(hash)), Atomics.load(words, this.#otherWordOf(hash)));
  }

  #takeAccept(limit: number, nowSeconds: number): boolean {
    const second = (nowSeconds & SECOND_MASK) << COUNT_BITS;
    for (;;) {
      const seen = Atomics.load(this.#words, RATE_WORD);
      const count = (seen & ~COUNT_MASK) === second ? seen & COUNT_MASK : 0;
      if (count >= limit) return false;
      if (Atomics.compareExchange(this.#words, RATE_WORD, seen, second | (count + 1)) === seen) return true;
    }
  }

  #wordOf(hash: number): number {
    return COUNTS_WORD + (hash & this.#mask);
  }

  #otherWordOf(hash: number): number {
    return this.#otherWord + (mix(hash ^ 0x5bd1e995) & this.#mask);
  }
}

/** Spreads every bit over all: the finalizer of MurmurHash3, by A. Appleby, in the public domain. */
function mix(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}
