// Writes journals for the tests of the audit, from docs/JOURNAL.md alone, right or wrong in one chosen place.

import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';

/** A record: its type and the words of its payload. */
export interface Entry {
  type: number;
  words: number[];
}

/** What is to be wrong with a batch. `after` changes it when the checksums are made. */
export interface BatchFault {
  batch?: number;
  firstSequence?: number;
  timeMs?: number;
  chain?: Buffer;
  after?: (bytes: Buffer) => void;
}

/** What is to be wrong with the header of a segment. */
export interface SegmentFault {
  segment?: number;
  batch?: number;
  sequence?: number;
  node?: number;
  chain?: Buffer;
}

/** Where a segment goes on from: what opening.sqlite has to say. */
export interface Joint {
  segment: number;
  batch: number;
  sequence: number;
  chain: Buffer;
  timeMs: number;
}

const HEADER_BYTES = 84;
const NO_CHAIN = Buffer.alloc(32);

export class JournalMaker {
  readonly directory: string;
  #segment = 0;
  #parts: Buffer[] = [];
  #batch = 1;
  #sequence = 1;
  #timeMs = 1_700_000_000_000;
  #chain: Buffer = NO_CHAIN;

  /** @param directory becomes a data directory */
  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(join(directory, 'journal'), { recursive: true });
    this.beginSegment();
  }

  get joint(): Joint {
    const { length } = this.#parts;
    const segment = this.#segment + (length > 1 ? 1 : 0);
    return { segment, batch: this.#batch, sequence: this.#sequence, chain: this.#chain, timeMs: this.#timeMs };
  }

  beginSegment(fault: SegmentFault = {}): void {
    this.#segment++;
    const header = Buffer.alloc(HEADER_BYTES);
    header.write('HBJOURN1', 'latin1');
    header.writeUInt32LE(1, 8);
    header.writeUInt32LE(fault.node ?? 0, 12);
    header.writeUInt32LE(fault.segment ?? this.#segment, 16);
    header.writeBigUInt64LE(BigInt(fault.batch ?? this.#batch), 24);
    header.writeBigUInt64LE(BigInt(fault.sequence ?? this.#sequence), 32);
    header.writeBigUInt64LE(BigInt(this.#timeMs), 40);
    header.set(fault.chain ?? this.#chain, 48);
    header.writeUInt32LE(crc32(header.subarray(0, 80)), 80);
    this.#parts = [header];
  }

  /** Adds a batch of these records. Returns where in the segment it begins. */
  addBatch(entries: readonly Entry[], fault: BatchFault = {}): number {
    const firstSequence = fault.firstSequence ?? this.#sequence;
    const records = entries.map((entry, i) => makeRecord(entry, firstSequence + i));
    const bytes = Buffer.concat([Buffer.alloc(76), ...records, Buffer.from('DONE')]);
    this.#timeMs = fault.timeMs ?? this.#timeMs + 1;
    this.#batch = fault.batch ?? this.#batch;
    bytes.write('BTCH', 'latin1');
    bytes.writeUInt32LE(bytes.length, 4);
    bytes.writeBigUInt64LE(BigInt(this.#batch), 8);
    bytes.writeBigUInt64LE(BigInt(firstSequence), 16);
    bytes.writeUInt32LE(entries.length, 24);
    bytes.writeBigUInt64LE(BigInt(this.#timeMs), 32);
    bytes.set(fault.chain ?? this.#chain, 40);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 72)), 72);
    this.#chain = createHash('sha256').update(bytes).digest();
    fault.after?.(bytes);
    const at = this.#parts.reduce((sum, part) => sum + part.length, 0);
    this.#parts.push(bytes);
    this.#batch++;
    this.#sequence = firstSequence + entries.length;
    return at;
  }

  /** Writes the segment that was begun last. Returns its path. @param more bytes behind the last batch */
  endSegment(more: Uint8Array = Buffer.alloc(0)): string {
    const path = join(this.directory, 'journal', `${String(this.#segment).padStart(10, '0')}.journal`);
    writeFileSync(path, Buffer.concat([...this.#parts, more]));
    return path;
  }
}

function makeRecord({ type, words }: Entry, sequence: number): Buffer {
  const bytes = Buffer.alloc(20 + words.length * 4);
  bytes.writeUInt32LE(bytes.length);
  bytes.writeUInt32LE(type, 4);
  bytes.writeBigUInt64LE(BigInt(sequence), 8);
  words.forEach((word, i) => {
    bytes.writeUInt32LE(word, 16 + i * 4);
  });
  bytes.writeUInt32LE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  return bytes;
}

function wordsOf(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32LE(i * 4));
}

function u64(value: number): number[] {
  return [value % 2 ** 32, Math.floor(value / 2 ** 32)];
}

function f64(value: number): number[] {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return wordsOf(bytes);
}

function text(value: string): number[] {
  const bytes = Buffer.from(value);
  return [bytes.length, ...wordsOf(Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]))];
}

/** The seed 00 01 ... 1f, from which 1000 cents in three lucky shares of 1 to 20,000 are 256, 508, 236. */
export const SEED = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
export const AMOUNTS = [256, 508, 236];

export const HOUSE = 0xffffffff;

export interface DropTerms {
  drop: number;
  count?: number;
  winsPerUser?: number;
  min?: number;
  max?: number;
  firstNumber?: number;
  budget?: number;
  seed?: Buffer;
}

export function dropOpen(terms: DropTerms): Entry {
  const {
    drop,
    count = 3,
    winsPerUser = 0,
    min = 1,
    max = 20_000,
    firstNumber = 0,
    budget = 1000,
    seed = SEED,
  } = terms;
  const fixed = [
    drop,
    count,
    winsPerUser,
    min,
    max,
    firstNumber,
    ...f64(200),
    ...u64(budget),
    ...u64(1_700_000_000_000),
  ];
  return { type: 1, words: [...fixed, ...wordsOf(seed)] };
}

export function win(drop: number, number: number, packet: number, user: number, amount: number): Entry {
  return { type: 2, words: [drop, number, packet, user, amount] };
}

export function dropClose(drop: number, won: number, refund: number): Entry {
  return { type: 3, words: [drop, won, ...u64(refund)] };
}

export interface SendTerms {
  send: number;
  count?: number;
  shares?: number;
  mode?: number;
  low?: number;
  high?: number;
}

export function sendOpen({ send, count = 2, shares = 3, mode = 0, low = 1000, high = 1000 }: SendTerms): Entry {
  const fixed = [send, count, shares, mode, 0, 99, 60, low, high, 0, ...f64(200), ...u64(1_700_000_000_000)];
  return { type: 4, words: [...fixed, ...wordsOf(SEED)] };
}

export interface PacketTerms {
  packet: number;
  send?: number;
  index?: number;
  sender?: number;
  total?: number;
  shares?: number;
  mode?: number;
  min?: number;
  max?: number;
  source?: number;
  reservation?: number;
  invited?: number[];
  key?: string;
  note?: string;
  seed?: Buffer;
}

export function packetOpen(terms: PacketTerms): Entry {
  const { packet, send = 0, index = 0, sender = HOUSE, total = 1000, shares = 3, mode = 0, min = 1 } = terms;
  const { max = 20_000, source = 0, reservation = 0, invited = [], key = '', note = '', seed = SEED } = terms;
  const fixed = [packet, send, index, sender, total, shares, mode, min, max, 1_700_000_000, 1_700_086_400, source];
  const lists = [invited.length, ...invited, ...text(key), ...text(note)];
  return { type: 5, words: [...fixed, ...u64(reservation), ...wordsOf(seed), ...lists] };
}

export function grab(packet: number, share: number, user: number, amount: number): Entry {
  return { type: 6, words: [packet, share, user, amount] };
}

export function packetClose(packet: number, taken: number, refund: number): Entry {
  return { type: 7, words: [packet, taken, refund] };
}

export function topUp(user: number, cents: number, key = ''): Entry {
  return { type: 8, words: [user, 0, ...u64(cents), ...text(key)] };
}

export function withdraw(user: number, cents: number, key = ''): Entry {
  return { type: 9, words: [user, 0, ...u64(cents), ...text(key)] };
}

export function noticeDropped(user: number, packet: number): Entry {
  return { type: 10, words: [user, packet] };
}

export function reserve(user: number, cents: number, reservation: number, key = ''): Entry {
  return { type: 11, words: [user, cents, ...u64(reservation), ...text(key)] };
}

export function settle(outcome: number, reservation: number): Entry {
  return { type: 12, words: [outcome, 0, ...u64(reservation)] };
}

/** What an SQLite file beside the journal holds. */
export interface BalanceFile {
  joint: Joint;
  funding: number;
  users: [user: number, cents: number][];
  records?: { sequence: number; entry: Entry }[];
}

/** Writes opening.sqlite or snapshot.sqlite. */
export function writeBalanceFile(path: string, { joint, funding, users, records = [] }: BalanceFile): void {
  const database = new DatabaseSync(path);
  database.exec(`
    CREATE TABLE meta (key TEXT PRIMARY KEY, value);
    CREATE TABLE users (id INTEGER PRIMARY KEY, cents INTEGER);
    CREATE TABLE records (sequence INTEGER PRIMARY KEY, type INTEGER, payload BLOB);
  `);
  const meta = database.prepare('INSERT INTO meta VALUES (?, ?)');
  meta.run('next_segment', joint.segment);
  meta.run('next_batch', joint.batch);
  meta.run('next_sequence', joint.sequence);
  meta.run('chain', joint.chain);
  meta.run('time_ms', joint.timeMs);
  meta.run('funding', funding);
  const user = database.prepare('INSERT INTO users VALUES (?, ?)');
  for (const [id, cents] of users) user.run(id, cents);
  const record = database.prepare('INSERT INTO records VALUES (?, ?, ?)');
  for (const { sequence, entry } of records) {
    record.run(sequence, entry.type, makeRecord(entry, sequence).subarray(16, -4));
  }
  database.close();
}
