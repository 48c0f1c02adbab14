// Numbers and stamps of the classic frames; the frames themselves are tried in vectors.test.ts.

import t from 'tap';
import {
  readStamp,
  readUint32,
  stampHighOf,
  writeGrabResult,
  writeHeader,
  writeLogin,
  writeUint32,
} from '../../lib/protocol/classic.ts';
import { BODY_OFFSET, HEADER_BYTES } from '../../lib/protocol/classic-layout.ts';
import { toHex } from './vectors.ts';

t.test('a u32 is written big-endian and read back unsigned', (t) => {
  const bytes = new Uint8Array(6);
  for (const value of [0, 1, 0xff, 0x100, 0x0102_0304, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff]) {
    writeUint32(bytes, 1, value);
    t.equal(Buffer.from(bytes).readUInt32BE(1), value, `${value} is written`);
    t.equal(readUint32(bytes, 1), value, `${value} is read`);
  }
  t.strictSame([bytes[0], bytes[5]], [0, 0], 'nothing is written around it');
  t.end();
});

t.test('a signed word of shared memory goes out as the u32 with the same bits', (t) => {
  const bytes = new Uint8Array(4);
  for (const value of [-1, -2, -0x8000_0000]) {
    writeUint32(bytes, 0, value);
    t.equal(readUint32(bytes, 0), value + 2 ** 32);
  }
  const frame = new Uint8Array(20);
  writeGrabResult(frame, 0, 0, -1, -0x8000_0000, 5);
  t.equal(toHex(frame), '0014000600000000ffffffff8000000000000005');
  t.end();
});

t.test('a stamp given as a number is exact up to 2^53 - 1', (t) => {
  const bytes = new Uint8Array(16);
  for (const stamp of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 1_700_000_000, 2 ** 53 - 2, 2 ** 53 - 1]) {
    writeLogin(bytes, 0, stamp, 0);
    t.equal(Buffer.from(bytes).readBigUInt64BE(4), BigInt(stamp), `${stamp} is written`);
    t.equal(readStamp(bytes, 0), stamp, `${stamp} is read`);
    t.equal(stampHighOf(stamp), Number(BigInt(stamp) >> 32n), `the high half of ${stamp}`);
  }
  t.end();
});

t.test('a header holds lengths and opcodes of 16 bits', (t) => {
  const bytes = new Uint8Array(HEADER_BYTES);
  writeHeader(bytes, 0, 0xfedc, 0xba98, 0x0102_0304, 0x0506_0708);
  t.equal(toHex(bytes), 'fedcba980102030405060708');
  t.equal(BODY_OFFSET, HEADER_BYTES);
  t.end();
});
