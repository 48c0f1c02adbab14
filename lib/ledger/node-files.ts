// The journal's directory on a real disk. All calls block: for threads that may.

import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { JournalFile, JournalFiles } from './journal-files.ts';
import { segmentNumber } from './segment-layout.ts';

const NONE = -1;

/** Files that are not segments are left alone and not listed. */
export class NodeFiles implements JournalFiles {
  readonly #directory: string;
  /** The file that was read last stays open. */
  #readName = '';
  #readDescriptor = NONE;

  /** @param directory made, for good, if it is not there */
  constructor(directory: string) {
    this.#directory = resolve(directory);
    const made = mkdirSync(this.#directory, { recursive: true });
    if (made === undefined) return;
    const top = dirname(made);
    for (let path = this.#directory; path !== top; path = dirname(path)) syncPath(dirname(path));
  }

  list(): string[] {
    return readdirSync(this.#directory)
      .filter((name) => segmentNumber(name) !== 0)
      .sort();
  }

  create(name: string): JournalFile {
    return new NodeFile(openSync(join(this.#directory, name), 'wx'));
  }

  open(name: string): JournalFile {
    return new NodeFile(openSync(join(this.#directory, name), 'r+'));
  }

  read(name: string, position: number, into: Uint8Array): number {
    if (this.#readName !== name) {
      this.close();
      this.#readDescriptor = openSync(join(this.#directory, name), 'r');
      this.#readName = name;
    }
    let done = 0;
    while (done < into.length) {
      const count = readSync(this.#readDescriptor, into, done, into.length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  size(name: string): number {
    return statSync(join(this.#directory, name)).size;
  }

  remove(name: string): void {
    if (this.#readName === name) this.close();
    unlinkSync(join(this.#directory, name));
  }

  syncDirectory(): void {
    syncPath(this.#directory);
  }

  close(): void {
    if (this.#readDescriptor === NONE) return;
    closeSync(this.#readDescriptor);
    this.#readDescriptor = NONE;
    this.#readName = '';
  }
}

class NodeFile implements JournalFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  write(bytes: Uint8Array, position: number): void {
    let done = 0;
    while (done < bytes.length) {
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
    }
  }

  sync(): void {
    fdatasyncSync(this.#descriptor);
  }

  truncate(bytes: number): void {
    ftruncateSync(this.#descriptor, bytes);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Makes the names in a directory durable. */
function syncPath(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
