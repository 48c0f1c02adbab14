// The text of a soak: what was done, how the server fared as a table and small charts, and the verdict.

import { formatComparison } from '../../clients/load/print-result.ts';
import { formatCount, formatMs, formatTable } from '../../lib/monitor/text-table.ts';
import { formatBlocks } from '../watch/charts.ts';
import type { Flatness } from './flatness.ts';
import type { SoakResult } from './run-soak.ts';
import type { Vitals } from './vitals-log.ts';

/** Columns of a chart, and rows of the table over time. */
const CHART_COLUMNS = 72;
const TABLE_ROWS = 10;

const MB = 1024 * 1024;
const inMB = (bytes: number) => (bytes / MB).toFixed(1);

/** The lines of a result. */
export function formatSoak(result: SoakResult): string[] {
  const { vitals, totals, crowd, operatorRounds, resident, files, auditRecords, differenceCents, faults } = result;
  return [
    '',
    `${result.seconds} s: ${formatCount(totals.answered)} shakes, ${formatCount(totals.won)} won, ` +
      `${formatCount(totals.grabsAnswered)} grabs, ${operatorRounds} rounds of a drop and two sends; ` +
      `${formatCount(crowd.sessions)} sessions came and went, ${formatCount(crowd.resets)} with a request under way; ` +
      `${formatCount(crowd.deafClosed)} times the server closed one who did not read; ` +
      `${formatCount(crowd.slowReads)} late reads; ${crowd.idle} were idle all the time`,
    '',
    ...formatVitals(vitals),
    '',
    ...formatChart('resident', vitals, ({ residentBytes }) => residentBytes, inMB, 'MB'),
    ...formatChart('heap', vitals, ({ heapBytes }) => heapBytes, inMB, 'MB'),
    ...formatChart('files', vitals, ({ openFiles }) => openFiles, formatCount, ''),
    ...formatChart('loop', vitals, ({ loopDelayUs }) => loopDelayUs, formatMs, 'ms'),
    '',
    ...formatTable([
      ['second half', 'mean', 'rises by', 'may by', 'an hour', 'step', ''],
      formatFlatness('resident, MB', resident, inMB),
      formatFlatness('open files', files, (value) => value.toFixed(1)),
    ]),
    '',
    ...formatComparison(result.comparisons),
    '',
    `audit: ${formatCount(auditRecords)} records, difference ${differenceCents}`,
    '',
    ...faults.map((fault) => `FAILED: ${fault}`),
    faults.length === 0 ? 'flat, both ends agree, nothing is missing' : 'SOMETHING IS WRONG',
  ];
}

/** How it fared over time: the mean of each part, the worst of the loop. */
function formatVitals(vitals: readonly Vitals[]): string[] {
  const rows = parts(vitals, Math.min(TABLE_ROWS, vitals.length)).map((part) => {
    const mean = (read: (vitals: Vitals) => number) => part.reduce((sum, look) => sum + read(look), 0) / part.length;
    return [
      `${part[0].atSeconds.toFixed(0)} s`,
      inMB(mean(({ residentBytes }) => residentBytes)),
      inMB(mean(({ heapBytes }) => heapBytes)),
      formatCount(mean(({ openFiles }) => openFiles)),
      formatCount(mean(({ connections }) => connections)),
      formatMs(Math.max(...part.map(({ loopDelayUs }) => loopDelayUs))),
    ];
  });
  return formatTable([['from', 'resident MB', 'heap MB', 'files', 'connections', 'loop delay ms'], ...rows]);
}

function formatChart(
  name: string,
  vitals: readonly Vitals[],
  read: (vitals: Vitals) => number,
  format: (value: number) => string,
  unit: string,
): string[] {
  const values = parts(vitals, Math.min(CHART_COLUMNS, vitals.length)).map((part) => Math.max(...part.map(read)));
  return [`${name.padEnd(9)} ${formatBlocks(values)} up to ${format(Math.max(...values))} ${unit}`.trimEnd()];
}

/** Cuts a list into `count` parts of about the same length. */
function parts<T>(list: readonly T[], count: number): T[][] {
  return Array.from({ length: count }, (_, i) =>
    list.slice(Math.floor((list.length * i) / count), Math.floor((list.length * (i + 1)) / count)),
  );
}

function formatFlatness(
  name: string,
  { mean, rise, mayRise, risePerHour, largestStep, isFlat }: Flatness,
  format: (value: number) => string,
): string[] {
  const hourly = `${(100 * risePerHour).toFixed(1)} %`;
  return [name, format(mean), format(rise), format(mayRise), hourly, format(largestStep), isFlat ? 'flat' : 'NOT FLAT'];
}
