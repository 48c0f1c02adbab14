// What the bodies of clients earn, that those of servers fit their frames, and that every word has its text.

import t from 'tap';
import {
  ERROR_MESSAGES,
  type PacketRecord,
  PROTOCOL_VERSION,
  type RecordsResult,
  readHello,
  readRecords,
  readSend,
  readWallet,
  type Send,
} from '../../lib/protocol/extended.ts';
import { MAX_RECORDS, MAX_TOLD_GRABS } from '../../lib/protocol/limits.ts';
import { packFrame, unpackBody } from '../../lib/protocol/message-pack.ts';
import { GRAB_STATUS_NAMES, GrabStatus, Opcode, SEND_STATUS_NAMES, SendStatus } from '../../lib/protocol/opcodes.ts';

/** Values that are no map; `undefined` is what an ill-packed body gives. */
const NO_MAPS = [undefined, null, true, 0, 42, 'hello', [], [1, 42], new Uint8Array(3), Buffer.from('hello')];

t.test('a HELLO in order is read, with its token or without', (t) => {
  for (const userId of [0, 1, 42, 2 ** 31 - 1]) {
    t.strictSame(readHello({ version: 1, userId }), { version: 1, userId });
    for (const token of ['', 'a', '红包', 'x'.repeat(1024)])
      t.strictSame(readHello({ version: 1, userId, token }), { version: 1, userId, token });
  }
  t.equal(PROTOCOL_VERSION, 1);
  t.end();
});

t.test('fields that HELLO does not have are left out of what is read', (t) => {
  t.strictSame(readHello({ version: 1, userId: 42, admin: true, set: 3 }), { version: 1, userId: 42 });
  t.end();
});

t.test('a body that is not a map earns the error body', (t) => {
  for (const body of NO_MAPS) t.equal(readHello(body), 'body', String(body));
  t.end();
});

t.test('another version earns the error version, before anything else is looked at', (t) => {
  for (const version of [0, 2, -1, 1.5, '1', true, null, undefined, [1], { version: 1 }, Number.NaN]) {
    t.equal(readHello({ version, userId: 42 }), 'version', String(version));
    t.equal(readHello({ version, userId: -1, token: 5 }), 'version');
  }
  t.equal(readHello({}), 'version');
  t.end();
});

t.test('a user id that is not a whole number from 0 to 2^31 - 1 earns the error user', (t) => {
  const wrong = [
    -1,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '42',
    true,
    null,
    undefined,
    [42],
    {},
  ];
  for (const userId of wrong) t.equal(readHello({ version: 1, userId }), 'user', String(userId));
  t.end();
});

t.test('a token that is not a string of at most 1,024 characters earns the error body', (t) => {
  for (const token of [null, 1, true, [], {}, new Uint8Array(4), 'x'.repeat(1025)]) {
    t.equal(readHello({ version: 1, userId: 42, token }), 'body', typeof token);
  }
  t.end();
});

t.test('a HELLO whose fields lie behind a __proto__ key is not taken for one', (t) => {
  const inner = { version: 1, userId: 42 };
  const frame = packFrame(
    Opcode.HELLO,
    0,
    0,
    Object.defineProperty({}, '__proto__', { value: inner, enumerable: true }),
  );
  t.ok(Buffer.from(frame).includes('__proto__'), 'the key is in the frame');
  t.equal(readHello(unpackBody(frame, 0, frame.length)), 'version');
  t.end();
});

/** A SEND with nothing but what it needs. */
const least = { users: [41, 42], totalCents: 1000, shares: 3, key: 'k' };

