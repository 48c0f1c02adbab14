// What a viewer knows: the last minute of seconds, the newest state, and how the connection is.

import type { LiveHello, LiveSecond, LiveState } from '../../lib/monitor/live.ts';
import type { LiveEvent } from './follow-live.ts';

/** Seconds that are kept: those of the charts, and one that may still get late samples. */
export const MINUTE = 60;

export class WatchState {
  /** Where the control API is. */
  readonly control: string;
  hello: LiveHello | undefined;
  live: LiveState | undefined;
  /** Why the connection is cut, while it is. */
  cut: string | undefined;
  readonly #seconds = new Map<number, LiveSecond>();

  constructor(control: string) {
    this.control = control;
  }

  take(event: LiveEvent): void {
    if (event.kind === 'cut') this.cut = event.reason;
    else if (event.kind === 'state') this.live = event.state;
    else if (event.kind === 'seconds') this.#addSeconds(event.seconds);
    else {
      this.hello = event.hello;
      this.cut = undefined;
    }
  }

  /** The newest second that has its late samples, as far as one can tell: a later one has come, or there is no other. */
  get present(): LiveSecond | undefined {
    const order = this.#inOrder();
    return order.at(-2) ?? order.at(-1);
  }

  /** The seconds up to the present one, the newest last; undefined for one that is not there. */
  lastSeconds(count: number): (LiveSecond | undefined)[] {
    const newest = this.present?.second ?? 0;
    return Array.from({ length: count }, (_, i) => this.#seconds.get(newest - count + 1 + i));
  }

  #addSeconds(seconds: readonly LiveSecond[]): void {
    for (const second of seconds) this.#seconds.set(second.second, second);
    for (const { second } of this.#inOrder().slice(0, -(MINUTE + 1))) this.#seconds.delete(second);
  }

  #inOrder(): LiveSecond[] {
    return [...this.#seconds.values()].sort((a, b) => a.second - b.second);
  }
}
