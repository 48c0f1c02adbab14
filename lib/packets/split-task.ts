// A piscina task: splits a drop's budget into shared memory, off the threads that serve.

import { type SplitRequest, split } from './split.ts';

export interface SplitTask {
  request: SplitRequest;
  /** 32 bytes. */
  seed: Uint8Array;
  /** Shared memory of Int32 words; the shares are written from word `at` on. */
  memory: SharedArrayBuffer;
  at: number;
}

export default function runSplitTask({ request, seed, memory, at }: SplitTask): void {
  split(request, seed, new Int32Array(memory), at);
}