/** Each key of SEND: what it may be, and what it may not. */
const ofSend: Record<keyof Send, { good: unknown[]; bad: unknown[] }> = {
  users: {
    good: [[0], [2 ** 31 - 1], [3, 2, 1], Array.from({ length: 1000 }, (_, i) => i)],
    bad: [
      [],
      [1, 1],
      [5, 6, 7, 5],
      [0, -0],
      [-1],
      [2 ** 31],
      [1.5],
      [Number.NaN],
      ['1'],
      [null],
      [[1]],
      [1, undefined],
      Array.from({ length: 1001 }, (_, i) => i),
      7,
      '41',
      { 0: 41, length: 1 },
      Uint8Array.of(41),
    ],
  },
  totalCents: { good: [1, 2 ** 31 - 1], bad: [0, -1, 2 ** 31, 2 ** 53, 0.5, Number.NaN, '1', true, [1]] },
  shares: { good: [1, 100, 2 ** 31 - 1], bad: [0, -1, 2 ** 31, 1.5, Number.POSITIVE_INFINITY, '3', {}] },
  key: {
    good: ['0', 'k'.repeat(64), '包'.repeat(21), '🧧'.repeat(16), ' ', '\0', '\ufeff', '__proto__'],
    bad: [
      '',
      'k'.repeat(65),
      '包'.repeat(22),
      '🧧'.repeat(17),
      '\ud83e',
      'a\udde7b',
      5,
      true,
      ['k'],
      new Uint8Array(4),
    ],
  },
  mode: { good: ['lucky', 'line', 'equal'], bad: ['', 'LUCKY', 'toString', 0, true, ['lucky'], {}] },
  expiresInSeconds: { good: [1, 86_400, 2_592_000], bad: [0, -1, 2_592_001, 1.5, '60', [60]] },
  note: {
    good: ['', 'n'.repeat(25), '福'.repeat(25), '🧧'.repeat(25), 'two\nlines'],
    bad: ['n'.repeat(26), '🧧'.repeat(26), 'n'.repeat(16_000), '\udde7\ud83e', 5, false, ['n'], new Uint8Array(4)],
  },
};

t.test('a SEND in order is read, and what it leaves out is filled in', (t) => {
  const filledIn = { mode: 'lucky', expiresInSeconds: 86_400, note: '' };
  t.strictSame(readSend(least), { ...least, ...filledIn });
  for (const [key, { good }] of Object.entries(ofSend)) {
    for (const value of good)
      t.strictSame(readSend({ ...least, [key]: value }), { ...least, ...filledIn, [key]: value });
  }
  t.strictSame(
    readSend({ ...least, senderId: 9, source: 'house' }),
    { ...least, ...filledIn },
    'other keys are left out',
  );
  t.end();
});

t.test('a SEND of any other shape is refused', (t) => {
  for (const body of NO_MAPS) t.equal(readSend(body), undefined, String(body));
  for (const [key, { bad }] of Object.entries(ofSend)) {
    for (const [i, value] of [null, ...bad].entries()) {
      t.equal(readSend({ ...least, [key]: value }), undefined, `${key}, ${i}: ${String(value).slice(0, 30)}`);
    }
  }
  for (const key of Object.keys(least)) t.equal(readSend({ ...least, [key]: undefined }), undefined, `no ${key}`);
  t.end();
});

t.test('a WALLET is nil or a map without keys, and nothing else', (t) => {
  t.equal(readWallet(null), true);
  t.equal(readWallet({}), true);
  for (const body of [...NO_MAPS.filter((body) => body !== null), { userId: 42 }, { a: undefined }]) {
    t.equal(readWallet(body), false, String(body));
  }
  t.end();
});

t.test('a RECORDS in order is read, and what it leaves out is filled in', (t) => {
  t.strictSame(readRecords({}), { limit: 20 });
  t.strictSame(readRecords({ userId: 5 }), { limit: 20 }, 'other keys are left out');
  for (const packetId of [1, 2 ** 20, 2 ** 32 - 1]) t.strictSame(readRecords({ packetId }), { limit: 20, packetId });
  for (const limit of [1, 100]) t.strictSame(readRecords({ limit }), { limit });
  for (const before of [1, 2 ** 32, 2 ** 53 - 1]) t.strictSame(readRecords({ before }), { limit: 20, before });
  t.strictSame(readRecords({ before: 9, limit: 3, packetId: 5 }), { limit: 3, packetId: 5, before: 9 });
  t.end();
});

