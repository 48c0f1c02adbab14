// Gives a server one core, and its SET workers a small share of it.
//
// On a machine of few cores the acceptor, the kernel and the load client are exhausted long before a worker is: nothing ever
// waits in a ring. This is what many acceptors on many cores do to one worker.

import { execFileSync } from 'node:child_process';
import { readThreads } from '../proc-stat.ts';

/** By this niceness a worker has a sixtieth of what another thread has, once all of them want the core. */
const WORKER_NICENESS = 19;

/** @param pid of a server process on Linux @throws {Error} without taskset and renice, or for another user's process */
export function weakenWorkers(pid: number): void {
  execFileSync('taskset', ['-acp', '0', String(pid)]);
  for (const { id, name } of readThreads(pid)) {
    if (name === 'worker-thread') execFileSync('renice', ['-n', String(WORKER_NICENESS), '-p', String(id)]);
  }
}
