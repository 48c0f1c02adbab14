// Tries the history: its answers from snapshot and journal together are those of a plain model of all records.

import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { Piscina } from 'piscina';
import t, { type Test } from 'tap';
import { History } from '../../lib/ledger/history.ts';
import type { PacketHistory } from '../../lib/ledger/history-answers.ts';
import type { JournalFiles } from '../../lib/ledger/journal-files.ts';
import { NodeFiles } from '../../lib/ledger/node-files.ts';
import fold, { query } from '../../lib/ledger/snapshot-task.ts';
import { commitTo } from '../../lib/packets/seeded-random.ts';
import { printSeed, seed, TestRandom } from '../packets/seed.ts';
import { FIRST_MS, TestJournal } from './snapshot-journal.ts';
import { claimed, isOver, LedgerModel, RandomLedger } from './snapshot-model.ts';
import { closePacket, grab, openDrop, openPacket, TEST_SEED, type TestRecord, topUp, win } from './snapshot-records.ts';

printSeed(t);

const SEGMENT_BYTES = 16 * 1024;
const PACKET = 2 ** 20 + 3;

function openHistory(t: Test, data: string, files: JournalFiles = new NodeFiles(join(data, 'journal'))): History {
  const history = new History(data, files);
  t.teardown(() => history.close());
  return history;
}

/** Compares every answer with the model's. */
function compare(t: Test, history: History, model: LedgerModel, durableBatch: number, name: string): void {
  const wrong: unknown[] = [];
  const check = (about: string, isSame: boolean): void => {
    if (!isSame) wrong.push(about);
  };
  const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
  for (const [packetId, packet] of model.packets) {
    const found = history.packetRecords(packetId, durableBatch) as PacketHistory;
    const { senderId, sendId, shares, grabs, refundedCents, claimedCents, state } = found;
    check(`packet ${packetId}`, same([senderId, sendId, shares], [packet.senderId, packet.sendId, packet.shares]));
    const grabbed = grabs.map(({ sequence, share, userId, amountCents }) => ({ sequence, share, userId, amountCents }));
    check(`grabs of ${packetId}`, same(grabbed, packet.grabs));
    check(`cents of ${packetId}`, same([claimedCents, refundedCents], [claimed(packet), packet.refund ?? 0]));
    check(
      `state of ${packetId}`,
      state === (packet.refund !== undefined ? 'expired' : isOver(packet) ? 'empty' : 'open'),
    );
    check(`seed of ${packetId}`, (found.seed !== undefined) === isOver(packet));
  }
  for (const [packetId, { dropId, userId, amountCents }] of model.wins) {
    const found = history.packetRecords(packetId, durableBatch);
    check(
      `win ${packetId}`,
      found !== undefined &&
        'dropId' in found &&
        same([found.dropId, found.userId, found.amountCents], [dropId, userId, amountCents]),
    );
  }
  for (const [userId, events] of model.events) {
    const found = history.userRecords(userId, { limit: 100 }, durableBatch);
    const shown = found.records.map(({ timeMs: _, ...record }) => record);
    const expected = events.slice(0, 100);
    check(
      `records of user ${userId}`,
      shown.length === expected.length && expected.every((event, i) => same(sortKeys(event), sortKeys(shown[i]))),
    );
    check(`balance of user ${userId}`, found.balanceCents === (model.balances.get(userId) ?? 0));
  }
  const ledger = history.ledger(durableBatch);
  const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);
  const users = sum(model.balances.values());
  const drops = sum([...model.drops.values()].map(({ cents }) => cents));
  const openPackets = [...model.slots.values()].filter((packet) => !isOver(packet));
  const packets = sum(openPackets.map(({ cents }) => cents));
  const accounts = { users: model.balances.size, drops: model.drops.size, packets: openPackets.length };
  t.match(
    ledger,
    { funding: model.funding, users, drops, packets, difference: 0, accounts, batches: durableBatch },
    name,
  );
  t.strictSame(wrong, [], name);
}

function sortKeys(record: object): [string, unknown][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

t.test('answers follow the durable batches, over folded and open segments, old and new histories alike', async (t) => {
  const data = t.testdir();
  const journal = new TestJournal(data, SEGMENT_BYTES);
  const ledger = new RandomLedger(seed);
  const random = new TestRandom(seed);
  const history = openHistory(t, data);
  const model = new LedgerModel();
  let durableBatch = 0;
  let taken = 0;
  const pending: TestRecord[][] = [];
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 100; i++) {
      const batch = ledger.draw(1 + random.below(6));
      journal.append(batch);
      pending.push(batch);
    }
    // The last batches are written, but nobody says that they are durable.
    while (pending.length > random.below(20)) {
      for (const record of pending.shift()!) model.take(record, ++taken);
      durableBatch++;
    }
    const closed = Math.min(journal.closedSegment, history.ledger(durableBatch).segments - 1);
    if (round % 3 === 1) await fold({ data, keepSegments: round > 6 ? 1 : 0, closedSegment: closed });
    compare(t, history, model, durableBatch, `round ${round}`);
    if (round % 4 === 2) compare(t, openHistory(t, data), model, durableBatch, `round ${round}, opened anew`);
  }
  t.ok(journal.closedSegment > 5, 'there were some segments');
});

