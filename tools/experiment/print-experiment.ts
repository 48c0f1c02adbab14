// What an experiment says of itself before it begins: what it is going to do, and how that is scaled.

import { formatCount, formatTable } from '../../lib/monitor/text-table.ts';
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

function share(here: number, published: number): string {
  return `${((here / published) * 100).toFixed(here === published ? 0 : 1)}%`;
}
