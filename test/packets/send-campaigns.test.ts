// Tries the sends with a clock of our own: rate, recipients, totals, expiry, lack of room.

import t, { type Test } from 'tap';
import { CampaignError } from '../../lib/packets/campaign-error.ts';
import { DEFAULT_EXPIRY_SECONDS, DEFAULT_MAX_SHARES, MAX_AMOUNT_CENTS } from '../../lib/packets/limits.ts';
import { slotOf } from '../../lib/packets/packet-id.ts';
import { FIRST_WORD_WORD, NOBODY, PACKET_ROW_WORDS } from '../../lib/packets/packet-layout.ts';
import { GrabOutcome } from '../../lib/packets/packet-table.ts';
import type { SendSpec } from '../../lib/packets/send-campaigns.ts';
import { openSends, START_MS, START_SECOND, sum } from './open-sends.ts';
import { printSeed, seed, TestRandom } from './seed.ts';

printSeed(t);

/** Packets of one send that one tick creates at the most. */
const TICK_PACKETS = 2000;

/** A send with everyday numbers. */
const everyday: SendSpec = { count: 4, rate: 10, shares: 3, total: 600, users: [0, 999] };

const { WON, EXPIRED, NOT_INVITED } = GrabOutcome;

t.test('packets are created at the rate, however the ticks fall, and never beyond the count', (t) => {
  const { sends, told } = openSends(1000);
  const { id } = sends.create({ ...everyday, count: 1000, rate: 170 }, START_MS);
  const random = new TestRandom(seed);
  let wrong = 0;
  let nowMs = START_MS;
  for (let i = 0; i < 400; i++) {
    nowMs += random.pick([1, 3, 5, 5, 5, 40]);
    sends.tick(nowMs, true);
    const due = Math.min(1000, Math.floor(((nowMs - START_MS) / 1000) * 170));
    if (sends.status(id).created !== due || told.length !== 3 * due) wrong++;
  }
  t.equal(wrong, 0);
  sends.tick(nowMs - 2000, true);
  t.equal(sends.status(id).created, told.length / 3, 'a clock that steps back creates nothing');
  sends.tick(START_MS + 60_000, true);
  sends.tick(START_MS + 61_000, true);
  t.match(sends.status(id), { created: 1000, state: 'created' });
  t.equal(told.length, 3000);
  t.end();
});

t.test('one tick creates a bounded number of packets; the next ones go on', (t) => {
  const { sends } = openSends(5000);
  const { id } = sends.create({ ...everyday, count: 5000, rate: 1_000_000 }, START_MS);
  const created = [1, 2, 3].map((i) => {
    sends.tick(START_MS + 1000 * i, true);
    return sends.status(id).created;
  });
  t.strictSame(created, [TICK_PACKETS, 2 * TICK_PACKETS, 5000]);
  t.end();
});

t.test('recipients are taken in turn, each packet to different users, who alone are told and may grab', (t) => {
  const { sends, table, told } = openSends(10);
  sends.create({ ...everyday, count: 4, users: [100, 106] }, START_MS);
  sends.tick(START_MS + 5000, true);
  t.strictSame(
    told.map(({ userId }) => userId),
    [100, 101, 102, 103, 104, 105, 106, 100, 101, 102, 103, 104],
  );
  const ids = [0, 3, 6, 9].map((i) => told[i].packetId);
  t.equal(new Set(ids).size, 4);
  ids.forEach((packetId, packet) => {
    const users = told.filter((one) => one.packetId === packetId).map(({ userId }) => userId);
    t.strictSame(sends.packet(packetId).invited, users, `packet ${packet}`);
    t.equal(table.grab(packetId, 99), NOT_INVITED);
    t.strictSame(
      users.map((userId) => table.grab(packetId, userId)),
      [WON, WON, WON],
    );
  });
  t.end();
});

