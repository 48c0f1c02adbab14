// An audit of a data directory: segments are checked in a pool of threads, several at once, and booked here in their order.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Piscina } from 'piscina';
import { UsageError } from '../usage-error.ts';
import type { SegmentAnswer, SegmentTask } from './audit-task.ts';
import type { Balances } from './balance-file.ts';
import type { BalanceAnswer, BalanceTask } from './balance-task.ts';
import { Books, type KindTotals, OPENING_FILE, SNAPSHOT_FILE } from './books.ts';
import { type Finding, FindingList } from './findings.ts';
import { CHAIN_BYTES, RECORD_NAMES } from './journal-format.ts';
import type { JournalEnd, SegmentReport } from './segment-parser.ts';

const SEGMENT_NAME = /^(\d{10})\.journal$/;

/** Segments that may be checked and wait to be booked, besides those that threads are at: each has its records in memory. */
const WAITING_SEGMENTS = 2;

export interface AuditOptions {
  threads: number;
  /** Told after each segment how many bytes of the journal are read and booked, and of how many. */
  onProgress?: (bytes: number, ofBytes: number) => void;
}

export interface AuditResult {
  kinds: Record<'funding' | 'users' | 'drops' | 'packets', KindTotals>;
  differenceCents: number;
  /** Records booked, by the name of their type. */
  records: Record<string, number>;
  batches: number;
  segments: number;
  firstSegment: number;
  bytes: number;
  tornBytes: number;
  /** The last segment that opening.sqlite stands for; 0 = the journal is there from its beginning. */
  openingSegments: number;
  /** What could not be read, so that the books end before it. */
  booksEndBefore: number | undefined;
  snapshotSequence: number | undefined;
  findings: Finding[];
  findingCount: number;
  seconds: number;
}

/** The files of a journal. */
export interface JournalFiles {
  segments: { segment: number; path: string }[];
  opening: string | undefined;
  snapshot: string | undefined;
}

/** Finds the journal. @param directory a server's data directory, or the journal directory in it */
export function findJournal(directory: string): JournalFiles {
  const inside = join(directory, 'journal');
  const isData = existsSync(inside) && statSync(inside).isDirectory();
  const journal = isData ? inside : directory;
  const names = listFiles(journal);
  const segments = names
    .map((name) => ({ segment: Number(SEGMENT_NAME.exec(name)?.[1] ?? 0), path: join(journal, name) }))
    .filter(({ segment }) => segment > 0)
    .sort((a, b) => a.segment - b.segment);
  if (segments.length === 0) throw new UsageError(`there is no journal in ${directory}`);
  const path = resolve(directory);
  const data = isData ? path : basename(path) === 'journal' ? dirname(path) : undefined;
  const beside = (name: string) => (data !== undefined && existsSync(join(data, name)) ? join(data, name) : undefined);
  return { segments, opening: beside(OPENING_FILE), snapshot: beside(SNAPSHOT_FILE) };
}

function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(code === 'ENOENT' ? `there is no directory ${directory}` : `cannot read it: ${message}`);
  }
}

/** Audits the journal in a directory. @throws {UsageError} when there is none, or its beginning is missing */
export async function runAudit(directory: string, { threads, onProgress }: AuditOptions): Promise<AuditResult> {
  const started = performance.now();
  const { opening, snapshot } = findJournal(directory);
  const pool = new Piscina({
    filename: taskFile('audit-task'),
    minThreads: 0,
    maxThreads: threads,
    idleTimeout: 1000,
    execArgv: [],
  });
  try {
    const audit = new Audit(pool, threads, onProgress ?? (() => {}));
    // The snapshot first, then the list of segments: a server that runs has by then written all that the snapshot knows.
    if (snapshot !== undefined) await audit.readSnapshot(snapshot);
    await audit.readJournal(findJournal(directory).segments, opening, directory);
    return audit.result((performance.now() - started) / 1000);
  } finally {
    await pool.destroy();
  }
}

