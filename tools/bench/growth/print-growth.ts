// The results of an axis as lines for people: a table a series, and below it whether its costs are flat.

import { formatTable } from '../../../lib/monitor/text-table.ts';
import type { PointResult, SeriesResult } from './axis.ts';
import { spreadOf } from './flatness.ts';

/** The lines of a series. @param varies the heading of the first column */
export function formatSeries(varies: string, series: SeriesResult): string[] {
  const { title, cost, points, flatness, conclusions } = series;
  const right = points.filter((point) => point.cost !== undefined);
  const figures = [...new Set(right.flatMap(({ runs }) => runs.flatMap((run) => Object.keys(run.figures))))];
  const rows = points.map((point) => [point.label, ...formatPoint(point, figures)]);
  const faults = points.flatMap(({ label, faults }) => faults.map((fault) => `WRONG: ${varies} ${label}: ${fault}`));
  return [
    title,
    ...formatTable([[varies, cost, 'least..most', ...figures, 'result'], ...rows]),
    ...faults,
    ...(flatness === undefined ? [] : [flatness.sentence]),
    ...conclusions,
    '',
  ];
}

/** A figure in about three digits, with commas. */
export function formatFigure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** A wrong point shows no figure. */
function formatPoint({ cost, runs }: PointResult, figures: readonly string[]): string[] {
  if (cost === undefined) return ['-', '-', ...figures.map(() => '-'), 'WRONG'];
  return [
    formatFigure(cost.median),
    `${formatFigure(cost.least)}..${formatFigure(cost.most)}`,
    ...figures.map((name) => formatFigure(spreadOf(runs.map((run) => run.figures[name])).median)),
    'verified',
  ];
}
