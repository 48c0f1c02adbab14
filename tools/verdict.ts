// What the verdict of a run is made of, and how it is told: checks that must be exactly so, and the lines for people.

import type { RunVerdict } from '../lib/monitor/run-log.ts';
import { formatCents, formatCount, formatTable } from '../lib/monitor/text-table.ts';

/** One thing that was looked at. */
export type Check = RunVerdict['checks'][number];

/** A count that must be just this. */
export function exactly(what: string, target: number, reached: number): Check {
  return { what, target: formatCount(target), reached: formatCount(reached), isPassed: target === reached };
}

/** The same of money, in cents. */
export function exactCents(what: string, target: number, reached: number): Check {
  return { what, target: formatCents(target), reached: formatCents(reached), isPassed: target === reached };
}

/** The verdict as lines: every check, both ends if they were compared, and the word. */
export function formatVerdict({ isPassed, checks, bothEnds }: RunVerdict): string[] {
  const failed = checks.filter((check) => !check.isPassed).length;
  return [
    ...formatTable([
      ['check', 'target', 'reached', ''],
      ...checks.map((check) => [check.what, check.target, check.reached, check.isPassed ? 'passed' : 'FAILED']),
    ]),
    '',
    ...(bothEnds.length === 0 ? [] : [...formatBothEnds(bothEnds), '']),
    isPassed ? `PASSED: all ${checks.length} checks` : `FAILED: ${failed} of ${checks.length} checks`,
  ];
}

function formatBothEnds(bothEnds: RunVerdict['bothEnds']): string[] {
  const show = (value: number, isCents: boolean) => (isCents ? formatCents(value) : formatCount(value));
  return formatTable([
    ['both ends', 'clients', 'server', ''],
    ...bothEnds.map(({ what, client, server, isCents }) => [
      what,
      show(client, isCents),
      show(server, isCents),
      client === server ? 'agree' : 'DIFFER',
    ]),
  ]);
}
