// Holds what an experiment reached against what it was to reach.

import { countUnanswered, type LoadTotals } from '../../clients/load/load-totals.ts';
import type { Comparison } from '../../clients/load/verify.ts';
import type { RunVerdict } from '../../lib/monitor/run-log.ts';
import { formatCount, formatMs } from '../../lib/monitor/text-table.ts';
import type { DropStatus } from '../../lib/packets/drop-campaigns.ts';
import type { SendStatus } from '../../lib/packets/send-campaigns.ts';
import type { AuditResult } from '../audit/run-audit.ts';
import { type Check, exactCents, exactly } from '../verdict.ts';
import type { PhaseFacts } from './phase-facts.ts';
import type { ExperimentPlan } from './plan.ts';

/** Everything that was seen. */
export interface ExperimentFacts {
  plan: ExperimentPlan;
  totals: LoadTotals;
  /** Users that were connected when the shaking began. */
  connected: number;
  isDrained: boolean;
  phases: PhaseFacts[];
  drops: DropStatus[];
  sends: SendStatus[];
  comparisons: readonly Comparison[];
  audit: AuditResult;
}

/** A rate is reached with so much of it: the seconds of a clock and those of a sample differ by a little. */
const RATE_SHARE = 0.98;

/** A shake is to be answered so soon, in microseconds, 99 times in 100: nobody shakes a telephone faster. */
const P99_US = 1_000_000;

export function judge(facts: ExperimentFacts): RunVerdict {
  const checks = [
    ...judgeConnections(facts),
    ...facts.phases.flatMap(judgePhase),
    ...judgeAnswers(facts),
    ...facts.plan.phases.flatMap(({ drop, send }, i) => [
      ...judgeDrop(i, drop, facts.drops[i]),
      ...judgeSend(i, send, facts.sends[i]),
    ]),
    ...judgeMoney(facts),
  ];
  const bothEnds = facts.comparisons.map(({ what, client, server, isCents }) => ({ what, client, server, isCents }));
  return { isPassed: checks.every(({ isPassed }) => isPassed), checks, bothEnds };
}

function judgeConnections({ plan, connected, totals }: ExperimentFacts): Check[] {
  return [
    exactly('users connected', plan.connections, connected),
    exactly('connections lost', 0, totals.lostConnections),
  ];
}

function judgePhase({ qps, seconds, answeredPerSecond, p99Us }: PhaseFacts): Check[] {
  // What is due at the very end may be answered as late as any other shake.
  const inTime = seconds === 0 ? 1 : Math.max(0, 1 - P99_US / 1e6 / seconds);
  return [
    {
      what: `shakes answered a second, of ${formatCount(qps)}`,
      target: formatCount(qps),
      reached: formatCount(answeredPerSecond),
      isPassed: answeredPerSecond >= RATE_SHARE * inTime * qps,
    },
    {
      what: `99% of shakes answered within, ms, at ${formatCount(qps)}/s`,
      target: formatMs(P99_US),
      reached: formatMs(p99Us),
      isPassed: p99Us <= P99_US,
    },
  ];
}

function judgeAnswers({ totals, isDrained }: ExperimentFacts): Check[] {
  return [
    exactly('requests not answered', 0, countUnanswered(totals) + (isDrained ? 0 : 1)),
    exactly('shakes not sent though due', 0, totals.skipped),
    exactly('shakes answered with overload', 0, totals.overload),
    exactly('frames that answer nothing', 0, totals.unexpected),
  ];
}

function judgeDrop(index: number, asked: ExperimentPlan['phases'][number]['drop'], drop: DropStatus): Check[] {
  const name = `drop ${index + 1}`;
  return [
    exactly(`${name}: packets released`, asked.count, drop.released),
    exactly(`${name}: packets won`, asked.count, drop.claimed),
    exactCents(`${name}: yuan won`, asked.budget, drop.claimedCents),
  ];
}

function judgeSend(index: number, asked: ExperimentPlan['phases'][number]['send'], send: SendStatus): Check[] {
  const name = `send ${index + 1}`;
  return [
    exactly(`${name}: packets sent`, asked.count, send.created),
    exactly(`${name}: shares grabbed`, asked.count * asked.shares, send.grabbedShares),
    exactCents(`${name}: yuan grabbed, of those sent`, send.totalCents, send.claimedCents),
  ];
}

function judgeMoney({ comparisons, audit }: ExperimentFacts): Check[] {
  const differing = comparisons.filter(({ client, server }) => client !== server).length;
  return [
    exactly('counts in which the two ends differ', 0, differing),
    exactCents('missing in the journal, yuan', 0, audit.differenceCents),
    exactly('findings of the audit', 0, audit.findingCount),
  ];
}
