// Tries the plan and the verdict of the experiment: every check fails when what it looks at is off by one.

import t from 'tap';
import { emptyTotals } from '../../../clients/load/load-totals.ts';
import type { AuditResult } from '../../../tools/audit/run-audit.ts';
import { type ExperimentFacts, judge } from '../../../tools/experiment/judge.ts';
import { readPhase } from '../../../tools/experiment/phase-facts.ts';
import { planExperiment } from '../../../tools/experiment/plan.ts';
import { formatPlan } from '../../../tools/experiment/print-experiment.ts';
import { formatVerdict } from '../../../tools/verdict.ts';
import { encodeValues, makeSample, SECOND } from '../../monitor/make-samples.ts';

const plan = planExperiment({ connections: 1000, rates: [30_000, 60_000], scale: 0.01 });

/** An experiment in which all went well. */
function makeFacts(): ExperimentFacts {
  const campaign = { rate: 200, refundedCents: 0, state: 'closed' as const, isPaused: false };
  return {
    plan,
    totals: { ...emptyTotals(), connected: 1000, sent: 5000, answered: 5000, grabsSent: 1200, grabsAnswered: 1200 },
    connected: 1000,
    isDrained: true,
    phases: plan.phases.map(({ qps }) => ({
      qps,
      seconds: 300,
      sentPerSecond: qps,
      answeredPerSecond: qps,
      p50Us: 100,
      p99Us: 900,
      p999Us: 5000,
    })),
    drops: plan.phases.map(({ drop: { count, budget } }, i) => ({
      ...campaign,
      id: i + 1,
      count,
      budget,
      released: count,
      claimed: count,
      claimedCents: budget,
    })),
    sends: plan.phases.map(({ send: { count, shares } }, i) => ({
      ...campaign,
      id: i + 1,
      count,
      created: count,
      grabbedShares: count * shares,
      totalCents: 70_000,
      claimedCents: 70_000,
    })),
    comparisons: [
      { what: 'shakes', client: 5000, server: 5000, isCents: false },
      { what: 'won, yuan', client: 80_000, server: 80_000, isCents: true },
    ],
    audit: { differenceCents: 0, findingCount: 0 } as AuditResult,
  };
}

t.test('the published experiment in full: numbers, times, and none of it overlaps', (t) => {
  const { phases, seconds } = planExperiment({ connections: 1_000_000, rates: [30_000, 60_000], scale: 1 });
  t.match(phases[0], { qps: 30_000, fromSecond: 0, drop: { count: 40_000, rate: 200, budget: 4_000_000 } });
  t.match(phases[1], { qps: 60_000, send: { count: 20_000, rate: 200, shares: 3, total: [100, 600] } });
  let last = 0;
  for (const { fromSecond, untilSecond, drop, send } of phases) {
    t.equal(fromSecond, last);
    t.ok(drop.atSecond > fromSecond && drop.atSecond + drop.count / drop.rate < send.atSecond);
    t.ok(send.atSecond + send.count / send.rate < untilSecond);
    last = untilSecond;
  }
  t.equal(seconds, last);
  t.end();
});

t.test('a plan says what share of the published experiment it is', (t) => {
  const lines = formatPlan(plan).join('\n');
  t.match(lines, /users connected +1,000,000 +1,000 +0.1%/);
  t.match(lines, /packets released at each rate +40,000 +400 +1.0%/);
  t.match(lines, /shakes: 30,000\/s, then 60,000\/s/);
  t.end();
});

t.test('an experiment in which all went well has passed', (t) => {
  const verdict = judge(makeFacts());
  t.ok(verdict.isPassed);
  t.ok(verdict.checks.length > 20 && verdict.checks.every(({ isPassed }) => isPassed));
  t.match(formatVerdict(verdict).at(-1), /^PASSED: all \d+ checks$/);
  t.end();
});

t.test('each check fails, alone, when what it looks at is off', (t) => {
  const offs: Record<string, (facts: ExperimentFacts) => void> = {
    'users connected': (facts) => facts.connected--,
    'connections lost': ({ totals }) => totals.lostConnections++,
    'shakes answered a second, of 60,000': ({ phases }) => (phases[1].answeredPerSecond = 58_000),
    '99% of shakes answered within, ms, at 30,000/s': ({ phases }) => (phases[0].p99Us = 1_000_001),
    'requests not answered': ({ totals }) => totals.answered--,
    'shakes not sent though due': ({ totals }) => totals.skipped++,
    'shakes answered with overload': ({ totals }) => totals.overload++,
    'frames that answer nothing': ({ totals }) => totals.unexpected++,
    'drop 1: packets released': ({ drops }) => drops[0].released--,
    'drop 2: packets won': ({ drops }) => drops[1].claimed--,
    'drop 2: yuan won': ({ drops }) => drops[1].claimedCents--,
    'send 1: packets sent': ({ sends }) => sends[0].created--,
    'send 2: shares grabbed': ({ sends }) => sends[1].grabbedShares--,
    'send 2: yuan grabbed, of those sent': ({ sends }) => sends[1].claimedCents--,
    'counts in which the two ends differ': (facts) => {
      facts.comparisons = [{ what: 'shakes', client: 5000, server: 4999, isCents: false }];
    },
    'missing in the journal, yuan': ({ audit }) => (audit.differenceCents = -1),
    'findings of the audit': ({ audit }) => audit.findingCount++,
  };
  for (const [what, off] of Object.entries(offs)) {
    const facts = makeFacts();
    off(facts);
    const verdict = judge(facts);
    t.notOk(verdict.isPassed);
    t.strictSame(
      verdict.checks.filter(({ isPassed }) => !isPassed).map((check) => check.what),
      [what],
    );
    t.match(formatVerdict(verdict).at(-1), /^FAILED: 1 of \d+ checks$/);
  }
  const facts = { ...makeFacts(), isDrained: false };
  t.notOk(judge(facts).isPassed, 'what may still be under way counts as not answered');
  t.end();
});

t.test('a short phase is not failed for what was due at its very end', (t) => {
  const facts = makeFacts();
  facts.phases[1] = { ...facts.phases[1], seconds: 10, answeredPerSecond: 54_500 };
  t.ok(judge(facts).isPassed);
  facts.phases[1] = { ...facts.phases[1], seconds: 10, answeredPerSecond: 52_000 };
  t.notOk(judge(facts).isPassed);
  t.end();
});

t.test('what was reached in a phase is taken from its own seconds, but the first', (t) => {
  const sampleAt = (offset: number, answered: number, us: number) =>
    makeSample({
      role: 'client',
      sequence: offset + 5,
      second: SECOND + offset,
      counts: { sent: 100, answered },
      latency: { shake: encodeValues({ [us]: 10 }) },
    });
  const samples = [
    sampleAt(-1, 7, 9),
    sampleAt(0, 50, 9),
    sampleAt(1, 100, 100),
    sampleAt(2, 90, 200),
    sampleAt(3, 7, 9),
  ];
  t.match(readPhase(100, SECOND * 1000, (SECOND + 3) * 1000, samples), {
    qps: 100,
    seconds: 2,
    sentPerSecond: 100,
    answeredPerSecond: 95,
    p50Us: 100,
    p99Us: 200,
  });
  t.match(
    readPhase(100, 0, 1000, samples),
    { seconds: 0, answeredPerSecond: 0, p99Us: 0 },
    'no samples, nothing reached',
  );
  t.end();
});
