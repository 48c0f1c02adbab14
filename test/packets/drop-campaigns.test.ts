// Tries the drops with a clock of our own: release, wins, moved stock, closing, limits.

import t, { type Test } from 'tap';
import { CampaignError } from '../../lib/packets/campaign-error.ts';
import { DropCampaigns, type DropSplitter, type DropStatus } from '../../lib/packets/drop-campaigns.ts';
import type { DropSpec } from '../../lib/packets/drop-spec.ts';
import { DropTable } from '../../lib/packets/drop-table.ts';
import { DROP_ARENA_WORDS, MAX_AMOUNT_CENTS, MAX_BUDGET_CENTS, MAX_OPEN_DROPS } from '../../lib/packets/limits.ts';
import { shakePacketIdOf } from '../../lib/packets/packet-id.ts';
import { split } from '../../lib/packets/split.ts';
import { InstantLog } from './instant-log.ts';
import { openDrops, START_MS, splitNow, sum, type WonPacket } from './open-drops.ts';
import { printSeed, seed, seedBytes, TestRandom } from './seed.ts';
import { allocateSmallDrops } from './small-drops.ts';

printSeed(t);

/** Longer than stock is left where nobody fetches it. */
const MOVE_MS = 1000;

t.test('packets are released at the rate, however the ticks fall, and never before or beyond', async (t) => {
  const { drops, left } = openDrops(3);
  const { id } = await drops.create({ count: 1000, rate: 170, budget: 50_000 }, () => START_MS);
  const random = new TestRandom(seed);
  let wrong = 0;
  let nowMs = START_MS;
  for (let i = 0; i < 400; i++) {
    nowMs += random.pick([1, 3, 5, 5, 5, 40]);
    drops.tick(nowMs);
    const due = Math.min(1000, Math.floor(((nowMs - START_MS) / 1000) * 170));
    if (drops.status(id).released !== due || left() !== due) wrong++;
  }
  t.equal(wrong, 0);
  t.equal(drops.status(id).state, 'releasing');
  drops.tick(START_MS - 5000);
  t.equal(left(), drops.status(id).released, 'a clock that steps back releases nothing and takes nothing');
  drops.tick(START_MS + 60_000);
  t.match(drops.status(id), { released: 1000, state: 'released' });
  drops.tick(START_MS + 90_000);
  t.equal(left(), 1000);
  t.end();
});

t.test('a drop starts when its split is done, not when it was asked for', async (t) => {
  let nowMs = START_MS;
  const table = new DropTable(allocateSmallDrops(1, 100));
  const splitLate = async () => {
    nowMs += 5000;
  };
  const drops = new DropCampaigns(table, splitLate, () => seedBytes(1, 1), new InstantLog());
  await drops.create({ count: 100, rate: 10, budget: 100 }, () => nowMs);
  drops.tick(nowMs);
  t.notOk(table.stock.hasAny(0), 'no burst of what was due meanwhile');
  drops.tick(nowMs + 100);
  t.ok(table.stock.hasAny(0));
  t.end();
});

t.test('everything won adds up to the budget to the cent, and ids are distinct and have bit 31', async (t) => {
  const { drops, win } = openDrops(4);
  const specs: DropSpec[] = [
    { count: 150, rate: 1000, budget: 12_345 },
    { count: 90, rate: 1000, budget: 90 * 77, min: 77, max: 77 },
    { count: 1, rate: 1, budget: 19_999 },
  ];
  for (const spec of specs) await drops.create(spec, () => START_MS);
  drops.tick(START_MS + 2000);
  const won: WonPacket[] = [];
  for (let set = 0; set < 4; set++) for (let packet = win(set, 9); packet; packet = win(set, 9)) won.push(packet);
  t.equal(won.length, 241);
  t.strictSame(
    won.map((packet) => packet.packetId).sort((a, b) => a - b),
    Array.from({ length: 241 }, (_, i) => shakePacketIdOf(i)),
    'numbers run on from drop to drop',
  );
  drops.tick(START_MS + 2001);
  specs.forEach((spec, i) => {
    const cents = won.filter((packet) => packet.dropId === i + 1).map((packet) => packet.amountCents);
    t.equal(sum(cents), spec.budget, `drop ${i + 1}`);
    t.ok(
      cents.every((amount) => amount >= (spec.min ?? 1) && amount <= (spec.max ?? 20_000)),
      'within its bounds',
    );
    t.match(drops.status(i + 1), {
      count: spec.count,
      released: spec.count,
      claimed: spec.count,
      claimedCents: spec.budget,
      refundedCents: 0,
      state: 'closed',
      isPaused: false,
    });
  });
  t.strictSame(drops.totals(), { fundedCents: 12_345 + 6930 + 19_999, refundedCents: 0, outstandingCents: 0 });
  t.end();
});

