// The heat map of client latency: columns of time, rows of latency, coloured by the logarithm of how many shakes fell there.

import type { EChartsOption, GraphicComponentOption } from 'echarts';
import { HEAT_BUCKETS, HEAT_FIRST_US, HEAT_PER_DECADE, heatBoundUs } from '../../lib/monitor/latency-log.ts';
import { formatAxisNumber, logTicks } from './axis.ts';
import { type ChartContext, type ChartGrid, FAINT_INK, FONT_FAMILY, INK, makeFrame } from './chart-frame.ts';
import type { Timeline } from './timeline.ts';
import { logAxis } from './value-axes.ts';
import type { ChartWords } from './words.ts';

/** From few to many, for a white ground. */
const COLORS = [
  '#e6f1fb',
  '#cfe3f6',
  '#b3d3ef',
  '#92bfe6',
  '#70a8dc',
  '#5390cf',
  '#3c78bf',
  '#2c60a9',
  '#234b90',
  '#1c3875',
  '#17275a',
  '#12183f',
];

/** What the scale of colours takes to the right of the grid, in pixels. */
const SCALE_PIXELS = 66;
const SCALE_GAP = 14;
const SCALE_WIDTH = 14;

/** How many shakes a second fell into a range of latency during one column. */
interface Cell {
  column: number;
  bucket: number;
  rate: number;
}

/** The cells that are not empty. @param kind of latency, as samples name it */
export function readCells(timeline: Timeline, kind: string): Cell[] {
  const columns = new Map<number, { seconds: number; counts: number[] }>();
  for (const { second, client } of timeline.seconds) {
    const heat = client?.latency[kind]?.heat;
    if (heat === undefined) continue;
    const index = Math.floor((second - timeline.firstSecond) / timeline.columnSeconds);
    let column = columns.get(index);
    if (column === undefined) {
      column = { seconds: 0, counts: new Array(HEAT_BUCKETS).fill(0) };
      columns.set(index, column);
    }
    column.seconds++;
    for (const [i, count] of heat.counts.entries()) column.counts[heat.first + i] += count;
  }
  return [...columns].flatMap(([column, { seconds, counts }]) =>
    counts.flatMap((count, bucket) => (count > 0 ? [{ column, bucket, rate: count / seconds }] : [])),
  );
}

/** @param cells at least one */
export function makeHeatChart(context: ChartContext, words: ChartWords, cells: readonly Cell[]): EChartsOption {
  const { timeline } = context;
  const { locale } = context.words;
  const frame = makeFrame(context, words, [], SCALE_PIXELS);
  const { grid } = frame;
  const buckets = cells.map(({ bucket }) => bucket);
  const ticks = logTicks(floorMs(Math.min(...new Set(buckets))), heatBoundUs(Math.max(...new Set(buckets))) / 1000);
  const [low, high] = [Math.log10(ticks[0]), Math.log10(ticks[ticks.length - 1])];
  const rates = cells.map(({ rate }) => rate);
  const least = rates.reduce((a, b) => Math.min(a, b));
  const most = rates.reduce((a, b) => Math.max(a, b));

  const xOf = (seconds: number) =>
    Math.round(
      grid.left + (Math.min(seconds, timeline.lengthSeconds) / timeline.lengthSeconds) * (grid.right - grid.left),
    );
  const yOf = (ms: number) =>
    Math.round(grid.bottom - ((Math.log10(ms) - low) / (high - low)) * (grid.bottom - grid.top));
  // One path a colour: a rectangle an element would make the picture many times as large.
  const paths: string[] = COLORS.map(() => '');
  for (const { column, bucket, rate } of cells) {
    const share = most > least ? Math.log(rate / least) / Math.log(most / least) : 1;
    const [x, xEnd] = [xOf(column * timeline.columnSeconds), xOf((column + 1) * timeline.columnSeconds)];
    const [y, yEnd] = [yOf(heatBoundUs(bucket) / 1000), yOf(floorMs(bucket))];
    paths[Math.min(COLORS.length - 1, Math.floor(share * COLORS.length))] += `M${x} ${y}H${xEnd}V${yEnd}H${x}Z`;
  }
  return {
    ...frame.option,
    xAxis: frame.xAxis,
    yAxis: logAxis(words.left, locale, ticks),
    graphic: [...frame.graphic, ...drawScale(grid, context, least, most)],
    series: {
      type: 'custom',
      silent: true,
      z: 0,
      data: paths.map((_, color) => [0, low, color]),
      renderItem: ({ dataIndex: color }) => ({
        type: 'path',
        shape: { pathData: paths[color] },
        style: { fill: COLORS[color] },
      }),
    },
  };
}

/** Where a bucket begins; the first one is drawn as high as the others. */
function floorMs(bucket: number): number {
  return (bucket === 0 ? HEAT_FIRST_US / 10 ** (1 / HEAT_PER_DECADE) : heatBoundUs(bucket - 1)) / 1000;
}

/** The colours from few at the bottom to many at the top, with numbers a third apart. */
function drawScale(grid: ChartGrid, { words }: ChartContext, least: number, most: number): GraphicComponentOption[] {
  const x = grid.right + SCALE_GAP;
  const height = grid.bottom - grid.top;
  const boxes = COLORS.map((fill, i): GraphicComponentOption => {
    const [from, to] = [i, i + 1].map((step) => Math.round(grid.bottom - (height * step) / COLORS.length));
    return { type: 'rect', silent: true, shape: { x, y: to, width: SCALE_WIDTH, height: from - to }, style: { fill } };
  });
  const labels = (most > least ? [0, 1 / 3, 2 / 3, 1] : [1]).map((share): GraphicComponentOption => {
    const rate = Number((least * (most / least) ** share).toPrecision(2));
    const y = grid.bottom - height * share - 6;
    return drawText(x + SCALE_WIDTH + 5, y, formatAxisNumber(rate, words.locale), INK);
  });
  return [...boxes, ...labels, drawText(x, grid.top - 24, words.heatScale, FAINT_INK)];
}

function drawText(x: number, y: number, text: string, fill: string): GraphicComponentOption {
  return { type: 'text', silent: true, style: { x, y, text, fill, fontSize: 12, fontFamily: FONT_FAMILY } };
}
