// A disk in memory that can lose power: it knows, sector by sector, what is synced and what is only written. It can be told
// to fail at a certain write or sync, and it counts them.

import assert from 'node:assert/strict';
import type { JournalFile, JournalFiles } from '../../lib/ledger/journal-files.ts';
import type { TestRandom } from '../packets/seed.ts';

export const SECTOR_BYTES = 512;

/** What fails next, and how. */
interface Fault {
  operation: 'write' | 'sync';
  /** How many of these are left until it fails; 1 is the next. */
  countdown: number;
  code: string;
  /** Bytes that a write still does, up to the end of a sector: kernels copy page by page. */
  writtenBytes: number;
}

/** One file: as programs see it, and as it would be after a crash that loses all that is not synced. */
class Content {
  bytes = new Uint8Array(0);
  size = 0;
  syncedBytes = new Uint8Array(0);
  syncedSize = 0;
  /** Sectors that differ, perhaps. */
  readonly written = new Set<number>();

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    this.#reserve(end);
    this.bytes.set(bytes, position);
    this.size = Math.max(this.size, end);
    this.#mark(position, end);
  }

  /** Writes no sector but the one it cuts: a file that has its old size after a crash has its old content there. */
  truncate(size: number): void {
    this.#reserve(size);
    this.bytes.fill(0, size);
    if (size % SECTOR_BYTES !== 0) this.#mark(size, size + 1);
    this.size = size;
  }

  sync(): void {
    for (const sector of this.written) this.#keep(sector);
    this.syncedBytes.fill(0, this.size);
    this.syncedSize = this.size;
    this.written.clear();
  }

  /** Of what is not synced, every sector and the size reach the disk or not. */
  crash(random: TestRandom): void {
    for (const sector of this.written) if (random.below(2) === 0) this.#keep(sector);
    if (this.size !== this.syncedSize) {
      const between = Math.min(this.size, this.syncedSize) + random.below(Math.abs(this.size - this.syncedSize) + 1);
      this.syncedSize = this.size < this.syncedSize ? random.pick([this.size, this.syncedSize]) : between;
    }
    this.size = this.syncedSize;
    this.bytes = new Uint8Array(this.bytes.length);
    this.bytes.set(this.syncedBytes.subarray(0, this.size));
    this.syncedBytes = this.bytes.slice();
    this.written.clear();
  }

  #reserve(size: number): void {
    if (size <= this.bytes.length) return;
    const length = Math.ceil(Math.max(size, this.bytes.length * 2) / SECTOR_BYTES) * SECTOR_BYTES;
    this.bytes = resized(this.bytes, length);
    this.syncedBytes = resized(this.syncedBytes, length);
  }

  #mark(from: number, to: number): void {
    for (let at = from - (from % SECTOR_BYTES); at < to; at += SECTOR_BYTES) this.written.add(at);
  }

  #keep(sector: number): void {
    this.syncedBytes.set(this.bytes.subarray(sector, sector + SECTOR_BYTES), sector);
  }
}

/** See the head of this file. */
export class FakeDisk implements JournalFiles {
  /** Operations that were asked for so far. */
  writes = 0;
  syncs = 0;
  /** What was done, in order. */
  readonly steps: string[] = [];
  #files = new Map<string, Content>();
  /** The directory as it is on the disk. */
  #syncedFiles = new Map<string, Content>();
  #fault: Fault | undefined;

  /** Makes the `nth` write or sync from now on fail with an error of the system, once. */
  failAt(operation: 'write' | 'sync', nth: number, code: string, writtenBytes = 0): void {
    this.#fault = { operation, countdown: nth, code, writtenBytes };
  }

