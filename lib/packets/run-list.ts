// Finds room for a few long runs of words in one arena: first fit between the runs in use.

interface Run {
  first: number;
  words: number;
}

/** Owned by one thread. For tens of runs; each call looks through all of them. */
export class RunList {
  readonly #words: number;
  /** Ascending, never overlapping. */
  readonly #runs: Run[] = [];

  constructor(words: number) {
    this.#words = words;
  }

  /** The first word of a free run of `words` words, or -1 if there is no gap that long. */
  take(words: number): number {
    let first = 0;
    let index = 0;
    for (; index < this.#runs.length; index++) {
      const run = this.#runs[index];
      if (run.first - first >= words) break;
      first = run.first + run.words;
    }
    if (first + words > this.#words) return -1;
    this.#runs.splice(index, 0, { first, words });
    return first;
  }

  /** Frees the run that begins at `first`. */
  give(first: number): void {
    const index = this.#runs.findIndex((run) => run.first === first);
    if (index >= 0) this.#runs.splice(index, 1);
  }
}
