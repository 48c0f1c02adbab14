// Keeps friends, asks and groups in SQLite, in the service's own thread: they are there again after a restart.
//
// A change is with the system when the call returns, so it survives the process; after a power cut the last ones may be missing.

import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { BookLoader, BookStore } from './chat-book.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS friends (low INTEGER NOT NULL, high INTEGER NOT NULL, PRIMARY KEY (low, high)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS asks (from_id INTEGER NOT NULL, to_id INTEGER NOT NULL, PRIMARY KEY (from_id, to_id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS groups (group_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS members (group_id INTEGER NOT NULL, user_id INTEGER NOT NULL, PRIMARY KEY (group_id, user_id)) WITHOUT ROWID;
`;

/** The version of the schema, in the file's user_version. */
const VERSION = 1;

/** Owned by one thread. */
export class SqliteBookStore implements BookStore {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param path of the file, made if it is missing; ':memory:' keeps nothing @throws {Error} it cannot be read, or is of a newer version */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    const { user_version: version } = this.#database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > VERSION) throw new Error(`${path} was written by a newer version`);
    this.#database.exec(`${SCHEMA} PRAGMA user_version = ${VERSION};`);
  }

  addFriends(userId: number, otherId: number): void {
    this.#run('INSERT OR IGNORE INTO friends VALUES (?, ?)', Math.min(userId, otherId), Math.max(userId, otherId));
  }

  removeFriends(userId: number, otherId: number): void {
    this.#run('DELETE FROM friends WHERE low = ? AND high = ?', Math.min(userId, otherId), Math.max(userId, otherId));
  }

  addAsk(fromId: number, toId: number): void {
    this.#run('INSERT OR IGNORE INTO asks VALUES (?, ?)', fromId, toId);
  }

  removeAsk(fromId: number, toId: number): void {
    this.#run('DELETE FROM asks WHERE from_id = ? AND to_id = ?', fromId, toId);
  }

  addGroup(groupId: number, name: string): void {
    this.#run('INSERT INTO groups VALUES (?, ?)', groupId, name);
  }

  addMembers(groupId: number, userIds: readonly number[]): void {
    for (const userId of userIds) this.#run('INSERT OR IGNORE INTO members VALUES (?, ?)', groupId, userId);
  }

  removeMember(groupId: number, userId: number, isLast: boolean): void {
    this.#run('DELETE FROM members WHERE group_id = ? AND user_id = ?', groupId, userId);
    if (isLast) this.#run('DELETE FROM groups WHERE group_id = ?', groupId);
  }

  load(book: BookLoader): void {
    for (const { low, high } of this.#all('SELECT low, high FROM friends')) book.loadFriends(low, high);
    for (const { from_id, to_id } of this.#all('SELECT from_id, to_id FROM asks')) book.loadAsk(from_id, to_id);
    const groups = this.#database.prepare('SELECT group_id, name FROM groups').all();
    for (const { group_id, name } of groups) book.loadGroup(Number(group_id), String(name));
    for (const { group_id, user_id } of this.#all('SELECT group_id, user_id FROM members')) {
      book.loadMember(group_id, user_id);
    }
    for (const { seq } of this.#all("SELECT seq FROM sqlite_sequence WHERE name = 'groups'")) book.loadLastGroup(seq);
  }

  together(change: () => void): void {
    this.#database.exec('BEGIN');
    try {
      change();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  #run(sql: string, ...values: (number | string)[]): void {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    statement.run(...values);
  }

  #all(sql: string): Iterable<Record<string, number>> {
    return this.#database.prepare(sql).iterate() as Iterable<Record<string, number>>;
  }
}
