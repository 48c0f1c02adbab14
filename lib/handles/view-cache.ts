// Views of the outgoing buffer, made once: a write needs a view of exactly its bytes, and most writes begin at the same
// places and have the same few lengths.

/** Views that are kept begin at multiples of this: two shake results fit between. */
export const VIEW_STEP_BYTES = 64;

/** Owned by one thread. */
export class ViewCache {
  #bytes: Uint8Array = new Uint8Array(0);
  /** The latest view that began at each step. */
  #views: (Uint8Array | undefined)[] = [];

  /** The view of `bytes` from `start` to `end`. The caller keeps those bytes as they are until they are written. */
  // HOT
  get(bytes: Uint8Array, start: number, end: number): Uint8Array {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#views = new Array(Math.ceil(bytes.length / VIEW_STEP_BYTES)).fill(undefined);
    }
    const step = start / VIEW_STEP_BYTES;
    const view = this.#views[step];
    if (view !== undefined && view.length === end - start) return view;
    const made = new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
    // Only in whole steps: another place is not an index.
    if (Number.isInteger(step)) this.#views[step] = made;
    return made;
  }
}
