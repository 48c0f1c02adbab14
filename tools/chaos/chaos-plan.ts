// What a run of chaos draws from its seed: how each server is started, and when it is killed.
//
// The plan is the same for the same seed. What the server and its users do meanwhile is not: that is up to the machine.

import { hash } from 'node:crypto';
import { SeededRandom } from '../../lib/packets/seeded-random.ts';

/** One life of the server. */
export interface RoundPlan {
  acceptors: number;
  workers: number;
  sets: number;
  segmentBytes: number;
  keepSegments: number;
  /** Starts that are killed before this one, so many milliseconds after each began. */
  startKillsMs: number[];
  /** Milliseconds of load before the kill. */
  loadMs: number;
}

/** Small enough that segments are closed, folded and deleted while there is load. */
const SEGMENT_BYTES = [64 * 1024, 128 * 1024, 256 * 1024, 1024 * 1024];

/** 0 keeps all. */
const KEEP_SEGMENTS = [0, 1, 2, 5];

const SETS = [1, 16, 256];

const SHORTEST_LOAD_MS = 200;
const LONGEST_LOAD_MS = 2500;

/** One round in so many begins with starts that are killed. */
const START_KILL_EVERY = 4;
const MOST_START_KILLS = 3;

/** From before the program is loaded to after it serves. */
const SHORTEST_START_MS = 50;
const LONGEST_START_MS = 1200;

/** Random numbers that follow from the seed and a name: what one part draws does not change what another does. */
export class ChaosRandom {
  readonly #random: SeededRandom;

  constructor(seed: number, name: string) {
    this.#random = new SeededRandom(hash('sha256', `${seed}/${name}`, 'buffer'));
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return this.#random.drawBetween(low, high);
  }

  /** True once in `count` times. */
  oneIn(count: number): boolean {
    return this.between(1, count) === 1;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.between(0, from.length - 1)];
  }
}

/** Draws round number `round`. */
export function planRound(seed: number, round: number): RoundPlan {
  const random = new ChaosRandom(seed, `round ${round}`);
  const sets = random.pick(SETS);
  const startKills = random.oneIn(START_KILL_EVERY) ? random.between(1, MOST_START_KILLS) : 0;
  return {
    acceptors: random.between(1, 2),
    workers: Math.min(random.between(1, 2), sets),
    sets,
    segmentBytes: random.pick(SEGMENT_BYTES),
    keepSegments: random.pick(KEEP_SEGMENTS),
    startKillsMs: Array.from({ length: startKills }, () => random.between(SHORTEST_START_MS, LONGEST_START_MS)),
    loadMs: random.between(SHORTEST_LOAD_MS, LONGEST_LOAD_MS),
  };
}

/** A plan in a line. */
export function describePlan(plan: RoundPlan): string {
  const { acceptors, workers, sets, segmentBytes, keepSegments, startKillsMs, loadMs } = plan;
  const kept = keepSegments === 0 ? 'all kept' : `${keepSegments} kept`;
  const starts = startKillsMs.length === 0 ? '' : `killed while starting after ${startKillsMs.join(', ')} ms; `;
  return (
    `${starts}${acceptors} acceptors, ${workers} workers, ${sets} sets, ` +
    `segments of ${segmentBytes / 1024} KiB, ${kept}; ${loadMs} ms of load`
  );
}