t.test('with fewer users than shares each is told once, and the shares left over go back', (t) => {
  const { sends, table, told } = openSends(10);
  sends.create({ ...everyday, count: 1, shares: 5, users: [8, 9], expiresInSeconds: 10 }, START_MS);
  sends.tick(START_MS + 1000, true);
  t.strictSame(
    told.map(({ userId }) => userId),
    [8, 9],
  );
  let wonCents = 0;
  for (const { userId, packetId } of told) {
    t.equal(table.grab(packetId, userId), WON);
    wonCents += table.grabbedCents;
  }
  sends.tick(START_MS + 11_000, true);
  t.match(sends.status(1), { state: 'closed', claimedCents: wonCents, refundedCents: 600 - wonCents });
  t.end();
});

t.test('totals are drawn from the bounds, both included, or are the number given', (t) => {
  const { sends, told, totalsOf } = openSends(2000);
  sends.create({ ...everyday, count: 1000, rate: 10_000, shares: 1, total: [20, 29] }, START_MS);
  sends.tick(START_MS + 1000, true);
  const counts = new Array<number>(10).fill(0);
  for (const { packetId } of told) counts[sends.packet(packetId).totalCents - 20]++;
  t.ok(
    counts.every((count) => count > 50),
    `${counts}`,
  );
  t.equal(sum(counts), 1000, 'none outside');
  t.equal(sends.status(1).totalCents, totalsOf(told), 'the status adds them up');
  sends.create({ ...everyday, count: 3, shares: 1, total: 777, mode: 'equal' }, START_MS);
  sends.tick(START_MS + 9000, true);
  t.equal(sends.status(2).totalCents, 3 * 777);
  t.end();
});

t.test('a packet has the mode, the life and the sender of its send, and a commitment of its own', (t) => {
  const { sends, told } = openSends(10);
  sends.create({ ...everyday, count: 2, mode: 'line', expiresInSeconds: 90 }, START_MS);
  sends.create({ ...everyday, count: 1 }, START_MS);
  sends.tick(START_MS + 5000, true);
  const [first, second, plain] = [0, 3, 6].map((i) => sends.packet(told[i].packetId));
  const createdAt = START_SECOND + 5;
  t.match(first, { mode: 'line', createdAt, expiresAt: createdAt + 90, senderId: -1, state: 'open', shares: 3 });
  t.match(plain, { mode: 'lucky', createdAt, expiresAt: createdAt + DEFAULT_EXPIRY_SECONDS });
  t.not(first.commitment, second.commitment);
  t.end();
});

t.test('what nobody grabs goes back when the packet expires, exactly once and not a second before', (t) => {
  const { sends, table, told } = openSends(10);
  sends.create({ ...everyday, count: 3, expiresInSeconds: 30 }, START_MS);
  sends.tick(START_MS + 1000, true);
  const [none, some, all] = [0, 3, 6].map((i) => told[i].packetId);
  let wonCents = 0;
  for (const { userId, packetId } of told) {
    if (packetId === none || (packetId === some && userId !== told[3].userId)) continue;
    t.equal(table.grab(packetId, userId), WON);
    wonCents += table.grabbedCents;
  }
  const expiresMs = 1000 * (START_SECOND + 1 + 30);
  sends.tick(expiresMs - 1, true);
  t.match(sends.totals(), { refundedCents: 0, expired: 0, open: 2 }, 'not yet');
  sends.tick(expiresMs, true);
  const after = { refundedCents: 1800 - wonCents, expired: 2, open: 0, outstandingCents: 0, grabbedShares: 4 };
  t.match(sends.totals(), after, 'the one that was emptied counts as grabbed, not as expired');
  for (const ms of [0, 1, 1000, 100_000, -50_000, 100_000]) sends.tick(expiresMs + ms, true);
  t.match(sends.totals(), after, 'and nothing more');
  t.match(sends.status(1), { state: 'closed', claimedCents: wonCents, refundedCents: 1800 - wonCents });
  t.equal(table.grab(some, told[4].userId), EXPIRED);
  t.strictSame(
    [none, some, all].map((packetId) => sends.packet(packetId).state),
    ['expired', 'expired', 'empty'],
  );
  t.end();
});

