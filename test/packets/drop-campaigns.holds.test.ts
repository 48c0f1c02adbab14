// Tries what holds drops back, with a clock of our own: pauses, times to begin, and what is kept of them.

import t from 'tap';
import type { Hold } from '../../lib/packets/campaign-holds.ts';
import { MAX_OPEN_DROPS } from '../../lib/packets/limits.ts';
import type { InstantLog } from './instant-log.ts';
import { openDrops, START_MS } from './open-drops.ts';
import { printSeed } from './seed.ts';

printSeed(t);

t.test('a paused drop releases nothing, what is out can be won, and nothing is made up for afterwards', async (t) => {
  const { drops, left, win } = openDrops(1);
  const { id } = await drops.create({ count: 100, rate: 10, budget: 1000 }, () => START_MS);
  drops.tick(START_MS + 1000);
  t.match(drops.pause(id), { released: 10, state: 'releasing', isPaused: true });
  t.equal(drops.releaseRate, 0);
  t.strictSame(drops.holds.entries(), [[id, { isPaused: true }]]);
  drops.tick(START_MS + 5000);
  t.equal(left(), 10);
  t.ok(win(0, 5), 'what is out can be won');
  drops.pause(id);
  t.match(drops.resume(id, START_MS + 6000), { released: 10, isPaused: false });
  drops.resume(id, START_MS + 6500);
  t.strictSame(drops.holds.entries(), []);
  drops.tick(START_MS + 6999);
  t.match(drops.status(id), { released: 19 }, 'resuming again does not start anew');
  drops.tick(START_MS + 60_000);
  t.match(drops.status(id), { released: 100, state: 'released' });
  t.match(drops.released(), { packets: 100, cents: 1000 });
});

t.test('a paused drop can be closed, and a closed one can neither be paused nor resumed', async (t) => {
  const { drops } = openDrops(1);
  const { id } = await drops.create({ count: 100, rate: 10, budget: 1000 }, () => START_MS);
  drops.pause(id);
  t.match(await drops.close(id), { state: 'closed', refundedCents: 1000 });
  t.strictSame(drops.holds.entries(), []);
  for (const act of [() => drops.pause(id), () => drops.resume(id, START_MS)]) {
    t.throws(act, { code: 'over', message: `drop ${id} is closed` });
  }
  t.throws(() => drops.pause(9), { code: 'not_found' });
});

t.test('a scheduled drop begins at its time, and not before; it can be paused and closed meanwhile', async (t) => {
  const { drops, left } = openDrops(1);
  const spec = { count: 100, rate: 10, budget: 1000 };
  const startMs = START_MS + 60_000;
  t.match(await drops.create({ ...spec, startMs }, () => START_MS), { state: 'scheduled', startsAtMs: startMs });
  t.equal(drops.releaseRate, 0);
  drops.tick(startMs - 1);
  t.match(drops.status(1), { state: 'scheduled', released: 0 });
  drops.tick(startMs);
  drops.tick(startMs + 1000);
  t.match(drops.status(1), { state: 'releasing', released: 10 });
  t.notOk('startsAtMs' in drops.status(1));

  await drops.create({ ...spec, startMs: startMs + 60_000 }, () => startMs);
  t.match(await drops.close(2), { state: 'closed', refundedCents: 1000, released: 0 });

  await drops.create({ ...spec, startMs: startMs + 60_000 }, () => startMs);
  drops.pause(3);
  drops.tick(startMs + 120_000);
  t.match(drops.status(3), { isPaused: true, released: 0 });
  drops.resume(3, startMs + 120_000);
  drops.tick(startMs + 121_000);
  t.match(drops.status(3), { released: 10 });

  const past = await drops.create({ ...spec, startMs: 5 }, () => START_MS);
  t.equal(past.state, 'releasing', 'a time that has passed is now');
  t.equal(left(), drops.status(1).released + 10);
});

t.test('a hold that cannot be kept changes nothing', async (t) => {
  const { drops } = openDrops(1);
  await drops.create({ count: 10, rate: 10, budget: 100 }, () => START_MS);
  drops.holds.keep = () => {
    throw new Error('the disk is full');
  };
  t.throws(() => drops.pause(1), { message: 'the disk is full' });
  t.match(drops.status(1), { isPaused: false });
  t.strictSame(drops.holds.entries(), []);
  await t.rejects(drops.create({ count: 10, rate: 10, budget: 100, startMs: START_MS + 1e6 }, () => START_MS));
  drops.holds.keep = () => {};
  for (let i = 0; i < MAX_OPEN_DROPS - 1; i++) await drops.create({ count: 1, rate: 1, budget: 1 }, () => START_MS);
  t.equal(drops.openCount, MAX_OPEN_DROPS, 'what was refused has left no hole');
});

t.test('a paused drop of which the rest is won meanwhile is over, and not paused any more', async (t) => {
  const { drops, win } = openDrops(1);
  await drops.create({ count: 3, rate: 1000, budget: 30 }, () => START_MS);
  drops.tick(START_MS + 10);
  t.match(drops.pause(1), { state: 'released', isPaused: true });
  while (win(0, 5));
  drops.tick(START_MS + 20);
  t.match(drops.status(1), { state: 'closed', isPaused: false });
  await turnLoop();
  t.strictSame(drops.holds.entries(), []);
});