t.test('a user wins at most as often as the drop allows', async (t) => {
  const { drops, win } = openDrops(1);
  await drops.create({ count: 20, rate: 1000, budget: 2000, winsPerUser: 2 }, () => START_MS);
  await drops.create({ count: 5, rate: 1000, budget: 50 }, () => START_MS);
  drops.tick(START_MS + 1000);
  const wins: string[] = [];
  for (let i = 0; i < 40; i++) {
    const packet = win(0, i % 3);
    if (packet) wins.push(`${packet.dropId}/${i % 3}`);
  }
  const counts = [0, 1, 2].map((userId) => wins.filter((one) => one === `1/${userId}`).length);
  t.strictSame(counts, [2, 2, 2], 'twice each from the drop with the limit');
  t.equal(wins.filter((one) => one.startsWith('2/')).length, 5, 'any number of times from the other');
  t.match(await drops.close(1), { claimed: 6, state: 'closed' });
  t.end();
});

t.test('packets go to the SETs in turn where somebody is logged in, or to all if nobody is anywhere', async (t) => {
  const { drops, table } = openDrops(4);
  const leftBySet = () => [0, 1, 2, 3].map((set) => table.countLeft(0, set));
  await drops.create({ count: 100, rate: 100, budget: 1000 }, () => START_MS);
  drops.tick(START_MS + 80);
  t.strictSame(leftBySet(), [2, 2, 2, 2]);
  table.stock.addSessions(1, 5);
  table.stock.addSessions(3, 1);
  drops.tick(START_MS + 160);
  t.strictSame(leftBySet(), [2, 6, 2, 6]);
  t.end();
});

t.test('stock that nobody fetches moves to where somebody is; stock that is being fetched stays', async (t) => {
  const { drops, table, win } = openDrops(3);
  const leftBySet = () => [0, 1, 2].map((set) => table.countLeft(0, set));
  await drops.create({ count: 60, rate: 1000, budget: 600 }, () => START_MS);
  drops.tick(START_MS + 60);
  t.strictSame(leftBySet(), [20, 20, 20]);
  table.stock.addSessions(1, 1);
  win(0, 7);
  drops.tick(START_MS + 60 + MOVE_MS);
  t.strictSame(leftBySet(), [19, 40, 0], 'from SET 2, where nobody fetched; not from SET 0, where somebody did');
  t.strictSame(
    [0, 1, 2].map((set) => table.stock.hasAny(set)),
    [true, true, false],
  );
  drops.tick(START_MS + 60 + 2 * MOVE_MS);
  t.strictSame(leftBySet(), [0, 59, 0]);
  let won = 1;
  while (win(1, 8)) won++;
  t.equal(won, 60, 'all of it can be won after it was moved');
  drops.tick(START_MS + 5000);
  t.match(drops.status(1), { claimed: 60, claimedCents: 600, state: 'closed' });
  t.end();
});

