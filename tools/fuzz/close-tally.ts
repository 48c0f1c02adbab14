// Holds the closes that a server counted, by reason, against the connections that the fuzzer saw end.

/** What a server counted: GET /status. */
export interface ServerCloses {
  accepted: number;
  closed: Partial<Record<string, number>>;
}

export class CloseTally {
  /** Connections in all. */
  connections = 0;
  /** By reason: connections that can only have had this one. */
  readonly #certain = new Map<string, number>();
  /** By reason: connections that can have had it. */
  readonly #possible = new Map<string, number>();

  /** A connection has ended, for one of these reasons. */
  add(reasons: ReadonlySet<string>): void {
    this.connections++;
    for (const reason of reasons) {
      this.#possible.set(reason, (this.#possible.get(reason) ?? 0) + 1);
      if (reasons.size === 1) this.#certain.set(reason, (this.#certain.get(reason) ?? 0) + 1);
    }
  }

  /** What does not add up, as sentences. @param before what the server had counted before the first of them */
  compare(before: ServerCloses, after: ServerCloses): string[] {
    const wrong: string[] = [];
    const accepted = after.accepted - before.accepted;
    if (accepted !== this.connections) wrong.push(`the server accepted ${accepted} connections of ${this.connections}`);
    const reasons = new Set([...Object.keys(after.closed), ...this.#possible.keys()]);
    let sum = 0;
    for (const reason of reasons) {
      const count = (after.closed[reason] ?? 0) - (before.closed[reason] ?? 0);
      sum += count;
      const low = this.#certain.get(reason) ?? 0;
      const high = this.#possible.get(reason) ?? 0;
      if (count < low || count > high)
        wrong.push(`the server counted ${count} closes for ${reason}, not ${low} to ${high}`);
    }
    if (sum !== this.connections) wrong.push(`the server counted ${sum} closes of ${this.connections}`);
    return wrong;
  }
}
