// Loaded with --import into a server's process and all its threads: makes one kind of thread fail when a file appears. Never ships.
//
// FAULT_THREAD is the thread's name, FAULT_FILE the file. A thread that sleeps in Atomics.wait fails there; one with an event loop
// in a timer; main too.

import { existsSync } from 'node:fs';
import { isMainThread, threadName } from 'node:worker_threads';

const { FAULT_THREAD, FAULT_FILE = '' } = process.env;
const name = isMainThread ? 'main' : threadName;

/** How often it is looked for the file, in milliseconds. */
const LOOK_MS = 20;

function failIfAsked(): void {
  if (existsSync(FAULT_FILE)) throw new Error(`a fault that was asked for in ${name}`);
}

if (name === FAULT_THREAD) {
  if (name === 'acceptor-thread' || name === 'main') setInterval(failIfAsked, LOOK_MS).unref();
  else {
    const wait = Atomics.wait as (words: Int32Array, index: number, value: number, ms?: number) => 'ok';
    Atomics.wait = ((words: Int32Array, index: number, value: number, ms?: number) => {
      failIfAsked();
      return wait(words, index, value, ms);
    }) as typeof Atomics.wait;
  }
}
