// The axes along which a server grows, but for its acceptors: connections, SETs, open packets, frames a read, durability.
//
// Each point has a server of its own for all rounds, so that a small one is not measured in what a large one has left. But
// each run along the connections has a new one: ports towards an old one are scarce for a minute.

import { setTimeout as sleep } from 'node:timers/promises';
import { formatCount } from '../../../lib/monitor/text-table.ts';
import { DURABILITIES } from '../../../lib/server-options.ts';
import type { OpenPoint, Point, Run, Series } from './axis.ts';
import { BenchServer } from './bench-server.ts';
import { runGrabs } from './grab-run.ts';
import { type AxisMaker, connectionsOf, type GrowthSettings, pick } from './settings.ts';
import { LoadClient, runShakes } from './shake-run.ts';

const CONNECTIONS = [1000, 5000, 10_000, 19_000];
const SETS = [16, 256, 4096];
const OPEN_PACKETS = [0, 1000, 100_000, 1_000_000];
const FRAMES = [1, 2, 4, 8, 16, 32, 64];

/** As far as a quick bench goes: the last of either take half a minute to be there. */
const QUICK_CONNECTIONS = 10_000;
const QUICK_OPEN_PACKETS = 100_000;

/** Users of the packets that stay open: none of them connects, and each is kept 100 notices. */
const ABSENT_USERS = [1_000_000, 1_009_999];

/** How long connections are idle before the memory is read, in milliseconds. */
const IDLE_MS = 500;

const CPU_PER_SHAKE = 'us of CPU per shake';
const CPU_PER_GRAB = 'us of CPU per grab';
const GRABS: Series = { title: 'grabs, closed loop, 400 connections, 8 deep', cost: CPU_PER_GRAB };

/** A point with a server of its own. @param prepare what the server needs before the first run */
export function serverPoint(
  label: string,
  options: readonly string[],
  measures: readonly ((server: BenchServer) => Promise<Run>)[],
  prepare: (server: BenchServer) => Promise<void> = async () => {},
): Point {
  return {
    label,
    async open(): Promise<OpenPoint> {
      const server = await BenchServer.start(options);
      try {
        await prepare(server);
      } catch (error) {
        await server.stop();
        throw error;
      }
      return { measures: measures.map((measure) => () => measure(server)), close: () => server.stop() };
    },
  };
}

export const connectionsAxis: AxisMaker = (settings) => {
  const { seconds, rate, mostConnections } = settings;
  const reached = CONNECTIONS.filter((connections) => connections <= mostConnections);
  const isCut = reached.length < CONNECTIONS.length;
  const points = pick(isCut ? [...reached, mostConnections] : reached, settings, QUICK_CONNECTIONS);
  return {
    varies: 'connections',
    series: [
      { title: 'shakes, closed loop, 1 deep', cost: CPU_PER_SHAKE },
      { title: 'shakes, closed loop, 32 deep', cost: CPU_PER_SHAKE },
      { title: openLoop(settings), cost: CPU_PER_SHAKE },
      { title: 'memory of idle connections', cost: 'KB resident per connection' },
    ],
    points: points.map((connections) => {
      const loads = [{ deep: 1 }, { deep: 32 }, { rate }];
      const shakes = loads.map(
        (load) => () => withNewServer((server) => runShakes(server, { connections, load, seconds })),
      );
      const measures = [...shakes, () => withNewServer((server) => measureMemory(server, connections))];
      return { label: formatCount(connections), open: async () => ({ measures, close: async () => {} }) };
    }),
    remarks: isCut
      ? [`the descriptor limit allows ${formatCount(mostConnections)} connections: raise it with ulimit -n for more`]
      : [],
  };
};

