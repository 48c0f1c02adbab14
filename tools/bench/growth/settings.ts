// What a bench is asked to do, and which points of an axis that leaves.

import type { Axis } from './axis.ts';

export interface GrowthSettings {
  /** Length of the measured part of a run. */
  seconds: number;
  /** Connections of the axes that vary something else; undefined leaves each its own. */
  connections: number | undefined;
  /** Shakes a second of the open loops. */
  rate: number;
  /** Only two points of each axis: the first, and the last that is quick to reach. */
  isQuick: boolean;
  /** Connections that this machine allows one server and one load client. */
  mostConnections: number;
}

/** Makes an axis: nothing is started before its points are opened. */
export type AxisMaker = (settings: GrowthSettings) => Axis;

/**
 * The points that are measured.
 * @param points ascending @param quickMost the largest one that a quick bench has time for
 */
export function pick(points: readonly number[], { isQuick }: GrowthSettings, quickMost = Number.POSITIVE_INFINITY) {
  if (!isQuick) return [...points];
  const last = points.findLast((point) => point <= quickMost) ?? points[0];
  return last === points[0] ? [last] : [points[0], last];
}

/** How many connections an axis has that varies something else. */
export function connectionsOf({ connections, mostConnections }: GrowthSettings, own: number): number {
  return Math.min(connections ?? own, mostConnections);
}
