// What a bench is asked to do, and which points of an axis that leaves.

import type { Axis } from './axis.ts';

export interface GrowthSettings {
  /** Length of the measured part of a run. */
  seconds: number;
  /** Connections of the axes that vary something else; undefined leaves each its own. */
  connections: number | undefined;
  /** Shakes a second of the open loops. */
  rate: number;
  /** Only the first and the last point of each axis. */
  isQuick: boolean;
  /** Connections that this machine allows one server and one load client. */
  mostConnections: number;
}

/** Makes an axis: nothing is started before its points are opened. */
export type AxisMaker = (settings: GrowthSettings) => Axis;

/** The points that are measured. */
export function pick<T>(points: readonly T[], { isQuick }: GrowthSettings): T[] {
  return isQuick ? [points[0], points.at(-1)!] : [...points];
}

/** How many connections an axis has that varies something else. */
export function connectionsOf({ connections, mostConnections }: GrowthSettings, own: number): number {
  return Math.min(connections ?? own, mostConnections);
}
