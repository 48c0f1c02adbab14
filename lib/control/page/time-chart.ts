// One chart of figures over time: lines on a plot, and a legend with the values at the cursor, or else the newest ones.

import type { ChartSpec, Line } from './chart-list.ts';
import type { Column } from './columns.ts';
import { formatClock, formatNumber, formatShort } from './format.ts';
import { colourOf } from './look.ts';
import {
  buildFrame,
  nameCanvas,
  PLOT_HEIGHT_PX,
  type PlotFrame,
  secondsOf,
  sharedCursor,
  type TimeWindow,
  timeAxis,
  timeScale,
  valueAxis,
} from './plot-base.ts';
import type { SecondStore } from './second-store.ts';
import uPlot from './uplot.js';
import { word } from './words.ts';

/** What lies between the marks of a scale that has only whole numbers. */
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100];

export class TimeChart {
  readonly #spec: ChartSpec;
  readonly #store: SecondStore<Column>;
  readonly #frame: PlotFrame;
  readonly #plot: uPlot;
  #window: TimeWindow = { end: 0, count: 0 };

  /** Appends itself to `parent`. */
  constructor(parent: HTMLElement, spec: ChartSpec, store: SecondStore<Column>) {
    this.#spec = spec;
    this.#store = store;
    const title = word(spec.title);
    this.#frame = buildFrame(title);
    parent.append(this.#frame.figure);
    this.#plot = new uPlot(this.#options(), undefined, this.#frame.holder);
    nameCanvas(this.#plot, title);
    this.#openLegendToKeys();
  }

  get figure(): HTMLElement {
    return this.#frame.figure;
  }

  draw(window: TimeWindow): void {
    this.#window = window;
    const columns = this.#spec.lines.map(({ column }) => this.#store.column(column, window.end, window.count));
    this.#frame.setEmpty(columns.every((column) => column.every((value) => value === null)));
    this.#plot.setData([secondsOf(window), ...columns]);
  }

  /** Takes the width that its frame has now. */
  fit(): void {
    this.#plot.setSize({ width: this.#frame.holder.clientWidth, height: PLOT_HEIGHT_PX });
  }

  destroy(): void {
    this.#plot.destroy();
    this.#frame.figure.remove();
  }

  #options(): uPlot.Options {
    const { lines, format, isLogarithmic } = this.#spec;
    const show = () => this.#window;
    const right = lines.find(({ onRight }) => onRight);
    const left: uPlot.Scale = isLogarithmic ? { distr: 3, range: rangeLogarithmic } : { range: rangeFromZero };
    return {
      width: this.#frame.holder.clientWidth,
      height: PLOT_HEIGHT_PX,
      scales: { x: timeScale(show), y: left, ...(right && { right: { range: rangeFromZero } }) },
      axes: [timeAxis(show), valueAxis(formatShort), ...(right ? [rightAxis(right)] : [])],
      series: [
        { label: word('time'), value: (plot, second) => writeTime(plot, second) },
        ...lines.map((line) => lineSeries(line, line.onRight ? formatNumber : format)),
      ],
      cursor: sharedCursor(),
      legend: { markers: { width: 0, fill: (plot, index) => String((plot.series[index].stroke as () => string)()) } },
    };
  }

  /** A click on a legend hides its line: so does Enter. */
  #openLegendToKeys(): void {
    for (const label of this.#plot.root.querySelectorAll<HTMLElement>('.u-series:not(:first-child) th')) {
      label.tabIndex = 0;
      label.setAttribute('role', 'button');
      label.addEventListener('keydown', (event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        label.click();
      });
    }
  }
}

function rightAxis({ inSteps }: Line): uPlot.Axis {
  const axis: uPlot.Axis = { ...valueAxis(formatShort), scale: 'right', side: 1, grid: { show: false } };
  return inSteps ? { ...axis, incrs: WHOLE_STEPS } : axis;
}

function lineSeries(line: Line, format: (value: number) => string): uPlot.Series {
  const colour = colourOf(`--line-${line.colour}`);
  const steps = line.inSteps ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
  return {
    label: word(line.text),
    scale: line.onRight ? 'right' : 'y',
    stroke: colour,
    width: line.style === 'broad' ? 5 : 1.5,
    alpha: line.style === 'broad' ? 0.45 : 1,
    ...(line.style === 'dashed' && { dash: [5, 4] }),
    ...(steps && { paths: steps }),
    value: (plot, value, index, at) => {
      const shown = at === null ? newest(plot.data[index]) : value;
      return shown === null || shown === undefined ? '–' : format(shown);
    },
  };
}

function writeTime(plot: uPlot, second: number | null): string {
  const shown = second ?? newest(plot.data[0]);
  return shown === undefined ? '–' : formatClock(shown);
}

function newest(values: ArrayLike<number | null | undefined> | undefined): number | undefined {
  for (let i = (values?.length ?? 0) - 1; i >= 0; i--) {
    const value = values![i];
    if (value !== null && value !== undefined) return value;
  }
  return undefined;
}

function rangeFromZero(_plot: uPlot, _least: number | null, most: number | null): uPlot.Range.MinMax {
  return [0, most !== null && most > 0 ? most * 1.1 : 1];
}

function rangeLogarithmic(_plot: uPlot, least: number | null, most: number | null): uPlot.Range.MinMax {
  return least === null || most === null ? [0.01, 100] : uPlot.rangeLog(least, most, 10, true);
}
