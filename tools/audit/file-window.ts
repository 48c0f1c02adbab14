// A window that moves over a file: what a reader of batches needs of it is in memory, never the whole file.

import { readSync } from 'node:fs';
import { MOST_BATCH_BYTES } from './journal-format.ts';

/** Read at once; past the largest batch, so that a refill always makes room. */
const READ_AHEAD_BYTES = 2 ** 20;

export class FileWindow {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly #descriptor: number;
  readonly #fileBytes: number;
  /** Where in the file the window begins, and how many bytes of it are read. */
  #from = 0;
  #filled = 0;

  constructor(descriptor: number, fileBytes: number) {
    this.#descriptor = descriptor;
    this.#fileBytes = fileBytes;
    this.bytes = Buffer.allocUnsafeSlow(Math.min(fileBytes + 4, MOST_BATCH_BYTES + READ_AHEAD_BYTES));
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }

  /** Reads so that the file's bytes from `position` on, `count` many if the file has them, are in the window; at most
   * the largest batch. Gives where in the window they begin. */
  show(position: number, count: number): number {
    const end = Math.min(position + count, this.#fileBytes);
    const inside = position >= this.#from && position <= this.#from + this.#filled;
    if (!inside) this.forget();
    if (this.#filled === 0) this.#from = position;
    if (end > this.#from + this.bytes.length) this.#moveTo(position);
    while (this.#from + this.#filled < end && this.#fill() > 0);
    return position - this.#from;
  }

  /** How many bytes from `position` on are in the window. */
  available(position: number): number {
    return Math.max(0, this.#from + this.#filled - position);
  }

  /** What was read is read again when it is next asked for. */
  forget(): void {
    this.#filled = 0;
  }

  #moveTo(position: number): void {
    const start = position - this.#from;
    this.bytes.copyWithin(0, start, this.#filled);
    this.#from = position;
    this.#filled -= start;
  }

  #fill(): number {
    const room = Math.min(this.bytes.length - this.#filled, READ_AHEAD_BYTES);
    const from = this.#from + this.#filled;
    const count = Math.min(room, this.#fileBytes - from);
    const read = count <= 0 ? 0 : readSync(this.#descriptor, this.bytes, this.#filled, count, from);
    this.#filled += read;
    return read;
  }
}
