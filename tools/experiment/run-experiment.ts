// Runs the experiment: a server process, a load client here, the plan by the clock, and everything that was seen of it.
//
//   this process: load threads --TCP--> hongbao serve process
//        ^ monitor <--samples-- both      |
//        +--- drops and sends, by HTTP ---+
//
// Nothing is left running, however it ends.

import { setTimeout as sleep } from 'node:timers/promises';
import { type LoadOptions, PACE_MS } from '../../clients/load/load-options.ts';
import { LoadSampler } from '../../clients/load/load-sampler.ts';
import { LoadSteering } from '../../clients/load/load-steering.ts';
import type { LoadTotals } from '../../clients/load/load-totals.ts';
import { type LoadResult, runLoad } from '../../clients/load/run-load.ts';
import { type Comparison, compareWithServers, readServerCounts } from '../../clients/load/verify.ts';
import type { Monitor } from '../../lib/monitor/monitor.ts';
import type { RunLog } from '../../lib/monitor/run-log.ts';
import type { Sample } from '../../lib/monitor/sample.ts';
import { formatCount } from '../../lib/monitor/text-table.ts';
import type { DropStatus } from '../../lib/packets/drop-campaigns.ts';
import type { SendStatus } from '../../lib/packets/send-campaigns.ts';
import { runAudit } from '../audit/run-audit.ts';
import { callControl } from '../control-client.ts';
import type { Progress } from '../progress-line.ts';
import { ServeProcess } from '../serve-process.ts';
import type { ExperimentFacts } from './judge.ts';
import { readPhase } from './phase-facts.ts';
import type { ExperimentPlan, Phase } from './plan.ts';

export interface ExperimentParts {
  plan: ExperimentPlan;
  /** Data directory of the server; a fresh one. */
  data: string;
  monitor: Monitor;
  /** Where the server sends its samples. */
  monitorUrl: string;
  runLog: RunLog;
  /** Beside those that the experiment needs, such as --durability=buffered. */
  serverOptions: readonly string[];
  /** Unique among the sources. */
  runId: string;
  onProgress: (progress: Progress) => void;
}

/** How long what is under way at the end may take, in seconds. */
const DRAIN_SECONDS = 60;

/** How long drops and sends may take to be over once everybody has stopped, in milliseconds. */
const SETTLE_MS = 20_000;

const AUDIT_THREADS = 2;

/** @throws {Error} when the server or the connections fail */
export async function runExperiment(parts: ExperimentParts): Promise<ExperimentFacts> {
  const { plan, data, monitorUrl, serverOptions, onProgress } = parts;
  const server = new ServeProcess([`--data=${data}`, `--monitor=${monitorUrl}`, '--no-run-log', ...serverOptions]);
  try {
    await server.awaitServing();
    const clients = await runClients(parts, server);
    const drops = clients.campaigns.map(({ drop }) => drop);
    const sends = clients.campaigns.map(({ send }) => send);
    await server.stop();
    const audit = await runAudit(data, {
      threads: AUDIT_THREADS,
      onProgress: (bytes, ofBytes) => onProgress({ phase: 'audit', done: bytes, total: ofBytes }),
    });
    const { load, comparisons, connected, phases } = clients;
    return {
      plan,
      totals: load.totals,
      isDrained: load.isDrained,
      connected,
      phases,
      drops,
      sends,
      comparisons,
      audit,
    };
  } finally {
    await server.kill().catch(() => {});
  }
}

async function runClients(parts: ExperimentParts, server: ServeProcess) {
  const { plan, monitor, runId } = parts;
  const options: LoadOptions = {
    targets: [{ host: '127.0.0.1', port: server.port }],
    users: [0, plan.connections - 1],
    population: [0, plan.connections - 1],
    qps: plan.phases[0].qps,
    closed: false,
    pipeline: 1,
    durationSeconds: plan.seconds,
    paceMs: PACE_MS,
    threads: 1,
    grab: true,
    drainSeconds: DRAIN_SECONDS,
    sampled: true,
  };
  const steering = new LoadSteering(options);
  const samples: Sample[] = [];
  const sampler = new LoadSampler({
    origin: { source: `load:0-${plan.connections - 1}`, run: runId, role: 'client' },
    readQps: () => steering.qps,
    onSample: (sample) => {
      samples.push(sample);
      monitor.take(sample);
    },
  });
  const conductor = new Conductor(parts, server, steering);
  const before = await readServerCounts([server.controlUrl]);
  let comparisons: Comparison[] = [];
  let campaigns: Campaigns[] = [];
  const whileConnected = async (totals: LoadTotals) => {
    campaigns = await conductor.finish();
    comparisons = await compareWithServers([server.controlUrl], before, totals);
  };
  let load: LoadResult;
  try {
    load = await runLoad(
      options,
      (phase, totals) => conductor.observe(phase, totals),
      whileConnected,
      steering,
      sampler,
    );
  } finally {
    sampler.stop();
    conductor.stop();
  }
  const { startMs, connected } = conductor;
  const phases = plan.phases.map(({ qps, fromSecond, untilSecond }) =>
    readPhase(qps, startMs + fromSecond * 1000, startMs + untilSecond * 1000, samples),
  );
  return { load, comparisons, campaigns, connected, phases };
}

