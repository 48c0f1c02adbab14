// Completions of an io_uring that are here and not yet asked for: first in, first out.
//
// The ring itself is emptied at every call into the kernel, as what was not sent has to be told at once; what has been read
// waits here for its turn.

/** user_data, result and flags of each. */
const WORDS = 3;

/** Room to begin with. */
const COMPLETIONS = 1024;

/** Owned by one thread. */
export class CompletionBacklog {
  /** The completion that `take` has given. */
  data = 0;
  result = 0;
  flags = 0;
  #words = new Int32Array(WORDS * COMPLETIONS);
  #start = 0;
  #end = 0;

  /** How many wait. */
  // HOT
  get length(): number {
    return (this.#end - this.#start) / WORDS;
  }

  /** How many have room before more memory is taken. */
  get capacity(): number {
    return this.#words.length / WORDS;
  }

  // HOT
  append(data: number, result: number, flags: number): void {
    if (this.#end === this.#words.length) this.#makeRoom();
    const place = this.#end;
    this.#words[place] = data;
    this.#words[place + 1] = result;
    this.#words[place + 2] = flags;
    this.#end = place + WORDS;
  }

  /** Takes the oldest into the fields. False if there is none. */
  // HOT
  take(): boolean {
    const place = this.#start;
    if (place === this.#end) return false;
    this.data = this.#words[place];
    this.result = this.#words[place + 1];
    this.flags = this.#words[place + 2];
    this.#start = place + WORDS;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
    return true;
  }

  /** Moves what waits to the front if half of the room is free there; otherwise doubles it. */
  #makeRoom(): void {
    const words = this.#start < this.#words.length / 2 ? new Int32Array(2 * this.#words.length) : this.#words;
    words.set(this.#words.subarray(this.#start, this.#end));
    this.#words = words;
    this.#end -= this.#start;
    this.#start = 0;
  }
}
