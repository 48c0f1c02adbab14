// The server that is fuzzed, as the fuzzer sees it: a process of its own over data of its own.

import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { formatFinding } from '../audit/findings.ts';
import { runAudit } from '../audit/run-audit.ts';
import { countOpenFiles, readResidentBytes } from '../proc-stat.ts';
import { ServeProcess } from '../serve-process.ts';

/** What a run needs of a server. */
export interface FuzzTarget {
  readonly port: number;
  readonly controlUrl: string;
  /** What it wrote into its log as an error. */
  readonly errors: readonly string[];
  /** Resolves with its last words if it ends by itself. */
  readonly ended: Promise<string>;
  /** Its resident memory in bytes, and its open files. */
  look(): { residentBytes: number; openFiles: number };
  /** Stops it in good order. @throws {Error} if it does not end so */
  stop(): Promise<void>;
  /** What an audit of its journal finds. */
  audit(): Promise<string[]>;
}

/** From here on a line of the log tells of an error. */
const ERROR_LEVEL = 50;
const KEPT_ERRORS = 20;

/** Starts a server. @param directory gets its data and its log @param name tells several of one run apart */
export async function startTarget(directory: string, name: string): Promise<FuzzTarget> {
  const data = join(directory, name);
  mkdirSync(data, { recursive: true });
  const log = createWriteStream(join(directory, `${name}.log`), { flags: 'a' });
  const errors: string[] = [];
  const server = new ServeProcess(['--data', data, '--report-seconds=0'], (line) => keep(line, log, errors));
  await server.awaitServing();
  return {
    port: server.port,
    controlUrl: server.controlUrl,
    errors,
    ended: server.ended,
    look: () => ({ residentBytes: readResidentBytes(server.pid), openFiles: countOpenFiles(server.pid) }),
    stop: () => server.stop().finally(() => log.end()),
    audit: () => audit(data),
  };
}

function keep(line: string, log: WriteStream, errors: string[]): void {
  log.write(`${line}\n`);
  const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? ERROR_LEVEL);
  if (level >= ERROR_LEVEL && errors.length < KEPT_ERRORS) errors.push(line.slice(0, 1000));
}

async function audit(data: string): Promise<string[]> {
  const { findings, differenceCents } = await runAudit(data, { threads: 1 });
  const found = findings.map(formatFinding);
  if (differenceCents !== 0) found.push(`the difference is ${differenceCents} cents`);
  return found;
}
