// The tool that attacks a server: what it judges, and a short run of it.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { emptyTotals } from '../../../clients/load/load-totals.ts';
import { buildMicroseconds } from '../../../lib/monitor/microseconds.ts';
import { judgeHostile } from '../../../tools/hostile/judge-hostile.ts';
import type { HostileResult, PhaseResult } from '../../../tools/hostile/run-hostile.ts';
import { collect } from '../../server-process.ts';

const phase = (name: PhaseResult['name'], changes: Partial<PhaseResult> = {}): PhaseResult => ({
  name,
  shake: buildMicroseconds(),
  grab: buildMicroseconds(),
  cpuShare: 0.5,
  residentBytes: 300e6,
  grownBytes: 1e6,
  peersConnected: 100,
  closed: {},
  limitedShakes: 0,
  openAfter: 10,
  ...changes,
});

const GOOD: HostileResult = {
  phases: [
    phase('calm'),
    phase('silent', { closed: { 'login-timeout': 100 } }),
    phase('deaf', { closed: { 'slow-consumer': 5 } }),
    phase('greedy', { limitedShakes: 100 }),
    phase('flood', { closed: { 'accept-limit': 1 } }),
  ],
  totals: emptyTotals(),
  unanswered: 0,
  comparisons: [
    { what: 'grabs', client: 5, server: 5, isCents: false },
    { what: 'shakes', client: 5, server: 9, isCents: false },
  ],
  differenceCents: 0,
};

t.test('each check fails, alone, when what it looks at is off', (t) => {
  const failed = (result: HostileResult) =>
    judgeHostile(result, 10, 100)
      .filter(({ isPassed }) => !isPassed)
      .map(({ what }) => what);
  t.strictSame(failed(GOOD), []);
  const withPhase = (changed: PhaseResult) => ({
    ...GOOD,
    phases: GOOD.phases.map((one) => (one.name === changed.name ? changed : one)),
  });
  const comparisons = [{ what: 'grabs', client: 5, server: 4, isCents: false }];
  for (const [result, what] of [
    [{ ...GOOD, unanswered: 1 }, 'honest: requests not answered'],
    [{ ...GOOD, totals: { ...emptyTotals(), lostConnections: 1 } }, 'honest: connections lost'],
    [{ ...GOOD, totals: { ...emptyTotals(), overload: 1 } }, 'honest: shakes refused'],
    [{ ...GOOD, comparisons }, 'both ends: grabs'],
    [{ ...GOOD, differenceCents: -1 }, 'money: difference'],
    [withPhase(phase('silent', { closed: { 'login-timeout': 89 } })), 'silent: ended by login-timeout'],
    [withPhase(phase('deaf', { closed: { 'slow-consumer': 3 } })), 'deaf: ended by slow-consumer'],
    [withPhase(phase('greedy', { limitedShakes: 99 })), 'greedy: shakes over the limit'],
    [withPhase(phase('flood')), 'flood: ended by accept-limit'],
    [
      withPhase(phase('silent', { closed: { 'login-timeout': 100 }, openAfter: 11 })),
      'silent: connections left behind',
    ],
    [withPhase(phase('greedy', { limitedShakes: 100, grownBytes: 200e6 })), 'greedy: memory grown, MB'],
  ] as const) {
    t.strictSame(failed(result), [what]);
  }
  t.end();
});

t.test('a short run with two attacks passes', async (t) => {
  const tool = fileURLToPath(new URL('../../../tools/hostile/hostile.ts', import.meta.url));
  const how = ['--users', '30', '--qps', '150', '--peers', '60', '--seconds', '6', '--attacks', 'slowloris', 'flood'];
  const { code, stdout, stderr } = await collect(
    spawn(process.execPath, [tool, ...how], { stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  t.equal(code, 0, stdout + stderr);
  t.match(stdout, /slowloris: ended by frame-timeout +>= 54 +60 +passed/);
  t.match(stdout, /PASSED: all 17 checks/);
});
