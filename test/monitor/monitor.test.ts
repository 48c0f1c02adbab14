// Tries the monitor: what it takes and refuses, and when it tells viewers.

import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { LiveSecond } from '../../lib/monitor/live.ts';
import { Monitor } from '../../lib/monitor/monitor.ts';
import { encodeValues, makeSample } from './make-samples.ts';

/** Now: the monitor's own clock is the machine's. */
const now = Math.floor(Date.now() / 1000);

t.test('rubbish is refused, counted by reason, and told in words; what is sound beside it is taken', (t) => {
  const monitor = new Monitor();
  const sound = makeSample({ second: now });
  for (const rubbish of [
    undefined,
    7,
    'x',
    [],
    {},
    { ...sound, source: '<img src=x>' },
    { ...sound, second: -1 },
    { ...sound, seconds: 0 },
    { ...sound, counts: { won: -1 } },
    { ...sound, counts: { won: '7' } },
    { ...sound, counts: { won: Number.NaN } },
    { ...sound, gauges: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`g${i}`, 1])) },
    { ...sound, latency: { shake: 'rubbish' } },
    { ...sound, latency: { shake: 'A'.repeat(70_000) } },
    { ...sound, surplus: 1 },
    { ...sound, controlPort: 0 },
  ]) {
    t.notOk(monitor.takeUnknown(rubbish, '10.0.0.1'), JSON.stringify(rubbish)?.slice(0, 80));
  }
  t.match(monitor.state(), { refused: { bad: 16 }, lastRefusal: /controlPort/ });
  t.ok(monitor.takeUnknown(sound, '10.0.0.1'));
  t.notOk(monitor.takeUnknown(sound, '10.0.0.1'));
  t.notOk(monitor.takeUnknown({ ...sound, sequence: 1, second: now + 100 }, '10.0.0.1'));
  t.match(monitor.state(), {
    refused: { bad: 16, duplicate: 1, future: 1 },
    lastRefusal: 'a sample of server:1 is of a second that has not come; is its clock ahead?',
    sources: [{ source: 'server:1', state: 'here' }],
  });
  t.end();
});

t.test('viewers are told of a second once others had a moment to join it, and again when one is late', async (t) => {
  const monitor = new Monitor();
  const told: LiveSecond[][] = [];
  monitor.take(makeSample({ second: now - 1, sequence: 8 }));
  const end = monitor.subscribe((seconds) => told.push(seconds));
  monitor.take(makeSample({ second: now, sequence: 9, counts: { won: 1 } }));
  monitor.take(
    makeSample({ source: 'b', second: now, counts: { won: 2 }, latency: { shake: encodeValues({ 5: 1 }) } }),
  );
  t.equal(told.length, 0, 'not yet');
  await sleep(300);
  t.match(told, [[{ second: now, server: { sources: 2, rates: { won: 3 }, latency: { shake: { count: 1 } } } }]]);
  t.notOk('counts' in told[0][0].server!, 'rates say the same');
  monitor.take(makeSample({ source: 'c', second: now, seconds: 3, counts: { won: 1 } }));
  await sleep(300);
  t.match(told[1], [{ second: now, server: { sources: 3, rates: { won: 3.33 } } }]);
  t.match(monitor.since(now - 1), [{ second: now - 1 }, { second: now }]);
  end();
  monitor.take(makeSample({ source: 'd', second: now }));
  await sleep(300);
  t.equal(told.length, 2, 'who has left is told nothing');
  await monitor.close();
});
