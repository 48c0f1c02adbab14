// The audit's own CRC-32, against zlib's.

import { randomBytes } from 'node:crypto';
import { crc32 as zlibCrc32 } from 'node:zlib';
import t from 'tap';
import { crc32 } from '../../../tools/audit/checksum.ts';

t.test('it is the CRC-32 of zlib, also in the middle of a buffer', async (t) => {
  const bytes = randomBytes(403);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let start = 0; start < 4; start++) {
    for (let end = start; end <= bytes.length; end += 4) {
      if (crc32(view, start, end) !== zlibCrc32(bytes.subarray(start, end))) t.fail(bytes.toString('hex'));
    }
  }
  t.equal(crc32(view, 0, 400), zlibCrc32(bytes.subarray(0, 400)));
});
