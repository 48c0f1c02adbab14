// What a run of `hongbao million` prints at its end, and what makes it a failed one.

import { countUnanswered } from '../../clients/load/load-totals.ts';
import { summarize } from '../../lib/monitor/latency-log.ts';
import { formatLatencies } from '../../lib/monitor/latency-table.ts';
import { formatCents, formatCount, formatTable } from '../../lib/monitor/text-table.ts';
import { type ConnectionCost, costPerConnection } from './memory-watch.ts';
import { formatBytes } from './plan.ts';
import type { CheckRow, MillionResult } from './run-million.ts';

/** The result as lines for people. @param qps shakes a second that were asked for */
export function formatMillion(result: MillionResult, qps: number): string[] {
  const { totals, shakeSeconds, answerSeconds, pairs } = result;
  const rate = (count: number, seconds: number) => `${formatCount(count / seconds)}/s`;
  const asked = `${formatCount(qps)}/s`;
  return [
    `${formatCount(totals.connected)} connections over ${formatCount(pairs)} servers and as many clients; ` +
      `started in ${result.startSeconds.toFixed(1)} s, connected in ${result.connectSeconds.toFixed(1)} s, ` +
      `shook for ${shakeSeconds} s, the last answer after ${answerSeconds.toFixed(1)} s`,
    '',
    ...formatTable([
      ['', 'asked', 'sent', 'answered'],
      ['shakes a second', asked, rate(totals.sent, shakeSeconds), rate(totals.answered, answerSeconds)],
      ['shakes', formatCount(qps * shakeSeconds), formatCount(totals.sent), formatCount(totals.answered)],
      ['grabs', '', formatCount(totals.grabsSent), formatCount(totals.grabsAnswered)],
    ]),
    '',
    ...formatTable([
      ['packets', 'released', 'had', 'yuan'],
      ['won by a shake', formatCount(result.droppedPackets), formatCount(totals.won), formatCents(totals.wonCents)],
      [
        'sent; shares grabbed',
        formatCount(result.sentPackets),
        formatCount(totals.grabsWon),
        formatCents(totals.grabCents),
      ],
    ]),
    `overload ${formatCount(totals.overload)}, connections lost ${formatCount(totals.lostConnections)}, ` +
      `failed ${formatCount(totals.failedConnects)}, unexpected frames ${formatCount(totals.unexpected)}`,
    '',
    ...formatLatencies('latency, ms', [
      ['shake (from when it was due)', summarize(result.shakeLatency)],
      ['grab (from when it was sent)', summarize(result.grabLatency)],
    ]),
    '',
    ...formatMemory(result),
    '',
    ...formatCpu(result),
    '',
    ...formatCheck(result.check, pairs),
  ];
}

/** What makes the run a failed one, as sentences. */
export function findMillionFaults({ totals, check, pairs }: MillionResult): string[] {
  const faults: string[] = [];
  const unanswered = countUnanswered(totals);
  if (unanswered !== 0) faults.push(`${formatCount(unanswered)} requests were not answered`);
  if (totals.skipped > 0) faults.push(`${formatCount(totals.skipped)} shakes were not sent: no connection`);
  if (totals.unexpected > 0) faults.push(`${formatCount(totals.unexpected)} frames answer nothing that was asked`);
  for (const { what, differing } of check) {
    if (differing > 0) faults.push(`the two ends differ in ${differing} of ${pairs} pairs: ${what}`);
  }
  return faults;
}

/** The result for programs: bytes, microseconds, cents. */
export function toMillionJson(result: MillionResult, qps: number, sentences: readonly string[]): object {
  const { shakeLatency, grabLatency, ...counted } = result;
  const { memory, connections, totals } = result;
  return {
    plan: sentences,
    qps,
    ...counted,
    answeredPerSecond: totals.answered / result.answerSeconds,
    latency: { shake: summarize(shakeLatency), grab: summarize(grabLatency) },
    bytesPerConnection: {
      connected: costPerConnection(memory.before, memory.connected, connections),
      after: costPerConnection(memory.before, memory.after, connections),
    },
    faults: findMillionFaults(result),
  };
}

function formatMemory({ memory, connections, pairs }: MillionResult): string[] {
  const { before, connected, after } = memory;
  const row = (name: string, pick: (cost: ConnectionCost) => number) => [
    name,
    ...[connected, after].map((moment) => formatBytes(pick(costPerConnection(before, moment, connections)))),
  ];
  return [
    ...formatTable([
      ['memory per connection', 'connected', 'after the shakes'],
      row('user space, server', ({ serverBytes }) => serverBytes),
      row('user space, client', ({ clientBytes }) => clientBytes),
      row('kernel, both ends', ({ kernelBytes }) => kernelBytes),
      row('all three', ({ serverBytes, clientBytes, kernelBytes }) => serverBytes + clientBytes + kernelBytes),
      row('less memory available', ({ availableBytes }) => availableBytes),
    ]),
    '',
    ...formatTable([
      ['memory', 'before', 'connected', 'after the shakes'],
      ['servers', ...[before, connected, after].map(({ serverBytes }) => formatBytes(serverBytes))],
      ['  each', ...[before, connected, after].map(({ serverBytes }) => formatBytes(serverBytes / pairs))],
      ['clients', ...[before, connected, after].map(({ clientBytes }) => formatBytes(clientBytes))],
      ['  each', ...[before, connected, after].map(({ clientBytes }) => formatBytes(clientBytes / pairs))],
      ['kernel', ...[before, connected, after].map(({ kernelBytes }) => formatBytes(kernelBytes))],
      ['available', ...[before, connected, after].map(({ availableBytes }) => formatBytes(availableBytes))],
    ]),
    `at the most ${formatBytes(memory.firstAvailableBytes - memory.leastAvailableBytes)} in use above the start; ` +
      `${formatBytes(memory.leastAvailableBytes)} were still available then`,
  ];
}

function formatCpu({ serverCpuSeconds, clientCpuSeconds, totals, answerSeconds }: MillionResult): string[] {
  const row = (name: string, seconds: number) => [
    name,
    (seconds / answerSeconds).toFixed(2),
    totals.answered === 0 ? '-' : ((seconds * 1e6) / totals.answered).toFixed(1),
  ];
  return formatTable([
    ['CPU until all was answered', 'cores', 'us a shake'],
    row('servers', serverCpuSeconds),
    row('clients', clientCpuSeconds),
  ]);
}

/** The check as a table. */
export function formatCheck(check: readonly CheckRow[], pairs: number): string[] {
  const rows = check.map(({ what, client, server, isCents, differing }) => {
    const format = isCents ? formatCents : formatCount;
    return [what, format(client), format(server), differing === 0 ? 'agree' : `DIFFER in ${differing} of ${pairs}`];
  });
  return formatTable([['both ends of all pairs', 'client', 'server', ''], ...rows]);
}
