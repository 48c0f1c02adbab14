// How this process fares, second by second: CPU, memory, garbage collection, event loops, and the machine's network.
//
// Main thread. Other threads hand in what they saw of themselves.

import { type NetworkCounts, readNetworkCounts } from './network-counts.ts';
import { addVitals, NO_VITALS, type ThreadVitals, ThreadWatch } from './thread-vitals.ts';

/** Names and values as a sample has them. */
export interface ProcessVitals {
  counts: Record<string, number>;
  gauges: Record<string, number>;
}

export class ProcessWatch {
  readonly #main = new ThreadWatch();
  #others: ThreadVitals = NO_VITALS;
  #cpu = process.cpuUsage();
  #network: NetworkCounts | undefined = readNetworkCounts();

  /** Of another thread, since it last told. */
  add(vitals: ThreadVitals): void {
    this.#others = addVitals(this.#others, vitals);
  }

  /** What happened since the last call, and how it is now. */
  take(): ProcessVitals {
    const { gcPauses, gcUs, gcMaxUs, loopDelayMaxUs } = addVitals(this.#main.take(), this.#others);
    this.#others = NO_VITALS;
    const cpu = process.cpuUsage();
    const cpuUs = cpu.user + cpu.system - this.#cpu.user - this.#cpu.system;
    this.#cpu = cpu;
    const { rss, heapUsed } = process.memoryUsage();
    return {
      counts: { cpuUs, gcPauses, gcUs, ...this.#takeNetwork() },
      gauges: { gcMaxUs, loopDelayMaxUs, rssBytes: rss, heapBytes: heapUsed },
    };
  }

  stop(): void {
    this.#main.stop();
  }

  #takeNetwork(): Partial<NetworkCounts> {
    const now = readNetworkCounts();
    const last = this.#network;
    this.#network = now;
    if (now === undefined || last === undefined) return {};
    // An interface that went away takes its counts with it.
    const grown = (name: keyof NetworkCounts) => Math.max(0, now[name] - last[name]);
    return {
      nicRxPackets: grown('nicRxPackets'),
      nicRxBytes: grown('nicRxBytes'),
      nicTxPackets: grown('nicTxPackets'),
      nicTxBytes: grown('nicTxBytes'),
    };
  }
}
