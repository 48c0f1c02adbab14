// An axis: what is varied, point by point, and what is measured at each; and the walk along it, by turns.

import { type Flatness, judgeFlatness, type Spread, spreadOf } from './flatness.ts';

/** What one measured run has found. */
export interface Run {
  /** Of one request, in the unit that its series names. */
  cost: number;
  /** More columns by their headings: the table shows the median of all rounds. */
  figures: Record<string, number>;
  /** Whatever was not as it has to be, as sentences. A run that has any shows no figure. */
  faults: string[];
}

/** A table of an axis: the same thing measured at every point. */
export interface Series {
  title: string;
  /** What `cost` is: the heading of its column. */
  cost: string;
}

/** A point that is ready to be measured. */
export interface OpenPoint {
  /** In the order of the axis's series. */
  measures: readonly (() => Promise<Run>)[];
  close(): Promise<void>;
}

export interface Point {
  label: string;
  open(): Promise<OpenPoint>;
}

export interface Axis {
  /** What the points are: the heading of the first column. */
  varies: string;
  series: readonly Series[];
  points: readonly Point[];
  /** Said above the tables. */
  remarks?: readonly string[];
  /** More that the results of a series show, in sentences. */
  conclude?: (results: readonly PointResult[]) => string[];
}

export interface PointResult {
  label: string;
  runs: Run[];
  faults: string[];
  /** Of the runs' costs; undefined if there were faults. */
  cost: Spread | undefined;
}

export interface SeriesResult extends Series {
  points: PointResult[];
  /** Undefined if a point has no cost. */
  flatness: Flatness | undefined;
  conclusions: string[];
}

/**
 * Measures every series at every point, `rounds` times, the points by turns: what changes on the machine meanwhile meets
 * all of them. Points stay open from the first round to the last.
 * @param onRun told before each run what it is
 */
export async function walkAxis(axis: Axis, rounds: number, onRun: (what: string) => void): Promise<SeriesResult[]> {
  const runs = axis.series.map(() => axis.points.map((): Run[] => []));
  const open: OpenPoint[] = [];
  try {
    for (const { label, open: openPoint } of axis.points) {
      onRun(`preparing ${axis.varies} ${label}`);
      open.push(await openPoint());
    }
    for (let round = 1; round <= rounds; round++) {
      for (const [s, { title }] of axis.series.entries()) {
        for (const [p, { label }] of axis.points.entries()) {
          onRun(`round ${round} of ${rounds}: ${title}, ${axis.varies} ${label}`);
          runs[s][p].push(await measure(open[p].measures[s]));
        }
      }
    }
  } finally {
    for (const point of open) await point.close();
  }
  return axis.series.map((series, s) => {
    const points = axis.points.map(({ label }, p) => sumUp(label, runs[s][p]));
    const costs = points.flatMap(({ label, cost }) => (cost === undefined ? [] : [{ label, cost: cost.median }]));
    const isWhole = costs.length === points.length;
    return {
      ...series,
      points,
      flatness: isWhole ? judgeFlatness(costs) : undefined,
      conclusions: isWhole ? (axis.conclude?.(points) ?? []) : [],
    };
  });
}

/** A run that fails is a fault of that point: the others are still measured. */
async function measure(run: () => Promise<Run>): Promise<Run> {
  try {
    return await run();
  } catch (error) {
    return { cost: 0, figures: {}, faults: [(error as Error).message] };
  }
}

function sumUp(label: string, runs: Run[]): PointResult {
  const faults = [...new Set(runs.flatMap((run) => run.faults))];
  return { label, runs, faults, cost: faults.length > 0 ? undefined : spreadOf(runs.map(({ cost }) => cost)) };
}
