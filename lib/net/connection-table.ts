// The connections of one acceptor: their state in typed arrays, by index. An index is reused; its generation is not.

/** Where a connection stands. */
export const ConnectionState = {
  FREE: 0,
  /** Open; nothing asked yet. */
  NEW: 1,
  /** LOGIN or HELLO is under way to the user's worker. */
  LOGGING_IN: 2,
  LOGGED_IN: 3,
  /** We are closing it: what still arrives is thrown away, what is queued still leaves. */
  CLOSING: 4,
} as const;
export type ConnectionState = (typeof ConnectionState)[keyof typeof ConnectionState];

/** Returned by `open` when every index is in use. */
export const NO_CONNECTION = -1;

export const NO_USER = -1;

/** Owned by one acceptor. */
export class ConnectionTable {
  readonly capacity: number;
  readonly states: Uint8Array;
  readonly generations: Int32Array;
  /** Whom the connection logged in as, or asked to; NO_USER before. */
  readonly userIds: Int32Array;
  /** The user's SET. */
  readonly sets: Int32Array;
  /** 1 for an extended session: the form of the last login that was answered, or of the first words before that. */
  readonly rich: Uint8Array;
  /** Requests under way to workers. */
  readonly inFlight: Uint16Array;
  /** The same for chat, which is counted apart. */
  readonly chatInFlight: Uint8Array;
  /** What its address is counted by: see admission.ts. */
  readonly addressHashes: Int32Array;
  /** The second in which the present state with a time limit began. */
  readonly sinceTick: Int32Array;
  /** The second in which something last arrived. */
  readonly heardTick: Int32Array;
  /** The second of the last shake, and the shakes in it; kept only while shakes are limited. */
  readonly shakeTick: Int32Array;
  readonly shakesInTick: Uint16Array;
  /** The second in which an extended session was last asked for patience; 0 for never. */
  readonly toldTick: Int32Array;
  readonly #free: Int32Array;
  #freeCount: number;
  /** Indexes at or above this one were never used. */
  #highWater = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.states = new Uint8Array(capacity);
    this.generations = new Int32Array(capacity);
    this.userIds = new Int32Array(capacity);
    this.sets = new Int32Array(capacity);
    this.rich = new Uint8Array(capacity);
    this.inFlight = new Uint16Array(capacity);
    this.chatInFlight = new Uint8Array(capacity);
    this.addressHashes = new Int32Array(capacity);
    this.sinceTick = new Int32Array(capacity);
    this.heardTick = new Int32Array(capacity);
    this.shakeTick = new Int32Array(capacity);
    this.shakesInTick = new Uint16Array(capacity);
    this.toldTick = new Int32Array(capacity);
    this.#free = new Int32Array(capacity);
    this.#freeCount = 0;
  }

  /** Indexes to look at when looking at all connections. */
  get highWater(): number {
    return this.#highWater;
  }

  /** Takes an index for a new connection, or returns NO_CONNECTION. */
  open(tick: number, addressHash: number): number {
    if (this.#freeCount === 0 && this.#highWater === this.capacity) return NO_CONNECTION;
    const connection = this.#freeCount > 0 ? this.#free[--this.#freeCount] : this.#highWater++;
    this.states[connection] = ConnectionState.NEW;
    this.userIds[connection] = NO_USER;
    this.rich[connection] = 0;
    this.inFlight[connection] = 0;
    this.chatInFlight[connection] = 0;
    this.addressHashes[connection] = addressHash;
    this.sinceTick[connection] = tick;
    this.heardTick[connection] = tick;
    this.shakeTick[connection] = 0;
    this.shakesInTick[connection] = 0;
    this.toldTick[connection] = 0;
    return connection;
  }

  /** Gives an index back. Replies that are still under way to it will find another generation. */
  release(connection: number): void {
    this.states[connection] = ConnectionState.FREE;
    this.generations[connection] = (this.generations[connection] + 1) | 0;
    this.#free[this.#freeCount++] = connection;
  }

  /** Tells whether a reply for this index and generation still has somebody to go to. */
  // HOT
  isLive(connection: number, generation: number): boolean {
    return this.generations[connection] === generation && this.states[connection] !== ConnectionState.FREE;
  }
}
