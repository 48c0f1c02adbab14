// The audit of a journal whose first segments were deleted, and of the snapshot beside a journal.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { formatFinding } from '../../../tools/audit/findings.ts';
import { formatAudit } from '../../../tools/audit/print-audit.ts';
import { type AuditResult, runAudit } from '../../../tools/audit/run-audit.ts';
import {
  type BalanceFile,
  type Entry,
  grab,
  type Joint,
  JournalMaker,
  packetOpen,
  sendOpen,
  topUp,
  writeBalanceFile,
} from './journal-maker.ts';
import { EMPTY_PACKET, EXPIRED_PACKET, STORY, STORY_CENTS, STORY_FUNDING, writeStory } from './story.ts';

const SEND_OPEN_TYPE = 4;
const PACKET_OPEN_TYPE = 5;
const TOPUP_TYPE = 8;

function audit(directory: string): Promise<AuditResult> {
  return runAudit(directory, { threads: 1 });
}

function sentences({ findings }: AuditResult): string[] {
  return findings.map(formatFinding);
}

/** The records of the first two segments of the story that matter to the third: the send, and those with keys, here a
 * PACKET_OPEN with its grabs. */
function liveRecords(): { sequence: number; entry: Entry }[] {
  const records = STORY.slice(0, 2)
    .flat(2)
    .map((entry, i) => ({ sequence: i + 1, entry }));
  return records.filter(({ entry: { type, words } }) => {
    const ofPacket = type >= PACKET_OPEN_TYPE && type < TOPUP_TYPE;
    return ofPacket ? words[0] === EMPTY_PACKET : type === SEND_OPEN_TYPE || type >= TOPUP_TYPE;
  });
}

/** What the users have, and what came in, after the first two segments. */
const MIDDLE: Pick<BalanceFile, 'funding' | 'users'> = {
  funding: 1000 + 5000 + 1000 - 508 - 508 - 100,
  users: [
    [5, 256 + 236 + 256 + 334 - 100],
    [6, 236 + 333],
    [7, 4000],
    [9, 333],
  ],
};

/** Where segment 3 of the story goes on from. */
function jointOf(directory: string): Joint {
  const maker = new JournalMaker(join(directory, 'first'));
  for (const entries of STORY[0]) maker.addBatch(entries);
  maker.beginSegment();
  for (const entries of STORY[1]) maker.addBatch(entries);
  return maker.joint;
}

/** Writes the story without its first two segments, with an opening.sqlite. @param more batches of the last segment */
function writeOpened(directory: string, change: Partial<BalanceFile> = {}, ...more: Entry[][]): void {
  writeStory(directory, ...more);
  for (const segment of [1, 2]) rmSync(join(directory, 'journal', `000000000${segment}.journal`));
  const file = { joint: jointOf(directory), ...MIDDLE, records: liveRecords(), ...change };
  writeBalanceFile(join(directory, 'opening.sqlite'), file);
}

t.test('a journal without its first segments goes on from opening.sqlite', async (t) => {
  const directory = t.testdir();
  writeOpened(directory);
  const result = await audit(directory);
  t.same(sentences(result), []);
  t.match(result, {
    differenceCents: 0,
    segments: 1,
    openingSegments: 2,
    kinds: { funding: { cents: STORY_FUNDING } },
  });
  const text = formatAudit(result).join('\n');
  t.match(text, /opening balances are those of opening\.sqlite, which stands for segments 1 to 2/);
  t.match(text, /^difference 0$/m);
});

t.test('records of opening.sqlite are known to the segments that are left', async (t) => {
  t.testdir();
  const cases: [name: string, change: Partial<BalanceFile>, batch: Entry[], sentence: RegExp][] = [
    ['key', {}, [topUp(7, 1, 'a')], /batch 11, record \d+: user 7 used the request key "a"/],
    ['packet', {}, [grab(0x1fffff, 0, 5, 1)], /batch 11, record \d+: there is no packet/],
    ['send', { records: [] }, [], /batch 8, record \d+: packet \d+ is of send 1, which there is not/],
  ];
  for (const [name, change, batch, sentence] of cases) {
    const directory = join(t.testdirName, name);
    writeOpened(directory, change, batch.length > 0 ? batch : [topUp(1, 1)]);
    const found = sentences(await audit(directory));
    t.equal(found.length, 1, name);
    t.match(found[0], sentence);
  }
});

t.test('a send that was over when its segment was deleted is not missed', async (t) => {
  t.testdir();
  for (const [name, send, count] of [
    ['next', 3, 0],
    ['higher', 9, 0],
    ['again', 2, 1],
  ] as const) {
    const directory = join(t.testdirName, name);
    const maker = new JournalMaker(directory);
    const packet = packetOpen({ packet: 0x100009, send: 1, shares: 1, total: 50, max: 50 });
    const records = [packet, grab(0x100009, 0, 5, 50), sendOpen({ send: 2 })];
    maker.addBatch(records);
    const { joint } = maker;
    maker.beginSegment();
    maker.addBatch([sendOpen({ send }), packetOpen({ packet: 0x10000a, send })]);
    maker.endSegment();
    const held = records.map((entry, i) => ({ sequence: i + 1, entry }));
    writeBalanceFile(join(directory, 'opening.sqlite'), { joint, funding: 50, users: [[5, 50]], records: held });
    const result = await audit(directory);
    t.equal(result.findingCount, count, sentences(result).join('\n'));
    t.equal(result.differenceCents, 0);
  }
});

