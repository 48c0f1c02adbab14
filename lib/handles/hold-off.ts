// How long something that did not pay is left alone: for some occasions, and for twice as many each time it happens again.

const LEAST = 16;
const MOST = 4096;

/** Owned by one thread. */
export class HoldOff {
  #left = 0;
  #next = LEAST;

  /** An occasion to try it. Returns whether to leave it alone this time. */
  // HOT
  skips(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }

  /** It was tried and has paid: the next failure costs half as many occasions. */
  // HOT
  countGain(): void {
    this.#next = Math.max(LEAST, this.#next >> 1);
  }

  /** It was tried in vain. */
  countLoss(): void {
    this.#left = this.#next;
    this.#next = Math.min(MOST, this.#next << 1);
  }
}
