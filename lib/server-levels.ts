// Decides how much a server sheds: measures its request rings at a steady beat, feeds the rule, and tells the acceptors.
//
// Main thread. A wait is what a request that comes now would wait: those before it, by the rate at which the worker takes
// them. So it is known also while nothing is taken, and costs the path of a request nothing.

import { ACCEPTOR_COUNTERS, AcceptorCount } from './net/acceptor-counters.ts';
import { BEAT_MS, LevelRule, type Strain } from './net/level-rule.ts';
import { LEVEL_WORD, type Level, SHED_SHARE_WORD, SHED_WHOLE } from './net/level-words.ts';
import { MAX_IN_FLIGHT } from './net/limits.ts';
import { CounterReader } from './ring/counters.ts';
import { Ring } from './ring/ring.ts';
import type { ServerMemory } from './server-threads.ts';
import { WORKER_COUNTERS, WorkerCount } from './sets/worker-counters.ts';

/** The share of the latest beat in the rate at which a worker takes requests. */
const RATE_SHARE = 0.3;

/** Fewer requests than these waiting say nothing of load, however long: a busy machine lets a thread wait for its turn. */
const LEAST_WAITING = 64;

/** A wait is not told apart beyond this, in microseconds. */
const MOST_WAIT_US = 60_000_000;

/** One worker, as the measuring sees it. */
interface WorkerGauge {
  rings: readonly Ring[];
  taken: CounterReader;
  lastTaken: number;
  /** Requests a microsecond, smoothed. */
  rate: number;
  /** Since when nothing is taken though something waits, in milliseconds. */
  stalledMs: number;
}

export class ServerLevels {
  readonly #words: Int32Array;
  readonly #rule = new LevelRule();
  readonly #workers: WorkerGauge[];
  readonly #acceptors: CounterReader;
  readonly #onChange: (sentence: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #lastMs = performance.now();
  /** How often the level has changed. */
  changes = 0;

  /** @param onChange told in a sentence when the level changes */
  constructor(memory: ServerMemory, onChange: (sentence: string) => void) {
    this.#words = new Int32Array(memory.levels);
    this.#onChange = onChange;
    this.#acceptors = new CounterReader(memory.acceptorCounters, ACCEPTOR_COUNTERS);
    this.#workers = memory.workerCounters.map((counters, worker) => ({
      rings: memory.requests.map((ofAcceptor) => new Ring(ofAcceptor[worker])),
      taken: new CounterReader([counters], WORKER_COUNTERS),
      lastTaken: 0,
      rate: 0,
      stalledMs: 0,
    }));
  }

  get level(): Level {
    return this.#rule.level;
  }

  /** What GET /level says. */
  status(): { level: Level; shedShare: number; forced: boolean } {
    const { level, share, forced } = this.#rule;
    return { level, shedShare: share, forced: forced !== undefined };
  }

  start(): void {
    this.#timer = setInterval(() => this.#beat(), BEAT_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Sets the level by hand; undefined leaves it to the rule again. */
  force(level: Level | undefined): void {
    const before = this.#rule.level;
    this.#rule.force(level);
    this.#tell(before, level === undefined ? 'as it is; the rule decides again' : 'set by hand');
  }

  #beat(): void {
    const nowMs = performance.now();
    const passedMs = Math.max(1, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    const before = this.#rule.level;
    const strain = this.#measure(passedMs);
    this.#rule.feed(strain);
    this.#tell(
      before,
      `a request waits ${(strain.waitUs / 1000).toFixed(0)} ms, rings ${(strain.fill * 100).toFixed(0)}% full`,
    );
  }

  #measure(passedMs: number): Strain {
    let waitUs = 0;
    let fill = Math.max(...this.#acceptors.gauges(AcceptorCount.inFlight)) / MAX_IN_FLIGHT;
    for (const worker of this.#workers) {
      worker.taken.update();
      const total = worker.taken.count(WorkerCount.slotsTaken);
      const taken = total - worker.lastTaken;
      worker.lastTaken = total;
      worker.rate += (taken / (passedMs * 1000) - worker.rate) * RATE_SHARE;
      let waiting = 0;
      for (const ring of worker.rings) {
        const used = ring.countUsed();
        fill = Math.max(fill, used / ring.capacity);
        waiting += used;
      }
      worker.stalledMs = waiting > 0 && taken === 0 ? worker.stalledMs + passedMs : 0;
      if (waiting < LEAST_WAITING) continue;
      const byRate = worker.rate === 0 ? MOST_WAIT_US : waiting / worker.rate;
      // A few that wait for one that takes long: the rate of better times says nothing then.
      waitUs = Math.max(waitUs, worker.stalledMs > 0 ? worker.stalledMs * 1000 : byRate);
    }
    return { waitUs: Math.min(waitUs, MOST_WAIT_US), fill };
  }

  #tell(before: Level, why: string): void {
    const { level, share } = this.#rule;
    this.#words[LEVEL_WORD] = level;
    this.#words[SHED_SHARE_WORD] = Math.round(share * SHED_WHOLE);
    if (level === before) return;
    this.changes++;
    this.#onChange(`level ${level}, it was ${before}: ${why}`);
  }
}
