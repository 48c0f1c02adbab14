// The doorbell: how producers wake one sleeping consumer, at the price of one atomic load while it is awake.
//
// One doorbell a consuming thread, however many rings it reads. The order of steps is what makes a lost wake-up
// impossible (all four are sequentially consistent, so they have one total order):
//
//   consumer: 1. set SLEEPING   2. look into every ring again   3. sleep only if all are empty
//   producer: 1. publish        2. read SLEEPING                3. if set and compareExchange clears it, wake
//
// If the consumer's look (2) missed a publish, that publish came after its (1), so the producer's (2) sees SLEEPING. A
// wake-up proves nothing: the consumer looks into its rings again, and sleeps again if they are empty.

import { CACHE_WORDS } from './ring-layout.ts';

const AWAKE = 0;
const SLEEPING = 1;

/** The one word of a doorbell. Two kinds of writer: the consumer sets and clears it, any producer may clear it. */
const STATE_WORD = 0;

/** Allocates a doorbell: one word on cache lines of its own. */
export function allocateDoorbell(): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * CACHE_WORDS);
}

/** The consumer's side. */
export class DoorbellListener {
  readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
  }

  /** Step 1: from here on every publish rings. Look into the rings once more before sleeping. */
  // HOT
  announceSleep(): void {
    Atomics.store(this.words, STATE_WORD, SLEEPING);
  }

  /** Takes the announcement back: awake, and producers need not ring. */
  // HOT
  cancelSleep(): void {
    Atomics.store(this.words, STATE_WORD, AWAKE);
  }

  /** Blocks until rung or until `timeoutMs` is over. Returns at once if somebody rang since `announceSleep`. */
  sleep(timeoutMs: number): void {
    Atomics.wait(this.words, STATE_WORD, SLEEPING, timeoutMs);
  }

  /**
   * The same for a thread with an event loop, which goes on turning meanwhile; its producers wake it as one that blocks. It
   * keeps no loop alive.
   */
  async sleepInLoop(timeoutMs: number): Promise<void> {
    const wait = Atomics.waitAsync(this.words, STATE_WORD, SLEEPING, timeoutMs);
    if (wait.async) await wait.value;
  }
}

/** A producer's side. */
export class DoorbellRinger {
  readonly #words: Int32Array;
  readonly #wake: (() => void) | undefined;

  /**
   * @param wake how to wake this consumer, for one that sleeps in an event loop (a message to its port); left out for
   *   one that sleeps in Atomics.wait
   */
  constructor(memory: SharedArrayBuffer, wake?: () => void) {
    this.#words = new Int32Array(memory);
    this.#wake = wake;
  }

  /** Call after each publish. Wakes the consumer if it sleeps; one of many ringers does it. */
  // HOT
  ring(): void {
    if (Atomics.load(this.#words, STATE_WORD) === AWAKE) return;
    if (Atomics.compareExchange(this.#words, STATE_WORD, SLEEPING, AWAKE) !== SLEEPING) return;
    if (this.#wake === undefined) Atomics.notify(this.#words, STATE_WORD, 1);
    else this.#wake();
  }
}
