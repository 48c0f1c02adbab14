// Sorts the replies of one batch by connection, so that all replies to one connection leave in one write.
//
// Each connection's replies keep their order; connections come in the order of their first reply. Linked lists in typed
// arrays: adding and walking cost the same for each reply, whatever the number of connections.

/** Ends a walk. */
export const NONE = -1;

const FIRST_REPLIES = 1024;

/** Owned by one acceptor. Replies are named by their place in the batch. */
export class ReplyGroups {
  /** By connection: the batch in which it was last seen, and its latest reply then. */
  readonly #batchOf: Int32Array;
  readonly #tails: Int32Array;
  /** By place: the next reply of the same connection. */
  #next = new Int32Array(FIRST_REPLIES);
  /** The first reply of each connection, in order, and how many connections there are. */
  #heads = new Int32Array(FIRST_REPLIES);
  #headCount = 0;
  #batch = 0;
  /** Which connection the walk is at. */
  #walked = 0;

  /** @param connections how many connections there can be */
  constructor(connections: number) {
    this.#batchOf = new Int32Array(connections);
    this.#tails = new Int32Array(connections);
  }

  /** Begins a new batch. */
  // HOT
  clear(): void {
    this.#batch = (this.#batch + 1) | 0;
    this.#headCount = 0;
  }

  /** Adds the reply at a place of the batch; places ascend. */
  // HOT
  add(connection: number, place: number): void {
    if (place >= this.#next.length) this.#grow(place);
    this.#next[place] = NONE;
    if (this.#batchOf[connection] === this.#batch) {
      this.#next[this.#tails[connection]] = place;
    } else {
      this.#batchOf[connection] = this.#batch;
      this.#heads[this.#headCount++] = place;
    }
    this.#tails[connection] = place;
  }

  /** The first reply, or NONE. */
  // HOT
  first(): number {
    this.#walked = 0;
    return this.#headCount === 0 ? NONE : this.#heads[0];
  }

  /** The reply behind another one, or NONE. */
  // HOT
  after(place: number): number {
    const next = this.#next[place];
    if (next !== NONE) return next;
    this.#walked++;
    return this.#walked < this.#headCount ? this.#heads[this.#walked] : NONE;
  }

  #grow(place: number): void {
    const length = 2 ** Math.ceil(Math.log2(place + 1));
    const next = new Int32Array(length);
    next.set(this.#next);
    this.#next = next;
    const heads = new Int32Array(length);
    heads.set(this.#heads);
    this.#heads = heads;
  }
}
