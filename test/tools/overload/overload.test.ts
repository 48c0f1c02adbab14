// Tries the verdict on an overloaded server, and the hot packet, small, against a real one.

import t from 'tap';
import { runHotPacket } from '../../../tools/overload/hot-packet.ts';
import { judgeOverload, type OverloadFacts } from '../../../tools/overload/judge-overload.ts';
import { encodeValues, makeSample, SECOND } from '../../monitor/make-samples.ts';
import { serve } from '../../net/test-server.ts';

/** Calm for 10 s, flooded for 10 s, calm for 10 s; shed until 3 s after the flood. */
function makeFacts(): OverloadFacts {
  const at = (offset: number) => ({ second: SECOND + offset, sequence: offset });
  const isShedding = (offset: number) => offset >= 11 && offset < 23;
  const offsets = Array.from({ length: 30 }, (_, i) => i);
  return {
    times: {
      calmMs: SECOND * 1000,
      floodMs: (SECOND + 10) * 1000,
      againMs: (SECOND + 20) * 1000,
    },
    grabbers: offsets.map((i) =>
      makeSample({ ...at(i), role: 'client', latency: { grab: encodeValues({ 90000: 50 }) } }),
    ),
    server: offsets.map((i) =>
      makeSample({ ...at(i), counts: { shakesShed: isShedding(i) ? 5 : 0 }, gauges: { level: isShedding(i) ? 2 : 0 } }),
    ),
    grabs: { sent: 100, answered: 100, won: 100, invited: 100 },
    unansweredShakes: 0,
    differenceCents: 0,
    auditFindings: 0,
  };
}

const failed = (facts: OverloadFacts) => judgeOverload(facts).flatMap(({ what, isPassed }) => (isPassed ? [] : [what]));

t.test('each check fails, alone, when what it looks at is off', (t) => {
  t.strictSame(failed(makeFacts()), []);
  const base = makeFacts();
  for (const [facts, what] of [
    [{ grabs: { ...base.grabs, answered: 99 } }, 'grabs not answered'],
    [{ grabs: { ...base.grabs, won: 99 } }, 'shares that the invited did not get'],
    [{ unansweredShakes: 1 }, 'shakes not answered'],
    [{ differenceCents: -1 }, 'missing in the books, cents'],
    [{ auditFindings: 1 }, 'findings of the audit'],
    [
      { grabbers: base.grabbers.map((sample) => ({ ...sample, latency: { grab: encodeValues({ 2100000: 5 }) } })) },
      'while flooded, 99% of grabs answered within, ms',
    ],
    [
      { server: base.server.map((sample) => ({ ...sample, gauges: { level: Math.min(1, sample.gauges.level) } })) },
      'the level it rose to',
    ],
    [{ server: base.server.map((sample) => ({ ...sample, counts: { shakesShed: 0 } })) }, 'shakes shed'],
    [
      {
        server: [
          ...base.server,
          makeSample({ second: SECOND + 40, sequence: 40, counts: { shakesShed: 1 }, gauges: { level: 1 } }),
        ],
      },
      'seconds after the flood until nothing is shed',
    ],
  ] as [Partial<OverloadFacts>, string][]) {
    t.strictSame(failed({ ...base, ...facts }), [what]);
  }
  t.end();
});

t.test(
  'of a packet that everybody grabs exactly its shares are won, and everybody is answered',
  { timeout: 60_000 },
  async (t) => {
    const server = await serve(t);
    const controlUrl = `http://127.0.0.1:${server.controlPort}`;
    const checks = await runHotPacket({ port: server.port, controlUrl }, 120, 7);
    for (const { what, target, reached, isPassed } of checks) t.ok(isPassed, `${what}: ${reached} of ${target}`);
    const { grabs, money } = await server.status();
    t.match(grabs, { won: 7, empty: 113, notInvited: 0 });
    t.equal(money.difference, 0);
  },
);