t.test('a packet that was open when its segment was deleted is grabbed to its end', async (t) => {
  t.testdir();
  for (const [name, user, count] of [
    ['right', 7, 0],
    ['again', 5, 1],
  ] as const) {
    const directory = join(t.testdirName, name);
    const maker = new JournalMaker(directory);
    const [opening, grabs] = [STORY[0][2], STORY[0][3].slice(0, 1)];
    maker.addBatch(opening);
    maker.addBatch(grabs);
    const { joint } = maker;
    maker.beginSegment();
    maker.addBatch([grab(EXPIRED_PACKET, 1, user, 508)]);
    maker.endSegment();
    const records = [...opening, ...grabs].map((entry, i) => ({ sequence: i + 1, entry }));
    writeBalanceFile(join(directory, 'opening.sqlite'), { joint, funding: 1000, users: [[5, 256]], records });
    const result = await audit(directory);
    t.equal(result.findingCount, count, sentences(result).join('\n'));
    t.equal(result.differenceCents, 0);
  }
});

t.test('an opening.sqlite that is wrong is found', async (t) => {
  t.testdir();
  const directories: [name: string, change: (joint: BalanceFile['joint']) => Partial<BalanceFile>, sentence: RegExp][] =
    [
      [
        'funding',
        () => ({ funding: MIDDLE.funding + 1 }),
        /^opening.sqlite: funding is 5885 cents, users.* have 5884$/,
      ],
      ['below', () => ({ users: [...MIDDLE.users, [1, -1], [2, 1]] }), /^opening.sqlite: user 1 is at -1 cents, below/],
      ['chain', (joint) => ({ joint: { ...joint, chain: Buffer.alloc(32) } }), /^segment 3: the chain is broken/],
      [
        'batch',
        (joint) => ({ joint: { ...joint, batch: 9 } }),
        /^segment 3: it begins with batch 8 .* must with batch 9/,
      ],
      ['gap', (joint) => ({ joint: { ...joint, segment: 2 } }), /^segment 2: it is missing$/],
    ];
  for (const [name, change, sentence] of directories) {
    const directory = join(t.testdirName, name);
    writeOpened(directory, change(jointOf(directory)));
    const found = sentences(await audit(directory));
    t.equal(found.length, 1, `${name}: ${found.join('; ')}`);
    t.match(found[0], sentence);
  }
});

t.test('a snapshot that agrees with the journal is no finding, wherever it ends', async (t) => {
  t.testdir();
  const end = writeStory(join(t.testdirName, 'end'));
  writeBalanceFile(join(end.directory, 'snapshot.sqlite'), {
    joint: end.joint,
    funding: STORY_FUNDING,
    users: STORY_CENTS,
  });
  t.same(sentences(await audit(end.directory)), []);
  const middle = join(t.testdirName, 'middle');
  writeStory(middle);
  writeBalanceFile(join(middle, 'snapshot.sqlite'), { joint: jointOf(middle), ...MIDDLE });
  const result = await audit(middle);
  t.same(sentences(result), []);
  t.ok(result.snapshotSequence);
});

t.test('a snapshot that differs from the journal is found', async (t) => {
  t.testdir();
  const cases: [name: string, change: (file: BalanceFile) => Partial<BalanceFile>, sentence: RegExp][] = [
    ['funding', () => ({ funding: 1 }), /^snapshot.sqlite: funding is 1 cents, the journal says 5884$/],
    ['less', ({ users }) => ({ users: users.slice(1) }), /^snapshot.sqlite: user 5 has 0 cents, the journal says 982$/],
    [
      'more',
      ({ users }) => ({ users: [...users, [1, 3]] }),
      /^snapshot.sqlite: user 1 has 3 cents, the journal says 0$/,
    ],
    [
      'inside',
      ({ joint }) => ({ joint: { ...joint, sequence: 2 } }),
      /^snapshot.sqlite: it ends with record 1, inside a/,
    ],
    [
      'past',
      ({ joint }) => ({ joint: { ...joint, sequence: 99 } }),
      /^snapshot.sqlite: it knows records up to 98, the j/,
    ],
  ];
  for (const [name, change, sentence] of cases) {
    const directory = join(t.testdirName, name);
    writeStory(directory);
    const file = { joint: jointOf(directory), ...MIDDLE };
    writeBalanceFile(join(directory, 'snapshot.sqlite'), { ...file, ...change(file) });
    const found = sentences(await audit(directory));
    t.equal(found.length, 1, `${name}: ${found.join('; ')}`);
    t.match(found[0], sentence);
  }
});

t.test('a file that is no database is one finding', async (t) => {
  const directory = t.testdir({ 'snapshot.sqlite': 'no database at all' });
  writeStory(directory);
  t.match(sentences(await audit(directory)), [/^snapshot.sqlite: it cannot be read/]);
});

t.test('a snapshot into which nothing was folded yet is no finding', async (t) => {
  t.testdir();
  for (const [name, statements] of [
    ['empty', ''],
    ['tables', "CREATE TABLE meta (key TEXT PRIMARY KEY, value); INSERT INTO meta VALUES ('version', 1);"],
  ]) {
    const directory = join(t.testdirName, name);
    writeStory(directory);
    const database = new DatabaseSync(join(directory, 'snapshot.sqlite'));
    database.exec(`PRAGMA journal_mode = WAL; ${statements}`);
    database.close();
    const result = await audit(directory);
    t.same(sentences(result), [], name);
    t.equal(result.snapshotSequence, undefined);
  }
});

t.test('an opening.sqlite into which nothing was folded opens nothing', async (t) => {
  const directory = t.testdir();
  writeOpened(directory);
  rmSync(join(directory, 'opening.sqlite'));
  new DatabaseSync(join(directory, 'opening.sqlite')).exec('PRAGMA user_version = 1');
  t.same(sentences(await audit(directory)), [
    'opening.sqlite: nothing is in it, and the journal begins with segment 3',
  ]);
});
