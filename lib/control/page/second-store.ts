// The seconds that the page keeps, by column: what charts are drawn from.
//
// A ring of KEPT_SECONDS places, a second's place being its remainder. A second that comes again replaces itself; one that
// never came is a gap.

import type { HeatRow } from '../../monitor/latency-log.ts';
import type { LiveSecond } from '../../monitor/live.ts';

export const KEPT_SECONDS = 900;

/** Takes one figure out of a second; undefined where it has none. */
export type Reader = (second: LiveSecond) => number | undefined;

export class SecondStore<Column extends string> {
  readonly #readers: Record<Column, Reader>;
  readonly #heatReaders: Record<string, (second: LiveSecond) => HeatRow | undefined>;
  /** By place: which second it has. */
  readonly #seconds = new Float64Array(KEPT_SECONDS).fill(-1);
  readonly #columns = new Map<string, Float64Array>();
  readonly #heat = new Map<string, (HeatRow | undefined)[]>();
  #latest = 0;

  constructor(
    readers: Record<Column, Reader>,
    heatReaders: Record<string, (second: LiveSecond) => HeatRow | undefined>,
  ) {
    this.#readers = readers;
    this.#heatReaders = heatReaders;
    for (const name of Object.keys(readers)) this.#columns.set(name, new Float64Array(KEPT_SECONDS));
    for (const name of Object.keys(heatReaders)) this.#heat.set(name, new Array(KEPT_SECONDS).fill(undefined));
  }

  /** The newest second that has come; 0 before the first. */
  get latest(): number {
    return this.#latest;
  }

  put(second: LiveSecond): void {
    const place = second.second % KEPT_SECONDS;
    this.#seconds[place] = second.second;
    this.#latest = Math.max(this.#latest, second.second);
    for (const name of Object.keys(this.#readers) as Column[]) {
      this.#columns.get(name)![place] = this.#readers[name](second) ?? Number.NaN;
    }
    for (const [name, read] of Object.entries(this.#heatReaders)) this.#heat.get(name)![place] = read(second);
  }

  /** The figures of the `count` seconds up to and with `end`; null where there is none. */
  column(name: Column, end: number, count: number): (number | null)[] {
    const column = this.#columns.get(name)!;
    return this.#places(end, count, (place) => (Number.isNaN(column[place]) ? null : column[place]));
  }

  /** The heat rows of the same seconds. */
  heat(name: string, end: number, count: number): (HeatRow | null)[] {
    const rows = this.#heat.get(name)!;
    return this.#places(end, count, (place) => rows[place] ?? null);
  }

  #places<T>(end: number, count: number, read: (place: number) => T | null): (T | null)[] {
    return Array.from({ length: count }, (_, index) => {
      const second = end - count + 1 + index;
      const place = second % KEPT_SECONDS;
      return second >= 0 && this.#seconds[place] === second ? read(place) : null;
    });
  }
}
