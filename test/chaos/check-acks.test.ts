// The check of a run of chaos: it passes on a journal that has everything, and finds whatever is missing, other, or twice.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Ack } from '../../tools/chaos/ack-log.ts';
import { type CheckResult, checkAcks } from '../../tools/chaos/check-acks.ts';
import { readFacts } from '../../tools/chaos/journal-facts.ts';
import {
  dropClose,
  dropOpen,
  type Entry,
  grab,
  JournalMaker,
  packetClose,
  packetOpen,
  sendOpen,
  topUp,
  win,
  withdraw,
  writeBalanceFile,
} from '../tools/audit/journal-maker.ts';

const SHAKE = 2 ** 31;
const OF_SEND = 0x100000;
const OF_USER = 0x100001;

/** Two segments in which each kind of thing happens. */
const FIRST: Entry[] = [
  dropOpen({ drop: 1 }),
  topUp(7, 5000, 'top up'),
  win(1, 0, SHAKE, 5, 256),
  sendOpen({ send: 1, count: 1 }),
  packetOpen({ packet: OF_SEND, send: 1 }),
];
const SECOND: Entry[] = [
  packetOpen({ packet: OF_USER, sender: 7, source: 1, key: 'send' }),
  grab(OF_SEND, 0, 5, 256),
  grab(OF_USER, 1, 6, 508),
  packetClose(OF_USER, 1, 492),
  dropClose(1, 1, 744),
  withdraw(7, 100, 'withdraw'),
];

/** What was acknowledged of it. */
const ACKS: Ack[] = [
  { kind: 'drop', dropId: 1, count: 3, cents: 1000 },
  { kind: 'topup', userId: 7, key: 'top up', cents: 5000 },
  { kind: 'win', userId: 5, packetId: SHAKE, cents: 256 },
  { kind: 'send', sendId: 1, count: 1, shares: 3 },
  { kind: 'told', userId: 5, packetId: OF_SEND, cents: 1000, shares: 3 },
  { kind: 'sent', userId: 7, packetId: OF_USER, key: 'send', cents: 1000, shares: 3 },
  { kind: 'grab', userId: 5, packetId: OF_SEND, cents: 256 },
  { kind: 'grab', userId: 6, packetId: OF_USER, cents: 508 },
  { kind: 'grab', userId: 6, packetId: OF_USER, cents: 508 },
  { kind: 'refund', packetId: OF_USER, cents: 492 },
  { kind: 'drop-refund', dropId: 1, cents: 744 },
  { kind: 'withdraw', userId: 7, key: 'withdraw', cents: 100 },
  { kind: 'refused', userId: 7, key: 'too much' },
  { kind: 'balance', userId: 5, cents: 512 },
  { kind: 'balance', userId: 7, cents: 5000 - 1000 + 492 - 100 },
  { kind: 'balance', userId: 9, cents: 0 },
];

function writeJournal(directory: string, ...more: Entry[]): void {
  const maker = new JournalMaker(directory);
  maker.addBatch(FIRST);
  maker.endSegment();
  maker.beginSegment();
  maker.addBatch([...SECOND, ...more]);
  maker.endSegment();
}

function check(t: Test, acks: Ack[], ...more: Entry[]): CheckResult {
  const directory = t.testdir();
  writeJournal(directory, ...more);
  return checkAcks(acks, readFacts(directory));
}

t.test('what was acknowledged and is in the journal once is right, and is counted', async (t) => {
  const { problems, acknowledged, repeated, unacknowledged } = check(t, ACKS);
  t.same(problems, []);
  t.match(acknowledged, { win: 1, grab: 2, sent: 1, topup: 1, withdraw: 1, refund: 1, refused: 1, balance: 3 });
  t.equal(repeated, 1);
  t.same(unacknowledged, { wins: 0, grabs: 0, keys: 0, drops: 0, sends: 0, refunds: 0 });
});

t.test('what nobody was told of is counted, and is no problem', async (t) => {
  const { problems, unacknowledged } = check(t, []);
  t.same(problems, []);
  t.same(unacknowledged, { wins: 1, grabs: 2, keys: 3, drops: 1, sends: 1, refunds: 1 });
});

