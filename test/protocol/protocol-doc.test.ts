// docs/PROTOCOL.md against the code: its tables, its numbers and its sessions in hex.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { commitTo } from '../../lib/packets/seeded-random.ts';
import { CLASSIC_FIELDS, CLASSIC_FRAME_BYTES } from '../../lib/protocol/classic-layout.ts';
import { ERROR_MESSAGES, PROTOCOL_VERSION, readSend, SPLIT_NAMES } from '../../lib/protocol/extended.ts';
import { FrameReader } from '../../lib/protocol/frame-reader.ts';
import { CLIENT_RULES, FrameFault, SERVER_RULES } from '../../lib/protocol/frame-rules.ts';
import {
  DEFAULT_RECORDS,
  DEFAULT_SEND_EXPIRY_SECONDS,
  MAX_BODY_DEPTH,
  MAX_FRAME_BYTES,
  MAX_KEY_BYTES,
  MAX_NOTE_BYTES,
  MAX_NOTE_CHARACTERS,
  MAX_RECORDS,
  MAX_SEND_CENTS,
  MAX_SEND_EXPIRY_SECONDS,
  MAX_SEND_SHARES,
  MAX_SEND_USERS,
  MAX_TOKEN_LENGTH,
  MAX_TOLD_GRABS,
} from '../../lib/protocol/limits.ts';
import { unpackBody } from '../../lib/protocol/message-pack.ts';
import { GRAB_STATUS_NAMES, LoginResult, Opcode, SEND_STATUS_NAMES, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { FrameCollector } from './frame-collector.ts';
import { frameVectors, fromHex, splitVectors } from './vectors.ts';

const doc = readFileSync(new URL('../../docs/PROTOCOL.md', import.meta.url), 'utf8');
const rows = doc
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );

/** The rows of the table that has this header. */
function tableOf(...header: string[]): string[][] {
  const start = rows.findIndex((row) => row.join('|') === header.join('|'));
  if (start < 0) throw new Error(`no table ${header.join(', ')}`);
  const end = rows.findIndex((row, i) => i > start && row.length !== header.length);
  const others = ['opcode', 'result', 'status', 'code', 'cause', 'offset', ''];
  const body = rows.slice(start + 1, end < 0 ? undefined : end);
  const next = body.findIndex((row) => others.includes(row[0]));
  return next < 0 ? body : body.slice(0, next);
}

const classicRows = tableOf('opcode', 'name', 'direction', 'fields', 'length');
const extendedRows = tableOf('opcode', 'name', 'direction', 'keys');

t.test('the opcode tables of the document name every frame with its number and direction', (t) => {
  const told = [...classicRows, ...extendedRows].map(([opcode, name]) => [name, Number(opcode)]);
  t.strictSame(Object.fromEntries(told), { ...Opcode });
  for (const [opcode, name, direction] of [...classicRows, ...extendedRows]) {
    const directions = new Set(frameVectors.filter((v) => v.opcode === Number(opcode)).map((v) => v.direction));
    t.strictSame([...directions], [direction], name);
  }
  t.end();
});

t.test('the classic table gives the fields and the length of every frame', (t) => {
  for (const [opcode, name, , fields, length] of classicRows) {
    t.equal(fields, CLASSIC_FIELDS[name as keyof typeof CLASSIC_FIELDS].join(', '), name);
    t.equal(Number(length), CLASSIC_FRAME_BYTES[Number(opcode)], name);
  }
  t.equal(classicRows.length, CLASSIC_FRAME_BYTES.length);
  t.end();
});

t.test('the extended table gives the keys of every body, as the vectors have them', (t) => {
  for (const [opcode, name, , keys] of extendedRows) {
    if (name === 'PING' || name === 'PONG' || name === 'WALLET') continue;
    const all = keys.replaceAll(/[[\]]/g, '').split(', ');
    const needed = keys.split(', ').filter((key) => !key.startsWith('['));
    for (const { name: vector, body } of frameVectors.filter((v) => v.opcode === Number(opcode))) {
      const found = Object.keys(body as object);
      t.strictSame(
        found,
        all.filter((key) => found.includes(key)),
        `${vector}: no other keys`,
      );
      t.strictSame(
        needed.filter((key) => !found.includes(key)),
        [],
        `${vector}: no key missing`,
      );
    }
  }
  t.end();
});

