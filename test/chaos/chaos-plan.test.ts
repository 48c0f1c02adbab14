// What a run of chaos draws from its seed.

import t from 'tap';
import { ChaosRandom, planRound } from '../../tools/chaos/chaos-plan.ts';

const PLANS = Array.from({ length: 200 }, (_, round) => planRound(7, round));

t.test('the same seed gives the same plan, another seed another', async (t) => {
  t.same(planRound(7, 3), PLANS[3]);
  t.notSame(planRound(8, 3), PLANS[3]);
  t.notSame(PLANS[3], PLANS[4]);
});

t.test('every plan can be served, and everything that may be drawn is', async (t) => {
  const seen = (choose: (plan: (typeof PLANS)[0]) => number) => new Set(PLANS.map(choose)).size;
  t.ok(PLANS.every(({ workers, sets }) => workers >= 1 && workers <= sets));
  t.ok(PLANS.every(({ loadMs }) => loadMs >= 200 && loadMs <= 2500));
  t.equal(
    seen(({ acceptors }) => acceptors),
    2,
  );
  t.equal(
    seen(({ segmentBytes }) => segmentBytes),
    4,
  );
  t.equal(
    seen(({ keepSegments }) => keepSegments),
    4,
  );
  t.equal(
    seen(({ startKillsMs }) => startKillsMs.length),
    4,
  );
});

t.test('what one part draws does not change what another draws', async (t) => {
  const draw = (name: string) => new ChaosRandom(7, name).between(0, 2 ** 31 - 1);
  t.equal(draw('user 1'), draw('user 1'));
  t.not(draw('user 1'), draw('user 2'));
});
