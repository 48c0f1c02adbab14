// A measured run of shakes: the load client in a process of its own, and what the server spent while it was steady.
//
//   load client process --shakes--> server process        the CPU of the server is read twice, `seconds` apart,
//        |                              ^                  somewhere in the middle of the shaking
//        +--compares both ends----------+

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LatencySummary } from '../../../lib/monitor/latency-log.ts';
import type { ServerStatus } from '../../../lib/server-status.ts';
import { CLI } from '../../serve-process.ts';
import type { Run } from './axis.ts';
import type { BenchServer, Sample } from './bench-server.ts';

/** Shaking before the measured part begins, and what is left for looking at the server and behind it, in milliseconds. */
const WARM_UP_MS = 500;
const SPARE_MS = 300;

/** The spare in terms of one look at the idle server: three looks at a busy one. */
const STATUS_TIMES = 10;

/** How often the server is asked whether it has begun, in milliseconds. */
const POLL_MS = 50;

/**
 * Where the load client finds the server. For 127.0.0.1 it would bind source addresses, which takes a minute for thousands
 * of connections while the kernel still remembers those of the last run; a port is found sooner when it is left to choose.
 */
const THIS_MACHINE = '0.0.0.0';

/** Packets a second of a drop that runs beside the shaking, and cents of each on average. */
const DROP_RATE = 200;
const DROP_CENTS = 100;

/** A drop must not run dry before the measured part is over: it lasts so much longer, in seconds. */
const DROP_SPARE_SECONDS = 30;

export interface ShakePlan {
  connections: number;
  /** Closed loop with so many shakes under way on each connection, or open loop with so many a second. */
  load: { deep: number } | { rate: number };
  /** Length of the measured part. */
  seconds: number;
  /** Whether a drop runs meanwhile, so that some shakes win. */
  hasDrop?: boolean;
}

/** A run of shakes, with what its measured part was taken from. */
export interface ShakeRun extends Run {
  from: Sample;
  to: Sample;
  /** Shakes answered while that was spent. */
  shakes: number;
}

/** What `hongbao load --json` writes. */
export interface LoadJson {
  totals: { won: number };
  answeredPerSecond: number;
  latency: { shake: LatencySummary };
  faults: string[];
}

/** Runs it. The cost is in microseconds of the server's CPU per shake. @throws {Error} if the load client fails */
export async function runShakes(server: BenchServer, plan: ShakePlan): Promise<ShakeRun> {
  const { connections, load, seconds, hasDrop = false } = plan;
  const askedAt = performance.now();
  const before = (await server.readStatus()).requests.shake;
  const spareMs = SPARE_MS + STATUS_TIMES * (performance.now() - askedAt);
  const duration = seconds + (WARM_UP_MS + spareMs) / 1000;
  const shape = 'deep' in load ? ['--closed', `--pipeline=${load.deep}`] : [`--qps=${load.rate}`];
  const options = [`--connections=${connections}`, `--duration=${duration}`, ...shape];
  const { from, to, result } = await LoadClient.use(server, options, async (client) => {
    await client.until(async () => (await server.readStatus()).requests.shake > before);
    const count = Math.ceil(DROP_RATE * (seconds + DROP_SPARE_SECONDS));
    const spec = { count, rate: DROP_RATE, budget: DROP_CENTS * count };
    const drop = hasDrop ? await server.post('/drops', spec) : undefined;
    await sleep(WARM_UP_MS);
    const from = await server.sampleAtStart();
    await sleep(seconds * 1000);
    const to = await server.sampleAtEnd();
    const result = await client.end();
    if (drop !== undefined) await server.closeDrop(drop);
    return { from, to, result };
  });
  const { totals, latency, answeredPerSecond, faults } = result;
  const perMs = (countAnswered(to.status) - countAnswered(from.status)) / (to.answeredAtMs - from.answeredAtMs);
  const shakes = perMs * (to.spentAtMs - from.spentAtMs);
  if (shakes === 0) faults.push('nothing was answered in the measured part');
  if (hasDrop && totals.won === 0) faults.push('a drop was running, and nobody won');
  return {
    cost: (to.cpuUs - from.cpuUs) / shakes,
    figures: {
      'answered/s': answeredPerSecond,
      'p50 ms': latency.shake.p50Us / 1000,
      'p99 ms': latency.shake.p99Us / 1000,
      ...(hasDrop ? { won: totals.won } : {}),
    },
    faults,
    from,
    to,
    shakes,
  };
}

function countAnswered({ shakes }: ServerStatus): number {
  return shakes.won + shakes.none + shakes.overload;
}

/** `hongbao load` against a server. */
export class LoadClient {
  readonly #child;
  readonly #directory = mkdtempSync(join(tmpdir(), 'hongbao-growth-load-'));
  readonly #ended: Promise<unknown>;
  #errors = '';
  #hasEnded = false;

  private constructor({ port, controlUrl }: BenchServer, options: readonly string[]) {
    const own = [`--target=${THIS_MACHINE}:${port}`, `--verify=${controlUrl}`, `--json=${this.#file}`];
    this.#child = spawn(process.execPath, [CLI, 'load', ...own, ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr.on('data', (text) => {
      this.#errors += text;
    });
    const kill = () => this.#child.kill('SIGKILL');
    process.once('exit', kill);
    this.#ended = once(this.#child, 'close').then(() => {
      this.#hasEnded = true;
      process.removeListener('exit', kill);
    });
  }

  /** Starts one, and leaves neither the process nor its files behind. @param options beside where and how to verify */
  static async use<T>(
    server: BenchServer,
    options: readonly string[],
    work: (client: LoadClient) => Promise<T>,
  ): Promise<T> {
    const client = new LoadClient(server, options);
    try {
      return await work(client);
    } finally {
      client.#child.kill('SIGKILL');
      await client.#ended;
      rmSync(client.#directory, { recursive: true });
    }
  }

  /** Waits until something is so. @throws {Error} if the client ends before */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    while (!(await isSo())) {
      if (this.#hasEnded) throw this.#failure();
      await sleep(POLL_MS);
    }
  }

  /** Waits for its end. Its faults say what the two ends do not agree about. @throws {Error} if it has no result */
  async end(): Promise<LoadJson> {
    await this.#ended;
    try {
      return JSON.parse(readFileSync(this.#file, 'utf8'));
    } catch {
      throw this.#failure();
    }
  }

  get #file(): string {
    return join(this.#directory, 'load.json');
  }

  #failure(): Error {
    const { exitCode, signalCode } = this.#child;
    const last = this.#errors.trim().split('\n').at(-1);
    return new Error(`the load client ended with ${exitCode ?? signalCode} and has no result: ${last}`);
  }
}
