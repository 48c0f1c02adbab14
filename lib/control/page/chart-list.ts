// The charts of the page: which figures each shows, and in what unit.

import type { Column, LatencyKind } from './columns.ts';
import { formatMs, formatNumber } from './format.ts';
import type { TextKey } from './texts.ts';

export interface Line {
  column: Column;
  text: TextKey;
  /** Which of the colours --line-1 ... --line-6. */
  colour: number;
  /** Figures that ought to agree lie on each other: a broad line shows beneath a thin one, a dashed one shows both. */
  style?: 'broad' | 'dashed';
  /** Has a scale of its own, on the right. */
  onRight?: true;
  /** A figure that jumps: drawn in steps. */
  inSteps?: true;
}

export interface ChartSpec {
  title: TextKey;
  lines: readonly Line[];
  isLogarithmic?: true;
  /** How a figure of the left scale is written. */
  format(value: number): string;
}

/** The charts in their order, but for the heat map, which follows the one of latency. */
export function listCharts(kind: LatencyKind): { loads: ChartSpec[]; latency: ChartSpec; insides: ChartSpec[] } {
  return { loads: LOADS, latency: latencyChart(kind), insides: INSIDES };
}

const LOADS: ChartSpec[] = [
  {
    title: 'chart.shakes',
    format: formatNumber,
    lines: [
      { column: 'clientSent', text: 'line.clientSent', colour: 2, style: 'broad' },
      { column: 'clientAnswered', text: 'line.clientAnswered', colour: 1 },
      { column: 'serverShakes', text: 'line.serverShakes', colour: 3, style: 'dashed' },
    ],
  },
  {
    title: 'chart.packets',
    format: formatNumber,
    lines: [
      { column: 'serverReleased', text: 'line.released', colour: 2, style: 'broad' },
      { column: 'serverWon', text: 'line.serverWon', colour: 1 },
      { column: 'clientWon', text: 'line.clientWon', colour: 3, style: 'dashed' },
    ],
  },
  {
    title: 'chart.sends',
    format: formatNumber,
    lines: [
      { column: 'clientGrabsSent', text: 'line.clientGrabs', colour: 2, style: 'broad' },
      { column: 'serverGrabsWon', text: 'line.grabsWon', colour: 1 },
      { column: 'serverPacketsSent', text: 'line.packetsSent', colour: 4 },
    ],
  },
];

function latencyChart(kind: LatencyKind): ChartSpec {
  return {
    title: 'chart.latency',
    isLogarithmic: true,
    format: formatMs,
    lines: [
      { column: `${kind}.p50`, text: 'line.p50', colour: 1 },
      { column: `${kind}.p99`, text: 'line.p99', colour: 2 },
      { column: `${kind}.p999`, text: 'line.p999', colour: 5 },
    ],
  };
}

const INSIDES: ChartSpec[] = [
  {
    title: 'chart.connections',
    format: formatNumber,
    lines: [
      { column: 'serverConnections', text: 'line.server', colour: 2, style: 'broad' },
      { column: 'clientConnected', text: 'line.client', colour: 1 },
    ],
  },
  {
    title: 'chart.ring',
    format: formatMs,
    lines: [
      { column: 'ringWaitMs', text: 'line.ringWait', colour: 1 },
      { column: 'level', text: 'line.level', colour: 5, onRight: true, inSteps: true },
    ],
  },
  {
    title: 'chart.journal',
    format: formatMs,
    lines: [
      { column: 'syncMs', text: 'line.sync', colour: 1 },
      { column: 'batches', text: 'line.batches', colour: 2, onRight: true },
    ],
  },
  {
    title: 'chart.memory',
    format: formatNumber,
    lines: [
      { column: 'serverRssMb', text: 'line.server', colour: 1 },
      { column: 'clientRssMb', text: 'line.client', colour: 2 },
    ],
  },
  {
    title: 'chart.pauses',
    format: formatMs,
    lines: [
      { column: 'serverLoopMaxMs', text: 'line.serverLoop', colour: 1 },
      { column: 'clientLoopMaxMs', text: 'line.clientLoop', colour: 2 },
      { column: 'serverGcMaxMs', text: 'line.serverGc', colour: 5, style: 'dashed' },
      { column: 'clientGcMaxMs', text: 'line.clientGc', colour: 4, style: 'dashed' },
    ],
  },
  {
    title: 'chart.cpu',
    format: formatNumber,
    lines: [
      { column: 'serverCores', text: 'line.server', colour: 1 },
      { column: 'clientCores', text: 'line.client', colour: 2 },
    ],
  },
  {
    title: 'chart.network',
    format: formatNumber,
    lines: [
      { column: 'nicRx', text: 'line.nicRx', colour: 1 },
      { column: 'nicTx', text: 'line.nicTx', colour: 2 },
      { column: 'requests', text: 'line.requests', colour: 3, style: 'dashed' },
    ],
  },
];
