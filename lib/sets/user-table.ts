// The users of one worker's SETs: who is logged in where, and what each has. One row a user, in typed arrays that grow.

/** Returned by `rowOf` for a user who was never here, and by `ensureRow` when there is no room. */
export const NO_ROW = -1;

/** In `acceptors`: not logged in. */
export const NO_SESSION = -1;

const FIRST_ROWS = 1024;

/** Owned by one worker. Rows are never given back: a balance stays. */
export class UserTable {
  /** Rows in use. */
  size = 0;
  userIds = new Int32Array(FIRST_ROWS);
  /** Where the session is: acceptor (NO_SESSION for none), connection index, and that index's generation. */
  acceptors = new Int16Array(FIRST_ROWS);
  connections = new Int32Array(FIRST_ROWS);
  generations = new Int32Array(FIRST_ROWS);
  /** 1 for an extended session. */
  rich = new Uint8Array(FIRST_ROWS);
  /** Cents, a whole number up to 2^53. */
  balances = new Float64Array(FIRST_ROWS);
  /** Cents of the balance that are held for sends under way. */
  held = new Float64Array(FIRST_ROWS);
  readonly #rows = new Map<number, number>();
  readonly #maxRows: number;

  constructor(maxRows: number) {
    this.#maxRows = maxRows;
  }

  /** The row of a user, or NO_ROW. */
  rowOf(userId: number): number {
    return this.#rows.get(userId) ?? NO_ROW;
  }

  /** The row of a user, made if need be; NO_ROW when the table is full. */
  ensureRow(userId: number): number {
    const known = this.#rows.get(userId);
    if (known !== undefined) return known;
    if (this.size === this.#maxRows) return NO_ROW;
    if (this.size === this.userIds.length) this.#grow();
    const row = this.size++;
    this.userIds[row] = userId;
    this.acceptors[row] = NO_SESSION;
    this.#rows.set(userId, row);
    return row;
  }

  /** Tells whether the user's session is the one on this connection. */
  isSessionOf(row: number, acceptor: number, connection: number, generation: number): boolean {
    return (
      this.acceptors[row] === acceptor && this.connections[row] === connection && this.generations[row] === generation
    );
  }

  #grow(): void {
    const rows = 2 * this.userIds.length;
    this.userIds = copyInto(new Int32Array(rows), this.userIds);
    this.acceptors = copyInto(new Int16Array(rows), this.acceptors);
    this.connections = copyInto(new Int32Array(rows), this.connections);
    this.generations = copyInto(new Int32Array(rows), this.generations);
    this.rich = copyInto(new Uint8Array(rows), this.rich);
    this.balances = copyInto(new Float64Array(rows), this.balances);
    this.held = copyInto(new Float64Array(rows), this.held);
  }
}

function copyInto<T extends Int32Array | Int16Array | Uint8Array | Float64Array>(into: T, from: T): T {
  into.set(from);
  return into;
}
