// The clock of the simulation: a wall clock that may be set while no server runs, and main's timers.

interface Sleeper {
  atMs: number;
  wake: () => void;
}

export class SimClock {
  /** What the machine's clock says, in Unix milliseconds. */
  wallMs = 1_800_000_000_000;
  /** What the server adds to it, so that its time never goes back behind the journal's. */
  offsetMs = 0;
  #sleepers: Sleeper[] = [];

  readonly readNowMs = () => this.wallMs + this.offsetMs;

  /** When the next timer is due; Infinity without one. */
  get nextTimerMs(): number {
    return Math.min(...this.#sleepers.map(({ atMs }) => atMs));
  }

  advance(ms: number): void {
    this.wallMs += ms;
  }

  /** A server begins: the timers of the one before are gone, and the clock may have been set. */
  restart(wallStepMs: number): void {
    this.wallMs += wallStepMs;
    this.offsetMs = 0;
    this.#sleepers = [];
  }

  /** The timer that UserSends is given. */
  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const sleeper = { atMs: this.readNowMs() + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(new Error('aborted'));
      });
    });

  /** Fires the timers that are due. */
  fireTimers(): void {
    const due = this.#sleepers.filter(({ atMs }) => atMs <= this.readNowMs());
    this.#sleepers = this.#sleepers.filter((sleeper) => !due.includes(sleeper));
    for (const { wake } of due) wake();
  }
}
