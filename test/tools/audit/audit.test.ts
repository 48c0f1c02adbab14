// The audit of journals that are right, and of journals in which one rule is broken.

import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatFinding } from '../../../tools/audit/findings.ts';
import { type AuditResult, runAudit } from '../../../tools/audit/run-audit.ts';
import {
  AMOUNTS,
  dropClose,
  dropOpen,
  type Entry,
  grab,
  noticeDropped,
  packetClose,
  packetOpen,
  reserve,
  SEED,
  sendOpen,
  settle,
  topUp,
  win,
  withdraw,
} from './journal-maker.ts';
import { EMPTY_PACKET, OPEN_PACKET, SHAKE, STORY_CENTS, STORY_FUNDING, writeStory } from './story.ts';

function audit(directory: string): Promise<AuditResult> {
  return runAudit(directory, { threads: 1 });
}

function sentences({ findings }: AuditResult): string[] {
  return findings.map(formatFinding);
}

t.test('a journal that is right passes with difference 0', async (t) => {
  const directory = t.testdir();
  writeStory(directory);
  const result = await audit(directory);
  t.same(sentences(result), []);
  t.equal(result.differenceCents, 0);
  t.match(result, { segments: 3, batches: 10, tornBytes: 0, openingSegments: 0 });
  t.match(result.kinds, {
    funding: { cents: STORY_FUNDING },
    users: { accounts: 4, cents: STORY_CENTS.reduce((sum, [, cents]) => sum + cents, 0) },
    drops: { accounts: 2, open: 1, cents: 1000 - 508, movements: 6 },
    packets: { accounts: 5, open: 1, cents: 1000 - 508 },
  });
  t.match(result.records, { DROP_OPEN: 2, WIN: 3, GRAB: 7, PACKET_OPEN: 5, PACKET_CLOSE: 2, SETTLE: 1 });
});

t.test('an audit tells after each segment how much of the journal is booked', async (t) => {
  const directory = t.testdir();
  writeStory(directory);
  const told: [number, number][] = [];
  const { bytes } = await runAudit(directory, { threads: 2, onProgress: (...progress) => told.push(progress) });
  const [first, second] = told;
  t.ok(first[0] > 0 && first[0] < second[0] && second[0] < bytes, 'it grows');
  t.strictSame(told, [
    [first[0], bytes],
    [second[0], bytes],
    [bytes, bytes],
  ]);
});

t.test('the journal directory will do as well', async (t) => {
  const directory = t.testdir();
  writeStory(directory);
  t.match(await audit(join(directory, 'journal')), { segments: 3, findingCount: 0 });
});

t.test('the totals that a send drew are derived from its seed', async (t) => {
  const block = createHash('sha256').update(SEED).update(Buffer.alloc(4)).digest();
  const totals = [0, 1, 2].map((i) => 1000 + (block.readUInt32BE(i * 4) % 1000));
  const packets = totals.map((total, index) => packetOpen({ packet: 0x100009 + index, send: 2, index, total }));
  const directory = t.testdir();
  writeStory(directory, [sendOpen({ send: 2, count: 3, low: 1000, high: 1999 }), ...packets.reverse()]);
  t.same(sentences(await audit(directory)), []);
});

