// Reads a run log back: the header, every sample, the marks and the verdict, from all files of the run.

import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { RunHeader, RunLogLine, RunMark, RunVerdict } from './run-log.ts';
import { type Sample, sampleSchema } from './sample.ts';

export interface Run {
  header: RunHeader;
  samples: Sample[];
  marks: RunMark[];
  /** Of an experiment that came to its end. */
  verdict?: RunVerdict;
  /** Lines that could not be read, such as the last one of a process that was killed. */
  badLines: number;
}

/**
 * Reads the run that begins in a file.
 * @param path of its first file, NAME.ndjson, or of the first that is left, NAME.3.ndjson; those behind it are found by
 * themselves
 * @throws {Error} when it cannot be read, or is not a run log
 */
export async function readRun(path: string): Promise<Run> {
  const run: Omit<Run, 'header'> & { header?: RunHeader } = { samples: [], marks: [], badLines: 0 };
  const [, name = path, number = '0'] = /^(.*?)(?:\.(\d+))?\.ndjson$/.exec(path) ?? [];
  const first = Number(number);
  for (let file = first, next = path; file === first || existsSync(next); file++) {
    for await (const line of createInterface({ input: createReadStream(next), crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line === '') continue;
      if (!takeLine(run, line)) run.badLines++;
      if (run.header === undefined) throw new Error(`${next} is not a run log`);
    }
    next = `${name}.${file + 1}.ndjson`;
  }
  if (run.header === undefined) throw new Error(`${path} is not a run log: it is empty`);
  return run as Run;
}

/** False when the line is nothing that a run log has. */
function takeLine(run: Omit<Run, 'header'> & { header?: RunHeader }, text: string): boolean {
  let line: RunLogLine;
  try {
    line = JSON.parse(text);
  } catch {
    return false;
  }
  switch (line?.type) {
    case 'run':
      run.header ??= line;
      return true;
    case 'mark':
      run.marks.push(line);
      return true;
    case 'verdict':
      run.verdict = line;
      return true;
    case 'sample': {
      const sample = sampleSchema.safeParse(line.sample);
      if (sample.success) run.samples.push(sample.data);
      return sample.success;
    }
    default:
      return false;
  }
}
