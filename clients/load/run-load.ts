// A whole load test: starts the threads, connects everybody, shakes for the time asked, drains, and adds up the counts.

import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { JsHistogram } from 'hdr-histogram-js';
import { decodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds } from '../../lib/monitor/microseconds.ts';

import { countUsers, type LoadOptions, partOf } from './load-options.ts';
import type { LoadSampler } from './load-sampler.ts';
import { type LoadPhase, LoadSteering } from './load-steering.ts';
import type { LoadCommand, LoadReport, LoadThreadData } from './load-thread.ts';
import { addTotals, countUnanswered, emptyTotals, type LoadTotals } from './load-totals.ts';

/** Told every POLL_MS how far the test is. */
export type OnProgress = (phase: LoadPhase, totals: LoadTotals) => void;

export interface LoadResult {
  totals: LoadTotals;
  /** Microseconds; see LoadEngine. */
  shakeLatency: JsHistogram;
  grabLatency: JsHistogram;
  /** How long connecting and shaking took, in seconds; and from the first shake to its last answer, no less than the shaking. */
  connectSeconds: number;
  shakeSeconds: number;
  answerSeconds: number;
  /** Whether every request had its reply when the draining ended. */
  isDrained: boolean;
}

/** How often the coordinator looks how far the threads are, in milliseconds. */
const POLL_MS = 100;

/** The draining ends when nothing has come for so long and nothing is under way, in milliseconds. */
const QUIET_MS = 700;

/** Connecting is given up when not one connection more was made for so long, in milliseconds. */
const STUCK_MS = 20_000;

/**
 * Runs a load test.
 * @param whileConnected called after the draining, while all connections still stand: the moment to compare counts
 * @param steering by which the test is watched and its rate changed while it runs
 * @param sampler makes samples of it; the options must say that it is sampled
 * @throws {Error} when the connections cannot be made
 */
