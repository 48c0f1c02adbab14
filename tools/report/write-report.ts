// Writes the report of a run into a directory: one page, and each chart as SVG and as PNG.

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeLatency } from '../../lib/monitor/latency-coding.ts';
import { type MergedSecond, mergeSamples } from '../../lib/monitor/merged-second.ts';
import type { Run } from '../../lib/monitor/run-reader.ts';
import type { Sample } from '../../lib/monitor/sample.ts';
import { UsageError } from '../usage-error.ts';
import { makePage } from './page.ts';
import { makeTimeline } from './timeline.ts';
import { CHART_NAMES, type Language, WORDS } from './words.ts';

export interface ReportOptions {
  language: Language;
}

/**
 * Writes the report; files of an earlier one in the same directory are replaced or deleted.
 * @param directory made if it is missing
 * @returns the paths of what was written; index.html is the first
 * @throws {UsageError} when the run has no samples, or the directory cannot be written
 */
export async function writeReport(
  run: Run,
  directory: string,
  { language }: ReportOptions,
): Promise<{ files: string[] }> {
  const { samples, seconds } = mergeReadable(run.samples);
  if (seconds.length === 0) throw new UsageError(`the run ${run.header.name} has no samples: there is nothing to draw`);
  const readable: Run = {
    ...run,
    samples,
    badLines: run.badLines + run.samples.length - samples.length,
    marks: run.marks.toSorted((a, b) => a.atMs - b.atMs),
  };
  // What draws takes a second to load: commands that draw nothing need not wait for it.
  const { drawPng } = await import('./draw.ts');
  const { drawCharts } = await import('./draw-charts.ts');
  const words = WORDS[language];
  const timeline = makeTimeline(seconds);
  const charts = drawCharts({ words, timeline, marks: readable.marks });
  const contents = new Map<string, string | Buffer>([['index.html', makePage(readable, timeline, charts, words)]]);
  for (const { name, svg } of charts.drawn) {
    contents.set(`${name}.svg`, svg);
    contents.set(`${name}.png`, await drawPng(svg));
  }
  try {
    await mkdir(directory, { recursive: true });
    for (const [name, content] of contents) await writeFile(join(directory, name), content);
    const ours = CHART_NAMES.flatMap((name) => [`${name}.svg`, `${name}.png`]);
    for (const name of ours) if (!contents.has(name)) await rm(join(directory, name), { force: true });
  } catch (error) {
    throw new UsageError(`cannot write the report to ${directory}: ${(error as Error).message}`);
  }
  return { files: [...contents.keys()].map((name) => join(directory, name)) };
}

/** The seconds of the run, without samples whose histograms are none: those are rare, and found only when there are some. */
function mergeReadable(all: readonly Sample[]): { samples: Sample[]; seconds: MergedSecond[] } {
  try {
    return { samples: [...all], seconds: mergeSamples(all) };
  } catch {
    const samples = all.filter(isReadable);
    return { samples, seconds: mergeSamples(samples) };
  }
}

/** False when one of its histograms is none. */
function isReadable({ latency }: Sample): boolean {
  try {
    for (const encoded of Object.values(latency)) decodeLatency(encoded);
    return true;
  } catch {
    return false;
  }
}