const WRONG: [name: string, ack: Ack, problem: RegExp][] = [
  ['a win that is lost', { kind: 'win', userId: 5, packetId: SHAKE + 1, cents: 9 }, /not in the journal/],
  ['a win of another user', { kind: 'win', userId: 6, packetId: SHAKE, cents: 256 }, /has userId 5/],
  ['a win of another amount', { kind: 'win', userId: 5, packetId: SHAKE, cents: 255 }, /has cents 256/],
  ['a grab that is lost', { kind: 'grab', userId: 7, packetId: OF_SEND, cents: 236 }, /not in the journal/],
  ['a repeat of another amount', { kind: 'grab', userId: 5, packetId: OF_SEND, cents: 257 }, /has 256 cents/],
  [
    'a send that is lost',
    { kind: 'sent', userId: 7, packetId: OF_USER + 1, key: 'lost', cents: 1, shares: 1 },
    /not in the journal/,
  ],
  [
    'a repeat of a send with another packet',
    { kind: 'sent', userId: 7, packetId: OF_SEND, key: 'send', cents: 1000, shares: 3 },
    /has packetId/,
  ],
  [
    'a send with other shares',
    { kind: 'sent', userId: 7, packetId: OF_USER, key: 'send', cents: 1000, shares: 4 },
    /has shares 3/,
  ],
  ['a packet that is lost', { kind: 'told', userId: 5, packetId: 0x1fffff, cents: 9, shares: 1 }, /not in the journal/],
  ['a top-up that is lost', { kind: 'topup', userId: 5, key: 'top up', cents: 5000 }, /not in the journal/],
  ['a top-up of another amount', { kind: 'topup', userId: 7, key: 'top up', cents: 50 }, /has cents 5000/],
  ['a withdrawal that is a top-up', { kind: 'withdraw', userId: 7, key: 'top up', cents: 5000 }, /has kind topup/],
  ['a refusal that was carried out', { kind: 'refused', userId: 7, key: 'send' }, /it is in the journal/],
  ['a drop that is lost', { kind: 'drop', dropId: 2, count: 3, cents: 1000 }, /not in the journal/],
  ['a house send that is lost', { kind: 'send', sendId: 2, count: 1, shares: 3 }, /not in the journal/],
  ['a refund that is lost', { kind: 'refund', packetId: OF_SEND, cents: 744 }, /not in the journal/],
  ['a refund of another amount', { kind: 'refund', packetId: OF_USER, cents: 491 }, /has 492 cents/],
  ['a refund of a drop of another amount', { kind: 'drop-refund', dropId: 1, cents: 745 }, /has 744 cents/],
  ['a balance that is wrong', { kind: 'balance', userId: 5, cents: 511 }, /has 512 cents/],
];

for (const [name, ack, problem] of WRONG) {
  t.test(`${name} is found`, async (t) => {
    const { problems, problemCount } = check(t, [...ACKS, ack]);
    t.equal(problemCount, 1);
    t.match(problems[0], problem);
    t.match(problems[0], `${ack.kind} (`);
  });
}

const TWICE: [name: string, entry: Entry, problem: RegExp][] = [
  ['a win', win(1, 0, SHAKE, 6, 256), /the win of packet 2147483648 .* 2 times/],
  ['a share of one user', grab(OF_SEND, 1, 5, 508), /the grab of packet\/user 1048576\/5 .* 2 times/],
  ['a key', topUp(7, 5000, 'top up'), /the request of user\/key 7\/top up .* 2 times/],
  ['a packet', packetOpen({ packet: OF_SEND }), /packet 1048576 .* 2 times/],
  ['a refund', packetClose(OF_USER, 1, 492), /the refund of packet 1048577 .* 2 times/],
  ['a drop', dropOpen({ drop: 1 }), /drop 1 .* 2 times/],
  ['a refund of a drop', dropClose(1, 1, 744), /the refund of drop 1 .* 2 times/],
  ['a send', sendOpen({ send: 1 }), /send 1 .* 2 times/],
];

for (const [name, entry, problem] of TWICE) {
  t.test(`${name} that is in the journal twice is found, whoever was told of it`, async (t) => {
    const { problems } = check(t, [], entry);
    t.equal(problems.length, 1);
    t.match(problems[0], problem);
  });
}

t.test('records of deleted segments are those of the snapshot', async (t) => {
  const directory = t.testdir();
  const first = new JournalMaker(join(directory, 'first'));
  first.addBatch(FIRST);
  const { joint } = first;
  writeJournal(directory);
  rmSync(join(directory, 'journal', '0000000001.journal'));
  t.throws(() => readFacts(directory), { message: /begins with record 6, the snapshot has 0 of those before/ });
  // The snapshot may know more than was deleted.
  const records = [...FIRST, SECOND[0]].map((entry, i) => ({ sequence: i + 1, entry }));
  writeBalanceFile(join(directory, 'snapshot.sqlite'), { joint, funding: 7000, users: [], records });
  const facts = readFacts(directory);
  t.equal(facts.records, FIRST.length + SECOND.length);
  t.same(checkAcks(ACKS, facts).problems, []);
});

t.test('the books are at rest when nothing will move by itself', async (t) => {
  const directory = t.testdir();
  const expiry = 1_700_086_400;
  writeJournal(directory);
  t.equal(readFacts(directory).movesBefore(expiry), false);
  t.equal(readFacts(directory).movesBefore(expiry + 1), true, 'a packet will have expired');
  for (const entry of [dropOpen({ drop: 2 }), sendOpen({ send: 2 })]) {
    writeJournal(directory, entry);
    t.equal(readFacts(directory).movesBefore(expiry), true);
  }
  t.same(readFacts(directory).openDrops, []);
});