t.test('a restart finds a drop as it stood: paused, scheduled, both, or being closed', async (t) => {
  const startMs = START_MS + 60_000;
  for (const [hold, found, meanwhile, atStart] of [
    [{}, { state: 'releasing', isPaused: false }, 10, 10],
    [{ isPaused: true }, { state: 'releasing', isPaused: true }, 0, 0],
    [{ startMs }, { state: 'scheduled', isPaused: false, startsAtMs: startMs }, 0, 10],
    [{ startMs, isPaused: true }, { state: 'scheduled', isPaused: true, startsAtMs: startMs }, 0, 0],
    [{ startMs: START_MS - 1 }, { state: 'releasing', isPaused: false }, 10, 10],
    [{ isCutShort: true }, { state: 'closing', isPaused: false }, 0, 0],
  ] as const) {
    const { log, drops: first } = openDrops(1);
    await first.create({ count: 10, rate: 10, budget: 100 }, () => START_MS);
    const { drops, left } = await restart(log, [[1, hold]]);
    const name = JSON.stringify(hold);
    t.match(drops.status(1), found, name);
    drops.tick(startMs - 1);
    t.equal(left(), meanwhile, `${name}: before its time`);
    drops.tick(startMs + 1000);
    t.equal(left(), atStart, `${name}: behind it`);
    if (found.isPaused) drops.resume(1, startMs + 1000);
    drops.tick(startMs + 2000);
    t.equal(left(), found.state === 'closing' ? 0 : 10, `${name}: when it goes on`);
    t.match(await drops.close(1), { state: 'closed', refundedCents: 100 });
    t.strictSame(drops.holds.entries(), []);
  }
});

t.test('a drop that is being closed does not begin after a crash that its close does not survive', async (t) => {
  for (const winners of [0, 1]) {
    for (const isPaused of [false, true]) {
      const { drops, log, table } = openDrops(1);
      const startMs = isPaused ? START_MS : START_MS + 60_000;
      await drops.create({ count: 10, rate: 1000, budget: 1000, startMs }, () => START_MS);
      await drops.create({ count: 10, rate: 1000, budget: 1000 }, () => START_MS);
      if (winners > 0) drops.tick(startMs + 1);
      if (isPaused) drops.pause(1);
      t.equal(
        table.take(0, 0, 9, () => true),
        winners > 0,
      );
      log.hold();
      const closing = drops.close(1);
      let kept: [number, Hold][] = [];
      drops.holds.keep = () => {
        kept = drops.holds.entries();
      };
      drops.pause(2);
      const second = await restart(log, kept);
      t.match(second.drops.status(1), { state: 'closing', isPaused: false });
      second.drops.tick(startMs + 5000);
      t.match(second.drops.status(1), { state: 'closed', released: 0, refundedCents: 1000 });

      if (winners > 0) table.settle(0);
      drops.tick(startMs + 5000);
      log.makeDurable();
      t.match(await closing, { isPaused: false });
      await turnLoop();
      t.match(drops.status(1), { state: 'closed', claimed: winners });
      t.strictSame(drops.holds.entries(), [[2, { isPaused: true }]], 'durable: nothing is left to hold back');
    }
  }
});

t.test('the holds of drops that an earlier run closed are not taken up, and go with the next change', async (t) => {
  const { log, drops: first } = openDrops(1);
  for (let id = 1; id <= 2; id++) await first.create({ count: 10, rate: 10, budget: 100 }, () => START_MS);
  await first.close(1);
  const { drops } = await restart(log, [
    [1, { isPaused: true }],
    [2, { isPaused: true }],
  ]);
  t.strictSame([drops.holds.get(1), drops.holds.get(2)], [{}, { isPaused: true }]);
  drops.pause(2);
  t.strictSame(drops.holds.entries(), [[2, { isPaused: true }]]);
});

t.test('a drop does not inherit the hold of one that never came to be and would have had its id', async (t) => {
  const later = START_MS + 1e9;
  for (const how of ['a crash', 'a keep that failed late'] as const) {
    const { drops, log } = openDrops(1);
    let kept: [number, Hold][] = [];
    const keepLate = () => {
      kept = drops.holds.entries();
      throw new Error('the disk is full');
    };
    if (how === 'a crash') {
      kept = [[1, { startMs: later }]];
      drops.continueFrom(0, 0, kept);
    } else {
      drops.holds.keep = keepLate;
      await t.rejects(drops.create({ count: 1, rate: 1, budget: 1, startMs: later }, () => START_MS));
      t.strictSame(kept, [[1, { startMs: later }]]);
    }
    drops.holds.keep = keepLate;
    await t.rejects(
      drops.create({ count: 1, rate: 1, budget: 1 }, () => START_MS),
      'not before that is kept',
    );
    t.equal(log.entries.length, 0);
    let keeps = 0;
    drops.holds.keep = () => {
      kept = drops.holds.entries();
      t.equal(log.entries.length, 0, 'kept before the drop is');
      keeps++;
    };
    for (let id = 1; id <= 2; id++) await drops.create({ count: 1, rate: 1, budget: 1 }, () => START_MS);
    t.strictSame([kept, keeps], [[], 1], how);
    const { drops: second } = await restart(log, kept);
    t.match(second.status(1), { state: 'releasing' });
  }
});

/** The next run, with the drops whose openings are durable and whose closes are not, and what was kept. */
async function restart(log: InstantLog, kept: Iterable<readonly [number, Hold]>) {
  const next = openDrops(1);
  const openings = log.durable.flatMap((entry) => (entry.what === 'openDrop' ? [entry.drop] : []));
  const closed = new Set(log.durable.flatMap((entry) => (entry.what === 'closeDrop' ? [entry.dropId] : [])));
  next.drops.continueFrom(openings.at(-1)!.id, 0, kept);
  for (const opening of openings) {
    if (closed.has(opening.id)) continue;
    await next.drops.restore({ opening, won: new Uint8Array(Math.ceil(opening.count / 8)) }, START_MS);
  }
  return next;
}

/** Lets everything that waits for a promise go on. */
function turnLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
