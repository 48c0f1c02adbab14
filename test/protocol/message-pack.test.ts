// What a MessagePack body may hold, what is refused, and that nothing a peer sends makes the reading throw.

import * as fc from 'fast-check';
import { Packr, Unpackr } from 'msgpackr';
import t from 'tap';
import { isSafeBody, packFrame, unpackBody } from '../../lib/protocol/message-pack.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { isOneValue } from './message-pack-writer.ts';
import { seed } from './seeded.ts';
import { frameVectors, fromHex, toHex } from './vectors.ts';

t.comment(`SEED=${seed}`);

/** The frame of a PING with this body. */
function frameOf(body: Uint8Array): Uint8Array {
  const length = 12 + body.length;
  return Uint8Array.from([length >>> 8, length & 0xff, 0x01, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, ...body]);
}

/** Tells whether a body passes; both ways of asking must agree. */
function passes(body: Uint8Array): boolean {
  const safe = isSafeBody(body, 0, body.length);
  const frame = frameOf(body);
  // undefined is what unpackBody says of a body that is refused; no MessagePack value unpacks to it.
  const unpacked = body.length <= 16_372 ? unpackBody(frame, 0, frame.length) : undefined;
  if (safe !== (unpacked !== undefined) && body.length <= 16_372) throw new Error(`two answers for ${toHex(body)}`);
  return safe;
}

const hex = (text: string): Uint8Array => fromHex(text.replaceAll(' ', ''));

const scalar: fc.Arbitrary<unknown> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.integer(),
  fc.nat({ max: 300 }),
  fc.double(),
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.string({ unit: 'binary-ascii', maxLength: 80 }),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.from(bytes)),
);

/** Keys other than __proto__, which comes back under another name: it has a test of its own. */
const key = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => text !== '__proto__');

/** Values as a body may hold them: small trees of any shape, and narrow ones that go down to the deepest level. */
const anyBody: fc.Arbitrary<unknown> = fc.oneof(
  fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 8, depthSize: 'small', withCrossShrink: true }, scalar, tie('array'), tie('map')),
    array: fc.array(tie('value'), { maxLength: 20 }),
    map: fc.dictionary(key, tie('value'), { maxKeys: 20, noNullPrototype: true }),
  })).value,
  fc.tuple(fc.array(fc.boolean(), { maxLength: 8 }), key, scalar).map(([levels, name, inner]) => {
    let value = inner;
    for (const isArray of levels) value = isArray ? [value] : { [name]: value };
    return value;
  }),
);

const options = { seed: seed | 0, numRuns: 1500 };

t.test('whatever msgpackr packs, without extensions and with string keys, passes and comes back as it was', (t) => {
  const packers = [
    new Packr({ useRecords: false, variableMapSize: true }),
    new Packr({ useRecords: false, variableMapSize: false }),
  ];
  const plain = new Unpackr({ useRecords: false, int64AsType: 'number' });
  const nested = new Set<number>();
  const property = fc.property(anyBody, fc.nat({ max: packers.length - 1 }), (value, packer) => {
    const body = Uint8Array.from(packers[packer].pack(value));
    fc.pre(body.length <= 16_372);
    nested.add(depthOf(value));
    if (!isSafeBody(body, 0, body.length)) return false;
    const frame = frameOf(body);
    return same(unpackBody(frame, 0, frame.length), value) && same(plain.unpack(body), value);
  });
  t.doesNotThrow(() => fc.assert(property, options));
  t.ok(nested.size > 4, `nested ${[...nested].sort().join(', ')} deep`);
  t.end();
});

t.test('packFrame writes the header and a body that comes back as it was', (t) => {
  const property = fc.property(anyBody, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value, stamp) => {
    const frame = packFrame(Opcode.PONG, Number(stamp >> 32n), Number(stamp & 0xffff_ffffn), value);
    const bytes = Buffer.from(frame);
    const header = bytes.readUInt16BE(0) === frame.length && bytes.readUInt16BE(2) === Opcode.PONG;
    return header && bytes.readBigUInt64BE(4) === stamp && same(unpackBody(frame, 0, frame.length), value);
  });
  t.doesNotThrow(() => fc.assert(property, { ...options, numRuns: 500 }));
  t.end();
});

