// The text of a fuzz run: what was sent, what the server made of it, and whatever is wrong.

import { formatCents, formatCount, formatTable } from '../../lib/monitor/text-table.ts';
import type { FuzzResult } from './run-fuzz.ts';

const inMB = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

/** The lines of a result. */
export function formatFuzz(result: FuzzResult): string[] {
  const { counts, honest, closed, memory, filesBefore, filesAfter, wrongs, reproducers, seconds } = result;
  const rate = formatCount(counts.inputs / seconds);
  return [
    '',
    `${formatCount(counts.inputs)} inputs (${inMB(counts.bytes)} MB) on ${formatCount(counts.connections)} connections, ` +
      `${formatCount(counts.requests)} HTTP requests, in ${seconds.toFixed(1)} s: ${rate} inputs/s`,
    '',
    ...formatTable([
      ['faults of the streams', 'connections'],
      ...Object.entries(counts.faults).map(([fault, count]) => [fault, formatCount(count)]),
    ]),
    '',
    ...formatTable([
      ['closes that the server counted', ''],
      ...Object.entries(closed).map(([reason, count]) => [reason, formatCount(count!)]),
    ]),
    '',
    `honest users: ${formatCount(honest.shakes)} shakes, ${formatCount(honest.wins)} won, ${formatCount(honest.grabs)} grabs, ` +
      `${formatCount(honest.sends)} sends; ${formatCount(honest.comparisons)} comparisons of their books; ` +
      `${formatCents(honest.cents)} yuan at the end`,
    memory === undefined
      ? 'too short to judge memory'
      : `resident memory ${inMB(memory.mean)} MB, rises by ${inMB(memory.rise)} MB over the second half (may by ` +
        `${inMB(memory.mayRise)}); open files ${filesBefore} before, ${filesAfter} after`,
    '',
    ...wrongs.map((wrong) => `FAILED: ${wrong}`),
    ...reproducers.map((path) => `to see it again: --replay ${path}`),
    wrongs.length === 0
      ? 'nothing crashed, nothing leaked, every close has its reason, and no cent is missing'
      : 'SOMETHING IS WRONG',
  ];
}