t.test('closing gives back exactly what nobody has won', async (t) => {
  for (const [name, afterMs, wins] of [
    ['before anything was released', 0, 0],
    ['half-way, nobody won', 500, 0],
    ['half-way, some won', 500, 13],
    ['all released, some won', 2000, 40],
    ['all released, nobody won', 2000, 0],
    ['all won', 2000, 100],
  ] as const) {
    const { drops, table, win, left } = openDrops(3);
    await drops.create({ count: 100, rate: 100, budget: 5000 }, () => START_MS);
    drops.tick(START_MS + afterMs);
    let wonCents = 0;
    for (let i = 0; i < wins; i++)
      wonCents += (win(i % 3, i) ?? win((i + 1) % 3, i) ?? win((i + 2) % 3, i))!.amountCents;
    const closed = await drops.close(1);
    t.match(closed, { claimed: wins, claimedCents: wonCents, refundedCents: 5000 - wonCents, state: 'closed' }, name);
    t.strictSame(await drops.close(1), closed, 'closing again changes nothing');
    t.strictSame(drops.totals(), { fundedCents: 5000, refundedCents: 5000 - wonCents, outstandingCents: 0 });
    drops.tick(START_MS + 9000);
    t.strictSame([left(), table.stock.hasAny(0), win(0, 5)], [0, false, undefined], 'and nothing comes out any more');
  }
  t.end();
});

t.test(
  'a drop that is closed waits for the winners who are being credited, and keeps its place until then',
  async (t) => {
    const { drops, table } = openDrops(1);
    await drops.create({ count: 10, rate: 1000, budget: 1000 }, () => START_MS);
    drops.tick(START_MS + 10);
    t.ok(table.take(0, 0, 9, () => true));
    const { takenAmountCents } = table;
    t.match(await drops.close(1), { state: 'closing', claimed: 0, refundedCents: 0 });
    drops.tick(START_MS + 20);
    t.match(await drops.close(1), { state: 'closing', refundedCents: 0 }, 'closing again does not hurry it');
    t.strictSame(drops.totals(), { fundedCents: 1000, refundedCents: 0, outstandingCents: 1000 });
    t.notOk(table.stock.hasAny(0));
    table.settle(0);
    drops.tick(START_MS + 30);
    t.match(drops.status(1), { state: 'closed', claimed: 1, refundedCents: 1000 - takenAmountCents });
    t.end();
  },
);

t.test('a slot is used again by another drop, and the record of the first stays', async (t) => {
  const { drops, win } = openDrops(1);
  for (let id = 1; id <= 3 * MAX_OPEN_DROPS; id++) {
    t.equal((await drops.create({ count: 2, rate: 1000, budget: 10 * id }, () => START_MS)).id, id);
    drops.tick(START_MS + 10);
    const packet = win(0, 1)!;
    if (packet.dropId !== id || packet.packetId !== shakePacketIdOf(2 * (id - 1))) t.fail('a packet of another drop');
    await drops.close(id);
  }
  t.match(drops.status(1), { state: 'closed', budget: 10, claimed: 1 });
  t.equal(drops.totals().outstandingCents, 0);
  t.end();
});

t.test('there is no room for more open drops than the limit, until one is closed', async (t) => {
  const { drops } = openDrops(1);
  const spec = { count: 1, rate: 1, budget: 5 };
  for (let i = 0; i < MAX_OPEN_DROPS; i++) await drops.create(spec, () => START_MS);
  await rejects(
    t,
    drops.create(spec, () => START_MS),
    'no_room',
  );
  t.equal(drops.totals().fundedCents, 5 * MAX_OPEN_DROPS, 'what was refused funded nothing');
  await drops.close(7);
  t.equal((await drops.create(spec, () => START_MS)).id, MAX_OPEN_DROPS + 1);
  t.end();
});

t.test('there is no room for more packets than the arena holds, until a drop is closed', async (t) => {
  const drops = new DropCampaigns(
    new DropTable(allocateSmallDrops(1, 8)),
    async () => {},
    () => seedBytes(1, 1),
    new InstantLog(),
  );
  const half = { count: DROP_ARENA_WORDS / 2, rate: 1, budget: DROP_ARENA_WORDS };
  await drops.create(half, () => START_MS);
  await drops.create(half, () => START_MS);
  await rejects(
    t,
    drops.create({ count: 1, rate: 1, budget: 1 }, () => START_MS),
    'no_room',
  );
  await drops.close(1);
  await drops.create({ count: 1, rate: 1, budget: 1 }, () => START_MS);
  t.end();
});

