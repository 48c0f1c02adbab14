// Measures what connections cost: private memory of all servers and of all clients, and memory of the kernel, at moments.

import { readKernelMemory, readPrivateBytes } from './proc-files.ts';

/** All bytes at one moment. */
export interface MemoryMoment {
  serverBytes: number;
  clientBytes: number;
  kernelBytes: number;
  availableBytes: number;
}

/** How memory was used over a run. */
export interface MemoryReport {
  /** Everything started, nobody connected. */
  before: MemoryMoment;
  /** Everybody connected, nothing sent. */
  connected: MemoryMoment;
  /** Everything answered. */
  after: MemoryMoment;
  /** Available at the worst moment. */
  leastAvailableBytes: number;
  /** Available before the first process was started. */
  firstAvailableBytes: number;
}

/** Bytes that one connection added. */
export interface ConnectionCost {
  serverBytes: number;
  clientBytes: number;
  kernelBytes: number;
  /** What the system lost meanwhile by its own account: a check of the sum of the others. */
  availableBytes: number;
}

export class MemoryWatch {
  readonly #firstAvailableBytes = readKernelMemory().availableBytes;
  #leastAvailableBytes = this.#firstAvailableBytes;

  /** Looks at the kernel's account only, which costs next to nothing. */
  glance(): number {
    const { availableBytes } = readKernelMemory();
    this.#leastAvailableBytes = Math.min(this.#leastAvailableBytes, availableBytes);
    return availableBytes;
  }

  /** Looks at every process: the kernel goes through all their pages for it, which takes about 10 ms each. */
  look(serverPids: readonly number[], clientPids: readonly number[]): MemoryMoment {
    this.glance();
    const { availableBytes, usedBytes: kernelBytes } = readKernelMemory();
    return { serverBytes: sum(serverPids), clientBytes: sum(clientPids), kernelBytes, availableBytes };
  }

  report(before: MemoryMoment, connected: MemoryMoment, after: MemoryMoment): MemoryReport {
    const leastAvailableBytes = this.#leastAvailableBytes;
    return { before, connected, after, leastAvailableBytes, firstAvailableBytes: this.#firstAvailableBytes };
  }
}

/** What each of so many connections cost between two moments. */
export function costPerConnection(before: MemoryMoment, later: MemoryMoment, connections: number): ConnectionCost {
  return {
    serverBytes: (later.serverBytes - before.serverBytes) / connections,
    clientBytes: (later.clientBytes - before.clientBytes) / connections,
    kernelBytes: (later.kernelBytes - before.kernelBytes) / connections,
    availableBytes: (before.availableBytes - later.availableBytes) / connections,
  };
}

function sum(pids: readonly number[]): number {
  return pids.reduce((bytes, pid) => bytes + readPrivateBytes(pid), 0);
}
