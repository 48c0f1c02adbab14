// Bodies in every legal form, and the same ones damaged, against a second reader. Run a failure again with its SEED.

import t from 'tap';
import { isSafeBody, unpackBody } from '../../lib/protocol/message-pack.ts';
import { isOneValue, writeRandom } from './message-pack-writer.ts';
import { Random, seed } from './seeded.ts';
import { toHex } from './vectors.ts';

const BODIES = 4000;
const MOST_BYTES = 16_372;
const random = new Random(seed);
t.comment(`SEED=${seed}`);

function drawBody() {
  for (;;) {
    const { value, bytes } = writeRandom(random, random.between(0, 8));
    if (bytes.length <= MOST_BYTES) return { value, bytes: Uint8Array.from(bytes) };
  }
}

/** A body with a few bytes changed, dropped or put in. */
function damage(body: Uint8Array): Uint8Array {
  const damaged = [...body];
  for (let i = random.between(1, 3); i > 0; i--) {
    const at = random.between(0, damaged.length);
    const kind = random.between(0, 2);
    if (kind === 0 && at < damaged.length) damaged[at] = random.between(0, 255);
    else if (kind === 1) damaged.splice(at, random.between(1, 4));
    else damaged.splice(at, 0, ...random.bytes(random.between(1, 4)));
  }
  return Uint8Array.from(damaged.slice(0, MOST_BYTES));
}

/** Unpacks a body out of a frame that lies in mid-chunk. */
function unpackInChunk(body: Uint8Array): unknown {
  const before = random.between(0, 20);
  const chunk = random.bytes(before + 12 + body.length + random.between(0, 20));
  chunk.set(body, before + 12);
  return unpackBody(chunk, before, 12 + body.length);
}

t.test('a body in any legal form passes and says what it says', (t) => {
  let longest = 0;
  for (let i = 0; i < BODIES; i++) {
    const { value, bytes } = drawBody();
    longest = Math.max(longest, bytes.length);
    if (isSafeBody(bytes, 0, bytes.length)) {
      const unpacked = unpackInChunk(bytes);
      if (JSON.stringify(unpacked, show) === JSON.stringify(value, show)) continue;
    }
    t.fail(`SEED=${seed}: ${toHex(bytes)}`);
  }
  t.ok(longest > 2000, `the longest had ${longest} bytes`);
  t.end();
});

t.test('a damaged body never makes the reading throw, and passes exactly when the second reader takes it', (t) => {
  let passed = 0;
  for (let i = 0; i < BODIES; i++) {
    const body = damage(drawBody().bytes);
    const expected = isOneValue(body, 8);
    if (expected) passed++;
    const unpacked = unpackInChunk(body);
    if (isSafeBody(body, 0, body.length) !== expected || (unpacked !== undefined) !== expected)
      t.fail(`SEED=${seed}: ${toHex(body)}`);
  }
  t.ok(passed > BODIES / 50 && passed < BODIES, `${passed} of ${BODIES} passed`);
  t.end();
});

/** Shows what JSON cannot: raw bytes, infinities and minus zero. */
function show(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return { bin: toHex(value) };
  return typeof value === 'number' ? (Object.is(value, -0) ? '-0' : String(value)) : value;
}
