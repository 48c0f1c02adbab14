// The rate of each user: what is just within it, what is just over it, and how long to wait.

import t from 'tap';
import { RateLimit } from '../../lib/chat/rate-limit.ts';

t.test('a user may ask as often at once as the bucket holds, and not once more', (t) => {
  const rate = new RateLimit(10, 3);
  t.strictSame(
    [0, 0, 0, 0].map(() => rate.take(7, 1000)),
    [0, 0, 0, 100],
  );
  t.equal(rate.take(8, 1000), 0, 'another user has a bucket of his own');
  t.end();
});

t.test('what was told to wait is taken after that wait, and not before', (t) => {
  const rate = new RateLimit(10, 1);
  rate.take(7, 0);
  const waitMs = rate.take(7, 30);
  t.equal(waitMs, 70);
  t.ok(rate.take(7, 30 + waitMs - 1) > 0);
  t.equal(rate.take(7, 30 + waitMs), 0);
  t.end();
});

t.test('buckets that are full again are forgotten, others are not', (t) => {
  const rate = new RateLimit(10, 2);
  rate.take(1, 0);
  rate.take(2, 1000);
  rate.keepTime(1050);
  t.equal(rate.size, 1);
  rate.keepTime(1100);
  t.equal(rate.size, 0);
  t.end();
});

t.test('no more users are known than it may hold', (t) => {
  const rate = new RateLimit(1, 1, 100);
  for (let userId = 0; userId < 1000; userId++) {
    t.equal(rate.take(userId, 0), 0);
    if (rate.size > 100) t.fail(`${rate.size} users`);
  }
  t.end();
});
