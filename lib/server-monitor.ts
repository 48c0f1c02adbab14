// Watches a server: samples every second, the monitor that keeps and shows them, the run log, and another monitor elsewhere.
//
// Main thread. Whatever fails here is told once and stops nothing: a server serves also unseen.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { LatencyLog } from './monitor/latency-log.ts';
import { Monitor } from './monitor/monitor.ts';
import { makeRunHeader } from './monitor/run-header.ts';
import { RunLog } from './monitor/run-log.ts';
import { SampleSender } from './monitor/sample-sender.ts';
import type { LatencyKind } from './net/latency.ts';
import type { ServerOptions } from './server-options.ts';
import { ServerSampler } from './server-sampler.ts';
import type { StatusBoard } from './server-status.ts';
import { SERVER_NAME } from './version.ts';
import { ProcessWatch } from './vitals/process-vitals.ts';
import type { ThreadVitals } from './vitals/thread-vitals.ts';

/** The directory of run logs within the data directory. */
export const RUNS_NAME = 'runs';

export interface ServerMonitorParts {
  options: ServerOptions;
  /** Where clients connect: it is part of the server's name. */
  port: number;
  board: StatusBoard;
  latency: LatencyLog<LatencyKind>;
  onError: (error: Error) => void;
}

export class ServerMonitor {
  readonly monitor: Monitor;
  /** The name of this server among the sources. */
  readonly source: string;
  readonly #parts: ServerMonitorParts;
  readonly #watch: ProcessWatch | undefined;
  readonly #sender: SampleSender | undefined;
  #sampler: ServerSampler | undefined;

  constructor(parts: ServerMonitorParts) {
    const { options, port, onError } = parts;
    this.#parts = parts;
    this.source = `server:${port}`;
    this.monitor = new Monitor(openRunLog(options, port, onError));
    if (options.monitor !== '')
      this.#sender = new SampleSender(new URL(options.monitor), onError, options.monitorToken);
    if (options.samples) this.#watch = new ProcessWatch();
  }

  /** Begins to sample. */
  async start(): Promise<void> {
    const { board, latency } = this.#parts;
    if (this.#watch === undefined) return;
    this.#sampler = await ServerSampler.start({
      origin: { source: this.source, run: randomBytes(6).toString('hex'), role: 'server' },
      board,
      latency,
      watch: this.#watch,
      onSample: (sample) => {
        this.monitor.take(sample);
        this.#sender?.send(sample);
      },
    });
  }

  /** What another thread saw of itself in the last second. */
  addVitals(vitals: ThreadVitals): void {
    this.#watch?.add(vitals);
  }

  /** Takes the last sample, and sees everything written and sent, within a bound. */
  async stop(): Promise<void> {
    await this.#sampler?.stop();
    await Promise.all([this.#sender?.close(), this.monitor.close()]);
  }
}

function openRunLog(options: ServerOptions, port: number, onError: (error: Error) => void): RunLog | undefined {
  if (!options.samples || !options.runLog) return undefined;
  const fail = (error: Error) => onError(new Error(`the run log is not written: ${error.message}`));
  try {
    const header = makeRunHeader(`server-${port}`, SERVER_NAME);
    return new RunLog({ directory: join(options.data, RUNS_NAME), header, onError: fail });
  } catch (error) {
    fail(error as Error);
    return undefined;
  }
}