t.test('only what was added is read, and a part of a batch behind the durable ones is not looked at', (t) => {
  const data = t.testdir();
  const journal = new TestJournal(data, 2 ** 20);
  let bytes = 0;
  const files = new NodeFiles(join(data, 'journal'));
  const counting: JournalFiles = Object.assign(Object.create(files) as JournalFiles, {
    list: () => files.list(),
    size: (name: string) => files.size(name),
    close: () => files.close(),
    read: (name: string, position: number, into: Uint8Array) => {
      bytes += Math.min(into.length, files.size(name) - position);
      return files.read(name, position, into);
    },
  });
  const history = openHistory(t, data, counting);
  t.equal(history.userRecords(1, {}, 0).balanceCents, 0, 'an empty journal');
  for (let i = 0; i < 100; i++) journal.append([topUp(1, 1)]);
  t.equal(history.userRecords(1, {}, 99).balanceCents, 99);
  bytes = 0;
  t.equal(history.userRecords(1, {}, 99).balanceCents, 99);
  t.equal(bytes, 0, 'nothing new');
  appendFileSync(join(data, 'journal/0000000001.journal'), 'BTCH, but only a part');
  t.equal(history.userRecords(1, {}, 100).balanceCents, 100);
  t.equal(history.userRecords(1, {}, 100).records[0].sequence, 100);
  t.end();
});

t.test('a packet tells all about itself', (t) => {
  const data = t.testdir();
  const journal = new TestJournal(data, 2 ** 20);
  const history = openHistory(t, data);
  const open = { packetId: PACKET, total: 60, shares: 3, senderId: 5, source: 1 as const, note: '恭喜', key: 'k1' };
  journal.append([topUp(5, 100), openPacket({ ...open, invited: [7, 8, 9] })]);
  journal.append([grab(PACKET, 2, 9, 25), grab(PACKET, 0, 7, 25)]);
  const commitment = commitTo(TEST_SEED).toString('hex');
  const sofar = history.packetRecords(PACKET, 2);
  t.strictSame(sofar, {
    packetId: PACKET,
    sendId: 0,
    senderId: 5,
    totalCents: 60,
    shares: 3,
    mode: 'lucky',
    minCents: 1,
    maxCents: 20_000,
    createdAt: 1000,
    expiresAt: 2000,
    state: 'open',
    note: '恭喜',
    commitment,
    grabs: [
      { sequence: 3, timeMs: FIRST_MS + 1, userId: 9, share: 2, amountCents: 25 },
      { sequence: 4, timeMs: FIRST_MS + 1, userId: 7, share: 0, amountCents: 25 },
    ],
    claimedCents: 50,
    refundedCents: 0,
    invited: [7, 8, 9],
  });
  journal.append([grab(PACKET, 1, 8, 10)]);
  t.match(history.packetRecords(PACKET, 3), {
    state: 'empty',
    seed: TEST_SEED.toString('hex'),
    claimedCents: 60,
    luckiest: { userId: 9, amountCents: 25 },
  });
  t.equal(history.packetRecords(PACKET + 1, 3), undefined, 'a packet that never was');
  t.end();
});

t.test('a packet id that came again means the newest packet, folded or not', async (t) => {
  const data = t.testdir();
  const journal = new TestJournal(data, 500);
  const history = openHistory(t, data);
  const open = { packetId: PACKET, shares: 2 };
  journal.append([openPacket({ ...open, total: 10 }), grab(PACKET, 0, 1, 4), closePacket(PACKET, 1, 6)]);
  t.match(history.packetRecords(PACKET, 1), {
    totalCents: 10,
    state: 'expired',
    refundedCents: 6,
    grabs: [{ userId: 1 }],
  });
  const other = PACKET + 2 ** 20;
  journal.append([openPacket({ packetId: other, shares: 1, total: 7 }), grab(other, 0, 3, 7)]);
  journal.append([openPacket({ ...open, total: 20 }), grab(PACKET, 0, 2, 5)]);
  for (const folded of [0, journal.closedSegment]) {
    if (folded > 0) await fold({ data, keepSegments: 0, closedSegment: folded });
    const grabs = [{ userId: 2, amountCents: 5 }];
    t.match(history.packetRecords(PACKET, 3), { totalCents: 20, state: 'open', claimedCents: 5, grabs });
    t.match(history.packetRecords(other, 3), { totalCents: 7, state: 'empty' }, 'the one in between is known as well');
  }
  t.ok(journal.closedSegment > 0);
});

