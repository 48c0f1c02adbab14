// All charts of the page together: which time they show, whether they stand still, and whose latency is looked at.

import { listCharts } from './chart-list.ts';
import { type Column, LATENCY_KINDS, type LatencyKind } from './columns.ts';
import { byId, make, setText } from './dom.ts';
import { formatClock } from './format.ts';
import { HeatMap } from './heat-map.ts';
import type { SecondStore } from './second-store.ts';
import { TimeChart } from './time-chart.ts';
import { word } from './words.ts';

export class ChartBoard {
  readonly #store: SecondStore<Column>;
  readonly #board = byId('board');
  readonly #pauseButton = byId<HTMLButtonElement>('pause');
  readonly #pausedNote = byId('paused-note');
  readonly #kindChoice = byId<HTMLSelectElement>('latency-kind');
  readonly #resizes = new ResizeObserver(() => {
    for (const chart of this.#charts) chart.fit();
  });
  #charts: (TimeChart | HeatMap)[] = [];
  #count = 300;
  #end = 0;
  #pausedEnd: number | undefined;
  /** Until the viewer chooses: the first kind that has anything. */
  #kind: LatencyKind = 'client.shake';
  #isKindChosen = false;

  /** Has no charts before its first rebuild. */
  constructor(store: SecondStore<Column>) {
    this.#store = store;
    for (const choice of document.querySelectorAll<HTMLInputElement>('input[name="range"]')) {
      choice.checked = Number(choice.value) === this.#count;
      choice.addEventListener('change', () => {
        this.#count = Number(choice.value);
        this.#drawAll();
      });
    }
    this.#pauseButton.addEventListener('click', () => {
      this.#pausedEnd = this.#pausedEnd === undefined ? this.#end : undefined;
      this.#labelPause();
      this.#drawAll();
    });
    this.#kindChoice.addEventListener('change', () => {
      this.#kind = this.#kindChoice.value as LatencyKind;
      this.#isKindChosen = true;
      this.rebuild();
    });
    this.#resizes.observe(this.#board);
  }

  /** Shows the seconds up to `end`, unless it stands still. */
  draw(end: number): void {
    this.#end = end;
    if (this.#pausedEnd !== undefined || end === 0) return;
    const kind = this.#isKindChosen || this.#has(this.#kind) ? this.#kind : LATENCY_KINDS.find((any) => this.#has(any));
    if (kind === undefined || kind === this.#kind) {
      this.#drawAll();
      return;
    }
    this.#kind = kind;
    this.rebuild();
  }

  /** Builds all charts anew: in another language, in other colours, or of another kind of latency. */
  rebuild(): void {
    for (const chart of this.#charts) chart.destroy();
    const { loads, latency, insides } = listCharts(this.#kind);
    const addCharts = (specs: typeof loads) => specs.map((spec) => new TimeChart(this.#board, spec, this.#store));
    this.#charts = [
      ...addCharts(loads),
      ...addCharts([latency]),
      new HeatMap(this.#board, this.#kind, this.#store),
      ...addCharts(insides),
    ];
    this.#kindChoice.replaceChildren(
      ...LATENCY_KINDS.map((kind) => {
        const option = make('option', '', word(`kind.${kind}`));
        option.value = kind;
        option.selected = kind === this.#kind;
        return option;
      }),
    );
    this.#labelPause();
    this.#drawAll();
  }

  #drawAll(): void {
    const end = this.#pausedEnd ?? this.#end;
    if (end === 0) return;
    for (const chart of this.#charts) chart.draw({ end, count: this.#count });
  }

  #labelPause(): void {
    const end = this.#pausedEnd;
    setText(this.#pauseButton, word(end === undefined ? 'pause' : 'goOn'));
    setText(this.#pausedNote, end === undefined ? '' : word('pausedAt', { time: formatClock(end) }));
  }

  #has(kind: LatencyKind): boolean {
    return this.#store.column(`${kind}.p50`, this.#end, this.#count).some((value) => value !== null);
  }
}
