// One thread of counters.stress.test.ts: the owner of a block, which adds to its sums, or a reader of all blocks.

import { parentPort, workerData } from 'node:worker_threads';
import { type CounterNames, CounterReader, CounterWriter } from '../../lib/ring/counters.ts';
import { meet } from './threads.ts';

export interface CountersData {
  role: 'owner' | 'reader';
  blocks: SharedArrayBuffer[];
  /** The owner's block. */
  block: number;
  names: CounterNames;
  /** What an owner adds each time, by sum. */
  steps: readonly number[];
  /** How often. */
  additions: number;
  /** One word: owners that are done. */
  done: SharedArrayBuffer;
  owners: number;
  /** One word: how often the reader has read all sums. */
  passes: SharedArrayBuffer;
  meeting: SharedArrayBuffer;
}

export interface CountersReport {
  /** The first value that no owner can have meant; empty if there was none. */
  fault: string;
  reads: number;
  /** Reads that gave another value than the one before. */
  changes: number;
}

/** So often an owner lets the reader read before it goes on, however few cores there are. */
const HALTS = 40;

function own({ blocks, block, names, steps, additions, done, passes }: CountersData): void {
  const writer = new CounterWriter(blocks[block], names);
  const passWords = new Int32Array(passes);
  for (let i = 0; i < additions; i++) {
    for (let sum = 0; sum < steps.length; sum++) writer.addToSum(sum, steps[sum]);
    if (i % (additions / HALTS) === 0) awaitPasses(passWords, 2);
  }
  Atomics.add(new Int32Array(done), 0, 1);
  parentPort!.postMessage({ fault: '', reads: 0, changes: 0 } satisfies CountersReport);
}

/** Waits until the reader has ended so many passes more; the second of two began after this call. */
function awaitPasses(passes: Int32Array, count: number): void {
  const first = Atomics.load(passes, 0);
  for (let now = first; now >= 0 && now - first < count; now = Atomics.load(passes, 0)) Atomics.wait(passes, 0, now, 1);
}

function read({ blocks, names, steps, additions, done, owners, passes }: CountersData): void {
  const reader = new CounterReader(blocks, names);
  const doneWords = new Int32Array(done);
  const passWords = new Int32Array(passes);
  const last = steps.map(() => 0);
  let fault = '';
  let reads = 0;
  let changes = 0;
  for (let over = false; !over && fault === ''; ) {
    // Asked before the reads, so that the last ones come after the last addition.
    over = Atomics.load(doneWords, 0) === owners;
    for (let sum = 0; sum < steps.length; sum++) {
      const value = reader.sum(sum);
      reads++;
      if (value !== last[sum]) changes++;
      if (value < last[sum]) fault = `sum ${sum} fell from ${last[sum]} to ${value}`;
      // Owners add nothing but whole steps: anything between is torn.
      if (value % steps[sum] !== 0) fault = `sum ${sum} is ${value}, no multiple of ${steps[sum]}`;
      if (over && value !== owners * additions * steps[sum]) fault = `sum ${sum} ends at ${value}`;
      last[sum] = value;
    }
    Atomics.add(passWords, 0, 1);
  }
  // No owner waits for this reader any more.
  Atomics.store(passWords, 0, -1);
  parentPort!.postMessage({ fault, reads, changes } satisfies CountersReport);
}

const data: CountersData = workerData;
meet(data.meeting, data.owners + 1);
if (data.role === 'owner') own(data);
else read(data);
