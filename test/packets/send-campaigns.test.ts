// Tries the sends with a clock of our own: rate, recipients, totals, expiry, lack of room.

import t, { type Test } from 'tap';
import { CampaignError } from '../../lib/packets/campaign-error.ts';
import { DEFAULT_EXPIRY_SECONDS, DEFAULT_MAX_SHARES, MAX_AMOUNT_CENTS } from '../../lib/packets/limits.ts';
import { GrabOutcome, PacketTable } from '../../lib/packets/packet-table.ts';
import { SeededRandom } from '../../lib/packets/seeded-random.ts';
import type { SendSpec } from '../../lib/packets/send-spec.ts';
import { everyday, openSends, START_MS, START_SECOND, sum } from './open-sends.ts';
import { grabShare } from './packet-steps.ts';
import { printSeed, seed, TestRandom } from './seed.ts';

printSeed(t);

/** Packets of one send that one tick creates at the most. */
const TICK_PACKETS = 2000;

const { WON, EXPIRED, NOT_INVITED } = GrabOutcome;

t.test('packets are created at the rate, however the ticks fall, and never beyond the count', async (t) => {
  const { sends, told, tick } = openSends(1000);
  const { id } = await sends.create({ ...everyday, count: 1000, rate: 170 }, () => START_MS);
  const random = new TestRandom(seed);
  let wrong = 0;
  let nowMs = START_MS;
  for (let i = 0; i < 400; i++) {
    nowMs += random.pick([1, 3, 5, 5, 5, 40]);
    tick(nowMs);
    const due = Math.min(1000, Math.floor(((nowMs - START_MS) / 1000) * 170));
    if (sends.status(id).created !== due || told.length !== 3 * due) wrong++;
  }
  t.equal(wrong, 0);
  tick(nowMs - 2000);
  t.equal(sends.status(id).created, told.length / 3, 'a clock that steps back creates nothing');
  tick(START_MS + 60_000);
  tick(START_MS + 61_000);
  t.match(sends.status(id), { created: 1000, state: 'created', isPaused: false });
  t.equal(told.length, 3000);
  t.end();
});

t.test('one tick creates a bounded number of packets; the next ones go on', async (t) => {
  const { sends, tick } = openSends(5000);
  const { id } = await sends.create({ ...everyday, count: 5000, rate: 1_000_000 }, () => START_MS);
  const created = [1, 2, 3].map((i) => {
    tick(START_MS + 1000 * i);
    return sends.status(id).created;
  });
  t.strictSame(created, [TICK_PACKETS, 2 * TICK_PACKETS, 5000]);
  t.end();
});

t.test('recipients are taken in turn, each packet to different users, who alone are told and may grab', async (t) => {
  const { sends, table, told, packets, tick } = openSends(10);
  await sends.create({ ...everyday, count: 4, users: [100, 106] }, () => START_MS);
  tick(START_MS + 5000);
  t.strictSame(
    told.map(({ userId }) => userId),
    [100, 101, 102, 103, 104, 105, 106, 100, 101, 102, 103, 104],
  );
  const ids = [0, 3, 6, 9].map((i) => told[i].packetId);
  t.equal(new Set(ids).size, 4);
  ids.forEach((packetId, packet) => {
    const users = told.filter((one) => one.packetId === packetId).map(({ userId }) => userId);
    t.strictSame(packets.view(packetId)!.invited, users, `packet ${packet}`);
    t.equal(grabShare(table, packetId, 99), NOT_INVITED);
    t.strictSame(
      users.map((userId) => grabShare(table, packetId, userId)),
      [WON, WON, WON],
    );
  });
  t.end();
});

t.test('with fewer users than shares each is told once, and the shares left over go back', async (t) => {
  const { sends, table, told, tick } = openSends(10);
  await sends.create({ ...everyday, count: 1, shares: 5, users: [8, 9], expiresInSeconds: 10 }, () => START_MS);
  tick(START_MS + 1000);
  t.strictSame(
    told.map(({ userId }) => userId),
    [8, 9],
  );
  let wonCents = 0;
  for (const { userId, packetId } of told) {
    t.equal(grabShare(table, packetId, userId), WON);
    wonCents += table.grabbedCents;
  }
  tick(START_MS + 11_000);
  t.match(sends.status(1), { state: 'closed', claimedCents: wonCents, refundedCents: 600 - wonCents });
  t.end();
});

