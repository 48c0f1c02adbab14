// What the charts are made of: for each chart its lines, and for each line which values of a sample it shows.

import type { LatencySummary } from '../../lib/monitor/latency-log.ts';
import type { MergedSide } from '../../lib/monitor/merged-second.ts';
import type { Role } from '../../lib/monitor/sample.ts';
import type { ChartName } from './words.ts';

/** What one point shows that stands for several seconds. `total`: the values are added up over the run. */
export type Thinning = 'mean' | 'max' | 'total';

export interface LineSpec {
  /** Its name in the words of the chart. */
  key: string;
  role: Role;
  /** The names in a sample that it is made of, as they are told to a reader when none of them is there. */
  names: readonly string[];
  /** Its value of one second; undefined when the second has none. */
  read: (side: MergedSide) => number | undefined;
  color: string;
  /** Pixels; lines that may cover each other are wide below and narrow above. */
  width: number;
  /** Only where a chart has two axes. */
  isRight?: boolean;
}

export interface LineChartSpec {
  thinning: Thinning;
  isLog: boolean;
  lines: readonly LineSpec[];
  /** Lines without which the chart says nothing. */
  needed: readonly string[];
}

/** The kinds of latency, as samples name them. */
const SHAKE = 'shake';
const GRAB = 'grab';

/** Colours that are told apart in grey and by most eyes: client blue, server orange; light ones lie below. */
const CLIENT = '#1f5fbf';
const SERVER = '#d1570a';
const CLIENT_LIGHT = '#8db9ee';
const SERVER_LIGHT = '#f6b57a';
const GREEN = '#2c8a57';

const NARROW = 1.5;
const WIDE = 4;

/** All charts but the heat map. */
export const LINE_CHARTS: Record<Exclude<ChartName, 'client-latency-heat'>, LineChartSpec> = {
  'client-requests': {
    thinning: 'mean',
    isLog: false,
    lines: [
      rate('sent', 'client', ['sent'], CLIENT_LIGHT, WIDE),
      rate('answered', 'client', ['answered'], CLIENT, NARROW),
    ],
    needed: ['sent'],
  },
  'server-requests': {
    thinning: 'mean',
    isLog: false,
    lines: [allRequests('all', SERVER_LIGHT, WIDE), rate('shakes', 'server', ['requestsShake'], SERVER, NARROW)],
    needed: [],
  },
  'requests-both-ends': {
    thinning: 'mean',
    isLog: false,
    lines: [
      rate('server', 'server', ['requestsShake'], SERVER_LIGHT, WIDE),
      rate('client', 'client', ['sent'], CLIENT, NARROW),
    ],
    needed: ['server', 'client'],
  },
  'packets-released': {
    thinning: 'mean',
    isLog: false,
    lines: [
      rate('released', 'server', ['packetsReleased'], SERVER, NARROW),
      rate('sent', 'server', ['packetsSent'], GREEN, NARROW),
    ],
    needed: [],
  },
  'packets-won': {
    thinning: 'mean',
    isLog: false,
    lines: [rate('won', 'client', ['won'], CLIENT, NARROW), rate('grabbed', 'client', ['grabsWon'], GREEN, NARROW)],
    needed: [],
  },
  'money-both-ends': {
    thinning: 'total',
    isLog: false,
    lines: [
      yuan('created', 'server', ['releasedCents', 'sentCents'], SERVER_LIGHT, 7),
      yuan('won', 'server', ['shakesWonCents', 'grabsWonCents'], SERVER, WIDE),
      yuan('received', 'client', ['wonCents', 'grabCents'], CLIENT, NARROW),
    ],
    needed: ['created'],
  },
  'client-latency': {
    thinning: 'max',
    isLog: true,
    lines: [
      latency('p50', 'client', SHAKE, 'p50Us', GREEN),
      latency('p99', 'client', SHAKE, 'p99Us', CLIENT),
      latency('p999', 'client', SHAKE, 'p999Us', SERVER),
    ],
    needed: [],
  },
  connections: {
    thinning: 'mean',
    isLog: false,
    lines: [
      gauge('server', 'server', 'connections', 1, SERVER_LIGHT, WIDE),
      gauge('client', 'client', 'connected', 1, CLIENT, NARROW),
    ],
    needed: [],
  },
  pauses: {
    thinning: 'max',
    isLog: false,
    lines: [
      gauge('serverLoop', 'server', 'loopDelayMaxUs', 1000, SERVER_LIGHT, 2),
      gauge('clientLoop', 'client', 'loopDelayMaxUs', 1000, CLIENT_LIGHT, 2),
      gauge('serverGc', 'server', 'gcMaxUs', 1000, SERVER, NARROW),
      gauge('clientGc', 'client', 'gcMaxUs', 1000, CLIENT, NARROW),
    ],
    needed: [],
  },
  'server-latency': {
    thinning: 'max',
    isLog: true,
    lines: [latency('shake', 'server', SHAKE, 'p99Us', SERVER), latency('grab', 'server', GRAB, 'p99Us', GREEN)],
    needed: [],
  },
  shedding: {
    thinning: 'mean',
    isLog: false,
    lines: [
      rate('sent', 'client', ['sent'], CLIENT_LIGHT, WIDE),
      rate('answered', 'client', ['answered'], CLIENT, NARROW),
      rate('shed', 'server', ['shakesShed'], SERVER, NARROW),
      { ...latency('grab', 'client', GRAB, 'p99Us', GREEN), isRight: true },
    ],
    needed: ['sent', 'grab'],
  },
  journal: {
    thinning: 'mean',
    isLog: false,
    lines: [
      { ...rate('batches', 'server', ['journalBatches'], SERVER, NARROW), isRight: true },
      {
        key: 'sync',
        role: 'server',
        names: ['journalSyncs'],
        read: ({ counts }) => (counts.journalSyncs > 0 ? counts.journalSyncUs / counts.journalSyncs / 1000 : undefined),
        color: CLIENT,
        width: NARROW,
      },
    ],
    needed: [],
  },
  network: {
    thinning: 'mean',
    isLog: false,
    lines: [
      rate('received', 'server', ['nicRxPackets'], CLIENT_LIGHT, WIDE),
      rate('sent', 'server', ['nicTxPackets'], CLIENT, NARROW),
      allRequests('requests', SERVER, NARROW),
    ],
    needed: ['received', 'sent'],
  },
};