export async function runLoad(
  options: LoadOptions,
  onProgress: OnProgress,
  whileConnected: (totals: LoadTotals) => Promise<void> = async () => {},
  steering = new LoadSteering(options),
  sampler?: LoadSampler,
): Promise<LoadResult> {
  const threads = Array.from({ length: options.threads }, (_, i) => new LoadThread(options, i, sampler));
  const sendAll = (command: LoadCommand) => {
    for (const thread of threads) thread.send(command);
  };
  steering.attach(
    (change) => sendAll({ kind: 'qps', ...change }),
    (packetId) => sendAll({ kind: 'grab', packetId }),
  );
  const observe: OnProgress = (phase, totals) => {
    steering.observe(phase, totals);
    onProgress(phase, totals);
  };
  try {
    return await runThreads(options, threads, observe, whileConnected, sampler);
  } finally {
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

async function runThreads(
  options: LoadOptions,
  threads: readonly LoadThread[],
  onProgress: OnProgress,
  whileConnected: (totals: LoadTotals) => Promise<void>,
  sampler: LoadSampler | undefined,
): Promise<LoadResult> {
  const read = () => addTotals(threads.map((thread) => thread.report.totals));
  sampler?.attach(read);
  const startedAt = performance.now();
  await connectAll(options, threads, read, onProgress);
  const connectSeconds = (performance.now() - startedAt) / 1000;

  const startMs = Math.ceil((Date.now() + 50) / 100) * 100;
  const endMs = startMs + options.durationSeconds * 1000;
  for (const thread of threads) thread.send({ kind: 'start', fromMs: startMs, untilMs: endMs });
  while (Date.now() < endMs) {
    await sleep(Math.min(POLL_MS, Math.max(1, endMs - Date.now())));
    failWithThreads(threads);
    onProgress('shaking', read());
  }
  for (const thread of threads) thread.send({ kind: 'stop' });
  const isDrained = await drain(options, threads, read, onProgress);
  await whileConnected(read());

  const ends = await Promise.all(threads.map((thread) => thread.end()));
  const shakeLatency = buildMicroseconds();
  const grabLatency = buildMicroseconds();
  for (const thread of threads) {
    shakeLatency.add(thread.shakeLatency);
    grabLatency.add(thread.grabLatency);
  }
  const totals = addTotals(ends.map((end) => end.totals));
  const shakeSeconds = options.durationSeconds;
  const answerSeconds = Math.max(shakeSeconds, (Math.max(...ends.map((end) => end.lastAnswerMs)) - startMs) / 1000);
  return { totals, shakeLatency, grabLatency, connectSeconds, shakeSeconds, answerSeconds, isDrained };
}

async function connectAll(
  options: LoadOptions,
  threads: readonly LoadThread[],
  read: () => LoadTotals,
  onProgress: OnProgress,
): Promise<void> {
  const wanted = countUsers(options.users);
  let best = 0;
  let bestAt = performance.now();
  for (;;) {
    await sleep(POLL_MS);
    failWithThreads(threads);
    const totals = read();
    onProgress('connecting', totals);
    if (totals.connected === wanted) return;
    if (totals.connected > best) {
      best = totals.connected;
      bestAt = performance.now();
    }
    if (performance.now() - bestAt > STUCK_MS) {
      throw new Error(
        `only ${best} of ${wanted} users are connected, and no more came for ${STUCK_MS / 1000} s ` +
          `(failed connections: ${totals.failedConnects}, refused logins: ${totals.refusedLogins})`,
      );
    }
  }
}

/** Waits until nothing is under way and nothing has come for a while; false if the time for it ran out. */
async function drain(
  options: LoadOptions,
  threads: readonly LoadThread[],
  read: () => LoadTotals,
  onProgress: OnProgress,
): Promise<boolean> {
  const deadline = Date.now() + options.drainSeconds * 1000;
  for (;;) {
    await sleep(POLL_MS);
    failWithThreads(threads);
    const totals = read();
    onProgress('draining', totals);
    const reports = threads.map((thread) => thread.report);
    const isAnswered = countUnanswered(totals) === 0 && reports.every(({ hasStopped }) => hasStopped);
    if (isAnswered && reports.every(({ quietMs }) => quietMs > QUIET_MS)) return true;
    if (Date.now() > deadline) return isAnswered;
  }
}

function failWithThreads(threads: readonly LoadThread[]): void {
  for (const thread of threads) if (thread.error !== undefined) throw thread.error;
}

/** A thread of the test, as the coordinator sees it. */
class LoadThread {
  report: LoadReport = { totals: emptyTotals(), hasStopped: false, quietMs: 0, lastAnswerMs: 0 };
  error: Error | undefined;
  /** Everything so far that it has told of. */
  readonly shakeLatency = buildMicroseconds();
  readonly grabLatency = buildMicroseconds();
  readonly #worker: Worker;

  constructor(options: LoadOptions, index: number, sampler: LoadSampler | undefined) {
    const data: LoadThreadData = { options, users: partOf(options.users, index, options.threads) };
    const file = import.meta.url.endsWith('.ts') ? './load-thread.ts' : './load-thread.js';
    this.#worker = new Worker(new URL(file, import.meta.url), { workerData: data, execArgv: [] });
    this.#worker.on('message', (report: LoadReport) => {
      this.report = report;
      if (report.timed === undefined) return;
      const { latency, vitals } = report.timed;
      const [shake, grab] = [decodeLatency(latency.shake), decodeLatency(latency.grab)];
      this.shakeLatency.add(shake);
      this.grabLatency.add(grab);
      sampler?.add(shake, grab, vitals);
    });
    this.#worker.on('error', (error: unknown) => {
      this.error = error instanceof Error ? error : new Error(String(error));
    });
  }

  send(command: LoadCommand): void {
    this.#worker.postMessage(command);
  }

  /** Closes the thread's connections; resolves to its last counts, once all that it timed is here. */
  end(): Promise<LoadReport> {
    return new Promise((resolve) => {
      this.#worker.on('message', (report: LoadReport) => {
        if (report.isLast) resolve(report);
      });
      this.send({ kind: 'end' });
    });
  }

  terminate(): Promise<unknown> {
    return this.#worker.terminate();
  }
}
