// One thread of doorbell.stress.test.ts: a sleeper that announces a sleep, lets all ringers loose at once and counts
// its wakes, round by round; or one of the ringers.
//
// The sleeper rings too: two threads that ring at once need two cores, and a third thread would keep one of them off.

import { parentPort, workerData } from 'node:worker_threads';
import { DoorbellListener, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Random } from './seed.ts';
import { idle, LOST_MS, meet } from './threads.ts';

export interface GateData {
  role: 'sleeper' | 'ringer';
  bell: SharedArrayBuffer;
  /** Three words: see below. */
  gate: SharedArrayBuffer;
  ringers: number;
  rounds: number;
  budgetMs: number;
  /** Empty turns of a loop, at most, before a ringer rings. */
  pause: number;
  seed: number;
  meeting: SharedArrayBuffer;
}

export interface GateReport {
  /** The first thing that was not as it should be; empty if all was well. */
  fault: string;
  rounds: number;
}

/** The gate's words: the round that is open (-1: no more), the ringers that have rung in it, the wakes in it. */
const ROUND = 0;
const DONE = 1;
const WAKES = 2;

function sleepRounds({ bell, gate, ringers, rounds, budgetMs, pause, seed }: GateData): void {
  const words = new Int32Array(gate);
  const listener = new DoorbellListener(bell);
  const ringer = new DoorbellRinger(bell, () => Atomics.add(words, WAKES, 1));
  const random = new Random(seed);
  const deadline = performance.now() + budgetMs;
  let fault = '';
  let round = 0;
  while (round < rounds && fault === '' && performance.now() < deadline) {
    Atomics.store(words, DONE, 0);
    Atomics.store(words, WAKES, 0);
    listener.announceSleep();
    round++;
    Atomics.store(words, ROUND, round);
    idle(random.below(pause + 1));
    ringer.ring();
    Atomics.notify(words, ROUND);
    for (let done = 0; done < ringers; done = Atomics.load(words, DONE)) waitForChange(words, DONE, done);
    const wakes = Atomics.load(words, WAKES);
    if (wakes !== 1) fault = `round ${round}: ${wakes} wakes for one sleep`;
  }
  Atomics.store(words, ROUND, -1);
  Atomics.notify(words, ROUND);
  parentPort!.postMessage({ fault, rounds: round } satisfies GateReport);
}

function ringRounds({ bell, gate, seed, pause }: GateData): void {
  const words = new Int32Array(gate);
  const ringer = new DoorbellRinger(bell, () => Atomics.add(words, WAKES, 1));
  const random = new Random(seed);
  let round = 0;
  for (;;) {
    waitForChange(words, ROUND, round);
    const open = Atomics.load(words, ROUND);
    if (open === round) continue;
    round = open;
    if (round < 0) break;
    idle(random.below(pause + 1));
    ringer.ring();
    Atomics.add(words, DONE, 1);
    Atomics.notify(words, DONE);
  }
  parentPort!.postMessage({ fault: '', rounds: 0 } satisfies GateReport);
}

/** Spins a little first, so that the ringers start as close together as the machine can. */
function waitForChange(words: Int32Array, word: number, from: number): void {
  for (let look = 0; look < 2000; look++) if (Atomics.load(words, word) !== from) return;
  Atomics.wait(words, word, from, LOST_MS);
}

const data: GateData = workerData;
meet(data.meeting, data.ringers + 1);
if (data.role === 'sleeper') sleepRounds(data);
else ringRounds(data);