t.test('totals are drawn from the bounds, both included, or are the number given', async (t) => {
  const { sends, told, totalsOf, packets, tick } = openSends(2000);
  await sends.create({ ...everyday, count: 1000, rate: 10_000, shares: 1, total: [20, 29] }, () => START_MS);
  tick(START_MS + 1000);
  const counts = new Array<number>(10).fill(0);
  for (const { packetId } of told) counts[packets.view(packetId)!.totalCents - 20]++;
  t.ok(
    counts.every((count) => count > 50),
    `${counts}`,
  );
  t.equal(sum(counts), 1000, 'none outside');
  t.equal(sends.status(1).totalCents, totalsOf(told), 'the status adds them up');
  await sends.create({ ...everyday, count: 3, shares: 1, total: 777, mode: 'equal' }, () => START_MS);
  tick(START_MS + 9000);
  t.equal(sends.status(2).totalCents, 3 * 777);
  t.end();
});

t.test('a packet has the mode, the life and the sender of its send, and a commitment of its own', async (t) => {
  const { sends, told, packets, tick } = openSends(10);
  await sends.create({ ...everyday, count: 2, mode: 'line', expiresInSeconds: 90 }, () => START_MS);
  await sends.create({ ...everyday, count: 1 }, () => START_MS);
  tick(START_MS + 5000);
  const [first, second, plain] = [0, 3, 6].map((i) => packets.view(told[i].packetId)!);
  const createdAt = START_SECOND + 5;
  t.match(first, { mode: 'line', createdAt, expiresAt: createdAt + 90, senderId: -1, state: 'open', shares: 3 });
  t.match(plain, { mode: 'lucky', createdAt, expiresAt: createdAt + DEFAULT_EXPIRY_SECONDS });
  t.not(first.commitment, second.commitment);
  t.end();
});

t.test('what nobody grabs goes back when the packet expires, exactly once and not a second before', async (t) => {
  const { sends, table, told, packets, tick } = openSends(10);
  await sends.create({ ...everyday, count: 3, expiresInSeconds: 30 }, () => START_MS);
  tick(START_MS + 1000);
  const [none, some, all] = [0, 3, 6].map((i) => told[i].packetId);
  let wonCents = 0;
  for (const { userId, packetId } of told) {
    if (packetId === none || (packetId === some && userId !== told[3].userId)) continue;
    t.equal(grabShare(table, packetId, userId), WON);
    wonCents += table.grabbedCents;
  }
  const expiresMs = 1000 * (START_SECOND + 1 + 30);
  tick(expiresMs - 1);
  t.match(packets.totals(), { refundedCents: 0, expired: 0, open: 2 }, 'not yet');
  tick(expiresMs);
  const after = { refundedCents: 1800 - wonCents, expired: 2, open: 0, outstandingCents: 0, grabbedShares: 4 };
  t.match(packets.totals(), after, 'the one that was emptied counts as grabbed, not as expired');
  for (const ms of [0, 1, 1000, 100_000, -50_000, 100_000]) tick(expiresMs + ms);
  t.match(packets.totals(), after, 'and nothing more');
  t.match(sends.status(1), { state: 'closed', claimedCents: wonCents, refundedCents: 1800 - wonCents });
  t.equal(grabShare(table, some, told[4].userId), EXPIRED);
  t.strictSame(
    [none, some, all].map((packetId) => packets.view(packetId)!.state),
    ['expired', 'expired', 'empty'],
  );
  t.end();
});

