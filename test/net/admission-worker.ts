// One acceptor of the test of admission: comes and goes as fast as it can, with the other threads.

import { parentPort, workerData } from 'node:worker_threads';
import { Admission } from '../../lib/net/admission.ts';
import { TestRandom } from '../packets/seed.ts';

/** go: word 0 starts, 1 counts who has met, 2 who holds a connection of the one address. */
const { memory, go, seed } = workerData as { memory: SharedArrayBuffer; go: Int32Array; seed: number };
const admission = new Admission(memory);
const random = new TestRandom(seed);
parentPort!.postMessage('ready');
Atomics.wait(go, 0, 0);

let tries = 0;
let taken = 0;
for (let second = 1; second <= 4; second++) {
  // Each thread asks for more than its second has: together they get exactly what it has.
  for (let i = 0; i < 40_000; i++) {
    tries++;
    const hash = admission.hash(`10.0.${random.below(4)}.${random.below(100)}`);
    if (admission.enter(hash, 1000, { maxPerAddress: 0, maxAcceptsPerSecond: 50_000 }, second) !== undefined) continue;
    taken++;
    admission.leave(hash);
  }
  meet(second);
}

// Of one address two may be there. Each thread holds one at a time, so the third is always one too many.

let held = 0;
for (let i = 0; i < 100_000; i++) {
  const hash = admission.hash('192.0.2.1');
  if (admission.enter(hash, 1000, { maxPerAddress: 2, maxAcceptsPerSecond: 0 }, 0) !== undefined) continue;
  if (Atomics.add(go, 2, 1) >= 2) held++;
  Atomics.sub(go, 2, 1);
  admission.leave(hash);
}
parentPort!.postMessage({ tries, taken, held });

/** Waits until all three threads are here: a second is over for all of them. */
function meet(round: number): void {
  Atomics.add(go, 1, 1);
  Atomics.notify(go, 1);
  for (;;) {
    const seen = Atomics.load(go, 1);
    if (seen >= 3 * round) return;
    Atomics.wait(go, 1, seen, 100);
  }
}
