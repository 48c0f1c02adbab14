// Samples how a server process fares: resident memory and open files from the kernel, heap and event loop from itself.

import { countOpenFiles, readResidentBytes } from '../proc-stat.ts';
import type { Point } from './flatness.ts';

/** How often it looks, in milliseconds. */
const LOOK_MS = 1000;

/** How long the server may take to tell of itself, in milliseconds. */
const ANSWER_MS = 10_000;

/** One look at a server. */
export interface Vitals {
  /** Since the first look. */
  atSeconds: number;
  residentBytes: number;
  openFiles: number;
  heapBytes: number;
  /** The longest that something due had to wait for an event loop, within the last second that was sampled. */
  loopDelayUs: number;
  connections: number;
}

interface Samples {
  seconds: { server?: { gauges: Record<string, number> } }[];
}

export class VitalsLog {
  readonly vitals: Vitals[] = [];
  readonly #pid: number;
  readonly #controlUrl: string;
  readonly #onLook: (vitals: Vitals) => void;
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  /** Looks in a row that came to nothing, and why the last one did. */
  failedLooks = 0;
  lastFailure = '';

  constructor(pid: number, controlUrl: string, onLook: (vitals: Vitals) => void = () => {}) {
    this.#pid = pid;
    this.#controlUrl = controlUrl;
    this.#onLook = onLook;
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    }, LOOK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** One of the values over time. */
  points(name: Exclude<keyof Vitals, 'atSeconds'>): Point[] {
    return this.vitals.map((vitals) => ({ atSeconds: vitals.atSeconds, value: vitals[name] }));
  }

  async #look(): Promise<void> {
    try {
      const response = await fetch(`${this.#controlUrl}/samples?seconds=5`, { signal: AbortSignal.timeout(ANSWER_MS) });
      const { seconds } = (await response.json()) as Samples;
      const gauges = seconds.findLast(({ server }) => server?.gauges.heapBytes !== undefined)?.server?.gauges;
      if (gauges === undefined) return;
      const vitals: Vitals = {
        atSeconds: (performance.now() - this.#startedAt) / 1000,
        residentBytes: readResidentBytes(this.#pid),
        openFiles: countOpenFiles(this.#pid),
        heapBytes: gauges.heapBytes,
        loopDelayUs: gauges.loopDelayMaxUs ?? 0,
        connections: gauges.connections ?? 0,
      };
      this.vitals.push(vitals);
      this.failedLooks = 0;
      this.#onLook(vitals);
    } catch (error) {
      this.failedLooks++;
      this.lastFailure = (error as Error).message;
    }
  }
}
