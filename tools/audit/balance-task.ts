// A piscina task: reads opening.sqlite or snapshot.sqlite, and hands the books what they need.

import { type Balances, type HeldRecord, readBalanceFile } from './balance-file.ts';
import { type Digest, DigestWriter, handOver } from './digest.ts';
import { FindingList } from './findings.ts';
import { checkRecord } from './record-check.ts';
import type { SegmentReport } from './segment-parser.ts';

export interface BalanceTask {
  path: string;
  /** The name that findings have. */
  file: string;
  /** Whether its records are wanted. */
  records: boolean;
}

export interface BalanceAnswer {
  /** Undefined if nothing was folded into the file yet. */
  balances: Balances | undefined;
  digest: Digest;
  findings: SegmentReport['findings'];
}

/** What piscina calls. */
export default function readBalanceTask({ path, file, records }: BalanceTask): unknown {
  const writer = new DigestWriter();
  const findings = new FindingList();
  const hear = ({ sequence, type, payload }: HeldRecord): void => {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    const words = payload.length / 4;
    const wrong = Number.isInteger(words) ? checkRecord(view, type, 0, words) : 'its payload is not whole words';
    if (wrong !== undefined) findings.add({ file, sequence }, wrong);
    else {
      writer.batch(0, sequence);
      writer.record(type, view, 0, words);
    }
  };
  const balances = readBalanceFile(path, records ? hear : undefined);
  const { kept, count } = findings;
  return handOver({ balances, digest: writer.finish(), findings: { kept, count } } satisfies BalanceAnswer);
}
