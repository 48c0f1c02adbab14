// Makes sure that one server at a time uses a data directory: a lock that ends with its process, however that ends.

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { LedgerError } from './ledger-error.ts';

const LOCK_NAME = 'lock';

/** Held until `release`, or the end of the process. */
export class DataLock {
  readonly #database: DatabaseSync;

  /**
   * The lock is SQLite's own on an empty database: the system's file lock, and between servers of one process its own.
   * @throws {LedgerError} locked
   */
  constructor(data: string) {
    this.#database = new DatabaseSync(join(data, LOCK_NAME));
    try {
      this.#database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    } catch (error) {
      this.#database.close();
      throw new LedgerError('locked', `another server uses the data directory ${data}`, { cause: error });
    }
  }

  release(): void {
    this.#database.close();
  }
}
