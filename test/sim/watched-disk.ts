// The disk of the simulation, as one run of a server sees it: a FakeDisk that tells of each write and sync.

import type { JournalFile, JournalFiles } from '../../lib/ledger/journal-files.ts';
import type { FakeDisk } from '../ledger/fake-disk.ts';

export interface DiskEvents {
  /** The disk is about to work, or has worked: other threads may run meanwhile. */
  onWork(): void;
  /** All that was written to this file is on the disk from now on. */
  onSynced(name: string): void;
}

export class WatchedDisk implements JournalFiles {
  readonly #disk: FakeDisk;
  readonly #events: DiskEvents;

  constructor(disk: FakeDisk, events: DiskEvents) {
    this.#disk = disk;
    this.#events = events;
  }

  list(): string[] {
    return this.#disk.list();
  }

  create(name: string): JournalFile {
    return this.#watch(name, this.#disk.create(name));
  }

  open(name: string): JournalFile {
    return this.#watch(name, this.#disk.open(name));
  }

  read(name: string, position: number, into: Uint8Array): number {
    return this.#disk.read(name, position, into);
  }

  size(name: string): number {
    return this.#disk.size(name);
  }

  remove(name: string): void {
    this.#disk.remove(name);
  }

  syncDirectory(): void {
    this.#disk.syncDirectory();
  }

  close(): void {
    this.#disk.close();
  }

  #watch(name: string, file: JournalFile): JournalFile {
    const events = this.#events;
    return {
      write: (bytes, position) => {
        events.onWork();
        file.write(bytes, position);
      },
      sync: () => {
        events.onWork();
        file.sync();
        events.onSynced(name);
        events.onWork();
      },
      truncate: (bytes) => file.truncate(bytes),
      close: () => file.close(),
    };
  }
}