t.test('the status follows a send from its first packet to its last share', async (t) => {
  const { sends, table, told, tick } = openSends(10);
  const base = { id: 1, count: 2, rate: 10 };
  const nothing = { grabbedShares: 0, claimedCents: 0, refundedCents: 0 };
  const spec = { ...everyday, count: 2, shares: 2, total: 50, mode: 'equal', expiresInSeconds: 60 } as const;
  t.strictSame(await sends.create(spec, () => START_MS), {
    ...base,
    ...nothing,
    created: 0,
    totalCents: 0,
    state: 'creating',
    isPaused: false,
  });
  tick(START_MS + 100);
  t.strictSame(sends.status(1), {
    ...base,
    ...nothing,
    created: 1,
    totalCents: 50,
    state: 'creating',
    isPaused: false,
  });
  tick(START_MS + 200);
  t.strictSame(sends.status(1), {
    ...base,
    ...nothing,
    created: 2,
    totalCents: 100,
    state: 'created',
    isPaused: false,
  });
  grabShare(table, told[0].packetId, told[0].userId);
  const one = { grabbedShares: 1, claimedCents: 25, refundedCents: 0 };
  t.strictSame(sends.status(1), { ...base, ...one, created: 2, totalCents: 100, state: 'created', isPaused: false });
  grabShare(table, told[1].packetId, told[1].userId);
  tick(START_MS + 300);
  const two = { grabbedShares: 2, claimedCents: 50, refundedCents: 0 };
  t.strictSame(sends.status(1), { ...base, ...two, created: 2, totalCents: 100, state: 'created', isPaused: false });
  grabShare(table, told[2].packetId, told[2].userId);
  tick(START_MS + 100_000);
  const three = { grabbedShares: 3, claimedCents: 75, refundedCents: 25 };
  t.strictSame(sends.status(1), { ...base, ...three, created: 2, totalCents: 100, state: 'closed', isPaused: false });
  t.end();
});

t.test('while notices wait nothing is created, but packets still expire and are accounted for', async (t) => {
  const { sends, told, packets, tick } = openSends(10);
  await sends.create({ ...everyday, count: 5, rate: 1, expiresInSeconds: 4 }, () => START_MS);
  tick(START_MS + 1000);
  tick(START_MS + 3000, false);
  t.equal(told.length, 3, 'only the first packet is there');
  tick(START_MS + 8000, false);
  t.match(packets.totals(), { sent: 1, expired: 1, refundedCents: 600, outstandingCents: 0 });
  t.equal(sends.status(1).state, 'creating', 'it is not over');
  tick(START_MS + 8001);
  t.match(sends.status(1), { created: 5, state: 'created' }, 'what was due meanwhile is made up for');
  t.end();
});

t.test('without room a send waits, loses no recipient, and goes on when packets are over', async (t) => {
  const { sends, told, packets, tick } = openSends(4);
  await sends.create({ ...everyday, count: 4, users: [0, 99], expiresInSeconds: 20 }, () => START_MS);
  await sends.create(
    { ...everyday, count: 3, users: [200, 299], total: [100, 900], expiresInSeconds: 20 },
    () => START_MS,
  );
  tick(START_MS + 1000);
  t.match(sends.status(1), { created: 4, state: 'created', isPaused: false });
  t.match(sends.status(2), { created: 0, state: 'creating', totalCents: 0 });
  for (let i = 0; i < 50; i++) tick(START_MS + 1100 + i);
  t.equal(told.length, 12, 'nobody is told of a packet that is not there');
  const { fundedCents } = packets.totals();
  t.equal(fundedCents, 4 * 600, 'and nothing is funded for it');
  tick(START_MS + 21_000);
  tick(START_MS + 21_100);
  t.match(sends.status(2), { created: 3, state: 'created', isPaused: false });
  t.strictSame(
    told.slice(12).map(({ userId }) => userId),
    [200, 201, 202, 203, 204, 205, 206, 207, 208],
  );
  t.end();
});

t.test('without words for the shares a send waits too', async (t) => {
  // Three packets of 3 shares and 3 invited take 16 words each.
  const { sends, table, told, tick } = openSends(8, 3 * 16);
  await sends.create({ ...everyday, count: 6 }, () => START_MS);
  tick(START_MS + 9000);
  t.match(sends.status(1), { created: 3, state: 'creating', isPaused: false });
  for (const { userId, packetId } of told.slice(0, 6)) grabShare(table, packetId, userId);
  tick(START_MS + 9100);
  tick(START_MS + 9200);
  t.match(sends.status(1), { created: 5, state: 'creating', isPaused: false });
  t.end();
});

t.test('a packet is not accounted for while somebody who took a share has not left his claim', async (t) => {
  const { memory, sends, table, told, packets, tick } = openSends(1);
  await sends.create({ ...everyday, count: 1 }, () => START_MS);
  tick(START_MS + 1000);
  const { packetId } = told[0];
  const other = new PacketTable(memory);
  grabShare(table, packetId, told[0].userId);
  t.equal(other.grab(packetId, told[1].userId), WON);
  grabShare(table, packetId, told[2].userId);
  await sends.create({ ...everyday, count: 1 }, () => START_MS);
  for (let i = 0; i < 5; i++) tick(START_MS + 2000 + i);
  t.equal(sends.status(1).state, 'created');
  t.equal(sends.status(2).created, 0, 'its slot is not used again');
  t.match(packets.totals(), { grabbedShares: 3, outstandingCents: 0, open: 0 });
  other.leaveClaim(told[1].userId);
  tick(START_MS + 3000);
  t.equal(sends.status(1).state, 'closed');
  tick(START_MS + 3001);
  t.equal(sends.status(2).created, 1);
  t.end();
});

