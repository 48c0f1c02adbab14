// The packets that each user has been told of, or is to be told of, and has not grabbed: a short list a user.
//
// A packet stays on the list until the user has grabbed at it or it is over; it is told again at each login, because a
// notice that was written to a connection may never have been read. All lists share one pool of linked cells.

const NONE = -1;
const FIRST_CELLS = 1024;
/** What a length can be: 16 bits. */
const MOST_COUNTED = 0xffff;

/** Owned by one worker. Rows are those of its UserTable. */
export class NoticeLists {
  #heads = new Int32Array(FIRST_CELLS).fill(NONE);
  #lengths = new Uint16Array(FIRST_CELLS);
  #packets = new Int32Array(FIRST_CELLS);
  #next = new Int32Array(FIRST_CELLS);
  #usedCells = 0;
  #freeCell = NONE;
  readonly #maxLength: number;

  /** @param maxLength how many packets one user's list holds, at most 65,535 */
  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** How many packets are on a user's list. */
  count(row: number): number {
    return row < this.#lengths.length ? this.#lengths[row] : 0;
  }

  /** Puts a packet on a user's list. Returns false, and does nothing, when the list is full. */
  add(row: number, packetId: number): boolean {
    if (this.count(row) >= this.#maxLength) return false;
    this.force(row, packetId);
    return true;
  }

  /** Puts a packet on a user's list even if that is full; nothing happens once no more can be counted. */
  force(row: number, packetId: number): void {
    this.#growRows(row);
    if (this.#lengths[row] === MOST_COUNTED) return;
    const cell = this.#takeCell();
    this.#packets[cell] = packetId;
    this.#next[cell] = this.#heads[row];
    this.#heads[row] = cell;
    this.#lengths[row]++;
  }

  /** Takes a packet off a user's list; nothing happens if it is not on it. */
  remove(row: number, packetId: number): void {
    this.keep(row, (other) => other !== packetId);
  }

  /** Takes the oldest packet off a user's list, which is not empty. Returns it. */
  removeOldest(row: number): number {
    let left = this.#lengths[row];
    let oldest = NONE;
    this.keep(row, (packetId) => {
      oldest = packetId;
      return --left > 0;
    });
    return oldest;
  }

  /** Calls `isKept` for each packet of a user, the latest first, and takes those off for which it says false. */
  keep(row: number, isKept: (packetId: number) => boolean): void {
    if (row >= this.#lengths.length) return;
    let previous = NONE;
    for (let cell = this.#heads[row]; cell !== NONE; ) {
      const next = this.#next[cell];
      if (isKept(this.#packets[cell])) {
        previous = cell;
      } else {
        if (previous === NONE) this.#heads[row] = next;
        else this.#next[previous] = next;
        this.#lengths[row]--;
        this.#next[cell] = this.#freeCell;
        this.#freeCell = cell;
      }
      cell = next;
    }
  }

  #takeCell(): number {
    if (this.#freeCell !== NONE) {
      const cell = this.#freeCell;
      this.#freeCell = this.#next[cell];
      return cell;
    }
    if (this.#usedCells === this.#packets.length) {
      this.#packets = doubled(this.#packets);
      this.#next = doubled(this.#next);
    }
    return this.#usedCells++;
  }

  #growRows(row: number): void {
    while (row >= this.#lengths.length) {
      const heads = doubled(this.#heads);
      heads.fill(NONE, this.#heads.length);
      this.#heads = heads;
      const lengths = new Uint16Array(heads.length);
      lengths.set(this.#lengths);
      this.#lengths = lengths;
    }
  }
}

function doubled(cells: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(2 * cells.length);
  grown.set(cells);
  return grown;
}