const BROKEN: [name: string, batch: Entry[], sentence: string, differenceCents: number][] = [
  [
    'a wrong amount of a grab',
    [grab(OPEN_PACKET, 0, 6, 257)],
    `share 0 of packet ${OPEN_PACKET} gives 257 cents, the split says 256`,
    -1,
  ],
  [
    'a share grabbed twice',
    [grab(OPEN_PACKET, 1, 6, 508)],
    `share 1 of packet ${OPEN_PACKET} is grabbed a second time, by user 6`,
    -508,
  ],
  [
    'a second share of one user',
    [grab(OPEN_PACKET, 0, 5, 256)],
    `user 5 grabs a second share of packet ${OPEN_PACKET}`,
    0,
  ],
  [
    'a grab of somebody who is not invited',
    [grab(OPEN_PACKET, 0, 7, 256)],
    `user 7 is not invited to packet ${OPEN_PACKET}`,
    0,
  ],
  ['a share that there is not', [grab(OPEN_PACKET, 3, 6, 1)], `packet ${OPEN_PACKET} has no share 3`, -1],
  ['a grab of an unknown packet', [grab(0x1fffff, 0, 5, 9)], `there is no packet ${0x1fffff}`, -9],
  [
    'a grab after the last share',
    [grab(EMPTY_PACKET, 0, 8, 9)],
    `packet ${EMPTY_PACKET} is over, no grab may follow`,
    -9,
  ],
  [
    'a close after the last share',
    [packetClose(EMPTY_PACKET, 3, 0)],
    `packet ${EMPTY_PACKET} is over, no close may follow`,
    0,
  ],
  [
    'a wrong refund of a packet',
    [packetClose(OPEN_PACKET, 1, 491)],
    `packet ${OPEN_PACKET} refunds 491 cents, 492 were not grabbed`,
    1,
  ],
  [
    'a wrong count of shares',
    [packetClose(OPEN_PACKET, 2, 492)],
    `packet ${OPEN_PACKET} closes with 2 shares taken, 1 were`,
    0,
  ],
  [
    'a packet opened while its id is in use',
    [packetOpen({ packet: OPEN_PACKET })],
    `packet ${OPEN_PACKET} is opened while the one that has this id is not over`,
    492,
  ],
  [
    'a wrong amount of a win',
    [win(2, 0, SHAKE + 3, 5, 255)],
    'packet 0 of drop 2 gives 255 cents, the split says 256',
    1,
  ],
  ['a packet of a drop won twice', [win(2, 1, SHAKE + 4, 5, 508)], 'packet 1 of drop 2 is won a second time', -508],
  ['a win too many of one user', [win(2, 0, SHAKE + 3, 6, 256)], 'user 6 wins 2 times from drop 2, which allows 1', 0],
  ['a number that there is not', [win(2, 3, SHAKE + 6, 5, 1)], 'drop 2 has no packet number 3', -1],
  [
    'a win with the id of another packet',
    [win(2, 0, SHAKE + 4, 5, 256)],
    `packet 0 of drop 2 must have the id ${SHAKE + 3}, not ${SHAKE + 4}`,
    0,
  ],
  ['a win from an unknown drop', [win(3, 0, SHAKE, 5, 7)], 'there is no drop 3', -7],
  ['a win after the close', [win(1, 1, SHAKE, 5, 508)], 'drop 1 is closed, no win may follow', -508],
  ['a wrong refund of a drop', [dropClose(2, 1, 493)], 'drop 2 refunds 493 cents, 492 were not won', -1],
  ['a wrong count of packets won', [dropClose(2, 2, 492)], 'drop 2 closes with 2 packets won, 1 were', 0],
  ['a drop closed twice', [dropClose(1, 2, 508)], 'drop 1 is closed, no close may follow', -508],
  ['a drop out of turn', [dropOpen({ drop: 4 })], 'drop 4 is opened, and must be drop 3', 0],
  ['a drop opened again', [dropOpen({ drop: 1 })], 'drop 1 is opened, and must be drop 3', 0],
  ['a send out of turn', [sendOpen({ send: 3 })], 'send 3 is opened, and must be send 2', 0],
  [
    'a packet of an unknown send',
    [packetOpen({ packet: 0x100009, send: 2 })],
    `packet ${0x100009} is of send 2, which there is not`,
    0,
  ],
  [
    'a packet past the last of its send',
    [packetOpen({ packet: 0x100009, send: 1, index: 2 })],
    `packet ${0x100009} is number 2 of send 1, which has 2`,
    0,
  ],
  [
    'a packet of a send opened twice',
    [packetOpen({ packet: 0x100009, send: 1, index: 1 })],
    'packet 1 of send 1 is opened a second time',
    0,
  ],
  [
    'a packet with another total than its send says',
    [sendOpen({ send: 2 }), packetOpen({ packet: 0x100009, send: 2, total: 999 })],
    'packet 0 of send 2 has 999 cents, the seed of the send says 1000',
    0,
  ],
  [
    'a packet with other shares than its send says',
    [sendOpen({ send: 2 }), packetOpen({ packet: 0x100009, send: 2, shares: 4 })],
    'packet 0 of send 2 has other shares, or is split otherwise, than the send says',
    0,
  ],
  ['a balance below zero', [withdraw(9, 334)], 'user 9 is at -1 cents, below zero', 0],
  [
    'a packet that its sender cannot pay',
    [packetOpen({ packet: 0x100009, sender: 9, source: 1 })],
    'user 9 is at -667 cents, below zero',
    0,
  ],
  ['a request key that comes twice', [topUp(7, 1, 'b')], 'user 7 used the request key "b" among the last 256', 0],
  [
    'a notice of an unknown packet',
    [noticeDropped(5, 0x1fffff)],
    `user 5 is not told of packet ${0x1fffff}, which there is not`,
    0,
  ],
  ['a reservation made twice', [reserve(7, 1, 4)], 'reservation 4 is made a second time', 0],
  ['a reservation settled twice', [settle(1, 4)], 'reservation 4 is settled a second time', 0],
  ['an unknown reservation settled', [settle(1, 5)], 'there is no reservation 5 to settle', 0],
  [
    'a packet paid from an unknown reservation',
    [packetOpen({ packet: 0x100009, sender: 7, source: 2, reservation: 5 })],
    `packet ${0x100009} is paid from reservation 5, which there is not`,
    0,
  ],
  [
    'a packet paid from a reservation of another amount',
    [reserve(7, 999, 5), packetOpen({ packet: 0x100009, sender: 7, source: 2, reservation: 5 })],
    `packet ${0x100009} is paid from reservation 5, which is for 999 cents of user 7`,
    0,
  ],
  [
    'a packet paid from a reservation that was cancelled',
    [reserve(7, 1000, 5), settle(2, 5), packetOpen({ packet: 0x100009, sender: 7, source: 2, reservation: 5 })],
    `packet ${0x100009} is paid from reservation 5, which was cancelled`,
    0,
  ],
  [
    'a reservation that pays twice',
    [packetOpen({ packet: 0x100009, sender: 7, source: 2, reservation: 4 })],
    `reservation 4 pays for a second packet, ${0x100009}`,
    0,
  ],
  [
    'a reservation cancelled after it paid',
    [reserve(7, 1000, 5), packetOpen({ packet: 0x100009, sender: 7, source: 2, reservation: 5 }), settle(2, 5)],
    `reservation 5 is cancelled, but packet ${0x100009} was paid from it`,
    0,
  ],
];

