// Draws every chart that a run has the data for, and says of the others what they lack.

import type { EChartsOption } from 'echarts';
import { LINE_CHARTS, type LineSpec } from './chart-data.ts';
import type { ChartContext } from './chart-frame.ts';
import { drawSvg } from './draw.ts';
import { makeHeatChart, readCells } from './heat-chart.ts';
import { makeLineChart } from './line-chart.ts';
import { readPoints, type Timeline } from './timeline.ts';
import { CHART_NAMES, type ChartName, fill, type Words } from './words.ts';

export interface DrawnChart {
  name: ChartName;
  svg: string;
  /** Sentences about lines that it lacks. */
  notes: string[];
}

export interface MissingChart {
  name: ChartName;
  reason: string;
}

export interface DrawnCharts {
  drawn: DrawnChart[];
  missing: MissingChart[];
}

/** What a chart is made of, or why there is none. */
type Outcome = { option: EChartsOption; notes: string[] } | { reason: string };

/** All charts, in the order of the page. */
export function drawCharts(context: ChartContext): DrawnCharts {
  const charts: DrawnCharts = { drawn: [], missing: [] };
  for (const name of CHART_NAMES) {
    const outcome = name === 'client-latency-heat' ? tryHeatChart(context) : tryLineChart(context, name);
    if ('reason' in outcome) charts.missing.push({ name, reason: outcome.reason });
    else charts.drawn.push({ name, svg: drawSvg(outcome.option), notes: outcome.notes });
  }
  return charts;
}

function tryLineChart(context: ChartContext, name: keyof typeof LINE_CHARTS): Outcome {
  const { words, timeline } = context;
  const chart = LINE_CHARTS[name];
  const lines = chart.lines.map((spec) => ({ spec, points: readPoints(timeline, spec, chart.thinning) }));
  const lacking = lines.filter(({ points }) => points.length === 0).map(({ spec }) => spec);
  const present = lines.filter(({ points }) => points.length > 0);
  const needed = lacking.filter(({ key }) => chart.needed.includes(key));
  if (present.length === 0 || needed.length > 0) {
    return { reason: explainLack(words, timeline, needed.length > 0 ? needed : lacking) };
  }
  const chartWords = words.charts[name];
  const notes = lacking.map((spec) =>
    fill(words.notDrawn, { line: chartWords.lines[spec.key], reason: explainLack(words, timeline, [spec]) }),
  );
  return { option: makeLineChart(context, chartWords, chart, present), notes };
}

function tryHeatChart(context: ChartContext): Outcome {
  const { words, timeline } = context;
  const kind = 'shake';
  const cells = readCells(timeline, kind);
  if (cells.length === 0) {
    return { reason: explainLack(words, timeline, [{ role: 'client', names: [`latency.${kind}`] }]) };
  }
  return { option: makeHeatChart(context, words.charts['client-latency-heat'], cells), notes: [] };
}

/** Why lines are missing: there is no sample of the side at all, or none with the names. */
function explainLack(
  { noSamples, noNames }: Words,
  timeline: Timeline,
  lines: readonly Pick<LineSpec, 'role' | 'names'>[],
): string {
  const lackingSide = lines.find(({ role }) => timeline.seconds.every((second) => second[role] === undefined));
  if (lackingSide !== undefined) return noSamples[lackingSide.role];
  const { role } = lines[0];
  const names = new Set(lines.filter((line) => line.role === role).flatMap((line) => line.names));
  return fill(noNames[role], { names: [...names].join(', ') });
}
