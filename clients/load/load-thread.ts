// The thread of a load engine: does what the coordinator says, and reports its counts four times a second.

import { parentPort, workerData } from 'node:worker_threads';
import { encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { probeHandles } from '../../lib/handles/handle-probe.ts';
import { LoadEngine } from './load-engine.ts';
import type { LoadOptions, UserRange } from './load-options.ts';
import type { LoadTotals } from './load-totals.ts';

export interface LoadThreadData {
  options: LoadOptions;
  users: UserRange;
}

/** From the coordinator. Times are Unix milliseconds. */
export type LoadCommand =
  | { kind: 'start'; fromMs: number; untilMs: number }
  | { kind: 'qps'; qps: number; fromMs: number }
  | { kind: 'stop' }
  | { kind: 'end' };

/** To the coordinator: the counts, and at the end the histograms. */
export interface LoadReport {
  totals: LoadTotals;
  /** Whether all shakes are sent that will be: no earlier report can say that everything has been answered. */
  hasStopped: boolean;
  /** How long nothing had come when these counts were taken, in milliseconds. */
  quietMs: number;
  /** When the last shake was answered, in Unix milliseconds. */
  lastAnswerMs: number;
  /** Encoded; only in the answer to `end`. */
  latency?: { shake: string; grab: string };
}

const REPORT_MS = 250;

async function run({ options, users }: LoadThreadData): Promise<void> {
  const handles = await probeHandles();
  const engine = new LoadEngine(options, users, typeof handles === 'object' ? handles : undefined);
  let hasStopped = false;
  const report = (latency?: LoadReport['latency']) => {
    const { totals, lastHeardMs, lastAnswerMs } = engine;
    const message: LoadReport = { totals, hasStopped, quietMs: Date.now() - lastHeardMs, lastAnswerMs };
    if (latency !== undefined) message.latency = latency;
    parentPort!.postMessage(message);
  };
  const reports = setInterval(report, REPORT_MS);
  parentPort!.on('message', (command: LoadCommand) => {
    if (command.kind === 'start') {
      const { fromMs, untilMs } = command;
      const waitMs = fromMs - Date.now();
      // Without a timer when it is late: the stop may be right behind.
      if (waitMs <= 0) engine.startShaking(fromMs, untilMs);
      else setTimeout(() => engine.startShaking(fromMs, untilMs), waitMs);
    } else if (command.kind === 'qps') {
      engine.changeQps(command.qps, command.fromMs);
    } else if (command.kind === 'stop') {
      engine.stopShaking();
      hasStopped = true;
      report();
    } else {
      clearInterval(reports);
      engine.end();
      report({
        shake: encodeIntoCompressedBase64(engine.shakeLatency),
        grab: encodeIntoCompressedBase64(engine.grabLatency),
      });
      parentPort!.close();
    }
  });
  engine.connectAll();
}

run(workerData as LoadThreadData);
