// The thread of a load engine: does what the coordinator says, and reports its counts four times a second.

import { parentPort, workerData } from 'node:worker_threads';
import { readTokenKeys } from '../../lib/access/token-keys.ts';
import { everySecond } from '../../lib/vitals/second-timer.ts';
import { type ThreadVitals, ThreadWatch } from '../../lib/vitals/thread-vitals.ts';
import { probeLinks } from './handle-links.ts';
import { LoadEngine } from './load-engine.ts';
import type { LoadOptions, UserRange } from './load-options.ts';
import type { LoadLatency } from './load-sampler.ts';
import type { LoadTotals } from './load-totals.ts';

export interface LoadThreadData {
  options: LoadOptions;
  users: UserRange;
}

/** From the coordinator. Times are Unix milliseconds. */
export type LoadCommand =
  | { kind: 'start'; fromMs: number; untilMs: number }
  | { kind: 'qps'; qps: number; fromMs: number }
  | { kind: 'grab'; packetId: number }
  | { kind: 'stop' }
  | { kind: 'end' };

/** To the coordinator: the counts; and at the end, or every second if it is sampled, what was timed. */
export interface LoadReport {
  totals: LoadTotals;
  /** Whether all shakes are sent that will be: no earlier report can say that everything has been answered. */
  hasStopped: boolean;
  /** How long nothing had come when these counts were taken, in milliseconds. */
  quietMs: number;
  /** When the last shake was answered, in Unix milliseconds. */
  lastAnswerMs: number;
  /** What was timed since the last report that had it, and how the thread fared. */
  timed?: { latency: LoadLatency; vitals: ThreadVitals };
  /** The answer to `end`: nothing comes behind it. */
  isLast?: true;
}

const REPORT_MS = 250;

async function run({ options, users }: LoadThreadData): Promise<void> {
  const links = await probeLinks();
  // The newest key signs.
  const key = options.tokenKeys === undefined ? undefined : readTokenKeys(options.tokenKeys).at(-1);
  const engine = new LoadEngine(options, users, { links, key });
  let hasStopped = false;
  const watch = new ThreadWatch();
  const takeTimed = () => ({ latency: engine.takeLatency(), vitals: watch.take() });
  const report = (more: Pick<LoadReport, 'timed' | 'isLast'> = {}) => {
    const { totals, lastHeardMs, lastAnswerMs } = engine;
    const message: LoadReport = { totals, hasStopped, quietMs: Date.now() - lastHeardMs, lastAnswerMs, ...more };
    parentPort!.postMessage(message);
  };
  const reports = setInterval(() => report(), REPORT_MS);
  const stopSeconds = options.sampled ? everySecond(0, () => report({ timed: takeTimed() })) : () => {};
  parentPort!.on('message', (command: LoadCommand) => {
    if (command.kind === 'start') {
      const { fromMs, untilMs } = command;
      const waitMs = fromMs - Date.now();
      // Without a timer when it is late: the stop may be right behind.
      if (waitMs <= 0) engine.startShaking(fromMs, untilMs);
      else setTimeout(() => engine.startShaking(fromMs, untilMs), waitMs);
    } else if (command.kind === 'qps') {
      engine.changeQps(command.qps, command.fromMs);
    } else if (command.kind === 'grab') {
      engine.grabAll(command.packetId);
    } else if (command.kind === 'stop') {
      engine.stopShaking();
      hasStopped = true;
      report();
    } else {
      clearInterval(reports);
      stopSeconds();
      engine.end();
      report({ timed: takeTimed(), isLast: true });
      watch.stop();
      parentPort!.close();
    }
  });
  engine.connectAll();
}

run(workerData as LoadThreadData);
