// Honest users and hostile peers on one server: what the honest ones feel of each attack, and what the attack costs the server.
//
//   honest users (a thread here) --TCP, 127.0.0.1--> hongbao serve process <--TCP, 127.0.0.2-- peers (a thread here)

import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { JsHistogram } from 'hdr-histogram-js';
import { countUnanswered, emptyTotals, type LoadTotals } from '../../clients/load/load-totals.ts';
import { runLoad } from '../../clients/load/run-load.ts';
import { type Comparison, compareWithServers, readServerCounts } from '../../clients/load/verify.ts';
import { decodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds } from '../../lib/monitor/microseconds.ts';
import type { Sample } from '../../lib/monitor/sample.ts';
import type { CloseReason } from '../../lib/net/close-reasons.ts';
import type { ServerStatus } from '../../lib/server-status.ts';
import { callControl } from '../control-client.ts';
import { openLoop, openSampler } from '../open-loop.ts';
import { readCpuUs, readResidentBytes } from '../proc-stat.ts';
import { ServeProcess } from '../serve-process.ts';
import type { AttackerData, AttackerReport } from './attacker-thread.ts';
import type { AttackName } from './attacks.ts';

export interface HostileOptions {
  /** Honest users, and their shakes a second together. */
  users: number;
  qps: number;
  peers: number;
  /** How long each attack lasts. */
  seconds: number;
  attacks: readonly AttackName[];
  /** Gets the server's data. */
  directory: string;
  onPhase: (name: PhaseName) => void;
}

/** The attacks, and the time before them. */
export type PhaseName = 'calm' | AttackName;

/** What was seen while one attack lasted. */
export interface PhaseResult {
  name: PhaseName;
  /** Latency of the honest users in microseconds. */
  shake: JsHistogram;
  grab: JsHistogram;
  /** The server: CPU time in shares of one CPU, the most resident memory, and its growth since the phase began. */
  cpuShare: number;
  residentBytes: number;
  grownBytes: number;
  /** Connections that the peers made, and what the server closed meanwhile, by reason. */
  peersConnected: number;
  closed: Partial<Record<CloseReason, number>>;
  /** Shakes of users who shook too often. */
  limitedShakes: number;
  /** Connections that are open once it is over and all time limits have passed. */
  openAfter: number;
}

export interface HostileResult {
  phases: PhaseResult[];
  totals: LoadTotals;
  unanswered: number;
  comparisons: Comparison[];
  differenceCents: number;
}

/**
 * Time limits that a run of seconds can see at work. That of a frame is over before that of a login, also if its first byte
 * came in a later second than the connection: else now the one and now the other would end a slow sender.
 */
const LIMIT_SECONDS = { 'login-timeout': 4, 'frame-timeout': 2, 'idle-timeout': 4, 'close-timeout': 1 };

/** An honest user shakes a few times in a second. */
const MAX_SHAKES = 20;

/** What a phase may take beyond its time: whoever is done shaking is silent, and would be closed. */
const SPARE_SECONDS = 1.5;

/** Until whatever a limit ends is gone, in milliseconds. */
const SETTLE_MS = 2500;

const LOOK_MS = 200;

const PEER_ADDRESS = '127.0.0.2';

/** Packets that honest users are sent in a second, for three of them each. */
const SENDS_PER_SECOND = 20;

/** Runs it. @throws {Error} if the server does not start, or the honest users cannot connect */
export async function runHostile(options: HostileOptions): Promise<HostileResult> {
  const { users, qps, peers, seconds, directory } = options;
  mkdirSync(directory, { recursive: true });
  const limits = Object.entries({
    ...LIMIT_SECONDS,
    'max-shakes': MAX_SHAKES,
    'max-per-address': Math.max(users, peers),
    'max-accepts': Math.max(users, peers),
  }).map(([flag, value]) => `--${flag}=${value}`);
  const server = new ServeProcess([`--data=${directory}`, '--no-run-log', '--report-seconds=0', ...limits]);
  try {
    await server.awaitServing();
    const { controlUrl } = server;
    const before = await readServerCounts([controlUrl]);
    const samples: Sample[] = [];
    const sampler = openSampler(
      'honest',
      () => qps,
      (sample) => samples.push(sample),
    );
    const wholeSeconds = Math.ceil((1 + options.attacks.length) * (seconds + SETTLE_MS / 1000 + SPARE_SECONDS));
    let phases: Promise<Phase[]> | undefined;
    let comparisons: Comparison[] = [];
    let totals = emptyTotals();
    await runLoad(
      { ...openLoop(server.port, [0, users - 1], qps, wholeSeconds), sampled: true },
      (phase) => {
        if (phase === 'shaking') phases ??= runPhases(server, options, wholeSeconds);
      },
      async (told) => {
        // Before the comparison, which waits for counts that agree: who is silent meanwhile is closed.
        totals = told;
        await phases;
        comparisons = await compareWithServers([controlUrl], before, told);
      },
      undefined,
      sampler,
    );
    sampler.stop();
    const { money } = (await callControl(controlUrl, 'GET', '/status')) as ServerStatus;
    await server.stop();
    return {
      phases: (await phases!).map((phase) => ({ ...phase.result, ...latencyOf(samples, phase) })),
      totals,
      unanswered: countUnanswered(totals),
      comparisons,
      differenceCents: money.difference,
    };
  } finally {
    await server.kill().catch(() => {});
  }
}

