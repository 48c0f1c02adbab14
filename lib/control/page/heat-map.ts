// The heat map of latency: seconds from left to right, latency upwards, and the deeper the colour the more requests.

import type { Column, LatencyKind } from './columns.ts';
import { make, setText } from './dom.ts';
import { formatClock, formatMs, formatNumber, formatShort } from './format.ts';
import { bucketEndMs, bucketOf } from './heat-buckets.ts';
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

/** Colours --heat-0 ... --heat-5: each stands for a factor, the same one from each to the next. */
const COLOURS = 6;

/** Buckets shown at the least, when latencies are all alike. */
const LEAST_BUCKETS = 12;

type Row = ReturnType<SecondStore<Column>['heat']>[number];

export class HeatMap {
  readonly #store: SecondStore<Column>;
  readonly #kind: LatencyKind;
  readonly #frame: PlotFrame;
  readonly #plot: uPlot;
  readonly #readOut = make('output', 'heat-read-out');
  readonly #scale = make('div', 'heat-scale');
  readonly #most = make('span');
  readonly #colours = Array.from({ length: COLOURS }, (_, index) => colourOf(`--heat-${index}`));
  #window: TimeWindow = { end: 0, count: 0 };
  #rows: Row[] = [];
  #mostRequests = 1;
  #range: uPlot.Range.MinMax = [0.01, 100];

  /** Appends itself to `parent`. */
  constructor(parent: HTMLElement, kind: LatencyKind, store: SecondStore<Column>) {
    this.#kind = kind;
    this.#store = store;
    const title = word('chart.heat');
    this.#frame = buildFrame(title);
    parent.append(this.#frame.figure);
    this.#plot = new uPlot(this.#options(), undefined, this.#frame.holder);
    nameCanvas(this.#plot, title);
    this.#frame.figure.append(this.#buildLegend());
  }

  get figure(): HTMLElement {
    return this.#frame.figure;
  }

  draw(window: TimeWindow): void {
    this.#window = window;
    this.#rows = this.#store.heat(this.#kind, window.end, window.count);
    this.#measure();
    const seconds = secondsOf(window);
    this.#plot.setData([seconds, seconds.map(() => null)]);
    const many = word('heatMany', { count: formatNumber(this.#mostRequests) });
    setText(this.#most, this.#mostRequests === 1 ? word('heatFew') : many);
    this.#read();
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
    const show = () => this.#window;
    return {
      width: this.#frame.holder.clientWidth,
      height: PLOT_HEIGHT_PX,
      scales: { x: timeScale(show), y: { distr: 3, auto: true, range: () => this.#range } },
      axes: [timeAxis(show), valueAxis(formatShort)],
      series: [{}, { scale: 'y', points: { show: false } }],
      cursor: { ...sharedCursor(), y: true, points: { show: false } },
      legend: { show: false },
      hooks: { draw: [() => this.#paint()], setCursor: [() => this.#read()] },
    };
  }

  /** The buckets and the largest count of the window. */
  #measure(): void {
    let low = Number.POSITIVE_INFINITY;
    let high = 0;
    this.#mostRequests = 1;
    for (const row of this.#rows) {
      if (row === null || row.counts.length === 0) continue;
      low = Math.min(low, row.first);
      high = Math.max(high, row.first + row.counts.length - 1);
      this.#mostRequests = Math.max(this.#mostRequests, ...row.counts);
    }
    this.#frame.setEmpty(low > high);
    this.#scale.hidden = low > high;
    if (low > high) return;
    low = Math.max(0, low - 1);
    this.#range = [bucketEndMs(low - 1), bucketEndMs(Math.max(high + 1, low + LEAST_BUCKETS))];
  }

  #paint(): void {
    const { ctx, bbox } = this.#plot;
    const { end, count } = this.#window;
    const at = (second: number) => Math.round(this.#plot.valToPos(second, 'x', true));
    const heights = new Map<number, number>();
    const heightOf = (bucket: number) => {
      const known = heights.get(bucket);
      if (known !== undefined) return known;
      const height = Math.round(this.#plot.valToPos(bucketEndMs(bucket), 'y', true));
      heights.set(bucket, height);
      return height;
    };
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    this.#rows.forEach((row, index) => {
      const second = end - count + 1 + index;
      const left = at(second - 0.5);
      const width = at(second + 0.5) - left;
      row?.counts.forEach((requests, offset) => {
        if (requests === 0) return;
        const top = heightOf(row.first + offset);
        ctx.fillStyle = this.#colours[this.#shade(requests)];
        ctx.fillRect(left, top, width, heightOf(row.first + offset - 1) - top);
      });
    });
    ctx.restore();
  }

  #shade(requests: number): number {
    return Math.min(COLOURS - 1, Math.floor((Math.log(requests) / Math.log(this.#mostRequests + 1)) * COLOURS));
  }

  /** Says what is under the cursor: a cell, or the whole second when the cursor is on another plot. */
  #read(): void {
    const { idx, top = -1 } = this.#plot.cursor;
    const isHere = top >= 0 && this.#plot.over.matches(':hover');
    setText(this.#readOut, typeof idx === 'number' ? this.#describe(idx, isHere ? top : undefined) : word('heatHint'));
  }

  #describe(index: number, top: number | undefined): string {
    const { first = 0, counts = [] } = this.#rows[index] ?? {};
    const time = formatClock(this.#window.end - this.#window.count + 1 + index);
    if (top === undefined) {
      const all = counts.reduce((sum, requests) => sum + requests, 0);
      return word('heatColumn', { time, count: formatNumber(all) });
    }
    const bucket = bucketOf(this.#plot.posToVal(top, 'y'));
    const count = formatNumber(counts[bucket - first] ?? 0);
    const low = bucket === 0 ? '0' : formatMs(bucketEndMs(bucket - 1));
    return word('heatCell', { time, count, low, high: formatMs(bucketEndMs(bucket)) });
  }

  #buildLegend(): HTMLElement {
    const scale = this.#scale;
    scale.append(make('span', '', word('heatFew')));
    for (let index = 0; index < COLOURS; index++) scale.append(make('i', `heat-${index}`));
    scale.append(this.#most);
    const legend = make('div', 'heat-legend');
    legend.append(this.#readOut, scale);
    return legend;
  }
}