t.test('a field that is undefined is left out, so that what is packed is never an extension', (t) => {
  const frame = packFrame(Opcode.HELLO, 0, 1, { version: 1, userId: 42, token: undefined });
  t.strictSame(unpackBody(frame, 0, frame.length), { version: 1, userId: 42 });
  t.equal(toHex(frame), toHex(packFrame(Opcode.HELLO, 0, 1, { version: 1, userId: 42 })));
  t.end();
});

t.test('raw bytes of a body are a copy: they stay as they are when the receive buffer is used again', (t) => {
  const { bytes, body } = frameVectors.find((vector) => vector.opcode === Opcode.RICH_NOTICE)!;
  for (const receiveBuffer of [Uint8Array.from(bytes), Buffer.from(bytes)]) {
    const unpacked = unpackBody(receiveBuffer, 0, bytes.length) as { commitment: Uint8Array };
    receiveBuffer.fill(0xee);
    t.equal(toHex(unpacked.commitment), toHex((body as typeof unpacked).commitment));
  }
  t.end();
});

t.test('packFrame throws a RangeError above 16,384 bytes', (t) => {
  for (const length of [16_384, 16_385, 20_000, 70_000]) {
    // A bin of 256 to 65,535 bytes has a head of 3 bytes, a longer one of 5.
    const value = new Uint8Array(length - 12 - (length > 65_535 ? 5 : 3));
    if (length <= 16_384) t.equal(packFrame(Opcode.PING, 0, 0, value).length, length);
    else t.throws(() => packFrame(Opcode.PING, 0, 0, value), RangeError, `${length} bytes`);
  }
  const frame = packFrame(Opcode.PING, 0, 0, null);
  t.equal(toHex(frame), '000d01100000000000000000c0', 'and goes on working');
  t.end();
});

t.test('every extension type is refused in each of its eight forms, at every place of a body', (t) => {
  const passed: string[] = [];
  let tried = 0;
  for (let type = 0; type < 256; type++) {
    const forms = [
      ...[1, 2, 4, 8, 16].map((size, i) => [0xd4 + i, type, ...new Uint8Array(size)]),
      [0xc7, 2, type, 0, 0],
      [0xc8, 0, 2, type, 0, 0],
      [0xc9, 0, 0, 0, 2, type, 0, 0],
    ];
    for (const form of forms) {
      // Alone, in an array, as a value, as a key, behind a value.
      for (const body of [
        form,
        [0x92, 0x01, ...form],
        [0x81, 0xa1, 0x61, ...form],
        [0x81, ...form, 0x01],
        [0x01, ...form],
      ]) {
        tried++;
        if (passes(Uint8Array.from(body))) passed.push(toHex(Uint8Array.from(body)));
      }
    }
  }
  t.strictSame(passed, []);
  t.equal(tried, 256 * 8 * 5);
  t.end();
});

t.test('the byte 0xc1 is refused at every place of a body', (t) => {
  for (const body of ['c1', '91c1', '81a161c1', '81c101', '92 01c1', 'c1 01']) t.notOk(passes(hex(body)), body);
  t.end();
});

t.test('every other head byte passes with what belongs to it', (t) => {
  const refused: number[] = [];
  const passed: number[] = [];
  for (let head = 0; head < 256; head++) {
    // Enough zero bytes for the longest of them; one of the lengths must fit, if any does.
    const fits = Array.from({ length: 40 }, (_, length) => passes(Uint8Array.from([head, ...new Uint8Array(length)])));
    // A map needs string keys: a0 is the empty string, and a value besides.
    const pairs = Array.from({ length: 16 }, (_, pairs) =>
      passes(Uint8Array.from([head, ...new Uint8Array(2 * pairs).fill(0xa0)])),
    );
    (fits.includes(true) || pairs.includes(true) ? passed : refused).push(head);
  }
  t.strictSame(refused, [0xc1, 0xc7, 0xc8, 0xc9, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8]);
  t.equal(passed.length, 256 - 9);
  t.end();
});