t.test('the status follows a send from its first packet to its last share', (t) => {
  const { sends, table, told } = openSends(10);
  const base = { id: 1, count: 2, rate: 10 };
  const nothing = { grabbedShares: 0, claimedCents: 0, refundedCents: 0 };
  const spec = { ...everyday, count: 2, shares: 2, total: 50, mode: 'equal', expiresInSeconds: 60 } as const;
  t.strictSame(sends.create(spec, START_MS), { ...base, ...nothing, created: 0, totalCents: 0, state: 'creating' });
  sends.tick(START_MS + 100, true);
  t.strictSame(sends.status(1), { ...base, ...nothing, created: 1, totalCents: 50, state: 'creating' });
  sends.tick(START_MS + 200, true);
  t.strictSame(sends.status(1), { ...base, ...nothing, created: 2, totalCents: 100, state: 'created' });
  table.grab(told[0].packetId, told[0].userId);
  const one = { grabbedShares: 1, claimedCents: 25, refundedCents: 0 };
  t.strictSame(sends.status(1), { ...base, ...one, created: 2, totalCents: 100, state: 'created' });
  table.grab(told[1].packetId, told[1].userId);
  sends.tick(START_MS + 300, true);
  const two = { grabbedShares: 2, claimedCents: 50, refundedCents: 0 };
  t.strictSame(sends.status(1), { ...base, ...two, created: 2, totalCents: 100, state: 'created' });
  table.grab(told[2].packetId, told[2].userId);
  sends.tick(START_MS + 100_000, true);
  const three = { grabbedShares: 3, claimedCents: 75, refundedCents: 25 };
  t.strictSame(sends.status(1), { ...base, ...three, created: 2, totalCents: 100, state: 'closed' });
  t.end();
});

t.test('while notices wait nothing is created, but packets still expire and are accounted for', (t) => {
  const { sends, told } = openSends(10);
  sends.create({ ...everyday, count: 5, rate: 1, expiresInSeconds: 4 }, START_MS);
  sends.tick(START_MS + 1000, true);
  sends.tick(START_MS + 3000, false);
  t.equal(told.length, 3, 'only the first packet is there');
  sends.tick(START_MS + 8000, false);
  t.match(sends.totals(), { sent: 1, expired: 1, refundedCents: 600, outstandingCents: 0 });
  t.equal(sends.status(1).state, 'creating', 'it is not over');
  sends.tick(START_MS + 8001, true);
  t.match(sends.status(1), { created: 5, state: 'created' }, 'what was due meanwhile is made up for');
  t.end();
});

t.test('without room a send waits, loses no recipient, and goes on when packets are over', (t) => {
  const { sends, told } = openSends(4);
  sends.create({ ...everyday, count: 4, users: [0, 99], expiresInSeconds: 20 }, START_MS);
  sends.create({ ...everyday, count: 3, users: [200, 299], total: [100, 900], expiresInSeconds: 20 }, START_MS);
  sends.tick(START_MS + 1000, true);
  t.match(sends.status(1), { created: 4, state: 'created' });
  t.match(sends.status(2), { created: 0, state: 'creating', totalCents: 0 });
  for (let i = 0; i < 50; i++) sends.tick(START_MS + 1100 + i, true);
  t.equal(told.length, 12, 'nobody is told of a packet that is not there');
  const { fundedCents } = sends.totals();
  t.equal(fundedCents, 4 * 600, 'and nothing is funded for it');
  sends.tick(START_MS + 21_000, true);
  sends.tick(START_MS + 21_100, true);
  t.match(sends.status(2), { created: 3, state: 'created' });
  t.strictSame(
    told.slice(12).map(({ userId }) => userId),
    [200, 201, 202, 203, 204, 205, 206, 207, 208],
  );
  t.end();
});