t.test('a split that fails leaves no trace', async (t) => {
  const table = new DropTable(allocateSmallDrops(1, 8));
  let fails = true;
  const splitOrFail = async () => {
    if (fails) throw new Error('the splitter is gone');
  };
  const log = new InstantLog();
  const drops = new DropCampaigns(table, splitOrFail, () => seedBytes(1, 1), log);
  const spec = { count: DROP_ARENA_WORDS, rate: 1, budget: DROP_ARENA_WORDS };
  for (let i = 0; i <= MAX_OPEN_DROPS; i++)
    await t.rejects(
      drops.create(spec, () => START_MS),
      /splitter is gone/,
    );
  t.strictSame(drops.totals(), { fundedCents: 0, refundedCents: 0, outstandingCents: 0 });
  t.strictSame(log.entries, []);
  fails = false;
  t.equal((await drops.create(spec, () => START_MS)).state, 'releasing', 'slot and room are free');
  t.end();
});

t.test('drops that are being split hold their slots and words, and count for nothing yet', async (t) => {
  const memory = allocateSmallDrops(1, 1000);
  const gates: (() => void)[] = [];
  const splitLater: DropSplitter = async (...task) => {
    await new Promise<void>((resolve) => gates.push(resolve));
    await splitNow(...task);
  };
  const table = new DropTable(memory);
  const drops = new DropCampaigns(table, splitLater, () => seedBytes(1, 1), new InstantLog());
  const asked = [30, 40].map((count) => drops.create({ count, rate: 1000, budget: 10 * count }, () => START_MS));
  drops.tick(START_MS + 100);
  t.equal(drops.totals().fundedCents, 0);
  await rejectsNow(t, () => drops.status(1), 'not_found');
  for (const open of gates.reverse()) open();
  t.strictSame(
    (await Promise.all(asked)).map((status) => status.count),
    [30, 40],
  );
  drops.tick(START_MS + 100);
  t.equal(sum(table.amounts), 700, 'their amounts do not overlap');
  t.end();
});

t.test('numbers that contradict each other are refused, with a code and what is allowed', async (t) => {
  const { drops, table } = openDrops(1);
  const wrong: [string, Partial<DropSpec>][] = [
    ['a budget below count * min', { count: 10, budget: 9 }],
    ['a budget below count * min, min given', { count: 10, budget: 499, min: 50 }],
    ['a budget above count * max', { count: 10, budget: 200_001 }],
    ['a budget above count * max, max given', { count: 10, budget: 501, max: 50 }],
    ['min above max', { min: 51, max: 50 }],
    ['min of nothing', { min: 0 }],
    ['max above one Int32 word', { max: MAX_AMOUNT_CENTS + 1 }],
    ['a budget past exact sums', { count: DROP_ARENA_WORDS, budget: MAX_BUDGET_CENTS + 1, max: MAX_AMOUNT_CENTS }],
    ['more packets than the arena', { count: DROP_ARENA_WORDS + 1, budget: DROP_ARENA_WORDS * 2 }],
    ['no packets', { count: 0 }],
    ['packets below none', { count: -1 }],
    ['half a packet', { count: 10.5 }],
    ['half a cent', { budget: 100.5 }],
    ['no number', { budget: Number.NaN }],
  ];
  for (const [name, changes] of wrong) {
    const create = drops.create({ count: 10, rate: 10, budget: 500, ...changes }, () => START_MS);
    await rejects(t, create, 'bad_request', name);
  }
  await rejectsNow(t, () => drops.status(1), 'not_found');
  await rejectsNow(t, () => drops.close(1), 'not_found');
  t.equal(drops.totals().fundedCents, 0);
  const edges: Partial<DropSpec>[] = [
    { budget: 10 },
    { budget: 200_000 },
    { budget: 500, min: 50, max: 50 },
    { budget: 300_000, min: 30_000 },
  ];
  for (const changes of edges) await drops.create({ count: 10, rate: 10, budget: 500, ...changes }, () => START_MS);
  t.equal(sum(table.amounts), 10 + 200_000 + 500 + 300_000, 'the edges themselves are allowed');
  t.end();
});