t.test('a length that the frame does not cover is refused', (t) => {
  const heads = { 'str 8': 'd9', 'str 16': 'da', 'str 32': 'db', 'bin 8': 'c4', 'bin 16': 'c5', 'bin 32': 'c6' };
  const lists = { 'array 16': 'dc', 'array 32': 'dd', 'map 16': 'de', 'map 32': 'df' };
  for (const [name, head] of Object.entries({ ...heads, ...lists })) {
    const width = name.endsWith('32') ? 4 : name.endsWith('16') ? 2 : 1;
    for (const tail of [0, 1, 100, 1000]) {
      const body = hex(head + 'ff'.repeat(width) + 'a0'.repeat(tail));
      if (width > 1 || tail < 255) t.notOk(passes(body), `${name} of the greatest length with ${tail} bytes behind it`);
    }
  }
  t.notOk(passes(hex('a3 6161')), 'fixstr');
  t.notOk(passes(hex('92 01')), 'fixarray');
  t.notOk(passes(hex('81 a161')), 'fixmap without the value');
  t.notOk(passes(hex('dd 00000003 0102')), 'array 32, one item short');
  t.notOk(passes(hex('df 00000002 a16101 a162')), 'map 32, one value short');
  t.notOk(passes(hex(`96${'ddffffffff'.repeat(6)}`)), 'lists that announce more, one beside the other');
  t.notOk(passes(hex('dd00000f00'.repeat(8) + 'c0'.repeat(0xf00))), 'lists that announce more, one inside the other');
  t.end();
});

t.test('arrays and maps nest 8 deep and no deeper', (t) => {
  for (const [open, close] of [
    ['91', 'c0'],
    ['81a0', 'c0'],
    ['dc0001', '01'],
    ['de0001a161', 'a0'],
    ['dd00000001', 'c0'],
    ['df00000001a0', 'c0'],
  ]) {
    for (let depth = 0; depth <= 20; depth++)
      t.equal(passes(hex(open.repeat(depth) + close)), depth <= 8, `${open}, ${depth}`);
    t.notOk(passes(hex(open.repeat(Math.floor(16_000 / (open.length / 2))) + close)), `a bomb of ${open}`);
  }
  t.ok(passes(hex(`${'91'.repeat(8)}90`)), 'an empty array holds nothing and does not count');
  t.ok(passes(hex(`${'91'.repeat(8)}80`)), 'nor does an empty map');
  t.notOk(passes(hex(`${'91'.repeat(9)}90`)));
  t.ok(passes(hex(`93 ${'91'.repeat(7)}c0 ${'91'.repeat(7)}c0 ${'91'.repeat(7)}c0`)), 'what is closed does not count');
  t.end();
});

t.test('a key that is not a string is refused in every map', (t) => {
  const keys = [
    '00',
    '7f',
    'ff',
    'c0',
    'c2',
    'c3',
    'c400',
    'c50000',
    'c600000000',
    'ca00000000',
    `cb${'00'.repeat(8)}`,
    'cc00',
    'cd0000',
    'ce00000000',
  ];
  keys.push(
    `cf${'00'.repeat(8)}`,
    'd000',
    'd10000',
    'd200000000',
    `d3${'00'.repeat(8)}`,
    '80',
    '90',
    '91a0',
    '81a0a0',
    'dc0000',
    'de0000',
  );
  for (const key of keys) {
    for (const map of [
      `81${key}01`,
      `82a16101${key}01`,
      `de0001${key}01`,
      `df00000001${key}01`,
      `9181${key}01`,
      `81a16181${key}01`,
      `81a16192 01 81${key}01`,
    ]) {
      t.notOk(passes(hex(map)), map);
    }
  }
  for (const key of ['a0', 'a161', 'd90161', 'da000161', 'db0000000161'])
    t.ok(passes(hex(`82${key}01a16281${key}01`)), key);
  t.end();
});

