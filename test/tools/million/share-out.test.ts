// Sharing a run out over pairs: nothing is lost to rounding, and the users of all pairs are one range without a gap.

import t from 'tap';
import { shareOut, sharePairs } from '../../../tools/million/share-out.ts';

t.test('parts add up exactly and differ by one at the most', async (t) => {
  for (const [total, parts] of [
    [30_000, 51],
    [0, 3],
    [2, 3],
    [7, 7],
    [1_000_000, 51],
    [12_000, 1],
  ]) {
    const shares = shareOut(total, parts);
    t.equal(shares.length, parts);
    t.equal(
      shares.reduce((sum, share) => sum + share, 0),
      total,
    );
    t.ok(Math.max(...shares) - Math.min(...shares) <= 1, `${total} over ${parts}`);
  }
});

t.test('every user belongs to one pair, and the loads of all pairs are the whole', async (t) => {
  const load = { connections: 1003, qps: 601, durationSeconds: 7, dropRate: 11, sendRate: 5 };
  const pairs = sharePairs(load, 4);
  let next = 0;
  for (const { users } of pairs) {
    t.equal(users[0], next);
    next = users[1] + 1;
  }
  t.equal(next, 1003);
  const sum = (pick: (pair: (typeof pairs)[number]) => number) => pairs.reduce((all, pair) => all + pick(pair), 0);
  t.equal(
    sum(({ qps }) => qps),
    601,
  );
  t.equal(
    sum(({ dropPackets }) => dropPackets),
    77,
  );
  t.equal(
    sum(({ sentPackets }) => sentPackets),
    35,
  );
});