/** A task beside this file, which is TypeScript in the checkout and JavaScript in the package. */
function taskFile(name: string): string {
  return new URL(`./${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href;
}

class Audit {
  readonly #pool: Piscina;
  readonly #threads: number;
  readonly #onProgress: NonNullable<AuditOptions['onProgress']>;
  readonly #findings = new FindingList();
  readonly #books = new Books(this.#findings);
  #end: JournalEnd = { batch: 1, sequence: 1, chain: '00'.repeat(CHAIN_BYTES), timeMs: 0 };
  #node: number | undefined;
  #snapshotSequence: number | undefined;
  #nextSequence = 1;
  #firstSegment = 1;
  #openingSegments = 0;
  #booksEndBefore: number | undefined;
  #segments = 0;
  #batches = 0;
  #bytes = 0;
  #tornBytes = 0;

  constructor(pool: Piscina, threads: number, onProgress: NonNullable<AuditOptions['onProgress']>) {
    this.#pool = pool;
    this.#threads = threads;
    this.#onProgress = onProgress;
  }

  async readSnapshot(path: string): Promise<void> {
    const answer = await this.#readBalances({ path, file: SNAPSHOT_FILE, records: false });
    if (answer?.balances === undefined) return;
    this.#snapshotSequence = answer.balances.nextSequence;
    this.#books.expect(answer.balances);
  }

  async readJournal(found: JournalFiles['segments'], opening: string | undefined, directory: string): Promise<void> {
    let segments = found;
    if (found[0].segment > 1) {
      const balances = await this.#readOpening(found[0].segment, opening, directory);
      if (balances === undefined) return;
      segments = found.filter(({ segment }) => segment >= balances.nextSegment);
    }
    await this.#readSegments(segments);
    this.#books.finish(this.#nextSequence, this.#booksEndBefore === undefined);
  }

  result(seconds: number): AuditResult {
    const records = RECORD_NAMES.map((name, type) => [name, this.#books.records[type]]).slice(1);
    return {
      kinds: this.#books.totals,
      differenceCents: this.#books.differenceCents,
      records: Object.fromEntries(records),
      batches: this.#batches,
      segments: this.#segments,
      firstSegment: this.#firstSegment,
      bytes: this.#bytes,
      tornBytes: this.#tornBytes,
      openingSegments: this.#openingSegments,
      booksEndBefore: this.#booksEndBefore,
      snapshotSequence: this.#snapshotSequence,
      findings: this.#findings.kept,
      findingCount: this.#findings.count,
      seconds,
    };
  }

  async #readOpening(first: number, path: string | undefined, directory: string): Promise<Balances | undefined> {
    if (path === undefined) {
      const missing = `the journal in ${directory} begins with segment ${first}`;
      throw new UsageError(`${missing}: neither segment 1 nor ${OPENING_FILE} is there to begin with`);
    }
    const answer = await this.#readBalances({ path, file: OPENING_FILE, records: true });
    if (answer === undefined) return undefined;
    const { balances, digest, findings } = answer;
    this.#findings.addAll(findings);
    if (balances === undefined) {
      this.#findings.add({ file: OPENING_FILE }, `nothing is in it, and the journal begins with segment ${first}`);
      return undefined;
    }
    this.#books.openWith(balances, digest);
    const { nextBatch, nextSequence, chain, timeMs } = balances;
    this.#end = { batch: nextBatch, sequence: nextSequence, chain, timeMs };
    this.#nextSequence = nextSequence;
    this.#openingSegments = balances.nextSegment - 1;
    this.#firstSegment = balances.nextSegment;
    return balances;
  }

  /** The answer of the pool, or undefined with a finding when the file cannot be read. */
  async #readBalances(task: BalanceTask): Promise<BalanceAnswer | undefined> {
    try {
      return (await this.#pool.run(task, { filename: taskFile('balance-task') })) as BalanceAnswer;
    } catch (error) {
      const reason = (error as Error).message.replace(/\s+/g, ' ');
      this.#findings.add({ file: task.file }, `it cannot be read: ${reason}`);
      return undefined;
    }
  }

  /** Checks the segments in the pool, so many ahead of the books, and books them in order. */
  async #readSegments(segments: JournalFiles['segments']): Promise<void> {
    const ahead = this.#threads + WAITING_SEGMENTS;
    const sizes = segments.map(({ path }) => statSync(path, { throwIfNoEntry: false })?.size ?? 0);
    const allBytes = sizes.reduce((sum, size) => sum + size, 0);
    let bytes = 0;
    const answers: Promise<SegmentAnswer>[] = [];
    const start = (index: number): void => {
      if (index >= segments.length) return;
      const task: SegmentTask = { ...segments[index], last: index === segments.length - 1 };
      answers[index] = this.#pool.run(task);
      answers[index].catch(() => {});
    };
    for (let i = 0; i < ahead; i++) start(i);
    let expected = this.#firstSegment;
    if (segments.length === 0) this.#addMissing(expected, expected);
    for (let i = 0; i < segments.length; i++) {
      const { segment } = segments[i];
      if (segment !== expected) this.#addMissing(expected, segment - 1);
      try {
        const { report, digest } = await answers[i];
        this.#take(report, digest);
      } catch (error) {
        this.#addUnreadable(segment, error as NodeJS.ErrnoException);
      }
      delete answers[i];
      start(i + ahead);
      expected = segment + 1;
      bytes += sizes[i];
      this.#onProgress(bytes, allBytes);
    }
  }

  #take(report: SegmentReport, digest: SegmentAnswer['digest']): void {
    this.#segments++;
    this.#batches += report.batches;
    this.#bytes += report.bytes;
    this.#tornBytes += report.tornBytes;
    this.#findings.addAll(report.findings);
    if (report.unwritten && !report.damaged) return;
    this.#joinTo(report);
    if (this.#booksEndBefore === undefined) {
      this.#books.book(report.segment, digest);
      this.#nextSequence = report.end.sequence ?? this.#nextSequence;
    }
    if (report.damaged) this.#booksEndBefore ??= report.segment;
    this.#end = report.end;
  }

  /** Checks that a segment goes on where the one before it ended. */
  #joinTo({ segment, start, firstTimeMs }: SegmentReport): void {
    if (start === undefined) return;
    const { batch, sequence, chain, timeMs } = this.#end;
    const place = { segment };
    if ((batch !== undefined && start.batch !== batch) || (sequence !== undefined && start.sequence !== sequence)) {
      const found = `it begins with batch ${start.batch} and record ${start.sequence}`;
      this.#findings.add(place, `${found}, and must with batch ${batch} and record ${sequence}`);
      this.#booksEndBefore ??= segment;
    } else if (chain !== undefined && start.chain !== chain) {
      this.#findings.add(place, 'the chain is broken: it does not follow the last batch of the segment before');
    } else if (timeMs !== undefined && firstTimeMs !== undefined && firstTimeMs < timeMs) {
      this.#findings.add(place, 'its time is below that of the segment before');
    }
    if (this.#node !== undefined && start.node !== this.#node) {
      this.#findings.add(place, `node ${start.node} wrote it, and node ${this.#node} the segments before`);
    }
    this.#node ??= start.node;
  }

  #addMissing(first: number, last: number): void {
    this.#findings.add({ segment: first }, first === last ? 'it is missing' : `it and all up to ${last} are missing`);
    this.#loseTrack(first);
  }

  /** A file that the system does not give: it was deleted meanwhile, or the disk is bad. A fault of the audit is thrown on. */
  #addUnreadable(segment: number, error: NodeJS.ErrnoException): void {
    if (error.syscall === undefined) throw error;
    this.#findings.add({ segment }, `it cannot be read: ${error.message}`);
    this.#loseTrack(segment);
  }

  #loseTrack(segment: number): void {
    this.#booksEndBefore ??= segment;
    this.#end = { batch: undefined, sequence: undefined, chain: undefined, timeMs: undefined };
  }
}
