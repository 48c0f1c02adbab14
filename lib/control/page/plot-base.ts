// What all plots of the page have in common: the frame around them, the time axis, and the cursor that they share.

import { make } from './dom.ts';
import { formatClock, formatMinute } from './format.ts';
import { colourOf } from './look.ts';
import type uPlot from './uplot.js';
import { word } from './words.ts';

/** Which seconds a plot shows: `count` of them, the last being `end`. */
export interface TimeWindow {
  end: number;
  count: number;
}

/** Plots with the same key show their cursors at the same second. */
const SYNC_KEY = 'time';

const FONT = '11px system-ui, sans-serif';
const Y_AXIS_PX = 50;
const X_AXIS_PX = 26;

/** Seconds from one mark of the time axis to the next. */
const TIME_STEPS = [5, 10, 15, 20, 30, 60, 120, 180, 300];
export const PLOT_HEIGHT_PX = 200;

/** The frame of one plot: its title, the place for it, and a word in place of what is not there. */
export interface PlotFrame {
  figure: HTMLElement;
  holder: HTMLElement;
  /** Says that there is no data in the window, or nothing. */
  setEmpty(isEmpty: boolean): void;
}

export function buildFrame(title: string): PlotFrame {
  const figure = make('figure', 'plot');
  const holder = make('div', 'plot-holder');
  const empty = make('p', 'plot-empty', word('noData'));
  figure.append(make('figcaption', '', title), holder, empty);
  return {
    figure,
    holder,
    setEmpty: (isEmpty) => {
      empty.hidden = !isEmpty;
    },
  };
}

/** The Unix seconds of a window. */
export function secondsOf({ end, count }: TimeWindow): number[] {
  return Array.from({ length: count }, (_, index) => end - count + 1 + index);
}

export function timeScale(show: () => TimeWindow): uPlot.Scale {
  return {
    time: true,
    range: () => {
      const { end, count } = show();
      return [end - count + 1, end];
    },
  };
}

export function timeAxis(show: () => TimeWindow): uPlot.Axis {
  return {
    ...axisLook(),
    size: X_AXIS_PX,
    space: () => (show().count <= 60 ? 72 : 52),
    incrs: TIME_STEPS,
    values: (_plot, splits) => splits.map((second) => (show().count <= 60 ? formatClock : formatMinute)(second)),
  };
}

export function valueAxis(format: (value: number) => string): uPlot.Axis {
  return {
    ...axisLook(),
    size: Y_AXIS_PX,
    // A logarithmic axis leaves out marks: they come as null.
    values: (_plot, splits) => splits.map((value: number | null) => (value === null ? '' : format(value))),
  };
}

export function sharedCursor(): uPlot.Cursor {
  return {
    y: false,
    drag: { x: false, y: false },
    sync: { key: SYNC_KEY, setSeries: false, scales: ['x', null] },
  };
}

/** Says to screen readers what the canvas is. */
export function nameCanvas(plot: uPlot, title: string): void {
  plot.ctx.canvas.setAttribute('role', 'img');
  plot.ctx.canvas.setAttribute('aria-label', title);
}

function axisLook(): uPlot.Axis {
  const line = { stroke: colourOf('--grid'), width: 1 };
  return { stroke: colourOf('--soft'), font: FONT, grid: line, ticks: { ...line, size: 4 }, gap: 4 };
}