t.test('numbers that contradict each other are refused, with a code and what is allowed', async (t) => {
  const { sends, packets } = openSends(170_000, 64);
  const wrong: [string, Partial<SendSpec>][] = [
    ['more shares than a grab looks through', { shares: DEFAULT_MAX_SHARES + 1, total: 5000 }],
    ['more packets than slots', { count: 170_001, shares: 1 }],
    ['more shares than the arena holds', { count: 170_000, shares: 100 }],
    ['bounds the wrong way round', { total: [500, 499] }],
    ['a total above one Int32 word', { total: MAX_AMOUNT_CENTS + 1 }],
    ['users the wrong way round', { users: [10, 9] }],
    ['less than a cent each', { total: 2 }],
    ['less than a cent each at the lower bound', { total: [2, 500] }],
    ['more than 200 yuan each', { total: 60_001 }],
    ['more than 200 yuan each at the upper bound', { total: [3, 60_001] }],
    ['no shares', { shares: 0 }],
    ['half a share', { shares: 1.5 }],
    ['half a cent', { total: 100.5 }],
    ['no number', { total: Number.NaN }],
  ];
  for (const [name, changes] of wrong) {
    await throwsCode(t, () => sends.create({ ...everyday, ...changes }, () => START_MS), 'bad_request', name);
  }
  await throwsCode(t, () => sends.status(1), 'not_found', 'nothing was begun');
  for (const changes of [{ total: 3 }, { total: 60_000 }, { total: [3, 60_000] }, { shares: 100 }] as const) {
    const { state } = await sends.create({ ...everyday, ...changes }, () => START_MS);
    t.equal(state, 'creating', 'the edges themselves are allowed');
  }
  t.equal(packets.view(123), undefined, 'an unknown packet');
  t.end();
});

t.test('the record of closed sends is bounded, and forgets the oldest first', async (t) => {
  const { sends, table, told, packets, tick } = openSends(4);
  const count = 10_200;
  for (let id = 1; id <= count; id++) {
    await sends.create({ ...everyday, count: 1, shares: 1, total: 5 }, () => START_MS);
    tick(START_MS + 1000);
    const { userId, packetId } = told.pop()!;
    if (grabShare(table, packetId, userId) !== WON) t.fail(`packet ${packetId}`);
    tick(START_MS + 1000);
  }
  await throwsCode(t, () => sends.status(1), 'not_found', 'the first is forgotten');
  await throwsCode(t, () => sends.status(150), 'not_found', 'and more of the oldest');
  t.equal(sends.status(count - 9900).state, 'closed');
  t.match(packets.totals(), {
    fundedCents: 5 * count,
    sent: count,
    grabbedShares: count,
    outstandingCents: 0,
    open: 0,
  });
  t.end();
});

t.test('a send begins once its opening is durable, which says all that its packets follow from', async (t) => {
  const { sends, log, tick, told } = openSends(10);
  log.hold();
  let nowMs = START_MS;
  let created = 0;
  const spec: SendSpec = { ...everyday, count: 5, total: [400, 600], mode: 'line', expiresInSeconds: 9 };
  const creating = sends
    .create(spec, () => nowMs)
    .then((status) => {
      created = status.id;
    });
  await new Promise((resolve) => setImmediate(resolve));
  const { seed: seedOfTotals, ...opening } = log.list('openSend')[0].send;
  t.equal(seedOfTotals.length, 32);
  const numbers = { count: 5, rate: 10, shares: 3, mode: 1, users: [0, 999], lowCents: 400, highCents: 600 };
  t.strictSame(opening, { id: 1, ...numbers, expiresInSeconds: 9, createdMs: Math.floor(START_MS) });
  nowMs += 5000;
  tick(nowMs);
  t.strictSame([created, told.length, log.entries.length, sends.activeCount], [0, 0, 1, 0]);
  await throwsCode(t, () => sends.status(1), 'not_found', 'it is not there yet');
  log.makeDurable();
  await creating;
  t.equal(created, 1);
  tick(nowMs + 100);
  t.match(sends.status(1), { created: 0, totalCents: 0, state: 'creating' }, 'a packet counts when it opens');
  t.equal(log.list('openPacket').length, 1, 'no burst of what was due while it waited');
  log.makeDurable();
  tick(nowMs + 101);
  const { packet, ...origin } = log.list('openPacket')[0].opening;
  t.match(origin, { sendId: 1, index: 0, source: 0, key: '' });
  t.match(sends.status(1), { created: 1, totalCents: packet.totalCents });
  const random = new SeededRandom(seedOfTotals);
  log.makeDurable();
  tick(nowMs + 1000);
  t.strictSame(
    log.list('openPacket').map((entry) => [entry.opening.index, entry.opening.packet.totalCents]),
    [0, 1, 2, 3, 4].map((index) => [index, random.drawBetween(400, 600)]),
  );
  t.end();
});

