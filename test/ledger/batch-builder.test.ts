// Tries the bytes of a batch against the tables of docs/JOURNAL.md, read here with other means than the code's own.

import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import t from 'tap';
import { BatchBuilder } from '../../lib/ledger/batch-builder.ts';
import { firstPosition } from '../../lib/ledger/journal-position.ts';
import { crcOfWords, readU64, writeU64 } from '../../lib/ledger/journal-words.ts';
import { BATCH_FULL_BYTES, MAX_BATCH_BYTES } from '../../lib/ledger/limits.ts';

function addRecord(builder: BatchBuilder, type: number, payload: readonly number[]): void {
  const at = builder.beginRecord(type, payload.length);
  for (let i = 0; i < payload.length; i++) builder.words[at + i] = payload[i];
  builder.endRecord();
}

t.test('a batch is laid out as the document says', (t) => {
  const chain = randomBytes(32);
  const builder = new BatchBuilder({
    ...firstPosition(),
    nextBatch: 2 ** 40 + 5,
    nextSequence: 2 ** 33 + 7,
    chain,
    timeMs: 1_799_999_999_999,
  });
  addRecord(builder, 6, [11, 12, -1, 14]);
  addRecord(builder, 10, []);
  t.equal(builder.recordCount, 2);
  t.equal(builder.byteLength, 76 + 36 + 20 + 4);
  const bytes = Buffer.from(builder.finish(1_800_000_000_123.7));
  t.equal(bytes.length, builder.byteLength);
  t.equal(bytes.toString('latin1', 0, 4), 'BTCH');
  t.equal(bytes.readUInt32LE(4), bytes.length);
  t.equal(bytes.readBigUInt64LE(8), 2n ** 40n + 5n);
  t.equal(bytes.readBigUInt64LE(16), 2n ** 33n + 7n);
  t.equal(bytes.readUInt32LE(24), 2);
  t.equal(bytes.readUInt32LE(28), 0);
  t.equal(bytes.readBigUInt64LE(32), 1_800_000_000_123n);
  t.same(bytes.subarray(40, 72), chain);
  t.equal(bytes.readUInt32LE(72), crc32(bytes.subarray(0, 72)));
  t.equal(bytes.readUInt32LE(76), 36);
  t.equal(bytes.readUInt32LE(80), 6);
  t.equal(bytes.readBigUInt64LE(84), 2n ** 33n + 7n);
  t.strictSame(
    [92, 96, 100, 104].map((at) => bytes.readInt32LE(at)),
    [11, 12, -1, 14],
  );
  t.equal(bytes.readUInt32LE(108), crc32(bytes.subarray(76, 108)));
  t.equal(bytes.readUInt32LE(112), 20);
  t.equal(bytes.readBigUInt64LE(120), 2n ** 33n + 8n);
  t.equal(bytes.readUInt32LE(128), crc32(bytes.subarray(112, 128)));
  t.equal(bytes.toString('latin1', 132), 'DONE');
  t.end();
});

t.test('commit moves on behind the batch: number, sequence, chain and time', (t) => {
  const builder = new BatchBuilder(firstPosition());
  addRecord(builder, 6, [1]);
  addRecord(builder, 6, [2]);
  const bytes = builder.finish(5000);
  t.strictSame([builder.nextBatch, builder.nextSequence, builder.timeMs], [1, 1, 0], 'not before it');
  t.ok(builder.chain.every((byte) => byte === 0));
  const expected = createHash('sha256').update(bytes).digest();
  builder.commit();
  t.strictSame([builder.nextBatch, builder.nextSequence, builder.timeMs], [2, 3, 5000]);
  t.same(Buffer.from(builder.chain), expected);
  t.strictSame([builder.recordCount, builder.byteLength], [0, 80]);
  addRecord(builder, 6, [3]);
  const next = Buffer.from(builder.finish(4000));
  t.same(next.subarray(40, 72), expected, 'the next one carries it');
  t.equal(next.readBigUInt64LE(32), 5000n, 'a clock that goes back does not take the journal with it');
  t.end();
});

t.test('the buffer grows with the batch and keeps what is in it, up to 16 MiB', (t) => {
  const builder = new BatchBuilder(firstPosition());
  addRecord(builder, 6, [1, 2, 3]);
  const before = builder.words;
  const large = 100_000;
  const at = builder.beginRecord(5, large);
  t.not(builder.words, before, 'another array');
  builder.words.fill(7, at, at + large);
  builder.endRecord();
  const bytes = Buffer.from(builder.finish(1));
  t.equal(bytes.length, 80 + 32 + 20 + large * 4);
  t.strictSame(
    [92, 96, 100].map((place) => bytes.readUInt32LE(place)),
    [1, 2, 3],
  );
  const crcAt = bytes.length - 8;
  t.equal(bytes.readUInt32LE(crcAt), crc32(bytes.subarray(76 + 32, crcAt)), 'a long record has the same CRC-32');
  builder.commit();
  const most = (MAX_BATCH_BYTES - 80 - 20) / 4;
  t.throws(() => builder.beginRecord(5, most + 1), /at most 16 MiB/);
  builder.beginRecord(5, most);
  builder.endRecord();
  t.equal(builder.finish(1).length, MAX_BATCH_BYTES);
  t.end();
});

t.test('a batch says that it is full', (t) => {
  const builder = new BatchBuilder(firstPosition());
  const words = (BATCH_FULL_BYTES - 80 - 20) / 4;
  builder.beginRecord(5, words - 1);
  builder.endRecord();
  t.notOk(builder.isFull);
  builder.beginRecord(10, 0);
  builder.endRecord();
  t.ok(builder.isFull);
  t.end();
});

t.test('steps in a wrong order are refused', (t) => {
  const builder = new BatchBuilder(firstPosition());
  t.throws(() => builder.endRecord(), /was begun/);
  t.throws(() => builder.finish(1), /at least one record/);
  t.throws(() => builder.commit(), /finished before/);
  builder.beginRecord(6, 4);
  t.throws(() => builder.beginRecord(6, 4), /one record at a time/);
  t.throws(() => builder.finish(1), /all of them ended/);
  builder.endRecord();
  builder.finish(1);
  t.throws(() => builder.beginRecord(6, 4), /finished/);
  t.end();
});

t.test('the CRC-32 of words is that of zlib at every length', (t) => {
  const words = new Int32Array(300);
  const bytes = new Uint8Array(words.buffer);
  bytes.set(randomBytes(bytes.length));
  for (let count = 0; count < 290; count++) {
    const expected = crc32(bytes.subarray(12, 12 + count * 4));
    if (crcOfWords(words, 3, count) >>> 0 !== expected) t.fail(`${count} words`);
  }
  t.pass('0 to 289 words');
  t.end();
});

t.test('a u64 comes back as it was, up to 2^53 - 1', (t) => {
  const words = new Int32Array(2);
  for (const value of [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 2 ** 31, Number.MAX_SAFE_INTEGER]) {
    writeU64(words, 0, value);
    t.equal(readU64(words, 0), value);
    t.equal(Buffer.from(words.buffer).readBigUInt64LE(0), BigInt(value));
  }
  t.end();
});
