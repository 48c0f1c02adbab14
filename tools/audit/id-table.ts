// Users by id: an open hash of ids to places 0, 1, 2, ..., without the bound of 2^24 entries that a Map has, and a sparse
// set of numbers.

const NONE = -1;
const FIRST_BITS = 6;

/** Gives each id (0 to 2^31 - 1) a place of its own: 0, 1, 2, ... in the order in which they come. */
export class IdTable {
  #bits = FIRST_BITS;
  #buckets = new Int32Array(2 ** FIRST_BITS).fill(NONE);
  #ids = new Int32Array(2 ** FIRST_BITS / 2);
  size = 0;

  /** The place of an id, or -1. */
  find(id: number): number {
    return this.#buckets[this.#bucketOf(id)];
  }

  /** The place of an id, which is given one if it has none. */
  add(id: number): number {
    const bucket = this.#bucketOf(id);
    if (this.#buckets[bucket] !== NONE) return this.#buckets[bucket];
    const place = this.size++;
    this.#ids[place] = id;
    this.#buckets[bucket] = place;
    if (this.size === this.#ids.length) this.#grow();
    return place;
  }

  /** The id at a place below `size`. */
  idAt(place: number): number {
    return this.#ids[place];
  }

  /** The bucket that the id is in, or would be. Half of them are empty, so there is an end. */
  #bucketOf(id: number): number {
    // HOT
    const mask = this.#buckets.length - 1;
    let bucket = Math.imul(id, 0x9e3779b1) >>> (32 - this.#bits);
    while (this.#buckets[bucket] !== NONE && this.#ids[this.#buckets[bucket]] !== id) bucket = (bucket + 1) & mask;
    return bucket;
  }

  #grow(): void {
    const ids = new Int32Array(this.#ids.length * 2);
    ids.set(this.#ids);
    this.#ids = ids;
    this.#bits++;
    this.#buckets = new Int32Array(2 ** this.#bits).fill(NONE);
    for (let place = 0; place < this.size; place++) this.#buckets[this.#bucketOf(ids[place])] = place;
  }
}

const PAGE_SHIFT = 12;
const PAGE_MASK = 2 ** PAGE_SHIFT - 1;

/** A set of whole numbers below 2^32, at a bit each where they lie close together. */
export class NumberSet {
  readonly #pages = new Map<number, Uint8Array>();

  has(number: number): boolean {
    const page = this.#pages.get(number >>> PAGE_SHIFT);
    return page !== undefined && (page[(number & PAGE_MASK) >>> 3] & (1 << (number & 7))) !== 0;
  }

  add(number: number): void {
    let page = this.#pages.get(number >>> PAGE_SHIFT);
    if (page === undefined) {
      page = new Uint8Array(2 ** PAGE_SHIFT / 8);
      this.#pages.set(number >>> PAGE_SHIFT, page);
    }
    page[(number & PAGE_MASK) >>> 3] |= 1 << (number & 7);
  }
}
