// A chart of lines over the time of a run, as an option of ECharts.

import type { EChartsOption, LineSeriesOption, YAXisComponentOption } from 'echarts';
import { logTicks } from './axis.ts';
import type { LineChartSpec, LineSpec } from './chart-data.ts';
import { type ChartContext, makeFrame } from './chart-frame.ts';
import type { Point } from './timeline.ts';
import { linearAxis, logAxis } from './value-axes.ts';
import type { ChartWords } from './words.ts';

/** Pixels of a dot: a point between two gaps, which a line would not show. */
const DOT_PIXELS = 4;

/** What a second axis takes. */
const RIGHT_AXIS_PIXELS = 52;

export interface ReadLine {
  spec: LineSpec;
  points: readonly Point[];
}

/** @param lines that have points, in the order in which they are drawn */
export function makeLineChart(
  context: ChartContext,
  words: ChartWords,
  { isLog }: LineChartSpec,
  lines: readonly ReadLine[],
): EChartsOption {
  const drawn = new Set(lines.map(({ spec }) => spec.key));
  const legend = Object.entries(words.lines)
    .filter(([key]) => drawn.has(key))
    .map(([, name]) => name);
  const { locale } = context.words;
  const axes: YAXisComponentOption[] = [];
  const isRight = ({ spec }: ReadLine) => spec.isRight === true;
  if (!lines.every(isRight)) {
    axes.push(isLog ? makeLogAxis(words.left, locale, lines) : linearAxis(words.left, locale));
  }
  if (lines.some(isRight)) axes.push(linearAxis(words.right!, locale));
  if (axes.length > 1) Object.assign(axes[1], { splitLine: { show: false }, nameRotate: -90 });
  const frame = makeFrame(context, words, legend, axes.length > 1 ? RIGHT_AXIS_PIXELS : 0);
  return {
    ...frame.option,
    xAxis: frame.xAxis,
    yAxis: axes,
    graphic: frame.graphic,
    series: lines.map((line) => makeSeries(line, words, isLog, isRight(line) ? axes.length - 1 : 0)),
  };
}

/** Values are drawn by their logarithm, so that ticks may stand at 1, 2 and 5. */
function makeLogAxis(name: string, locale: string, lines: readonly ReadLine[]): YAXisComponentOption {
  const values = lines.flatMap(({ points }) => points.flatMap(([, y]) => (y === null || y <= 0 ? [] : [y])));
  return logAxis(name, locale, logTicks(least(values), most(values)));
}

function makeSeries(
  { spec, points }: ReadLine,
  words: ChartWords,
  isLog: boolean,
  yAxisIndex: number,
): LineSeriesOption {
  const place = ([x, y]: Point): Point => [x, y === null || !isLog ? y : y > 0 ? Math.log10(y) : null];
  const isAlone = (i: number) => (points[i - 1]?.[1] ?? null) === null && (points[i + 1]?.[1] ?? null) === null;
  return {
    type: 'line',
    name: words.lines[spec.key],
    silent: true,
    yAxisIndex,
    color: spec.color,
    symbol: 'none',
    lineStyle: { width: spec.width, color: spec.color },
    data: points.map((point, i) =>
      isAlone(i) ? { value: place(point), symbol: 'circle', symbolSize: DOT_PIXELS } : place(point),
    ),
    z: 3,
  };
}

/** Math.min of very many. 1 when there is none. */
function least(values: readonly number[]): number {
  return values.length === 0 ? 1 : values.reduce((a, b) => Math.min(a, b));
}

function most(values: readonly number[]): number {
  return values.length === 0 ? 1 : values.reduce((a, b) => Math.max(a, b));
}