t.test('the records of a user come in pages, newest first', async (t) => {
  const data = t.testdir();
  const journal = new TestJournal(data, 4000);
  const history = openHistory(t, data);
  for (let i = 1; i <= 250; i++) journal.append([topUp(1, i, i % 2 === 0 ? `k${i}` : ''), topUp(2, 1)]);
  await fold({ data, keepSegments: 0, closedSegment: journal.closedSegment - 1 });
  const first = history.userRecords(1, {}, 250).records;
  t.equal(first.length, 20);
  t.strictSame(first[0], { sequence: 499, timeMs: FIRST_MS + 249, kind: 'topup', cents: 250, key: 'k250' });
  t.equal(first[1].key, undefined);
  t.equal(history.userRecords(1, { limit: 1000 }, 250).records.length, 100, 'never more than 100');
  const all: number[] = [];
  for (let before: number | undefined; ; ) {
    const page = history.userRecords(1, { limit: 33, before }, 250).records;
    if (page.length === 0) break;
    all.push(...page.map(({ cents }) => cents));
    before = page.at(-1)!.sequence;
  }
  t.strictSame(
    all,
    Array.from({ length: 250 }, (_, i) => 250 - i),
  );
  t.strictSame(history.userRecords(99, {}, 250), { userId: 99, balanceCents: 0, records: [] }, 'a user who never was');
});

t.test('a won packet tells who won it', async (t) => {
  const data = t.testdir();
  const journal = new TestJournal(data, 300);
  const history = openHistory(t, data);
  const packetId = 2 ** 31 + 12;
  journal.append([openDrop(1, 3, 30, 10), win(1, 2, packetId, 2 ** 31 + 5, 8)]);
  const expected = { packetId, dropId: 1, number: 2, userId: 2 ** 31 + 5, amountCents: 8, timeMs: FIRST_MS };
  t.strictSame(history.packetRecords(packetId, 1), expected);
  journal.append([topUp(1, 1), topUp(1, 1), topUp(1, 1)]);
  await fold({ data, keepSegments: 0, closedSegment: journal.closedSegment });
  t.strictSame(history.packetRecords(packetId, 2), expected, 'folded');
  t.match(history.userRecords(2 ** 31 + 5, {}, 2), {
    balanceCents: 8,
    records: [{ kind: 'win', packetId, dropId: 1 }],
  });
});

t.test('a damaged journal is told every time, and answers are right once it is whole', (t) => {
  const data = t.testdir();
  const journal = new TestJournal(data, 2 ** 20);
  journal.append([topUp(1, 5)]);
  journal.append([grab(PACKET, 0, 1, 1)]);
  const history = openHistory(t, data);
  t.throws(() => history.ledger(2), { code: 'damaged' });
  t.throws(() => history.ledger(2), { code: 'damaged' });
  t.match(history.ledger(1), { funding: 5, users: 5, difference: 0, records: 1, segments: 1 });
  t.end();
});

t.test('a pool folds, deletes and answers', async (t) => {
  const data = t.testdir();
  const journal = new TestJournal(data, SEGMENT_BYTES);
  const ledger = new RandomLedger(seed);
  while (journal.closedSegment < 5) journal.append(ledger.draw(5));
  const pool = new Piscina({
    filename: new URL('../../lib/ledger/snapshot-task.ts', import.meta.url).href,
    maxThreads: 1,
    concurrentTasksPerWorker: 2,
    execArgv: [],
  });
  t.teardown(() => pool.destroy());
  const ask = (question: object): Promise<unknown> =>
    pool.run({ data, durableBatch: journal.lastBatch, ...question }, { name: 'query' });
  const before = await ask({ about: 'ledger' });
  const folding = pool.run({ data, keepSegments: 2, closedSegment: 5 });
  t.strictSame(await ask({ about: 'ledger' }), before);
  t.strictSame(await folding, { folded: 5, deleted: 3 });
  t.strictSame(await ask({ about: 'ledger' }), before);
  t.match(await ask({ about: 'user', userId: 1, limit: 1 }), { userId: 1, records: [{}] });
  t.equal(await ask({ about: 'packet', packetId: 5 }), undefined);
  await t.rejects(pool.run({ data, keepSegments: 0, closedSegment: 6 }), /journal is damaged/);
  t.strictSame(query({ data, durableBatch: journal.lastBatch, about: 'ledger' }), before, 'as it does without a pool');
});
