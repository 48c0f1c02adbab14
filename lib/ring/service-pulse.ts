// The pulse of a thread that may end and be started again, as the threads that serve see it: whether it runs, and whether its
// event loop turns.
//
// | word | name  | who writes                    | meaning                                                             |
// |------|-------|-------------------------------|---------------------------------------------------------------------|
// | 0    | epoch | main; the thread when it runs | odd: it runs, for the (epoch + 1) / 2-th time; even: it does not    |
// | 1    | beat  | the thread                    | when its loop turned last, in milliseconds of a clock of the process |
//
// The two writers of the epoch never write at one time: main writes before it starts the thread and after that has ended.

import { CACHE_WORDS } from './ring-layout.ts';

const EPOCH_WORD = 0;
const BEAT_WORD = 1;

/** One side's view. */
export class ServicePulse {
  readonly #words: Int32Array;
  readonly #readMs: () => number;

  /** @param readMs milliseconds, wrapping at 2^32; only tests give one */
  constructor(memory: SharedArrayBuffer, readMs = readProcessMs) {
    this.#words = new Int32Array(memory);
    this.#readMs = readMs;
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * CACHE_WORDS);
  }

  /** Changes with every start and every end. */
  get epoch(): number {
    return Atomics.load(this.#words, EPOCH_WORD);
  }

  get isUp(): boolean {
    return this.epoch % 2 === 1;
  }

  /** How often it has been started again. */
  get restarts(): number {
    return Math.max(0, Math.ceil(this.epoch / 2) - 1);
  }

  /** How long its loop has not turned, in milliseconds. */
  get silentMs(): number {
    return (this.#readMs() - Atomics.load(this.#words, BEAT_WORD)) | 0;
  }

  /** The thread runs, and takes what comes. */
  begin(): void {
    this.beat();
    if (!this.isUp) Atomics.add(this.#words, EPOCH_WORD, 1);
  }

  /** Its loop has turned. */
  beat(): void {
    Atomics.store(this.#words, BEAT_WORD, this.#readMs());
  }

  /** It has ended: for main, which may start it again. */
  end(): void {
    if (this.isUp) Atomics.add(this.#words, EPOCH_WORD, 1);
  }
}

/** The same on every thread. */
function readProcessMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return (seconds * 1000 + nanoseconds / 1e6) | 0;
}
