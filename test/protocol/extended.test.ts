// What a HELLO earns, and that every word of the extended frames has its text.

import t from 'tap';
import { ERROR_MESSAGES, PROTOCOL_VERSION, readHello } from '../../lib/protocol/extended.ts';
import { packFrame, unpackBody } from '../../lib/protocol/message-pack.ts';
import { GRAB_STATUS_NAMES, GrabStatus, Opcode } from '../../lib/protocol/opcodes.ts';

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
  for (const body of [undefined, null, true, 0, 42, 'hello', [], [1, 42]])
    t.equal(readHello(body), 'body', String(body));
  t.end();
});

t.test('another version earns the error version, before anything else is looked at', (t) => {
  for (const version of [0, 2, -1, 1.5, '1', true, null, undefined, [1], { version: 1 }, Number.NaN]) {
    t.equal(readHello({ version, userId: 42 }), 'version', String(version));
    t.equal(readHello({ version, userId: -1, token: 5 }), 'version');
  }
  t.equal(readHello({}), 'version');
  t.equal(readHello(new Uint8Array(3)), 'version', 'raw bytes have no version');
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
