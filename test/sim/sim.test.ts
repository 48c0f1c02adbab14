// The simulation with some hundred seeds, and with rules broken on purpose, each of which it must notice. `make sim` runs
// thousands; SEED=<number> repeats one.

import t, { test } from 'tap';
import { seed } from '../packets/seed.ts';
import { BROKEN_RULES } from './broken-rules.ts';
import { simulate } from './simulation.ts';

const SEEDS = 200;
/** Seeds within which a broken rule must be noticed. */
const MOST_SEEDS = 400;

// A slow machine takes a minute and a half for all of it.
t.setTimeout(400_000);

test('whatever happens to a server, no cent is lost, doubled or told too early', async (t) => {
  const seeds = process.env.SEED === undefined ? SEEDS : 1;
  for (let i = 0; i < seeds; i++) {
    await t.resolves(simulate(seed + i), `SEED=${seed + i}`);
  }
});

test('a disk that fails while the last packets expire is followed by another server, which ends them', async (t) => {
  for (const failing of [1_002_257, 700_001_571]) await t.resolves(simulate(failing), `SEED=${failing}`);
});

test('the same seed does the same again', async (t) => {
  t.same(await simulate(20_150_218), await simulate(20_150_218));
});

for (const rule of BROKEN_RULES) {
  test(`it is noticed that ${rule.name}`, async (t) => {
    let noticed: unknown;
    let tried = 0;
    for (; noticed === undefined && tried < MOST_SEEDS; tried++) {
      noticed = await simulate((rule.firstSeed ?? 1) + tried, rule).then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    t.ok(noticed instanceof Error, `within ${tried} seeds: ${String(noticed).split('\n')[0]}`);
  });
}