t.test('the record of closed drops is bounded, and forgets the oldest first', async (t) => {
  const { drops } = openDrops(1);
  const count = 10_300;
  await drops.create({ count: 1, rate: 1, budget: 3 }, () => START_MS);
  for (let id = 2; id <= count; id++) {
    await drops.create({ count: 1, rate: 1, budget: 3 }, () => START_MS);
    await drops.close(id);
  }
  await rejectsNow(t, () => drops.status(2), 'not_found');
  t.equal(drops.status(1).state, 'releasing', 'one that is open is never forgotten');
  t.equal(drops.status(count - 5000).state, 'closed');
  t.strictSame(drops.totals(), { fundedCents: 3 * count, refundedCents: 3 * (count - 1), outstandingCents: 3 });
  t.end();
});

t.test(
  'a drop opens once its opening is durable, which says all that the split needs, and its rate counts from then',
  async (t) => {
    const { drops, log, left, win, table } = openDrops(1);
    log.hold();
    let nowMs = START_MS;
    let status: DropStatus | undefined;
    const created = drops
      .create({ count: 50, rate: 100, budget: 5000, min: 20, max: 300, winsPerUser: 3 }, () => nowMs)
      .then((opened) => {
        status = opened;
      });
    await turnLoop();
    const { drop } = log.list('openDrop')[0];
    const { seed: seedOfSplit, ...rest } = drop;
    const numbers = { count: 50, rate: 100, budget: 5000, minCents: 20, maxCents: 300, winsPerUser: 3, firstNumber: 0 };
    t.strictSame(rest, { id: 1, ...numbers, createdMs: START_MS });
    nowMs += 5000;
    drops.tick(nowMs);
    t.strictSame([status, left(), win(0, 9)], [undefined, 0, undefined], 'it is not there yet');
    t.strictSame(drops.totals(), { fundedCents: 0, refundedCents: 0, outstandingCents: 0 });
    await rejectsNow(t, () => drops.status(1), 'not_found');
    t.equal(drops.openCount, 1, 'but it holds its place');
    log.makeDurable();
    await created;
    t.match(status, { id: 1, state: 'releasing', released: 0 });
    drops.tick(nowMs + 100);
    t.equal(left(), 10, 'no burst of what was due while it waited');
    t.strictSame(drops.totals(), { fundedCents: 5000, refundedCents: 0, outstandingCents: 5000 });
    const amounts = new Int32Array(50);
    split({ mode: 'lucky', totalCents: 5000, shares: 50, minCents: 20, maxCents: 300 }, seedOfSplit, amounts);
    t.strictSame([...table.amounts.subarray(0, 50)], [...amounts]);
    t.end();
  },
);

t.test(
  'the close of a drop is logged when every winner has been credited, and is told when it is durable',
  async (t) => {
    const { drops, log, table } = openDrops(1);
    await drops.create({ count: 10, rate: 1000, budget: 1000 }, () => START_MS);
    drops.tick(START_MS + 8);
    let wonCents = 0;
    for (let i = 0; i < 3; i++) {
      t.ok(table.take(0, 0, 9, () => true));
      wonCents += table.takenAmountCents;
    }
    log.hold();
    table.settle(0);
    table.settle(0);
    t.equal((await drops.close(1)).state, 'closing', 'told at once: a winner is still being credited');
    drops.tick(START_MS + 20);
    t.strictSame(log.list('closeDrop'), [], 'the record of his win may still be on its way');
    table.settle(0);
    drops.tick(START_MS + 30);
    t.strictSame(log.list('closeDrop'), [{ what: 'closeDrop', dropId: 1, won: 3, refundCents: 1000 - wonCents }]);
    let status: DropStatus | undefined;
    const closed = drops.close(1).then((closing) => {
      status = closing;
    });
    await turnLoop();
    t.equal(status, undefined, 'closing again waits for the entry');
    drops.tick(START_MS + 40);
    log.makeDurable();
    await closed;
    t.match(status, { state: 'closed', claimed: 3, claimedCents: wonCents, refundedCents: 1000 - wonCents });
    t.equal(log.list('closeDrop').length, 1, 'one entry');
    t.end();
  },
);

