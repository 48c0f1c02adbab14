// What holds a campaign back, beside its own numbers: what an operator asked for that no record says.

/** Of one drop or send. */
export interface Hold {
  /** Nothing is released or created. */
  isPaused?: boolean;
  /** It does not begin before this, in Unix milliseconds. */
  startMs?: number;
  /** A send that creates no more; a drop that is being closed. */
  isCutShort?: boolean;
  /** A send puts no more cents than these into packets. */
  capCents?: number;
  /** Users that each packet of a send goes to; as many as it has shares if left out. */
  recipients?: number;
}

/** The holds of all drops, or of all sends, by id; whoever keeps them is told of every change, before it takes effect. */
export class CampaignHolds {
  readonly #byId = new Map<number, Hold>();
  /** Those of earlier runs whose campaigns have not been taken up. */
  readonly #earlier = new Map<number, Hold>();
  /** What is kept may hold campaigns that are still to come. */
  #holdsAhead = false;
  /** Makes durable what `entries` gives; throws if that fails. */
  keep: () => void = () => {};

  get(id: number): Hold {
    return this.#byId.get(id) ?? {};
  }

  /** Holds a campaign that is about to begin; by nothing as well, if what is kept may still hold it. @throws as change */
  begin(id: number, hold: Hold): void {
    if (Object.keys(hold).length > 0 || this.#holdsAhead) this.change(id, hold);
  }

  /** Holds a campaign in another way. @throws what `keep` does; the hold is as before then */
  change(id: number, change: Hold): void {
    const before = this.#byId.get(id);
    this.#set(id, { ...before, ...change });
    // All that go on have been taken up by now: the others are over.
    this.#earlier.clear();
    try {
      this.keep();
      this.#holdsAhead = false;
    } catch (error) {
      this.#set(id, before ?? {});
      // It may have come as far as the disk.
      this.#holdsAhead = true;
      throw error;
    }
  }

  /** The same, kept with the next change: for what follows from what is kept already. */
  note(id: number, change: Hold): void {
    this.#set(id, { ...this.#byId.get(id), ...change });
  }

  /** Those of earlier runs; of campaigns that never came to be, none. @param lastId of the last campaign there was */
  restore(entries: Iterable<readonly [number, Hold]>, lastId: number): void {
    for (const [id, hold] of entries) {
      if (id <= lastId) this.#earlier.set(id, hold);
      else this.#holdsAhead = true;
    }
  }

  /** A campaign of an earlier run goes on: so does its hold. */
  takeUp(id: number): void {
    this.#set(id, this.#earlier.get(id) ?? {});
    this.#earlier.delete(id);
  }

  entries(): [number, Hold][] {
    return [...this.#earlier, ...this.#byId];
  }

  /** A campaign is over: its hold is forgotten at the next change. @param needed of it, for ever */
  forget(id: number, needed: Hold = {}): void {
    this.#set(id, needed);
  }

  #set(id: number, hold: Hold): void {
    const kept = Object.fromEntries(Object.entries(hold).filter(([, value]) => value !== undefined && value !== false));
    if (Object.keys(kept).length === 0) this.#byId.delete(id);
    else this.#byId.set(id, kept);
  }
}
