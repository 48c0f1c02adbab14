// The run log: everything that a run showed, one JSON value a line, so that its charts can be drawn again later.
//
// Main thread. A run is a file `NAME.ndjson` in the directory of runs, and when that has grown `NAME.1.ndjson` and so on.
// The first line of each file is a `run`, the others are what came. Writing goes in the background; a disk that fails
// stops the log, which is said once, and nothing else.

import { createWriteStream, mkdirSync, readdirSync, rmSync, statSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Sample } from './sample.ts';

/** What was run, and on what. */
export interface RunHeader {
  name: string;
  /** ISO 8601. */
  startedAt: string;
  /** The program and its version. */
  program: string;
  machine: { cpus: number; cpu: string; memoryBytes: number; platform: string; node: string };
}

/** A moment that charts are to show, such as the beginning of a phase of an experiment. */
export interface RunMark {
  /** Unix milliseconds. */
  atMs: number;
  text: string;
}

/** The judgement of an experiment. */
export interface RunVerdict {
  isPassed: boolean;
  /** Of each check: what was wanted, what was reached, and whether that is enough. */
  checks: { what: string; target: string; reached: string; isPassed: boolean }[];
  /** Counts of both ends; money is in cents. */
  bothEnds: { what: string; client: number; server: number; isCents: boolean }[];
}

export type RunLogLine =
  | ({ type: 'run' } & RunHeader)
  | { type: 'sample'; sample: Sample }
  | ({ type: 'mark' } & RunMark)
  | ({ type: 'verdict' } & RunVerdict);

/** Bytes after which a run goes on in another file. */
const FILE_BYTES = 64 * 1024 * 1024;

/** Bytes of all runs together that are kept: the oldest files go first. Some hundred hours of one server. */
const KEPT_BYTES = 1024 * 1024 * 1024;

/** Bytes that wait for a slow disk; past them, lines are dropped and counted. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

export interface RunLogParts {
  directory: string;
  header: RunHeader;
  /** Told once, when nothing more can be written. */
  onError: (error: Error) => void;
  /** Only tests give others. */
  fileBytes?: number;
  keptBytes?: number;
}

/** Writes the log of one run. */
export class RunLog {
  readonly #parts: Required<RunLogParts>;
  #stream: WriteStream | undefined;
  /** Of each file that is not closed yet: when it is. */
  readonly #closings = new Set<Promise<void>>();
  #hasFailed = false;
  #file = 0;
  #bytes = 0;
  /** Lines that were dropped because the disk was too slow. */
  dropped = 0;

  /** @throws {Error} when the directory cannot be used */
  constructor(parts: RunLogParts) {
    this.#parts = { fileBytes: FILE_BYTES, keptBytes: KEPT_BYTES, ...parts };
    mkdirSync(parts.directory, { recursive: true });
    this.#open();
  }

  /** The first file of the run. */
  get path(): string {
    return this.#pathOf(0);
  }

  write(line: RunLogLine): void {
    if (this.#stream === undefined) return;
    if (this.#stream.writableLength > MOST_WAITING_BYTES) {
      this.dropped++;
      return;
    }
    if (this.#bytes > this.#parts.fileBytes) {
      this.#stream.end();
      this.#file++;
      this.#open();
    }
    this.#append(line);
  }

  /** Resolves when everything is with the system, in all files. */
  async close(): Promise<void> {
    this.#stream?.end();
    this.#stream = undefined;
    await Promise.all(this.#closings);
  }

  #open(): void {
    this.#bytes = 0;
    const stream = createWriteStream(this.#pathOf(this.#file), { flags: 'wx', mode: 0o640 });
    stream.once('error', (error) => this.#fail(error));
    const closing = new Promise<void>((resolve) => stream.once('close', resolve)).then(() => {
      this.#closings.delete(closing);
    });
    this.#closings.add(closing);
    this.#stream = stream;
    this.#append({ type: 'run', ...this.#parts.header });
    this.#deleteOldest();
  }

  #fail(error: Error): void {
    this.#stream?.end();
    this.#stream = undefined;
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#parts.onError(error);
  }

  #append(line: RunLogLine): void {
    const text = `${JSON.stringify(line)}\n`;
    this.#bytes += Buffer.byteLength(text);
    this.#stream!.write(text);
  }

  #pathOf(file: number): string {
    const { directory, header } = this.#parts;
    return join(directory, file === 0 ? `${header.name}.ndjson` : `${header.name}.${file}.ndjson`);
  }

  #deleteOldest(): void {
    const { directory, keptBytes } = this.#parts;
    const present = this.#pathOf(this.#file);
    try {
      const files = readdirSync(directory)
        .filter((name) => name.endsWith('.ndjson'))
        .map((name) => join(directory, name))
        .filter((path) => path !== present)
        .map((path) => ({ path, stat: statSync(path) }))
        .sort((a, b) => b.stat.mtimeMs - a.stat.mtimeMs);
      let kept = 0;
      for (const { path, stat } of files) {
        kept += stat.size;
        if (kept > keptBytes) rmSync(path, { force: true });
      }
    } catch (error) {
      this.#parts.onError(error as Error);
    }
  }
}
