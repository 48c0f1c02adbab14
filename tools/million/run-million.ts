// A whole run of `hongbao million`: starts servers and clients, connects everybody, lets them shake at the same time while
// packets are dropped and sent, compares both ends of every pair, and adds up what was counted and measured.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsHistogram } from 'hdr-histogram-js';
import { addTotals, countUnanswered, type LoadTotals } from '../../clients/load/load-totals.ts';
import type { Comparison } from '../../clients/load/verify.ts';
import { decodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds } from '../../lib/monitor/microseconds.ts';

import type { ServerOptions } from '../../lib/server-options.ts';
import { readCpuUs } from '../proc-stat.ts';
import type { Family } from './family.ts';
import { type MemoryMoment, type MemoryReport, MemoryWatch } from './memory-watch.ts';
import { Pair } from './pair.ts';
import { sharePairs, type WholeLoad } from './share-out.ts';

export interface MillionOptions {
  load: WholeLoad;
  pairs: number;
  cores: number;
  /** Each server has a directory below it. */
  data: string;
  /** For the server that is started once beforehand; not kept. */
  warmUpData: string;
  durability: ServerOptions['durability'];
  /** Told what goes on: a phase, and how far it is, '' for nothing more. Called more often than anybody wants to read. */
  onProgress: (phase: string, how: string) => void;
}

/** A row of the check, over all pairs. */
export interface CheckRow extends Comparison {
  /** In how many pairs the two ends differ. */
  differing: number;
}

export interface MillionResult {
  connections: number;
  pairs: number;
  totals: LoadTotals;
  /** Packets of the drops and of the sends that were asked for. */
  droppedPackets: number;
  sentPackets: number;
  shakeLatency: JsHistogram;
  grabLatency: JsHistogram;
  /** How long starting all processes, connecting everybody, and shaking took; and from the first shake to the last answer. */
  startSeconds: number;
  connectSeconds: number;
  shakeSeconds: number;
  answerSeconds: number;
  check: CheckRow[];
  memory: MemoryReport;
  /** CPU time from the first shake that was due until everything was answered, in seconds, over all servers and all clients. */
  serverCpuSeconds: number;
  clientCpuSeconds: number;
}

/** How often it is looked how far everybody is, in milliseconds. */
const POLL_MS = 100;

/** How long everybody is left alone before memory is measured, in milliseconds. */
const SETTLE_MS = 1000;

/** Connecting is given up when not one connection more was made for so long, in milliseconds. */
const STUCK_MS = 30_000;

/** How long before the first shake the clients are told of it, in milliseconds: all have heard of it by then. */
const LEAD_MS = 1000;

/** The draining ends when nothing has come for so long and nothing is under way, in milliseconds; or when its time is up. */
const QUIET_MS = 1000;
const DRAIN_MS = 60_000;

/** Runs it. The caller ends the family afterwards, however it went. @throws {Error} what it failed of, in a sentence */
export async function runMillion(options: MillionOptions, family: Family): Promise<MillionResult> {
  const { load, cores, onProgress } = options;
  const { durationSeconds } = load;
  const pairs = sharePairs(load, options.pairs).map((share, i) => new Pair(family, share, i));
  const watch = new MemoryWatch();
  const look = async (): Promise<MemoryMoment> => {
    await family.wait(sleep(SETTLE_MS));
    return watch.look(
      pairs.map(({ serverPid }) => serverPid),
      pairs.map(({ clientPid }) => clientPid),
    );
  };

  const startedAt = performance.now();
  await warmUp(options, family);
  await inGroups(pairs, cores, 'servers started', onProgress, (pair, i) =>
    pair.startServer({ data: join(options.data, `server-${i + 1}`), durability: options.durability }),
  );
  await inGroups(pairs, cores, 'clients started', onProgress, (pair) => pair.startClient());
  await inGroups(pairs, cores, 'servers looked at', onProgress, (pair) => pair.readCounts());
  const startSeconds = (performance.now() - startedAt) / 1000;

  const before = await look();
  const connectingAt = performance.now();
  await connectAll(pairs, options, family, watch);
  const connectSeconds = (performance.now() - connectingAt) / 1000;
  const connected = await look();

  await inGroups(pairs, cores, 'drops and sends started', onProgress, (pair) => pair.startPackets(durationSeconds));
  const { fromMs, cpu } = await shakeAll(pairs, options, family, watch);
  await drain(pairs, options, family, watch);
  const { server, client } = readCpu(pairs);
  const lastAnswerMs = Math.max(...pairs.map(({ report }) => report.lastAnswerMs));
  const after = await look();

  const comparisons: Comparison[][] = [];
  await inGroups(pairs, cores, 'pairs compared', onProgress, async (pair) => {
    comparisons.push(await pair.compare());
  });
  const totals = addUp(pairs);
  await inGroups(pairs, cores, 'clients ended', onProgress, (pair) => pair.endClient());
  await inGroups(pairs, cores, 'servers stopped', onProgress, (pair) => pair.stopServer());

  return {
    connections: load.connections,
    pairs: pairs.length,
    totals,
    droppedPackets: pairs.reduce((sum, pair) => sum + pair.load.dropPackets, 0),
    sentPackets: pairs.reduce((sum, pair) => sum + pair.load.sentPackets, 0),
    shakeLatency: merge(pairs.map(({ latency }) => latency!.shake)),
    grabLatency: merge(pairs.map(({ latency }) => latency!.grab)),
    startSeconds,
    connectSeconds,
    shakeSeconds: durationSeconds,
    answerSeconds: Math.max(durationSeconds, (lastAnswerMs - fromMs) / 1000),
    check: mergeComparisons(comparisons),
    memory: watch.report(before, connected, after),
    serverCpuSeconds: server - cpu.server,
    clientCpuSeconds: client - cpu.client,
  };
}