for (const [name, batch, sentence, differenceCents] of BROKEN) {
  t.test(`${name} is one finding`, async (t) => {
    const directory = t.testdir();
    const { joint } = writeStory(directory);
    const found = sentence.includes('below zero') ? '' : `, record ${joint.sequence + batch.length - 1}`;
    writeStory(directory, batch);
    const result = await audit(directory);
    t.same(sentences(result), [`segment 3, batch 11${found}: ${sentence}`]);
    t.equal(result.differenceCents, differenceCents);
  });
}

t.test('the money of a wrong packet does not hide behind the next one', async (t) => {
  const directory = t.testdir();
  writeStory(directory, [grab(OPEN_PACKET, 0, 6, AMOUNTS[0] + 1), grab(OPEN_PACKET, 2, 8, AMOUNTS[2] - 1)]);
  const result = await audit(directory);
  t.equal(result.findingCount, 2);
  t.equal(result.differenceCents, 0, 'the sum is right, each amount is wrong');
});

t.test('a balance may be below zero inside a batch', async (t) => {
  const directory = t.testdir();
  writeStory(directory, [withdraw(9, 334), topUp(9, 1)]);
  t.same(sentences(await audit(directory)), []);
});

t.test('a key may come again after 255 others', async (t) => {
  t.testdir();
  const others = (count: number) => Array.from({ length: count }, (_, i) => topUp(3, 1, `key ${i}`));
  for (const [count, findings] of [
    [254, 1],
    [255, 0],
  ]) {
    const directory = join(t.testdirName, String(count));
    writeStory(directory, [topUp(3, 1, 'first'), ...others(count), topUp(3, 1, 'first')]);
    t.equal((await audit(directory)).findingCount, findings);
  }
});

t.test('packets with long lists are judged like short ones', async (t) => {
  const directory = t.testdir();
  const invited = Array.from({ length: 100 }, (_, i) => 1000 + i);
  const open = packetOpen({ packet: 0x100009, total: 100, shares: 100, mode: 2, invited });
  const grabs = invited.map((user, i) => grab(0x100009, i, user, 1));
  writeStory(directory, [open, ...grabs.slice(0, 98), grab(0x100009, 98, 1000, 1), grab(0x100009, 99, 7, 1)]);
  t.match(sentences(await audit(directory)), [
    /user 1000 grabs a second share of packet/,
    /user 7 is not invited to packet/,
  ]);
});

t.test('more than a hundred findings are counted, a hundred are kept', async (t) => {
  const directory = t.testdir();
  writeStory(
    directory,
    Array.from({ length: 150 }, (_, i) => grab(0x1fffff, i, 5, 1)),
  );
  const { findingCount, findings } = await audit(directory);
  t.equal(findingCount, 150);
  t.equal(findings.length, 100);
});

t.test('without its beginning and without opening.sqlite there is no audit', async (t) => {
  const directory = t.testdir();
  writeStory(directory);
  rmSync(join(directory, 'journal', '0000000001.journal'));
  await t.rejects(audit(directory), {
    message: /begins with segment 2: neither segment 1 nor opening.sqlite is there/,
  });
});

t.test('a directory without a journal is a mistake in one line', async (t) => {
  const directory = t.testdir({ journal: {} });
  await t.rejects(audit(directory), { message: `there is no journal in ${directory}` });
  await t.rejects(audit(join(directory, 'none')), { message: /there is no directory/ });
});
