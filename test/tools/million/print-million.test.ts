// The judgement of a run: a difference in one pair is seen even where the sums agree, and every fault is a sentence.

import t from 'tap';
import { emptyTotals } from '../../../clients/load/load-totals.ts';
import type { Comparison } from '../../../clients/load/verify.ts';
import { buildMicroseconds } from '../../../lib/monitor/microseconds.ts';

import { describeEnd } from '../../../tools/million/family.ts';
import { costPerConnection } from '../../../tools/million/memory-watch.ts';
import { findMillionFaults, formatCheck, formatMillion, toMillionJson } from '../../../tools/million/print-million.ts';
import { type MillionResult, mergeComparisons } from '../../../tools/million/run-million.ts';

const row = (client: number, server: number, isCents = false): Comparison => ({ what: 'won', client, server, isCents });

const MOMENT = { serverBytes: 1e8, clientBytes: 2e7, kernelBytes: 3e7, availableBytes: 9e9 };
const LATER = { serverBytes: 1e8 + 2e5, clientBytes: 2e7 + 3e5, kernelBytes: 3e7 + 8e5, availableBytes: 9e9 - 14e5 };

function resultWith(changes: Partial<MillionResult>): MillionResult {
  return {
    connections: 100,
    pairs: 2,
    totals: { ...emptyTotals(), connected: 100, sent: 600, answered: 600 },
    droppedPackets: 4,
    sentPackets: 4,
    shakeLatency: buildMicroseconds(),
    grabLatency: buildMicroseconds(),
    startSeconds: 1,
    connectSeconds: 2,
    shakeSeconds: 3,
    answerSeconds: 3,
    check: mergeComparisons([[row(1, 1)], [row(2, 2)]]),
    memory: { before: MOMENT, connected: LATER, after: LATER, leastAvailableBytes: 8e9, firstAvailableBytes: 9e9 },
    serverCpuSeconds: 0.3,
    clientCpuSeconds: 0.15,
    ...changes,
  };
}

t.test('differences of two pairs that cancel out are differences', async (t) => {
  const check = mergeComparisons([[row(5, 6)], [row(6, 5)], [row(1, 1)]]);
  t.strictSame(check, [{ what: 'won', isCents: false, client: 12, server: 12, differing: 2 }]);
  t.match(formatCheck(check, 3)[1], /^won +12 +12 +DIFFER in 2 of 3$/);
  t.strictSame(findMillionFaults(resultWith({ check, pairs: 3 })), ['the two ends differ in 2 of 3 pairs: won']);
});

t.test('a run where all is well has no faults', async (t) => {
  t.strictSame(findMillionFaults(resultWith({})), []);
  t.match(formatCheck(mergeComparisons([[row(123, 123, true)]]), 1)[1], /^won +1\.23 +1\.23 +agree$/);
});

t.test('the rate of answers counts until the last one, that of what was sent does not', async (t) => {
  const lines = formatMillion(resultWith({ answerSeconds: 6 }), 200);
  t.match(lines[0], /shook for 3 s, the last answer after 6\.0 s$/);
  t.match(lines[3], /^shakes a second +200\/s +200\/s +100\/s$/);
});

t.test('what was not answered, not sent, or not asked for is a fault', async (t) => {
  const totals = { ...emptyTotals(), sent: 10, answered: 8, skipped: 3, unexpected: 1 };
  t.strictSame(findMillionFaults(resultWith({ totals })), [
    '2 requests were not answered',
    '3 shakes were not sent: no connection',
    '1 frames answer nothing that was asked',
  ]);
});

t.test('memory is what was added between two moments, for each connection', async (t) => {
  const cost = { serverBytes: 2000, clientBytes: 3000, kernelBytes: 8000, availableBytes: 14_000 };
  t.strictSame(costPerConnection(MOMENT, LATER, 100), cost);
  const text = formatMillion(resultWith({}), 200).join('\n');
  t.match(text, /^user space, server +2\.0 KB +2\.0 KB$/m);
  t.match(text, /^all three +12\.7 KB/m);
  t.match(text, /^shakes a second +200\/s +200\/s +200\/s$/m);
  t.match(text, /^servers +0\.10 +500\.0$/m);
  t.match(text, 'at the most 954 MB in use above the start');
  t.match(toMillionJson(resultWith({}), 200, ['a plan']), {
    answeredPerSecond: 200,
    bytesPerConnection: { connected: cost, after: cost },
    faults: [],
    plan: ['a plan'],
  });
});

t.test('the death of a child is a sentence', async (t) => {
  t.equal(
    describeEnd('client 2', null, 'SIGKILL', ''),
    'client 2 ended by SIGKILL in the middle of the run; perhaps the system had no memory left',
  );
  t.equal(
    describeEnd('server 1', 1, null, 'Error: x\n  at y\n'),
    'server 1 ended with exit code 1 in the middle of the run: Error: x at y',
  );
});