t.test('without room in the log no send is made, and its packets wait, with the totals that were drawn', async (t) => {
  const { sends, log, tick, told, creator } = openSends(10);
  log.isRoomy = false;
  const spec: SendSpec = { ...everyday, count: 6, total: [400, 600] };
  await throwsCode(t, () => sends.create(spec, () => START_MS), 'no_room', 'a send');
  t.strictSame([log.entries.length, sends.activeCount], [0, 0]);
  log.isRoomy = true;
  t.equal((await sends.create(spec, () => START_MS)).id, 1);
  const random = new SeededRandom(log.list('openSend')[0].send.seed);
  for (let i = 1; i <= 20; i++) {
    log.isRoomy = i % 3 === 0;
    tick(START_MS + 100 * i);
  }
  t.strictSame(
    log.list('openPacket').map((entry) => [entry.opening.index, entry.opening.packet.totalCents]),
    [0, 1, 2, 3, 4, 5].map((index) => [index, random.drawBetween(400, 600)]),
  );
  t.strictSame([told.length, creator.freeSlots], [18, 4]);
  t.match(sends.status(1), { created: 6, state: 'created', isPaused: false });
  t.end();
});

t.test('a plan says what a send would do, and does nothing', async (t) => {
  const { sends } = openSends(100);
  t.strictSame(sends.plan({ ...everyday, total: [300, 600], expiresInSeconds: 60 }, START_MS), {
    packets: 4,
    rate: 10,
    firstAt: new Date(START_MS + 100).toISOString(),
    lastAt: new Date(START_MS + 400).toISOString(),
    endsAt: new Date(START_MS + 60_400).toISOString(),
    packetCents: { least: 300, most: 600, mean: 450 },
    costCents: { least: 0, most: 2400 },
  });
  t.match(sends.plan({ ...everyday, cap: 1300 }, START_MS), { packets: 2, costCents: { most: 1200 } });
  t.strictSame(sends.list(9), []);
});

t.test('a packet can go to more users than it has shares; those who come first get one', async (t) => {
  const { sends, table, told, tick } = openSends(100);
  await sends.create({ ...everyday, count: 2, shares: 3, recipients: 5, users: [10, 17] }, () => START_MS);
  t.equal(sends.noticeRate, 50);
  tick(START_MS + 5000);
  t.strictSame(
    told.map(({ userId }) => userId),
    [10, 11, 12, 13, 14, 15, 16, 17, 10, 11],
  );
  const { packetId } = told[0];
  const outcomes = [10, 11, 12, 13, 14, 15].map((userId) => grabShare(table, packetId, userId));
  t.strictSame(outcomes, [WON, WON, WON, GrabOutcome.EMPTY, GrabOutcome.EMPTY, NOT_INVITED]);
  t.strictSame(sends.openPackets(1, 9), [told[0].packetId, told[5].packetId]);
  for (const recipients of [2, 50_001]) {
    await t.rejects(
      sends.create({ ...everyday, recipients }, () => START_MS),
      { message: /recipients must be at least/ },
    );
  }
});

async function throwsCode(t: Test, run: () => unknown, code: string, name: string): Promise<void> {
  let error: unknown;
  try {
    await run();
  } catch (thrown) {
    error = thrown;
  }
  t.ok(error instanceof CampaignError && error.code === code, `${name}: ${error}`);
}