t.test('the document lists every result, status and error code', (t) => {
  const resultTables = doc.split('| result | meaning |').slice(1);
  const numbersIn = (text: string) =>
    [...text.split('\n\n')[0].matchAll(/^\| (\d+) \|/gm)].map((match) => Number(match[1]));
  t.strictSame(resultTables.map(numbersIn), [Object.values(LoginResult), Object.values(ShakeResult)]);
  t.strictSame(
    tableOf('status', 'meaning').map(([status]) => status),
    [...GRAB_STATUS_NAMES],
  );
  const errors = tableOf('code', 'meaning', 'then');
  t.strictSame(
    errors.map(([code]) => code),
    Object.keys(ERROR_MESSAGES),
  );
  for (const [code, , then] of errors) {
    if (ERROR_MESSAGES[code as keyof typeof ERROR_MESSAGES].includes('closed')) t.equal(then, 'closed', code);
  }
  t.end();
});

t.test('each status of SENT comes with the keys that the document names, as the vectors have it', (t) => {
  const table = tableOf('status', 'meaning', 'comes with');
  t.strictSame(
    table.map(([status]) => status),
    [...SEND_STATUS_NAMES],
  );
  for (const [status, , comesWith] of table) {
    const keys = ['packetId', 'expiresAt', 'commitment', 'message', 'retryAfterMs'];
    const bodies = frameVectors.filter((v) => v.opcode === Opcode.SENT).map((v) => v.body as { status: string });
    const body = bodies.find((body) => body.status === status)!;
    t.strictSame(
      Object.keys(body).slice(1),
      keys.filter((key) => comesWith.includes(key)),
      status,
    );
  }
  t.end();
});

t.test(
  'the document names every key of a record and of a packet, every kind, state and error, as the vectors have them',
  (t) => {
    const text = doc.slice(doc.indexOf('**RECORDS_RESULT** has'), doc.indexOf('**Codes of ERROR.**'));
    const said = new Set([...text.matchAll(/`([\w-]+)`/g)].map(([, word]) => word));
    const shown = new Set<string>();
    const show = (value: unknown, key?: string): void => {
      if (['kind', 'state', 'code'].includes(key!)) shown.add(value as string);
      if (typeof value !== 'object' || value === null) return;
      for (const [name, item] of Object.entries(value)) {
        if (!Array.isArray(value)) shown.add(name);
        show(item, name);
      }
    };
    for (const { body } of frameVectors.filter((v) => v.opcode === Opcode.RECORDS_RESULT)) show(body);
    t.strictSame([...said].sort(), [...shown].sort());
    t.end();
  },
);