t.test('without words for the shares a send waits too', (t) => {
  // Three packets of 3 shares and 3 invited take 16 words each.
  const { sends, table, told } = openSends(8, 3 * 16);
  sends.create({ ...everyday, count: 6 }, START_MS);
  sends.tick(START_MS + 9000, true);
  t.match(sends.status(1), { created: 3, state: 'creating' });
  for (const { userId, packetId } of told.slice(0, 6)) table.grab(packetId, userId);
  sends.tick(START_MS + 9100, true);
  sends.tick(START_MS + 9200, true);
  t.match(sends.status(1), { created: 5, state: 'creating' });
  t.end();
});

t.test('a packet is not accounted for while somebody who took a share has not left his claim', (t) => {
  const { sends, table, told } = openSends(1);
  sends.create({ ...everyday, count: 1 }, START_MS);
  sends.tick(START_MS + 1000, true);
  const { packetId } = told[0];
  for (const { userId } of told) table.grab(packetId, userId);
  const claim = table.rows[slotOf(packetId) * PACKET_ROW_WORDS + FIRST_WORD_WORD] + 3 + 1;
  table.blocks[claim] = NOBODY;
  sends.create({ ...everyday, count: 1 }, START_MS);
  for (let i = 0; i < 5; i++) sends.tick(START_MS + 2000 + i, true);
  t.equal(sends.status(1).state, 'created');
  t.equal(sends.status(2).created, 0, 'its slot is not used again');
  t.match(sends.totals(), { grabbedShares: 3, outstandingCents: 0, open: 0 });
  table.blocks[claim] = told[1].userId;
  sends.tick(START_MS + 3000, true);
  t.equal(sends.status(1).state, 'closed');
  sends.tick(START_MS + 3001, true);
  t.equal(sends.status(2).created, 1);
  t.end();
});

t.test('numbers that contradict each other are refused, with a code and what is allowed', (t) => {
  const { sends } = openSends(170_000, 64);
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
    throwsCode(t, () => sends.create({ ...everyday, ...changes }, START_MS), 'bad_request', name);
  }
  throwsCode(t, () => sends.status(1), 'not_found', 'nothing was begun');
  for (const changes of [{ total: 3 }, { total: 60_000 }, { total: [3, 60_000] }, { shares: 100 }] as const) {
    t.equal(sends.create({ ...everyday, ...changes }, START_MS).state, 'creating', 'the edges themselves are allowed');
  }
  throwsCode(t, () => sends.packet(123), 'not_found', 'an unknown packet');
  t.end();
});

t.test('the record of closed sends is bounded, and forgets the oldest first', (t) => {
  const { sends, table, told } = openSends(4);
  const count = 10_200;
  for (let id = 1; id <= count; id++) {
    sends.create({ ...everyday, count: 1, shares: 1, total: 5 }, START_MS);
    sends.tick(START_MS + 1000, true);
    const { userId, packetId } = told.pop()!;
    if (table.grab(packetId, userId) !== WON) t.fail(`packet ${packetId}`);
    sends.tick(START_MS + 1000, true);
  }
  throwsCode(t, () => sends.status(1), 'not_found', 'the first is forgotten');
  throwsCode(t, () => sends.status(150), 'not_found', 'and more of the oldest');
  t.equal(sends.status(count - 9900).state, 'closed');
  t.match(sends.totals(), { fundedCents: 5 * count, sent: count, grabbedShares: count, outstandingCents: 0, open: 0 });
  t.end();
});

function throwsCode(t: Test, run: () => unknown, code: string, name: string): void {
  let error: unknown;
  try {
    run();
  } catch (thrown) {
    error = thrown;
  }
  t.ok(error instanceof CampaignError && error.code === code, `${name}: ${error}`);
}