t.test('a RECORDS of any other shape is refused', (t) => {
  for (const body of NO_MAPS) t.equal(readRecords(body), undefined, String(body));
  const bad = { packetId: [0, 2 ** 32], limit: [0, 101], before: [0, 2 ** 53] };
  for (const [key, values] of Object.entries(bad)) {
    for (const value of [...values, null, -1, 1.5, Number.NaN, '1', true, [1], {}]) {
      t.equal(readRecords({ [key]: value }), undefined, `${key} ${value}`);
    }
  }
  t.end();
});

t.test('the longest RECORDS_RESULT of either kind fits a frame', (t) => {
  const most = { sequence: 2 ** 53 - 1, timeMs: 2 ** 53 - 1, packetId: 2 ** 32 - 1 };
  const record = { ...most, kind: 'withdraw' as const, cents: 2 ** 53 - 1 };
  const grab = { userId: 2 ** 31 - 1, amountCents: 2 ** 31 - 1, share: 2 ** 31 - 1, timeMs: 2 ** 53 - 1 };
  const packet: PacketRecord = {
    packetId: 2 ** 32 - 1,
    senderId: 2 ** 31 - 1,
    totalCents: 2 ** 31 - 1,
    shares: 2 ** 31 - 1,
    mode: 'lucky',
    createdAt: 2 ** 32 - 1,
    expiresAt: 2 ** 32 - 1,
    state: 'expired',
    grabs: Array.from({ length: MAX_TOLD_GRABS }, () => grab),
    luckiest: { userId: 2 ** 31 - 1, amountCents: 2 ** 31 - 1 },
  };
  const results: RecordsResult[] = [{ records: Array.from({ length: MAX_RECORDS }, () => record) }, { packet }];
  for (const result of results) {
    const frame = packFrame(Opcode.RECORDS_RESULT, 0, 0, result);
    t.strictSame(unpackBody(frame, 0, frame.length), result, `${frame.length} bytes`);
  }
  t.end();
});

t.test('the longest SEND fits a frame', (t) => {
  const send = {
    ...least,
    users: Array.from({ length: 1000 }, (_, i) => 2 ** 31 - 1 - i),
    totalCents: 2 ** 31 - 1,
    shares: 2 ** 31 - 1,
    key: '🧧'.repeat(16),
    mode: 'equal',
    expiresInSeconds: 2_592_000,
    note: '🧧'.repeat(25),
  };
  const frame = packFrame(Opcode.SEND, 0, 0, send);
  t.strictSame(readSend(unpackBody(frame, 0, frame.length)), send);
  t.end();
});

t.test('every error code has its sentence, and every error fits a frame with room to spare', (t) => {
  for (const [code, message] of Object.entries(ERROR_MESSAGES)) {
    t.match(message, /^[a-z].*[^.]$/i, code);
    const frame = packFrame(Opcode.ERROR, 0, 0, { code, message });
    t.strictSame(unpackBody(frame, 0, frame.length), { code, message });
    t.ok(frame.length < 256, `${code}: ${frame.length} bytes`);
  }
  t.end();
});

t.test('the names of the grab statuses stand at their numbers', (t) => {
  t.strictSame(GRAB_STATUS_NAMES, [
    'WON',
    'REPEAT',
    'EMPTY',
    'EXPIRED',
    'NOT_INVITED',
    'NOT_FOUND',
    'BUSY',
    'BAD_REQUEST',
  ]);
  for (const [name, number] of Object.entries(GrabStatus)) t.equal(GRAB_STATUS_NAMES[number], name);
  t.end();
});

t.test('the names of the statuses of a send stand at their numbers', (t) => {
  t.strictSame(SEND_STATUS_NAMES, ['SENT', 'REPEAT', 'INSUFFICIENT', 'BUSY', 'BAD_REQUEST', 'KEY_REUSED']);
  for (const [name, number] of Object.entries(SendStatus)) t.equal(SEND_STATUS_NAMES[number], name);
  t.end();
});
