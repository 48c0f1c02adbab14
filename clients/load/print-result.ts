// What a load test prints: how far it is, and at its end counts, percentiles, the percentile histogram, and the comparison
// with the server.

import { summarize } from '../../lib/monitor/latency-log.ts';
import { formatLatencies } from '../../lib/monitor/latency-table.ts';
import { formatCents, formatCount, formatTable } from '../../lib/monitor/text-table.ts';
import type { LoadOptions } from './load-options.ts';
import type { LoadPhase, RateChange } from './load-steering.ts';
import type { LoadTotals } from './load-totals.ts';
import type { LoadResult } from './run-load.ts';
import type { Comparison } from './verify.ts';

/** How far a test is: what a progress bar shows. */
export interface LoadProgress {
  phase: LoadPhase;
  done?: number;
  total?: number;
  how: string;
}

/** How far the test is. @param time how much of the shaking is over, in seconds, and how long it is */
export function formatProgress(
  phase: LoadPhase,
  totals: LoadTotals,
  users: number,
  perSecond: number,
  time?: { seconds: number; ofSeconds: number },
): LoadProgress {
  const { connected, sent, answered, won, overload, notices, grabsSent, grabsAnswered } = totals;
  if (phase === 'connecting') {
    return { phase, done: connected, total: users, how: `${formatCount(connected)} of ${formatCount(users)}` };
  }
  const how =
    `sent ${formatCount(sent)}  answered ${formatCount(answered)} (${formatCount(perSecond)}/s)  ` +
    `won ${formatCount(won)}  overload ${formatCount(overload)}  ` +
    `notices ${formatCount(notices)}  grabs ${formatCount(grabsAnswered)}`;
  if (phase === 'draining') return { phase, done: answered + grabsAnswered, total: sent + grabsSent, how };
  return time === undefined ? { phase, how } : { phase, done: time.seconds, total: time.ofSeconds, how };
}

/** The result as lines for people. @param rates all that were asked for, if the rate was changed */
export function formatResult(options: LoadOptions, result: LoadResult, rates: readonly RateChange[] = []): string[] {
  const { totals } = result;
  const rate = `${formatCount(totals.answered / result.answerSeconds)}/s`;
  const asked = options.closed ? `closed loop, ${options.pipeline} deep` : `${formatRates(options, rates)} asked`;
  const lines = [
    `connected ${formatCount(totals.connected)} users in ${result.connectSeconds.toFixed(1)} s, ` +
      `shook for ${result.shakeSeconds} s (${asked}): ${rate} answered`,
    '',
    ...formatTable([
      ['', 'count', 'yuan'],
      ['shakes sent', formatCount(totals.sent), ''],
      ['shakes answered', formatCount(totals.answered), ''],
      ['  won', formatCount(totals.won), formatCents(totals.wonCents)],
      ['  none', formatCount(totals.none), ''],
      ['  overload', formatCount(totals.overload), ''],
      ['shakes due, and not sent', formatCount(totals.skipped), ''],
      ['notices', formatCount(totals.notices), ''],
      ['grabs sent', formatCount(totals.grabsSent), ''],
      ['grabs answered', formatCount(totals.grabsAnswered), formatCents(totals.grabCents)],
      ['  with money', formatCount(totals.grabsWon), ''],
      ['  with nothing', formatCount(totals.grabsNothing), ''],
      ['connections lost', formatCount(totals.lostConnections), ''],
      ['connections failed', formatCount(totals.failedConnects), ''],
      ['unexpected frames', formatCount(totals.unexpected), ''],
    ]),
    '',
    ...formatLatencies('latency, ms', [
      ['shake (from when it was due)', summarize(result.shakeLatency)],
      ['grab (from when it was sent)', summarize(result.grabLatency)],
    ]),
  ];
  if (result.shakeLatency.totalCount > 0) {
    lines.push('', 'shakes, percentile histogram in ms:');
    lines.push(result.shakeLatency.outputPercentileDistribution(2, 1000).trimEnd());
  }
  return lines;
}

function formatRates(options: LoadOptions, rates: readonly RateChange[]): string {
  if (rates.length < 2) return `${formatCount(options.qps)}/s`;
  return rates.map(({ qps }) => `${formatCount(qps)}/s`).join(', then ');
}

/** The comparison with the server as lines for people. */
export function formatComparison(comparisons: readonly Comparison[]): string[] {
  const rows = comparisons.map(({ what, client, server, isCents }) => {
    const format = isCents ? formatCents : formatCount;
    return [what, format(client), format(server), client === server ? 'agree' : `differ by ${format(server - client)}`];
  });
  return formatTable([['both ends', 'client', 'server', ''], ...rows]);
}