/** The drop and the send of a phase. */
interface Campaigns {
  drop: DropStatus;
  send: SendStatus;
}

/** The same, once they were asked for. */
interface Started {
  drop?: Promise<DropStatus>;
  send?: Promise<SendStatus>;
}

/** Does the plan by the clock: rates, drops, sends, and the marks of the run log. */
class Conductor {
  /** When the shaking began, in Unix milliseconds; the users connected then. */
  startMs = 0;
  connected = 0;
  readonly #parts: ExperimentParts;
  readonly #server: ServeProcess;
  readonly #steering: LoadSteering;
  readonly #timers: NodeJS.Timeout[] = [];
  /** By phase: what was started. */
  readonly #started: Started[];

  constructor(parts: ExperimentParts, server: ServeProcess, steering: LoadSteering) {
    this.#parts = parts;
    this.#server = server;
    this.#steering = steering;
    this.#started = parts.plan.phases.map(() => ({}));
  }

  /** Told how far the load is. */
  observe(phase: 'connecting' | 'shaking' | 'draining', totals: LoadTotals): void {
    const { plan, onProgress } = this.#parts;
    if (phase === 'connecting') {
      onProgress({ phase, done: totals.connected, total: plan.connections });
      return;
    }
    if (this.startMs === 0) this.#begin(totals);
    const second = (Date.now() - this.startMs) / 1000;
    const now = plan.phases.find(({ untilSecond }) => second < untilSecond);
    const name = phase === 'draining' || now === undefined ? 'draining' : `at ${formatCount(now.qps)}/s`;
    const { answered, won, grabsWon } = totals;
    const how = `answered ${formatCount(answered)}  won ${formatCount(won)}  grabbed ${formatCount(grabsWon)}`;
    onProgress({ phase: name, done: Math.min(second, plan.seconds), total: plan.seconds, how });
  }

  /** Waits until everything that was started is over, and says how it stands. */
  async finish(): Promise<Campaigns[]> {
    const deadline = Date.now() + SETTLE_MS;
    for (;;) {
      const all = await Promise.all(this.#started.map((started) => this.#read(started)));
      const isOver = all.every(({ drop, send }) => drop.state === 'closed' && send.state === 'closed');
      if (isOver || Date.now() > deadline) return all;
      await sleep(100);
    }
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #begin(totals: LoadTotals): void {
    const { plan, runLog } = this.#parts;
    this.startMs = Date.now();
    this.connected = totals.connected;
    plan.phases.forEach((phase, i) => {
      const atMs = this.startMs + phase.fromSecond * 1000;
      runLog.write({ type: 'mark', atMs, text: `${formatCount(phase.qps)} shakes/s` });
      if (i > 0) this.#steering.setQps(phase.qps, atMs);
      this.#at(phase.drop.atSecond, () => this.#startDrop(phase, i));
      this.#at(phase.send.atSecond, () => this.#startSend(phase, i));
    });
    runLog.write({ type: 'mark', atMs: this.startMs + plan.seconds * 1000, text: 'drain' });
  }

  #at(second: number, act: () => void): void {
    this.#timers.push(setTimeout(act, this.startMs + second * 1000 - Date.now()));
  }

  #startDrop({ drop: { atSecond: _, ...body } }: Phase, i: number): void {
    this.#parts.runLog.write({ type: 'mark', atMs: Date.now(), text: `drop ${i + 1}` });
    const started = callControl(this.#server.controlUrl, 'POST', '/drops', body) as Promise<DropStatus>;
    // Told when its outcome is read: see finish.
    started.catch(() => {});
    this.#started[i].drop = started;
  }

  #startSend({ send: { atSecond: _, ...body } }: Phase, i: number): void {
    this.#parts.runLog.write({ type: 'mark', atMs: Date.now(), text: `send ${i + 1}` });
    const users = [0, this.#parts.plan.connections - 1];
    const started = callControl(this.#server.controlUrl, 'POST', '/sends', { ...body, users }) as Promise<SendStatus>;
    started.catch(() => {});
    this.#started[i].send = started;
  }

  async #read({ drop, send }: Started): Promise<Campaigns> {
    if (drop === undefined || send === undefined) throw new Error('the shaking ended before the plan did');
    const url = this.#server.controlUrl;
    return {
      drop: (await callControl(url, 'GET', `/drops/${(await drop).id}`)) as DropStatus,
      send: (await callControl(url, 'GET', `/sends/${(await send).id}`)) as SendStatus,
    };
  }
}