interface Phase {
  /** Unix seconds of its first and behind its last sample. */
  from: number;
  until: number;
  result: Omit<PhaseResult, 'shake' | 'grab'>;
}

async function runPhases(server: ServeProcess, options: HostileOptions, wholeSeconds: number): Promise<Phase[]> {
  const sends = { count: SENDS_PER_SECOND * (wholeSeconds - 2), rate: SENDS_PER_SECOND, shares: 3, total: 300 };
  await callControl(server.controlUrl, 'POST', '/sends', { ...sends, users: [0, options.users - 1] });
  const phases: Phase[] = [];
  for (const name of ['calm', ...options.attacks] as const) {
    options.onPhase(name);
    phases.push(await runPhase(server, options, name));
  }
  return phases;
}

async function runPhase(server: ServeProcess, options: HostileOptions, name: PhaseName): Promise<Phase> {
  const { port, pid, controlUrl } = server;
  const { peers, seconds, users } = options;
  const read = async () => (await callControl(controlUrl, 'GET', '/status')) as ServerStatus;
  const before = await read();
  const [cpuUs, bytes] = [readCpuUs(pid), readResidentBytes(pid)];
  let residentBytes = bytes;
  const startedAt = performance.now();
  const from = Math.ceil(Date.now() / 1000);
  const attacker = name === 'calm' ? undefined : attack({ name, port, from: PEER_ADDRESS, peers, firstUser: users });
  while (performance.now() - startedAt < seconds * 1000) {
    await sleep(LOOK_MS);
    residentBytes = Math.max(residentBytes, readResidentBytes(pid));
  }
  const cpuShare = (readCpuUs(pid) - cpuUs) / ((performance.now() - startedAt) * 1000);
  const until = Math.floor(Date.now() / 1000);
  const peersConnected = (await attacker?.end())?.connected ?? 0;
  await sleep(SETTLE_MS);
  const after = await read();
  const closed: Partial<Record<CloseReason, number>> = {};
  for (const [reason, count] of Object.entries(after.connections.closed) as [CloseReason, number][]) {
    const more = count - (before.connections.closed[reason] ?? 0);
    if (more > 0) closed[reason] = more;
  }
  const result = {
    name,
    cpuShare,
    residentBytes,
    grownBytes: residentBytes - bytes,
    peersConnected,
    closed,
    limitedShakes: after.shed.limited - before.shed.limited,
    openAfter: after.connections.open,
  };
  return { from, until, result };
}

function attack(data: AttackerData): { end: () => Promise<AttackerReport> } {
  const worker = new Worker(new URL('./attacker-thread.ts', import.meta.url), { workerData: data, execArgv: [] });
  return {
    async end() {
      worker.postMessage('end');
      const [report] = (await once(worker, 'message')) as [AttackerReport];
      await worker.terminate();
      return report;
    },
  };
}

function latencyOf(samples: readonly Sample[], { from, until }: Phase): Pick<PhaseResult, 'shake' | 'grab'> {
  const latency = { shake: buildMicroseconds(), grab: buildMicroseconds() };
  for (const { second, latency: taken } of samples) {
    if (second < from || second >= until) continue;
    for (const kind of ['shake', 'grab'] as const) {
      if (taken[kind] !== undefined) latency[kind].add(decodeLatency(taken[kind]));
    }
  }
  return latency;
}
