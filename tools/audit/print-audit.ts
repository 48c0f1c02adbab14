// The text of an audit for people: what was read, the accounts, the difference, and each finding in a line.

import { formatCents, formatCount, formatTable } from '../../lib/monitor/text-table.ts';
import { OPENING_FILE, SNAPSHOT_FILE } from './books.ts';
import { formatFinding } from './findings.ts';
import type { AuditResult } from './run-audit.ts';

/** The lines of an audit. */
export function formatAudit(result: AuditResult): string[] {
  const { kinds, findings, findingCount } = result;
  const records = Object.entries(result.records).filter(([, count]) => count > 0);
  const unprinted = findingCount - findings.length;
  return [
    ...formatRead(result),
    '',
    ...formatTable([['records', 'count'], ...records.map(([name, count]) => [name, formatCount(count)])]),
    '',
    ...formatTable([
      ['accounts', 'count', 'open', 'movements', 'yuan'],
      ...Object.entries(kinds).map(([kind, { accounts, open, movements, cents }]) => [
        kind,
        ...[accounts, open, movements].map(formatCount),
        formatCents(cents),
      ]),
    ]),
    `difference ${result.differenceCents}`,
    '',
    ...findings.map(formatFinding),
    ...(unprinted > 0 ? [`and ${formatCount(unprinted)} more`] : []),
    findingCount === 0
      ? 'nothing is wrong'
      : `${formatCount(findingCount)} ${findingCount === 1 ? 'finding' : 'findings'}`,
  ];
}

function formatRead(result: AuditResult): string[] {
  const { segments, batches, bytes, seconds, tornBytes, openingSegments, booksEndBefore, snapshotSequence } = result;
  const counts = `${formatCount(segments)} segments, ${formatCount(batches)} batches, ${formatCount(bytes)} bytes`;
  const lines = [`${counts}, read in ${seconds.toFixed(2)} s`];
  if (openingSegments > 0) {
    lines.push(`opening balances are those of ${OPENING_FILE}, which stands for segments 1 to ${openingSegments}`);
  }
  lines.push(`torn tail: ${formatCount(tornBytes)} bytes`);
  if (snapshotSequence !== undefined) {
    lines.push(`${SNAPSHOT_FILE}: up to record ${formatCount(snapshotSequence - 1)}`);
  }
  if (booksEndBefore !== undefined) {
    lines.push(`the books end in segment ${booksEndBefore}, before what cannot be read; what follows is not booked`);
  }
  return lines;
}
