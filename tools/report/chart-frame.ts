// What all charts have in common: size, title, the line that says what is shown, the time axis, and the marks of the run.

import type { EChartsOption, GraphicComponentOption, XAXisComponentOption } from 'echarts';
import type { RunMark } from '../../lib/monitor/run-log.ts';
import { formatClock, timeTicks } from './axis.ts';
import { MARK_FONT_PIXELS, type MarkLabel, placeMarks } from './mark-labels.ts';
import type { Timeline } from './timeline.ts';
import { type ChartWords, fill, nameClock, type Words } from './words.ts';

export const CHART_WIDTH = 960;
export const CHART_HEIGHT = 420;

/** The font of the pictures by its own name; a browser takes what comes nearest. */
export const FONT_FAMILY = "'Noto Sans CJK SC','Noto Sans SC','PingFang SC','Microsoft YaHei',sans-serif";

export const INK = '#222831';
export const FAINT_INK = '#5a6472';
const GRID_INK = '#e3e7ec';
const MARK_INK = '#7a4b9c';

/** Pixels from the edges. */
const MARGIN_LEFT = 20;
const TITLE_TOP = 14;
const SHOWS_TOP = 42;
const LEGEND_TOP = 64;
const GRID_LEFT = 92;
const GRID_RIGHT = 36;
const GRID_BOTTOM = 56;

/** Where the rows of mark labels begin: below the legend, or in its place. */
const MARKS_BELOW_LEGEND = 92;
const MARKS_WITHOUT_LEGEND = 68;
const MARK_ROW_PIXELS = 16;

/** How far the name is from the axis. */
const X_NAME_GAP = 30;

/** What a chart is drawn from, beside its own data. */
export interface ChartContext {
  words: Words;
  timeline: Timeline;
  marks: readonly RunMark[];
}

/** The inside of the axes, in pixels. */
export interface ChartGrid {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

interface ChartFrame {
  option: EChartsOption;
  grid: ChartGrid;
  xAxis: XAXisComponentOption;
  /** Marks; more may be added. */
  graphic: GraphicComponentOption[];
}

/**
 * @param words of the chart
 * @param legend the names in the legend, in order
 * @param moreRight pixels to the right of the grid beyond the usual ones
 */
export function makeFrame(
  context: ChartContext,
  words: ChartWords,
  legend: readonly string[],
  moreRight = 0,
): ChartFrame {
  const { timeline, marks } = context;
  // A single line says which one it is when there might be others.
  const hasLegend = Object.keys(words.lines).length > 1;
  const left = GRID_LEFT;
  const right = CHART_WIDTH - GRID_RIGHT - moreRight;
  const layout = placeMarks(marks, { ...timeline, left, right });
  const marksTop = hasLegend ? MARKS_BELOW_LEGEND : MARKS_WITHOUT_LEGEND;
  const grid = { left, right, top: marksTop + layout.rows * MARK_ROW_PIXELS + 6, bottom: CHART_HEIGHT - GRID_BOTTOM };
  return {
    option: {
      animation: false,
      backgroundColor: '#fff',
      textStyle: { fontFamily: FONT_FAMILY },
      title: {
        left: MARGIN_LEFT,
        top: TITLE_TOP,
        padding: 0,
        itemGap: SHOWS_TOP - TITLE_TOP - 19,
        text: words.title,
        textStyle: { fontSize: 18, fontWeight: 'normal', color: INK },
        subtext: words.shows,
        subtextStyle: { fontSize: 12, color: FAINT_INK },
      },
      legend: {
        show: hasLegend,
        left: MARGIN_LEFT,
        top: LEGEND_TOP,
        padding: 0,
        itemGap: 20,
        icon: 'rect',
        itemWidth: 20,
        itemHeight: 4,
        textStyle: { fontSize: 12, color: INK },
        data: [...legend],
      },
      grid: { left, right: CHART_WIDTH - right, top: grid.top, bottom: GRID_BOTTOM },
    },
    grid,
    xAxis: makeTimeAxis(context),
    graphic: layout.labels.flatMap((label) => drawMark(label, marksTop, grid.bottom)),
  };
}

/** Lines and ticks that both axes of all charts have. */
export function axisStyle() {
  return {
    axisLine: { show: true, onZero: false, lineStyle: { color: FAINT_INK } },
    nameTextStyle: { fontSize: 12, color: FAINT_INK },
    splitLine: { show: true, lineStyle: { color: GRID_INK } },
    silent: true,
  } as const;
}

function makeTimeAxis({ words, timeline }: ChartContext): XAXisComponentOption {
  const ticks = timeTicks(timeline.lengthSeconds);
  return {
    ...axisStyle(),
    type: 'value',
    min: 0,
    max: timeline.lengthSeconds,
    name: fill(words.xAxis, { clock: nameClock(words, timeline.lengthSeconds) }),
    nameLocation: 'middle',
    nameGap: X_NAME_GAP,
    axisTick: { show: true, customValues: ticks },
    axisLabel: { fontSize: 12, color: INK, customValues: ticks, formatter: formatClock },
    splitLine: { show: false },
  };
}

/** A dashed line, and its label on white, so that lines of other marks do not cross the text. */
function drawMark({ x, text, labelX, row }: MarkLabel, marksTop: number, bottom: number): GraphicComponentOption[] {
  const y = marksTop + row * MARK_ROW_PIXELS;
  const line: GraphicComponentOption = {
    type: 'line',
    silent: true,
    z: 1,
    shape: { x1: x, y1: y, x2: x, y2: bottom },
    style: { stroke: MARK_INK, lineWidth: 1, lineDash: [4, 3] },
  };
  if (text === '') return [line];
  const label: GraphicComponentOption = {
    type: 'text',
    silent: true,
    z: 2,
    style: {
      x: labelX,
      y: y + 1,
      text,
      fill: MARK_INK,
      fontSize: MARK_FONT_PIXELS,
      fontFamily: FONT_FAMILY,
      backgroundColor: '#fff',
    },
  };
  return [line, label];
}