t.test('a byte behind the value is refused', (t) => {
  for (const { name, bytes, opcode } of frameVectors) {
    if (opcode < 0x0100) continue;
    for (const extra of [0x00, 0xc0, 0xa0, 0x90, 0x80, 0xc1, 0xff]) {
      t.notOk(passes(Uint8Array.from([...bytes.subarray(12), extra])), `${name} and ${extra}`);
    }
  }
  t.end();
});

t.test('a body cut at any byte is refused', (t) => {
  const wide = hex('dc0004 df00000001 db0000000161 cf0000000000000001 c60000000102 cb0000000000000000 d90131');
  t.ok(passes(wide), 'the widest forms pass when they are whole');
  for (const body of [
    wide,
    ...frameVectors.filter(({ opcode }) => opcode >= 0x0100).map(({ bytes }) => bytes.subarray(12)),
  ]) {
    const passed: number[] = [];
    for (let length = 0; length < body.length; length++) {
      if (passes(body.subarray(0, length))) passed.push(length);
      // The rest of the body lies behind the end: it must not be looked at.
      if (isSafeBody(body, 0, length)) passed.push(length);
    }
    t.strictSame(passed, [], toHex(body));
  }
  t.end();
});

t.test('a key named __proto__ pollutes nothing', (t) => {
  const key = hex(`a9${Buffer.from('__proto__').toString('hex')}`);
  const inner = [0x81, 0xa8, ...Buffer.from('polluted'), 0x01];
  const longKey = Uint8Array.from([0xd9, 9, ...key.subarray(1)]);
  for (const name of [key, longKey]) {
    for (const head of [[0x81], [0xde, 0, 1], [0xdf, 0, 0, 0, 1]]) {
      const frame = frameOf(Uint8Array.from([...head, ...name, ...inner]));
      const body = unpackBody(frame, 0, frame.length) as Record<string, unknown>;
      t.equal(Object.getPrototypeOf(body), Object.prototype, 'the prototype is the ordinary one');
      t.equal(body.polluted, undefined);
      t.equal(({} as Record<string, unknown>).polluted, undefined);
    }
  }
  const frame = frameOf(
    Uint8Array.from([0x81, 0xab, ...Buffer.from('constructor'), 0x81, 0xa9, ...Buffer.from('prototype'), ...inner]),
  );
  unpackBody(frame, 0, frame.length);
  t.equal(({} as Record<string, unknown>).polluted, undefined, 'nor does one named constructor');
  t.end();
});

t.test('random bytes never make the reading throw, and pass exactly when a second reader takes them', (t) => {
  const heads = fc.constantFrom(
    ...hex('00 01 7f 80 81 82 90 91 92 93 a0 a1 a3 c0 c1 c2 c4 c5 c7 ca cb cc cf d4 d9 da dc de df ff'),
  );
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(heads, { maxLength: 24 }).map((list) => Uint8Array.from(list)),
  );
  let passed = 0;
  const property = fc.property(bytes, (body) => {
    const plain = Uint8Array.from(body);
    const safe = passes(plain);
    if (safe) passed++;
    return safe === isOneValue(plain, 8);
  });
  t.doesNotThrow(() => fc.assert(property, { ...options, numRuns: 20_000 }));
  t.ok(passed > 300, `${passed} passed`);
  t.end();
});

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** Deep equality that tells 0 from -0 no more than MessagePack does, and sees raw bytes by their bytes. */
function same(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array || b instanceof Uint8Array)
    return a instanceof Uint8Array && b instanceof Uint8Array && toHex(a) === toHex(b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return a === b || (Number.isNaN(a) && Number.isNaN(b));
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [keys, others] = [Object.keys(a).sort(), Object.keys(b).sort()];
  return (
    keys.join('\n') === others.join('\n') && keys.every((key) => same(a[key as keyof object], b[key as keyof object]))
  );
}