function rate(key: string, role: Role, names: readonly string[], color: string, width: number): LineSpec {
  return { key, role, names, read: ({ rates }) => addUp(rates, names), color, width };
}

/** Requests of every kind that the server read, a second. */
function allRequests(key: string, color: string, width: number): LineSpec {
  return {
    key,
    role: 'server',
    names: ['requests*'],
    read: ({ rates }) =>
      addUp(
        rates,
        Object.keys(rates).filter((name) => name.startsWith('requests')),
      ),
    color,
    width,
  };
}

/** What was counted of cents, in yuan. */
function yuan(key: string, role: Role, names: readonly string[], color: string, width: number): LineSpec {
  const read = ({ counts }: MergedSide) => {
    const cents = addUp(counts, names);
    return cents === undefined ? undefined : cents / 100;
  };
  return { key, role, names, read, color, width };
}

function gauge(key: string, role: Role, name: string, divisor: number, color: string, width: number): LineSpec {
  const read = ({ gauges }: MergedSide) => (gauges[name] === undefined ? undefined : gauges[name] / divisor);
  return { key, role, names: [name], read, color, width };
}

/** A percentile in milliseconds. */
function latency(key: string, role: Role, kind: string, percentile: keyof LatencySummary, color: string): LineSpec {
  const read = ({ latency: { [kind]: summary } }: MergedSide) =>
    summary === undefined || summary.count === 0 ? undefined : summary[percentile] / 1000;
  return { key, role, names: [`latency.${kind}`], read, color, width: NARROW };
}

function addUp(values: Record<string, number>, names: readonly string[]): number | undefined {
  const known = names.map((name) => values[name]).filter((value) => value !== undefined);
  return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value, 0);
}
