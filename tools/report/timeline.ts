// The seconds of a run on the axis of a chart: thinned out to a number of points that can be seen, with gaps that stay gaps.

import type { MergedSecond } from '../../lib/monitor/merged-second.ts';
import type { LineSpec, Thinning } from './chart-data.ts';

/** Points of a line at the most; a chart has fewer pixels. */
const MOST_POINTS = 1500;

/** Columns of a heat map at the most. */
const MOST_COLUMNS = 240;

export interface Timeline {
  /** In order. */
  seconds: readonly MergedSecond[];
  /** The Unix second that is 0 on the axis. */
  firstSecond: number;
  /** From the beginning of the first second to the end of the last one. */
  lengthSeconds: number;
  /** What one point of a line, and one column of a heat map, stands for. */
  pointSeconds: number;
  columnSeconds: number;
}

/** Seconds since the first sample, and the value; a null is a gap: a line is not drawn across it. */
export type Point = [x: number, y: number | null];

/** The values of one point. */
interface Bin {
  index: number;
  sum: number;
  count: number;
  max: number;
  last: number;
}

/** @param seconds in order, at least one */
export function makeTimeline(seconds: readonly MergedSecond[]): Timeline {
  const firstSecond = seconds[0].second;
  const lengthSeconds = seconds[seconds.length - 1].second - firstSecond + 1;
  return {
    seconds,
    firstSecond,
    lengthSeconds,
    pointSeconds: Math.ceil(lengthSeconds / MOST_POINTS),
    columnSeconds: Math.ceil(lengthSeconds / MOST_COLUMNS),
  };
}

/** The points of one line; none when no second has a value. */
export function readPoints(timeline: Timeline, line: LineSpec, thinning: Thinning): Point[] {
  const { firstSecond, pointSeconds } = timeline;
  const bins: Bin[] = [];
  let total = 0;
  for (const merged of timeline.seconds) {
    const side = merged[line.role];
    const value = side === undefined ? undefined : line.read(side);
    if (value === undefined) continue;
    total += value;
    const index = Math.floor((merged.second - firstSecond) / pointSeconds);
    let bin = bins.at(-1);
    if (bin?.index !== index) {
      bin = { index, sum: 0, count: 0, max: value, last: 0 };
      bins.push(bin);
    }
    bin.sum += value;
    bin.count++;
    bin.max = Math.max(bin.max, value);
    bin.last = total;
  }
  const points: Point[] = [];
  for (const [i, bin] of bins.entries()) {
    const x = bin.index * pointSeconds;
    if (i > 0 && bin.index > bins[i - 1].index + 1) points.push([x - pointSeconds, null]);
    points.push([x, { mean: bin.sum / bin.count, max: bin.max, total: bin.last }[thinning]]);
  }
  return points;
}
