// Watching on a terminal: the frame is drawn once a second, when the size changes, and when the connection comes or goes.

import type { Follower, LiveEvent } from './follow-live.ts';
import { buildFrame } from './frame.ts';
import { Screen, type ScreenInput, type ScreenOutput } from './screen.ts';
import { MINUTE, WatchState } from './watch-state.ts';

const DRAW_MS = 1000;

export class WatchScreen implements Follower {
  readonly #state: WatchState;
  readonly #screen: Screen;
  readonly #isColored: boolean;
  #drawnAt = Number.NEGATIVE_INFINITY;

  /** @param end called when the user quits */
  constructor(control: string, output: ScreenOutput, input: ScreenInput, isColored: boolean, end: () => void) {
    this.#state = new WatchState(control);
    this.#screen = new Screen(output, input, end, () => this.#draw());
    this.#isColored = isColored;
  }

  secondsWanted(): number {
    return MINUTE;
  }

  /** The terminal is taken over by the first event: until then there is nothing to show, and errors are plain lines. */
  take(event: LiveEvent): void {
    this.#screen.enter();
    this.#state.take(event);
    if (event.kind === 'hello' || event.kind === 'cut') this.#draw();
  }

  tick(): void {
    if (this.#state.hello !== undefined && performance.now() - this.#drawnAt >= DRAW_MS) this.#draw();
  }

  close(): void {
    this.#screen.leave();
  }

  #draw(): void {
    this.#drawnAt = performance.now();
    const { columns, rows } = this.#screen;
    this.#screen.draw(buildFrame(this.#state, columns, rows, this.#isColored));
  }
}
