// What an experiment says of itself: what it is going to do and how that is scaled, and its verdict.

import type { RunVerdict } from '../../lib/monitor/run-log.ts';
import { formatCents, formatCount, formatTable } from '../../lib/monitor/text-table.ts';
import { type ExperimentPlan, PUBLISHED } from './plan.ts';

/** The plan beside the published experiment, as lines. */
export function formatPlan(plan: ExperimentPlan): string[] {
  const { connections, phases, seconds } = plan;
  const [{ drop, send }] = phases;
  const rates = phases.map(({ qps }) => `${formatCount(qps)}/s`).join(', then ');
  return [
    ...formatTable([
      ['the experiment', 'published', 'here', 'share'],
      [
        'users connected',
        formatCount(PUBLISHED.connections),
        formatCount(connections),
        share(connections, PUBLISHED.connections),
      ],
      [
        'packets released at each rate',
        formatCount(PUBLISHED.drops),
        formatCount(drop.count),
        share(drop.count, PUBLISHED.drops),
      ],
      [
        'packets sent to 3 users each',
        formatCount(PUBLISHED.sends),
        formatCount(send.count),
        share(send.count, PUBLISHED.sends),
      ],
      [
        'packets a second',
        formatCount(PUBLISHED.packetsPerSecond),
        formatCount(drop.rate),
        share(drop.rate, PUBLISHED.packetsPerSecond),
      ],
    ]),
    `shakes: ${rates}; ${formatCount(seconds)} s in all`,
  ];
}

/** The verdict as lines: every check, both ends, and the word. */
export function formatVerdict({ isPassed, checks, bothEnds }: RunVerdict): string[] {
  const failed = checks.filter((check) => !check.isPassed).length;
  const show = (value: number, isCents: boolean) => (isCents ? formatCents(value) : formatCount(value));
  return [
    ...formatTable([
      ['check', 'target', 'reached', ''],
      ...checks.map((check) => [check.what, check.target, check.reached, check.isPassed ? 'passed' : 'FAILED']),
    ]),
    '',
    ...formatTable([
      ['both ends', 'clients', 'server', ''],
      ...bothEnds.map(({ what, client, server, isCents }) => [
        what,
        show(client, isCents),
        show(server, isCents),
        client === server ? 'agree' : 'DIFFER',
      ]),
    ]),
    '',
    isPassed ? `PASSED: all ${checks.length} checks` : `FAILED: ${failed} of ${checks.length} checks`,
  ];
}

function share(here: number, published: number): string {
  return `${((here / published) * 100).toFixed(here === published ? 0 : 1)}%`;
}
