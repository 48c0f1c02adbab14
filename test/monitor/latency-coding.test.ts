// Tries histograms as text: what goes in comes out, and nothing that another process sends costs memory or time.

import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import t from 'tap';
import { decodeLatency, encodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds, MAX_MICROSECONDS } from '../../lib/monitor/microseconds.ts';
import { buildLatencyHistogram } from '../../lib/net/latency.ts';
import { printSeed, seed } from '../packets/seed.ts';

printSeed(t);

const values = fc.array(fc.tuple(fc.integer({ min: 1, max: MAX_MICROSECONDS }), fc.integer({ min: 1, max: 2 ** 40 })));

t.test('what is encoded is read back, count by count', (t) => {
  fc.assert(
    fc.property(values, (pairs) => {
      const histogram = buildMicroseconds();
      for (const [value, count] of pairs) histogram.recordValueWithCount(value, count);
      const read = decodeLatency(encodeLatency(histogram));
      for (let i = 0; i < histogram.countsArrayLength; i++) {
        if (read.getCountAtIndex(i) !== histogram.getCountAtIndex(i)) return false;
      }
      const isSameMost = histogram.countsArrayIndex(read.maxValue) === histogram.countsArrayIndex(histogram.maxValue);
      return read.totalCount === histogram.totalCount && isSameMost;
    }),
    { seed, numRuns: 200 },
  );
  t.pass('every property held');
  t.end();
});

t.test('what an acceptor encodes is read as well', (t) => {
  const histogram = buildLatencyHistogram();
  histogram.recordValueWithCount(77, 1000);
  histogram.recordValue(60_000_000);
  const read = decodeLatency(encodeIntoCompressedBase64(histogram));
  t.equal(read.totalCount, 1001);
  t.equal(read.getValueAtPercentile(50), 77);
  t.end();
});

/** A histogram whose payload is made up. */
function forge(payload: number[], change: (header: Buffer) => void = () => {}): string {
  const header = Buffer.alloc(40);
  header.writeUInt32BE(0x1c849313, 0);
  header.writeUInt32BE(payload.length, 4);
  header.writeUInt32BE(3, 12);
  header.writeBigUInt64BE(1n, 16);
  header.writeBigUInt64BE(60_000_000n, 24);
  change(header);
  const deflated = deflateSync(Buffer.concat([header, Buffer.from(payload)]));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(0x1c849314, 0);
  head.writeUInt32BE(deflated.length, 4);
  return Buffer.concat([head, deflated]).toString('base64');
}

t.test('rubbish is an error at once, whatever it claims to be', (t) => {
  const all = Buffer.from(forge([2]), 'base64');
  const another = build({ lowestDiscernibleValue: 1, highestTrackableValue: 1e9, numberOfSignificantValueDigits: 2 });
  another.recordValue(5);
  for (const [what, encoded] of Object.entries({
    nothing: '',
    'no base64': '!!!!',
    'other bytes': Buffer.alloc(100, 7).toString('base64'),
    'cut off': all.subarray(0, all.length - 3).toString('base64'),
    'a length beyond its end': Buffer.concat([all.subarray(0, 4), Buffer.alloc(4, 0xff), all.subarray(8)]).toString(
      'base64',
    ),
    'another precision': encodeIntoCompressedBase64(another),
    'another kind inside': forge([2], (header) => header.writeUInt32BE(1, 0)),
    'a payload beyond its end': forge([2], (header) => header.writeUInt32BE(1000, 4)),
    'a number that is cut off': forge([0x82]),
    'zeros without end': forge([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    'counts past its end': forge([...leb128(2 * 500_000 - 1), 2]),
    'a count that no number holds': forge([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    'a bomb': bomb(),
  })) {
    t.throws(() => decodeLatency(encoded), { message: /./ }, what);
  }
  t.equal(decodeLatency(forge([2])).totalCount, 1, 'the forgery itself is sound');
  t.end();
});

t.test('random bytes and changed bytes never do anything but throw or count', (t) => {
  const sound = Buffer.from(forge([...leb128(2 * 5), ...leb128(2 * 100 - 1), 4]), 'base64');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat({ max: sound.length - 1 }), fc.nat(255), (bytes, at, byte) => {
      const changed = Buffer.from(sound);
      changed[at] = byte;
      for (const text of [Buffer.from(bytes).toString('base64'), changed.toString('base64')]) {
        try {
          decodeLatency(text);
        } catch (error) {
          if (!(error instanceof Error)) return false;
        }
      }
      return true;
    }),
    { seed, numRuns: 500 },
  );
  t.pass('every property held');
  t.end();
});

function leb128(number: number): number[] {
  const bytes: number[] = [];
  for (let rest = number; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}

/** A megabyte and more in a few thousand characters. */
function bomb(): string {
  const deflated = deflateSync(Buffer.alloc(8 * 1024 * 1024));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(0x1c849314, 0);
  head.writeUInt32BE(deflated.length, 4);
  return Buffer.concat([head, deflated]).toString('base64');
}
