// A piscina task: checks one segment, and hands the books what they need.

import { type Digest, DigestWriter, handOver } from './digest.ts';
import { readSegment, type SegmentReport } from './segment-parser.ts';

export interface SegmentTask {
  path: string;
  segment: number;
  last: boolean;
}

export interface SegmentAnswer {
  report: SegmentReport;
  digest: Digest;
}

/** What piscina calls. */
export default function readSegmentTask({ path, segment, last }: SegmentTask): unknown {
  const writer = new DigestWriter();
  const report = readSegment(path, segment, last, writer);
  return handOver({ report, digest: writer.finish() } satisfies SegmentAnswer);
}
