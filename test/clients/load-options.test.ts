// Tries how a load test is asked for: targets, ranges of users, and their parts.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { countUsers, parseTarget, parseUsers, partOf, type UserRange } from '../../clients/load/load-options.ts';
import { checkProperty } from '../packets/check-property.ts';
import { printSeed } from '../packets/seed.ts';

printSeed(t);

t.test('a target is a host and a port, or a port on this machine', (t) => {
  const targets: [string, string, number][] = [
    ['127.0.0.1:1025', '127.0.0.1', 1025],
    ['example.org:65535', 'example.org', 65_535],
    [':8989', '127.0.0.1', 8989],
    ['1025', '127.0.0.1', 1025],
    ['[::1]:1025', '::1', 1025],
    ['::1:1025', '::1', 1025],
  ];
  for (const [text, host, port] of targets) t.strictSame(parseTarget(text), { host, port }, text);
  for (const text of ['', ':', 'host', 'host:', 'host:65536', 'host:99999', '123456', 'host:1x', 'host:-1', '1.5']) {
    t.equal(parseTarget(text), undefined, `'${text}' is none`);
  }
  t.end();
});

t.test('users are two ids in order', (t) => {
  t.strictSame(parseUsers('0:0'), [0, 0]);
  t.strictSame(parseUsers('10000:19999'), [10_000, 19_999]);
  t.strictSame(parseUsers('0:2147483647'), [0, 2_147_483_647]);
  for (const text of ['', '5', '5:', ':5', '6:5', '-1:5', '1:2:3', '0:2147483648', '0:99999999999', '1.5:2', 'a:b']) {
    t.equal(parseUsers(text), undefined, `'${text}' are none`);
  }
  t.end();
});

t.test('the parts of a range follow each other, cover it, and differ by one user at most', (t) =>
  checkProperty(
    t,
    'every user is in one part',
    fc.property(
      fc.integer({ min: 0, max: 2 ** 30 }),
      fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 2 ** 30 })),
      fc.integer({ min: 1, max: 64 }),
      (first, users, threads) => {
        const range: UserRange = [first, first + users - 1];
        assert.equal(countUsers(range), users);
        const parts = Array.from({ length: threads }, (_, i) => partOf(range, i, threads));
        let next = first;
        for (const [low, high] of parts) {
          assert.equal(low, next);
          next = high + 1;
        }
        assert.equal(next, first + users);
        const sizes = parts.map(countUsers);
        assert(Math.max(...sizes) - Math.min(...sizes) <= 1);
      },
    ),
    500,
  ),
);
