// docs/PROTOCOL.md against the code: its tables, its numbers and its sessions in hex.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { CLASSIC_FIELDS, CLASSIC_FRAME_BYTES } from '../../lib/protocol/classic-layout.ts';
import { ERROR_MESSAGES, PROTOCOL_VERSION } from '../../lib/protocol/extended.ts';
import { FrameReader } from '../../lib/protocol/frame-reader.ts';
import { CLIENT_RULES, FrameFault, SERVER_RULES } from '../../lib/protocol/frame-rules.ts';
import { MAX_BODY_DEPTH, MAX_FRAME_BYTES, MAX_TOKEN_LENGTH } from '../../lib/protocol/limits.ts';
import { unpackBody } from '../../lib/protocol/message-pack.ts';
import { GRAB_STATUS_NAMES, LoginResult, Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
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
    if (name === 'PING' || name === 'PONG') continue;
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

t.test('the bounds in the document are those of the code', (t) => {
  const flat = doc.replaceAll(/\s+/g, ' ');
  for (const fact of [
    `Version ${PROTOCOL_VERSION}.`,
    `an extended frame has 12 to ${MAX_FRAME_BYTES.toLocaleString('en')} bytes`,
    `nest at most ${MAX_BODY_DEPTH} deep`,
    `a string of at most ${MAX_TOKEN_LENGTH.toLocaleString('en')} characters`,
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
    [11, 9],
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
        ['HELLO', 'GRAB', 'GRAB', 'PING'],
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
  ]);
  const block = doc.split('```')[3];
  for (const fact of [
    'packetId: 1048581',
    'maxInFlight: 1024',
    'expiresAt: 1700086400',
    'retryAfterMs: 200',
    'amountCents: 236',
  ]) {
    t.ok(block.includes(fact), fact);
  }
  t.end();
});