  /** Loses power, and comes back with what was synced and a random part of the rest. */
  crash(random: TestRandom): void {
    const names = new Set([...this.#files.keys(), ...this.#syncedFiles.keys()]);
    const left = new Map<string, Content>();
    for (const name of names) {
      const content = this.#files.get(name);
      const synced = this.#syncedFiles.get(name);
      const kept = content === synced ? content : random.pick([content, synced]);
      if (kept !== undefined) left.set(name, kept);
    }
    for (const content of left.values()) content.crash(random);
    this.#files = left;
    this.#syncedFiles = new Map(left);
    this.#fault = undefined;
  }

  /** A copy of a file, for a test to look at. */
  contentOf(name: string): Uint8Array {
    const content = this.#get(name);
    return content.bytes.slice(0, content.size);
  }

  /** Puts a file there as if it had always been. */
  put(name: string, bytes: Uint8Array): void {
    const content = new Content();
    content.write(bytes, 0);
    content.sync();
    this.#files.set(name, content);
    this.#syncedFiles.set(name, content);
  }

  list(): string[] {
    return [...this.#files.keys()].sort();
  }

  create(name: string): JournalFile {
    if (this.#files.has(name)) throw systemError('EEXIST');
    this.steps.push(`create ${name}`);
    this.#files.set(name, new Content());
    return this.open(name);
  }

  open(name: string): JournalFile {
    return new FakeFile(this, name, this.#get(name));
  }

  read(name: string, position: number, into: Uint8Array): number {
    const { bytes, size } = this.#get(name);
    const part = bytes.subarray(Math.min(position, size), Math.min(position + into.length, size));
    into.set(part);
    return part.length;
  }

  size(name: string): number {
    return this.#get(name).size;
  }

  remove(name: string): void {
    this.#get(name);
    this.#files.delete(name);
  }

  syncDirectory(): void {
    this.onSync('directory');
    this.#syncedFiles = new Map(this.#files);
  }

  close(): void {}

  /** To be called by a file before it writes: how much of it, before which error. */
  onWrite(name: string, length: number, position: number): { bytes: number; error: Error | undefined } {
    this.writes++;
    this.steps.push(`write ${name} at ${position}`);
    const fault = this.#strike('write');
    if (fault === undefined) return { bytes: length, error: undefined };
    const end = position + Math.min(length, fault.writtenBytes);
    return { bytes: Math.max(end - (end % SECTOR_BYTES) - position, 0), error: systemError(fault.code) };
  }

  onSync(name: string): void {
    this.syncs++;
    this.steps.push(`sync ${name}`);
    const fault = this.#strike('sync');
    if (fault !== undefined) throw systemError(fault.code);
  }

  #strike(operation: Fault['operation']): Fault | undefined {
    const fault = this.#fault;
    if (fault?.operation !== operation || --fault.countdown > 0) return undefined;
    this.#fault = undefined;
    return fault;
  }

  #get(name: string): Content {
    const content = this.#files.get(name);
    if (content === undefined) throw systemError('ENOENT');
    return content;
  }
}

class FakeFile implements JournalFile {
  readonly #disk: FakeDisk;
  readonly #name: string;
  readonly #content: Content;
  #isOpen = true;

  constructor(disk: FakeDisk, name: string, content: Content) {
    this.#disk = disk;
    this.#name = name;
    this.#content = content;
  }

  write(bytes: Uint8Array, position: number): void {
    assert(this.#isOpen, 'a closed file is not written');
    const done = this.#disk.onWrite(this.#name, bytes.length, position);
    this.#content.write(bytes.subarray(0, done.bytes), position);
    if (done.error !== undefined) throw done.error;
  }

  sync(): void {
    assert(this.#isOpen, 'a closed file is not synced');
    this.#disk.onSync(this.#name);
    this.#content.sync();
  }

  truncate(bytes: number): void {
    assert(this.#isOpen, 'a closed file is not cut');
    this.#disk.steps.push(`truncate ${this.#name} to ${bytes}`);
    this.#content.truncate(bytes);
  }

  close(): void {
    assert(this.#isOpen, 'a file is closed once');
    this.#isOpen = false;
  }
}

function resized(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const resized = new Uint8Array(length);
  resized.set(bytes.subarray(0, length));
  return resized;
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the test asked for`), { code });
}