t.test('a drop of which everything was won is closed in the log too, with nothing to give back', async (t) => {
  const { drops, log, win } = openDrops(1);
  await drops.create({ count: 4, rate: 1000, budget: 100 }, () => START_MS);
  drops.tick(START_MS + 10);
  while (win(0, 5));
  drops.tick(START_MS + 20);
  t.strictSame(log.list('closeDrop'), [{ what: 'closeDrop', dropId: 1, won: 4, refundCents: 0 }]);
  t.end();
});

t.test('without room in the log no drop is made, and a close waits', async (t) => {
  const { drops, log, win } = openDrops(1);
  log.isRoomy = false;
  const spec = { count: 4, rate: 1000, budget: 100 };
  await rejects(
    t,
    drops.create(spec, () => START_MS),
    'no_room',
  );
  t.strictSame([log.entries.length, drops.openCount, drops.totals().fundedCents], [0, 0, 0], 'nothing is left of it');
  log.isRoomy = true;
  t.equal((await drops.create(spec, () => START_MS)).id, 1);
  drops.tick(START_MS + 10);
  const { amountCents } = win(0, 5)!;
  log.isRoomy = false;
  t.equal((await drops.close(1)).state, 'closing');
  t.equal(win(0, 6), undefined, 'nothing can be won meanwhile');
  drops.tick(START_MS + 20);
  t.equal(drops.status(1).state, 'closing');
  log.isRoomy = true;
  drops.tick(START_MS + 30);
  t.strictSame(log.list('closeDrop'), [{ what: 'closeDrop', dropId: 1, won: 1, refundCents: 100 - amountCents }]);
  t.equal(drops.status(1).state, 'closed');
  t.end();
});

t.test('drops are listed newest first, so many at the most', async (t) => {
  const { drops } = openDrops(1);
  for (let i = 0; i < 3; i++) await drops.create({ count: 1, rate: 10, budget: 1 }, () => START_MS);
  t.strictSame(
    drops.list(2).map(({ id }) => id),
    [3, 2],
  );
  t.equal(drops.list(0).length, 0);
});

t.test('a plan says what a drop would do, and does nothing', async (t) => {
  const { drops } = openDrops(1);
  t.strictSame(drops.plan({ count: 400, rate: 200, budget: 40_000, min: 50, max: 500 }, START_MS), {
    packets: 400,
    rate: 200,
    firstAt: new Date(START_MS + 5).toISOString(),
    lastAt: new Date(START_MS + 2000).toISOString(),
    packetCents: { least: 50, most: 500, mean: 100 },
    costCents: { least: 0, most: 40_000 },
  });
  t.match(drops.plan({ count: 2, rate: 1, budget: 300, min: 10, max: 200, startMs: START_MS + 9000 }, START_MS), {
    firstAt: new Date(START_MS + 10_000).toISOString(),
    packetCents: { least: 100, most: 200 },
  });
  t.ok(
    drops.plan({ count: 1000, rate: 1e-11, budget: 1000 }, START_MS).lastAt.startsWith('+275760'),
    'as far as dates go',
  );
  t.throws(() => drops.plan({ count: 10, rate: 1, budget: 9 }, START_MS), { code: 'bad_request' });
  t.strictSame([drops.openCount, drops.list(9)], [0, []]);
});

async function rejects(t: Test, promise: Promise<unknown>, code: string, name = code): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  t.ok(error instanceof CampaignError && error.code === code, `${name}: ${error}`);
}

function rejectsNow(t: Test, run: () => unknown, code: string): Promise<void> {
  return rejects(t, Promise.resolve().then(run), code);
}

/** Lets everything that waits for a promise go on. */
function turnLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