/** Runs a server and a client for a moment: what they compile lies in the cache for all others. */
async function warmUp(options: MillionOptions, family: Family): Promise<void> {
  options.onProgress('compiling', '');
  const load = { users: [0, 0] as const, qps: 0, dropPackets: 1, sentPackets: 1 };
  const pair = new Pair(family, load, -1);
  await pair.startServer({ data: options.warmUpData, durability: 'memory' });
  await pair.startClient();
  pair.connect(1);
  await pair.startPackets(1);
  while (!pair.isConnected) await family.wait(sleep(POLL_MS));
  await pair.endClient();
  await pair.stopServer();
}

/** Does something for all pairs, so many at a time: all at once, none would get anywhere. */
async function inGroups(
  pairs: readonly Pair[],
  size: number,
  what: string,
  onProgress: MillionOptions['onProgress'],
  act: (pair: Pair, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < pairs.length) {
      const index = next++;
      await act(pairs[index], index);
      onProgress(what, `${++done} of ${pairs.length}`);
    }
  };
  await Promise.all(Array.from({ length: size }, work));
}

/** Connects one client after the other, as many at a time as there are cores. */
async function connectAll(
  pairs: readonly Pair[],
  options: MillionOptions,
  family: Family,
  watch: MemoryWatch,
): Promise<void> {
  let best = 0;
  let bestAt = performance.now();
  let next = 0;
  const connecting = new Set<Pair>();
  for (;;) {
    for (const pair of connecting) if (pair.isConnected) connecting.delete(pair);
    while (connecting.size < options.cores && next < pairs.length) {
      const pair = pairs[next++];
      pair.connect(options.load.durationSeconds);
      connecting.add(pair);
    }
    const { connected, failedConnects, refusedLogins } = addUp(pairs);
    if (connected === options.load.connections) return;
    options.onProgress('connected', `${connected} of ${options.load.connections}`);
    if (connected > best) {
      best = connected;
      bestAt = performance.now();
    }
    if (performance.now() - bestAt > STUCK_MS) {
      throw new Error(
        `only ${best} of ${options.load.connections} users are connected, and no more came for ${STUCK_MS / 1000} s ` +
          `(failed connections: ${failedConnects}, refused logins: ${refusedLogins})`,
      );
    }
    await family.wait(sleep(POLL_MS));
    watch.glance();
  }
}

/** Lets everybody shake between the same two moments. Returns the first of them, and the CPU time used until then. */
async function shakeAll(
  pairs: readonly Pair[],
  options: MillionOptions,
  family: Family,
  watch: MemoryWatch,
): Promise<{ fromMs: number; cpu: { server: number; client: number } }> {
  const fromMs = Math.ceil((Date.now() + LEAD_MS) / 100) * 100;
  const untilMs = fromMs + options.load.durationSeconds * 1000;
  for (const pair of pairs) pair.shake(fromMs, untilMs, pairs.length);
  await family.wait(sleep(fromMs - Date.now()));
  const cpu = readCpu(pairs);
  while (Date.now() < untilMs) {
    await family.wait(sleep(Math.min(POLL_MS * 10, Math.max(1, untilMs - Date.now()))));
    watch.glance();
    options.onProgress('shaking', describe(addUp(pairs)));
  }
  for (const pair of pairs) pair.stopShaking();
  return { fromMs, cpu };
}

/** Waits until nothing is under way and nothing has come for a while, or until the time for it is up. */
async function drain(
  pairs: readonly Pair[],
  options: MillionOptions,
  family: Family,
  watch: MemoryWatch,
): Promise<void> {
  const deadline = Date.now() + DRAIN_MS;
  const isDrained = () =>
    countUnanswered(addUp(pairs)) === 0 &&
    pairs.every(({ report: { hasStopped, quietMs } }) => hasStopped && quietMs > QUIET_MS);
  while (!isDrained() && Date.now() < deadline) {
    await family.wait(sleep(POLL_MS));
    watch.glance();
    options.onProgress('draining', describe(addUp(pairs)));
  }
}

function describe(totals: LoadTotals): string {
  return (
    `sent ${totals.sent}, answered ${totals.answered}, won ${totals.won}, overload ${totals.overload}, ` +
    `notices ${totals.notices}, grabs answered ${totals.grabsAnswered}`
  );
}

/** CPU time of servers and clients so far, in seconds. */
function readCpu(pairs: readonly Pair[]): { server: number; client: number } {
  return {
    server: pairs.reduce((sum, { serverPid }) => sum + readCpuUs(serverPid), 0) / 1e6,
    client: pairs.reduce((sum, { clientPid }) => sum + readCpuUs(clientPid), 0) / 1e6,
  };
}

function addUp(pairs: readonly Pair[]): LoadTotals {
  return addTotals(pairs.map(({ totals }) => totals));
}

function merge(encoded: readonly string[]): JsHistogram {
  const histogram = buildMicroseconds();
  for (const one of encoded) histogram.add(decodeLatency(one));
  return histogram;
}

/** The rows of all pairs, added up. A row of sums agrees only if it does in every pair: differences may cancel out. */
export function mergeComparisons(all: readonly (readonly Comparison[])[]): CheckRow[] {
  return all[0].map(({ what, isCents }, row) => {
    const rows = all.map((comparisons) => comparisons[row]);
    return {
      what,
      isCents,
      client: rows.reduce((sum, { client }) => sum + client, 0),
      server: rows.reduce((sum, { server }) => sum + server, 0),
      differing: rows.filter(({ client, server }) => client !== server).length,
    };
  });
}
