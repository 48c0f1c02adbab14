// When replies leave: right after each read while little happens, or together at the end of the loop's turn when much does.
//
// A write to a peer that sleeps wakes it, and waking costs more than the write. Replies that leave one behind the other find
// the peer awake after the first; so under load a turn's reads come first, and its writes after them. With one read in a
// turn there is nothing to gain, and the end of a turn costs something to wait for: then each read is answered at once.

/** Reads a turn from which on replies wait for its end, and below which they do no more. */
const DEFER_READS = 4;
const HURRY_READS = 2;

/** While replies leave at once: after how many reads one turn is watched, to see how many reads it has. */
const WATCH_EVERY = 32;

/** The share of the latest turn in the average, as a power of two. */
const AVERAGE_SHARE = 1 / 4;

/** What is told when a turn ends. */
export interface TurnListener {
  /** Whether the end of every turn is to be told, and not only of some. */
  readonly isOn: boolean;
  /** @param newReads reads since the end that was told last @param turnReads reads of this turn alone */
  endTurn(newReads: number, turnReads: number): void;
}

/** Owned by one acceptor. */
export class FlushRule {
  readonly #onTurnEnd: () => void;
  readonly #afterTurn: TurnListener;
  readonly #whenTurnEnds: (call: () => void) => void;
  #isDeferring = false;
  #isWatching = false;
  #unwatchedReads = 0;
  #turnReads = 0;
  #averageReads = 0;

  /**
   * @param onTurnEnd sends what waits
   * @param afterTurn is told the end of a turn after that
   * @param whenTurnEnds calls back once all reads of the present turn are done
   */
  constructor(onTurnEnd: () => void, afterTurn: TurnListener, whenTurnEnds: (call: () => void) => void = setImmediate) {
    this.#onTurnEnd = onTurnEnd;
    this.#afterTurn = afterTurn;
    this.#whenTurnEnds = whenTurnEnds;
  }

  /** Counts a read that is over. Returns true if its replies are to leave now. */
  // HOT
  countRead(): boolean {
    if (!this.#isWatching) {
      if (++this.#unwatchedReads < WATCH_EVERY && !this.#isDeferring && !this.#afterTurn.isOn) return true;
      this.#isWatching = true;
      this.#turnReads = 0;
      this.#whenTurnEnds(this.#endTurn);
    }
    this.#turnReads++;
    return !this.#isDeferring;
  }

  readonly #endTurn = (): void => {
    const newReads = this.#unwatchedReads + this.#turnReads - 1;
    this.#isWatching = false;
    this.#unwatchedReads = 0;
    this.#averageReads += (this.#turnReads - this.#averageReads) * AVERAGE_SHARE;
    this.#isDeferring = this.#averageReads >= (this.#isDeferring ? HURRY_READS : DEFER_READS);
    this.#onTurnEnd();
    this.#afterTurn.endTurn(newReads, this.#turnReads);
  };
}