t.test('the bounds in the document are those of the code', (t) => {
  const flat = doc.replaceAll(/\s+/g, ' ');
  t.strictSame([MAX_SEND_CENTS, MAX_SEND_SHARES], [2 ** 31 - 1, 2 ** 31 - 1]);
  for (const fact of [
    `Version ${PROTOCOL_VERSION}.`,
    '`totalCents` and `shares`: 1 to 2^31 - 1.',
    `an extended frame has 12 to ${MAX_FRAME_BYTES.toLocaleString('en')} bytes`,
    `nest at most ${MAX_BODY_DEPTH} deep`,
    `a string of at most ${MAX_TOKEN_LENGTH.toLocaleString('en')} characters`,
    `1 to ${MAX_SEND_USERS.toLocaleString('en')} different user ids`,
    `1 to ${MAX_KEY_BYTES} bytes of UTF-8`,
    `1 to ${MAX_SEND_EXPIRY_SECONDS.toLocaleString('en')} (30 days); ${DEFAULT_SEND_EXPIRY_SECONDS.toLocaleString('en')} (a day)`,
    `at most ${MAX_NOTE_CHARACTERS} characters (Unicode code points), so at most ${MAX_NOTE_BYTES} bytes`,
    `\`limit\` records (1 to ${MAX_RECORDS}; ${DEFAULT_RECORDS} if it is missing)`,
    `the first ${MAX_TOLD_GRABS}.`,
    `- \`mode\`: ${SPLIT_NAMES.map((name) => `\`${name}\``).join(', ')}`
      .replace(', ', ' (if it is missing), ')
      .replace(/, (?=[^,]*$)/, ' or '),
  ]) {
    t.ok(flat.includes(fact), fact);
  }
  t.end();
});

t.test('the split worked out in the document is the first of the vectors', (t) => {
  const [{ mode, totalCents, shares, minCents, maxCents, seed, commitment, amountsCents }] = splitVectors;
  t.strictSame([...seed], [...seed.keys()], 'the bytes 0 to 31');
  const text = doc.slice(doc.indexOf('Worked example:')).split('\n\n')[0].replaceAll(/\s+/g, ' ');
  t.ok(text.includes(`commitment ${commitment.slice(0, 8)}...${commitment.slice(-6)}, ${mode},`));
  t.ok(text.includes(`T = ${totalCents}, n = ${shares}, m = ${minCents}, M = ${maxCents.toLocaleString('en')}`));
  t.ok(text.includes(`the shares are ${amountsCents[0]}, ${amountsCents[1]} and ${amountsCents[2]},`));
  t.end();
});

/** The frames of a session in hex, in their order: who sends, and the bytes. */
function readSession(block: string): { from: string; bytes: Uint8Array }[] {
  const frames: { from: string; hex: string }[] = [];
  for (const line of block.trim().split('\n')) {
    const from = /^[CS] /.exec(line)?.[0].trim();
    if (from !== undefined) frames.push({ from, hex: '' });
    const [hex] = line.slice(2).trim().split(/ {2,}/);
    if (!/^[0-9a-f ]+$/.test(hex)) throw new Error(`not hex: ${line}`);
    frames[frames.length - 1].hex += hex.replaceAll(' ', '');
  }
  return frames.map(({ from, hex }) => ({ from, bytes: fromHex(hex) }));
}

const sessions = doc
  .split('```')
  .filter((_, i) => i % 2 === 1)
  .map(readSession);

t.test('the sessions in hex are whole frames that the other side accepts', (t) => {
  t.strictSame(
    sessions.map((session) => session.length),
    [11, 13],
  );
  for (const [i, session] of sessions.entries()) {
    const sinks = { C: new FrameCollector(), S: new FrameCollector() };
    const readers = { C: new FrameReader(SERVER_RULES, sinks.C), S: new FrameReader(CLIENT_RULES, sinks.S) };
    for (const { from, bytes } of session) {
      const side = from as 'C' | 'S';
      t.equal(readers[side].feed(1, bytes, bytes.length), FrameFault.NONE);
      t.equal(readers[side].partialCount, 0, 'the frame ends where its length says');
    }
    const names = new Map<number, string>(Object.entries(Opcode).map(([name, opcode]) => [opcode, name]));
    t.strictSame(
      sinks.C.frames.map(({ opcode }) => names.get(opcode)),
      [
        ['LOGIN', 'SHAKE', 'SHAKE', 'GRAB', 'GRAB'],
        ['HELLO', 'GRAB', 'GRAB', 'PING', 'WALLET', 'SEND'],
      ][i],
    );
  }
  t.end();
});

t.test('the replies of the sessions in hex carry the stamps of requests, and only notices carry others', (t) => {
  for (const session of sessions) {
    const asked: string[] = [];
    for (const { from, bytes } of session) {
      const stamp = Buffer.from(bytes).toString('hex', 4, 12);
      const opcode = Buffer.from(bytes).readUInt16BE(2);
      if (from === 'C') asked.push(stamp);
      else if (opcode !== Opcode.NOTICE && opcode !== Opcode.RICH_NOTICE)
        t.equal(asked.splice(asked.indexOf(stamp), 1)[0], stamp);
    }
    t.strictSame(asked, [], 'every request is answered once');
  }
  t.end();
});

t.test('the bodies of the extended session in hex are what the lines beside them say', (t) => {
  const bodies = sessions[1]
    .filter(({ bytes }) => bytes[2] === 1)
    .map(({ bytes }) => unpackBody(bytes, 0, bytes.length));
  const secondSeed = Uint8Array.from({ length: 32 }, (_, i) => 32 + i);
  const packet = {
    packetId: 0x0010_0005,
    totalCents: 1000,
    shares: 3,
    senderId: -1,
    expiresAt: 1_700_086_400,
    mode: 'lucky',
  };
  t.strictSame(bodies, [
    { version: 1, userId: 43 },
    {
      version: 1,
      userId: 43,
      server: 'hongbao 0.1.0',
      limits: { maxFrameBytes: 16_384, maxInFlight: 1024 },
      pendingNotices: 1,
    },
    { ...packet, commitment: fromHex(splitVectors[0].commitment) },
    { packetId: packet.packetId, status: 'BUSY', amountCents: 0, retryAfterMs: 200 },
    { packetId: packet.packetId, status: 'WON', amountCents: 236 },
    null,
    null,
    null,
    { balanceCents: 236, reservedCents: 0 },
    { users: [41, 42], totalCents: 200, shares: 2, key: '43-1700000011', note: '谢谢' },
    {
      status: 'SENT',
      packetId: 0x0010_0006,
      expiresAt: 1_700_086_411,
      commitment: Uint8Array.from(commitTo(secondSeed)),
    },
  ]);
  t.ok(readSend(bodies.at(-2)), 'the SEND is one');
  const block = doc.split('```')[3];
  for (const fact of [
    'packetId: 1048581',
    'maxInFlight: 1024',
    'expiresAt: 1700086400',
    'retryAfterMs: 200',
    'amountCents: 236',
    'balanceCents: 236',
    'key: "43-1700000011"',
    'note: "谢谢"',
    'packetId: 1048582',
    'expiresAt: 1700086411',
  ]) {
    t.ok(block.includes(fact), fact);
  }
  t.end();
});
