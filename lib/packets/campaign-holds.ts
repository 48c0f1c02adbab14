// What holds a campaign back, beside its own numbers: what an operator asked for that no record says.

/** Of one drop or send. */
export interface Hold {
  /** Nothing is released or created. */
  isPaused?: boolean;
  /** It does not begin before this, in Unix milliseconds. */
  startMs?: number;
  /** A send that creates no more. */
  isCutShort?: boolean;
  /** A send puts no more cents than these into packets. */
  capCents?: number;
  /** Users that each packet of a send goes to; as many as it has shares if left out. */
  recipients?: number;
}

/** The holds of all drops, or of all sends, by id; whoever keeps them is told of every change, before it takes effect. */
export class CampaignHolds {
  readonly #byId = new Map<number, Hold>();
  /** Makes durable what `entries` gives; throws if that fails. */
  keep: () => void = () => {};

  get(id: number): Hold {
    return this.#byId.get(id) ?? {};
  }

  /** Holds a campaign in another way. @throws what `keep` does; the hold is as before then */
  change(id: number, change: Hold): void {
    const before = this.#byId.get(id);
    this.#set(id, { ...before, ...change });
    try {
      this.keep();
    } catch (error) {
      this.#set(id, before ?? {});
      throw error;
    }
  }

  /** The same, kept with the next change: for what follows from what is kept already. */
  note(id: number, change: Hold): void {
    this.#set(id, { ...this.#byId.get(id), ...change });
  }

  /** Takes up those of earlier runs; of campaigns that never came to be, none. @param lastId of the last campaign there was */
  restore(entries: Iterable<readonly [number, Hold]>, lastId: number): void {
    for (const [id, hold] of entries) if (id <= lastId) this.#set(id, hold);
  }

  entries(): [number, Hold][] {
    return [...this.#byId];
  }

  /** A campaign is over: what is not needed any more is forgotten at the next change. */
  forget(id: number): void {
    // That a send was cut short is needed for ever: its records look as if it went on.
    const { isCutShort } = this.get(id);
    this.#set(id, isCutShort ? { isCutShort } : {});
  }

  #set(id: number, hold: Hold): void {
    const kept = Object.fromEntries(Object.entries(hold).filter(([, value]) => value !== undefined && value !== false));
    if (Object.keys(kept).length === 0) this.#byId.delete(id);
    else this.#byId.set(id, kept);
  }
}
