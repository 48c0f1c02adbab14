// Finds the run log that a user means, reads it, and judges what it says: a log may come from anywhere.

import { readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type Run, readRun } from '../../lib/monitor/run-reader.ts';
import { UsageError } from '../usage-error.ts';

/** Where a server's or an experiment's directory has its runs. */
const RUNS_DIRECTORY = 'runs';

const LOG_NAME = /\.ndjson$/;
/** Of the files in which a long run goes on. */
const CONTINUED_NAME = /\.\d+(?=\.ndjson$)/;

const headerSchema = z.object({
  name: z.string(),
  startedAt: z.string(),
  program: z.string(),
  machine: z.object({
    cpus: z.number(),
    cpu: z.string(),
    memoryBytes: z.number(),
    platform: z.string(),
    node: z.string(),
  }),
});

const markSchema = z.object({ atMs: z.number(), text: z.string() });

const verdictSchema = z.object({
  isPassed: z.boolean(),
  checks: z.array(z.object({ what: z.string(), target: z.string(), reached: z.string(), isPassed: z.boolean() })),
  bothEnds: z.array(z.object({ what: z.string(), client: z.number(), server: z.number(), isCents: z.boolean() })),
});

/**
 * The first file of a run.
 * @param place a run log; or a directory: then the newest run in it, or else in its sub-directory of runs
 * @throws {UsageError} when there is none
 */
export function findRun(place: string): string {
  const stat = statOf(place);
  if (stat === undefined) throw new UsageError(`there is no ${place}`);
  if (!stat.isDirectory()) return place;
  const newest = newestRun(place) ?? newestRun(join(place, RUNS_DIRECTORY));
  if (newest === undefined) throw new UsageError(`there is no run log (NAME.ndjson) in ${place}`);
  return newest;
}

/**
 * Reads a run, without the marks and the verdict that are none.
 * @throws {UsageError} when the file cannot be read or is no run log
 */
export async function loadRun(path: string): Promise<Run> {
  let run: Run;
  try {
    run = await readRun(path);
  } catch (error) {
    throw new UsageError(`cannot read the run: ${(error as Error).message}`);
  }
  if (!headerSchema.safeParse(run.header).success) {
    throw new UsageError(`cannot read the run: ${path} is not a run log: its first line does not tell of a run`);
  }
  const { verdict, ...rest } = run;
  const marks = run.marks.filter((mark) => markSchema.safeParse(mark).success);
  const hasVerdict = verdict !== undefined && verdictSchema.safeParse(verdict).success;
  const bad = run.marks.length - marks.length + (verdict !== undefined && !hasVerdict ? 1 : 0);
  return { ...rest, marks, badLines: run.badLines + bad, ...(hasVerdict ? { verdict } : {}) };
}

/** The run in a directory that was written last. */
function newestRun(directory: string): string | undefined {
  if (statOf(directory)?.isDirectory() !== true) return undefined;
  let names: string[];
  try {
    names = readdirSync(directory).filter((name) => LOG_NAME.test(name));
  } catch (error) {
    throw new UsageError(`cannot read ${directory}: ${(error as Error).message}`);
  }
  const all = new Set(names);
  let newest: { name: string; ms: number } | undefined;
  for (const name of names) {
    const first = name.replace(CONTINUED_NAME, '');
    const ms = statOf(join(directory, name))?.mtimeMs ?? 0;
    if (newest === undefined || ms > newest.ms) newest = { name: all.has(first) ? first : name, ms };
  }
  return newest === undefined ? undefined : join(directory, newest.name);
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
}
