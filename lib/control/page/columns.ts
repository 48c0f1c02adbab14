// What the page keeps of each second: how every figure of a chart is taken out of it.

import type { HeatRow } from '../../monitor/latency-log.ts';
import type { LiveSecond } from '../../monitor/live.ts';
import type { Reader } from './second-store.ts';

/** The requests whose latency can be looked at: who timed it, and what. */
export const LATENCY_KINDS = ['client.shake', 'client.grab', 'server.shake', 'server.grab', 'server.login'] as const;
export type LatencyKind = (typeof LATENCY_KINDS)[number];

export const PERCENTILES = ['p50', 'p99', 'p999'] as const;
export type Percentile = (typeof PERCENTILES)[number];

type Side = 'server' | 'client';

/** Figures that are not about latency. */
const PLAIN = {
  clientSent: rate('client', 'sent'),
  clientAnswered: rate('client', 'answered'),
  clientWon: rate('client', 'won'),
  clientGrabsSent: rate('client', 'grabsSent'),
  clientConnected: gauge('client', 'connected'),
  clientRssMb: scaled(gauge('client', 'rssBytes'), 1e-6),
  clientCores: scaled(rate('client', 'cpuUs'), 1e-6),
  clientLoopMaxMs: scaled(gauge('client', 'loopDelayMaxUs'), 1e-3),
  clientGcMaxMs: scaled(gauge('client', 'gcMaxUs'), 1e-3),
  serverShakes: rate('server', 'requestsShake'),
  serverWon: rate('server', 'shakesWon'),
  serverReleased: rate('server', 'packetsReleased'),
  serverPacketsSent: rate('server', 'packetsSent'),
  serverGrabsWon: rate('server', 'grabsWon'),
  serverConnections: gauge('server', 'connections'),
  serverRssMb: scaled(gauge('server', 'rssBytes'), 1e-6),
  serverCores: scaled(rate('server', 'cpuUs'), 1e-6),
  serverLoopMaxMs: scaled(gauge('server', 'loopDelayMaxUs'), 1e-3),
  serverGcMaxMs: scaled(gauge('server', 'gcMaxUs'), 1e-3),
  ringWaitMs: scaled(gauge('server', 'ringWaitMaxUs'), 1e-3),
  level: gauge('server', 'level'),
  syncMs,
  batches: rate('server', 'journalBatches'),
  nicRx: counted('nicRxPackets'),
  nicTx: counted('nicTxPackets'),
  requests: ({ server }: LiveSecond) => server && sum(server.rates, (name) => name.startsWith('requests')),
} satisfies Record<string, Reader>;

export type Column = keyof typeof PLAIN | `${LatencyKind}.${Percentile}`;

/** All figures, by column. */
export const COLUMNS = { ...PLAIN } as Record<Column, Reader>;
/** The rows of the heat map, by kind. */
export const HEAT_COLUMNS = {} as Record<LatencyKind, (second: LiveSecond) => HeatRow | undefined>;

for (const kind of LATENCY_KINDS) {
  const [side, request] = kind.split('.') as [Side, string];
  const latency = (second: LiveSecond) => {
    const timed = second[side]?.latency[request];
    return timed !== undefined && timed.count > 0 ? timed : undefined;
  };
  COLUMNS[`${kind}.p50`] = scaled((second) => latency(second)?.p50Us, 1e-3);
  COLUMNS[`${kind}.p99`] = scaled((second) => latency(second)?.p99Us, 1e-3);
  COLUMNS[`${kind}.p999`] = scaled((second) => latency(second)?.p999Us, 1e-3);
  HEAT_COLUMNS[kind] = (second) => latency(second)?.heat;
}

/** Events a second; a side that is there and does not name them had none. */
function rate(side: Side, name: string): Reader {
  return (second) => second[side] && (second[side].rates[name] ?? 0);
}

function gauge(side: Side, name: string): Reader {
  return (second) => second[side]?.gauges[name];
}

/** A count that not every machine has: the server's, or the client's where no server reports. */
function counted(name: string): Reader {
  return ({ server, client }) => (server ?? client)?.rates[name];
}

function scaled(read: Reader, factor: number): Reader {
  return (second) => {
    const value = read(second);
    return value === undefined ? undefined : value * factor;
  };
}

/** How long a sync of the journal took, on average. */
function syncMs({ server }: LiveSecond): number | undefined {
  const { journalSyncUs = 0, journalSyncs = 0 } = server?.rates ?? {};
  return journalSyncs > 0 ? journalSyncUs / journalSyncs / 1000 : undefined;
}

function sum(values: Record<string, number>, isWanted: (name: string) => boolean): number {
  let total = 0;
  for (const [name, value] of Object.entries(values)) if (isWanted(name)) total += value;
  return total;
}