export const setsAxis: AxisMaker = (settings) => {
  const { seconds, rate } = settings;
  // More users than SETs, so that what is released to a SET is won there.
  const connections = connectionsOf(settings, 5000);
  return {
    varies: 'SETs',
    series: [{ title: `${openLoop(settings)}, ${described(connections)}, with a drop`, cost: CPU_PER_SHAKE }],
    points: pick(SETS, settings).map((sets) =>
      serverPoint(
        formatCount(sets),
        [`--sets=${sets}`],
        [(server) => runShakes(server, { connections, load: { rate }, seconds, hasDrop: true })],
      ),
    ),
  };
};

export const packetsAxis: AxisMaker = (settings) => {
  const { seconds, rate } = settings;
  const connections = connectionsOf(settings, 1000);
  return {
    varies: 'packets open',
    series: [GRABS, { title: `${openLoop(settings)}, ${described(connections)}`, cost: CPU_PER_SHAKE }],
    points: pick(OPEN_PACKETS, settings, QUICK_OPEN_PACKETS).map((count) =>
      serverPoint(
        formatCount(count),
        [],
        [
          (server) => runGrabs(server, seconds),
          (server) => runShakes(server, { connections, load: { rate }, seconds }),
        ],
        (server) => fill(server, count),
      ),
    ),
  };
};

export const framesAxis: AxisMaker = (settings) => {
  const { seconds } = settings;
  const connections = connectionsOf(settings, 100);
  return {
    varies: 'frames a read',
    series: [{ title: `shakes, closed loop as deep as that, ${described(connections)}`, cost: CPU_PER_SHAKE }],
    points: pick(FRAMES, settings).map((deep) =>
      serverPoint(`${deep}`, [], [(server) => runShakes(server, { connections, load: { deep }, seconds })]),
    ),
  };
};

export const durabilityAxis: AxisMaker = (settings) => {
  const { seconds, rate } = settings;
  const connections = connectionsOf(settings, 1000);
  return {
    varies: 'durability',
    series: [GRABS, { title: `${openLoop(settings)}, ${described(connections)}, with a drop`, cost: CPU_PER_SHAKE }],
    points: DURABILITIES.map((durability) =>
      serverPoint(
        durability,
        [`--durability=${durability}`],
        [
          (server) => runGrabs(server, seconds),
          (server) => runShakes(server, { connections, load: { rate }, seconds, hasDrop: true }),
        ],
      ),
    ),
  };
};

export function openLoop({ rate }: GrowthSettings): string {
  return `shakes, open loop, ${formatCount(rate)}/s`;
}

export function described(connections: number): string {
  return `${formatCount(connections)} connections`;
}

/** Leaves so many packets open. @throws {Error} if they are not */
async function fill(server: BenchServer, count: number): Promise<void> {
  if (count === 0) return;
  const send = { count, rate: 1_000_000, shares: 1, total: 100, users: ABSENT_USERS };
  await server.awaitCreated(await server.post('/sends', send));
  const { packets } = await server.readStatus();
  if (packets.open !== count) throw new Error(`${packets.open} packets are open, not ${count}`);
}

async function withNewServer(measure: (server: BenchServer) => Promise<Run>): Promise<Run> {
  const server = await BenchServer.start();
  try {
    return await measure(server);
  } finally {
    await server.stop();
  }
}

/** @param server that has had no connection yet */
async function measureMemory(server: BenchServer, connections: number): Promise<Run> {
  const before = server.residentBytes;
  const options = [`--connections=${connections}`, '--qps=0', '--duration=1'];
  return LoadClient.use(server, options, async (client) => {
    await client.until(async () => (await server.readStatus()).sessions === connections);
    await sleep(IDLE_MS);
    const grownBytes = server.residentBytes - before;
    const { connections: held } = await server.readStatus();
    const { faults } = await client.end();
    if (held.open !== connections) faults.push(`the server holds ${held.open} connections`);
    return {
      cost: grownBytes / 1024 / connections,
      figures: { 'MB at the start': before / 2 ** 20, 'MB grown': grownBytes / 2 ** 20 },
      faults,
    };
  });
}
