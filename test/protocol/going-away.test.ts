// The body of GOING_AWAY as a client judges it, and the addresses that it may name.

import t from 'tap';
import { readGoingAway } from '../../lib/protocol/extended.ts';
import { MAX_RECONNECT_SECONDS } from '../../lib/protocol/limits.ts';
import { readTarget } from '../../lib/protocol/target.ts';

t.test('a GOING_AWAY in order is read, with its target or without, and what it does not have is left out', (t) => {
  for (const reconnectAfterSeconds of [0, 1, MAX_RECONNECT_SECONDS]) {
    t.strictSame(readGoingAway({ reconnectAfterSeconds, more: 1 }), { reconnectAfterSeconds });
    const whole = { reconnectAfterSeconds, target: '10.0.0.6:1025' };
    t.strictSame(readGoingAway(whole), whole);
  }
  t.end();
});

t.test('a GOING_AWAY of any other shape is refused', (t) => {
  for (const reconnectAfterSeconds of [-1, 0.5, MAX_RECONNECT_SECONDS + 1, '2', null, Number.NaN, undefined]) {
    t.equal(readGoingAway({ reconnectAfterSeconds }), undefined, `${reconnectAfterSeconds} seconds`);
  }
  for (const target of ['', 'nowhere', 7, null, ['a:1'], 'a:0']) {
    t.equal(readGoingAway({ reconnectAfterSeconds: 1, target }), undefined, `the target ${target}`);
  }
  for (const body of [undefined, null, 5, [], new Uint8Array(3)]) t.equal(readGoingAway(body), undefined);
  t.end();
});

t.test('a target is a host and a port, with an IPv6 address in brackets', (t) => {
  t.strictSame(readTarget('red.example:1'), { host: 'red.example', port: 1 });
  t.strictSame(readTarget('10.0.0.6:65535'), { host: '10.0.0.6', port: 65_535 });
  t.strictSame(readTarget('[fe80::1]:1025'), { host: 'fe80::1', port: 1025 });
  t.strictSame(readTarget(`${'x'.repeat(253)}:1`), { host: 'x'.repeat(253), port: 1 });
  for (const text of [
    '',
    ':1',
    'a',
    'a:',
    'a:0',
    'a:65536',
    'a:1.5',
    'a b:1',
    '::1:1025',
    '[a:1',
    'http://a:1',
    'me@a:1',
  ]) {
    t.equal(readTarget(text), undefined, text);
  }
  t.equal(readTarget(`${'x'.repeat(254)}:1`), undefined);
  t.end();
});
