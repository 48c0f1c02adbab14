// The published vectors against the code: bytes, fields, bodies, refusals and splits.

import t from 'tap';
import { commitTo } from '../../lib/packets/seeded-random.ts';
import { split } from '../../lib/packets/split.ts';
import {
  readStamp,
  readUint32,
  writeGrab,
  writeGrabResult,
  writeHeader,
  writeLogin,
  writeLoginResult,
  writeNotice,
  writeShake,
  writeShakeResult,
} from '../../lib/protocol/classic.ts';
import { BODY_OFFSET, CLASSIC_FIELDS, STAMP_OFFSET } from '../../lib/protocol/classic-layout.ts';
import { readHello, readRecords, readSend, readWallet } from '../../lib/protocol/extended.ts';
import { FrameReader } from '../../lib/protocol/frame-reader.ts';
import { CLIENT_RULES, FrameFault, judgeHeader, SERVER_RULES } from '../../lib/protocol/frame-rules.ts';
import { packFrame, unpackBody } from '../../lib/protocol/message-pack.ts';
import {
  FIRST_EXTENDED_OPCODE,
  GRAB_STATUS_NAMES,
  LoginResult,
  Opcode,
  SEND_STATUS_NAMES,
  ShakeResult,
} from '../../lib/protocol/opcodes.ts';
import { FrameCollector } from './frame-collector.ts';
import { type FrameVector, frameVectors, refusedVectors, splitVectors, toHex } from './vectors.ts';

const classicVectors = frameVectors.filter((vector) => vector.opcode < FIRST_EXTENDED_OPCODE);
const extendedVectors = frameVectors.filter((vector) => vector.opcode >= FIRST_EXTENDED_OPCODE);
const nameOf = new Map<number, string>(Object.entries(Opcode).map(([name, opcode]) => [opcode, name]));

/** What stands for keys that are left out. */
const LEFT_OUT = { send: { mode: 'lucky', expiresInSeconds: 86_400, note: '' }, records: { limit: 20 } };

const stampHigh = (vector: FrameVector): number => Number(vector.stamp >> 32n);
const stampLow = (vector: FrameVector): number => Number(vector.stamp & 0xffff_ffffn);

t.test('every opcode has a vector, and so has every result and status', (t) => {
  t.strictSame(new Set(frameVectors.map((vector) => vector.opcode)), new Set(Object.values(Opcode)));
  const resultsOf = (opcode: number) =>
    new Set(classicVectors.filter((vector) => vector.opcode === opcode).map((vector) => vector.fields.result));
  t.strictSame(resultsOf(Opcode.LOGIN_RESULT), new Set(Object.values(LoginResult)));
  const shakeResults = resultsOf(Opcode.SHAKE_RESULT);
  for (const result of Object.values(ShakeResult)) t.ok(shakeResults.has(result), `a SHAKE_RESULT with ${result}`);
  const grabs = extendedVectors.filter((vector) => vector.opcode === Opcode.RICH_GRAB_RESULT);
  t.strictSame(new Set(grabs.map((vector) => (vector.body as { status: string }).status)), new Set(GRAB_STATUS_NAMES));
  const sends = extendedVectors.filter((vector) => vector.opcode === Opcode.SENT);
  t.strictSame(new Set(sends.map((vector) => (vector.body as { status: string }).status)), new Set(SEND_STATUS_NAMES));
  t.strictSame(
    new Set(refusedVectors.map((vector) => vector.fault)),
    new Set([...Object.keys(FrameFault).slice(1), 'body']),
  );
  t.end();
});

t.test('the names of the vectors begin with the names of their frames and differ from each other', (t) => {
  for (const { name, opcode } of frameVectors) t.ok(name.startsWith(`${nameOf.get(opcode)}: `), name);
  for (const vectors of [frameVectors, refusedVectors, splitVectors]) {
    t.equal(new Set(vectors.map((vector) => vector.name)).size, vectors.length);
  }
  t.end();
});

t.test('each classic encoder writes exactly the bytes of the vector, at its offset and nowhere else', (t) => {
  for (const vector of classicVectors) {
    const offset = 5;
    const bytes = new Uint8Array(offset + vector.bytes.length + 5).fill(0xaa);
    t.equal(encodeClassic(vector, bytes, offset), vector.bytes.length, `${vector.name}: the length`);
    t.equal(toHex(bytes.subarray(offset, -5)), toHex(vector.bytes), vector.name);
    t.equal(toHex(bytes.subarray(0, offset)) + toHex(bytes.subarray(-5)), 'aa'.repeat(10), `${vector.name}: around it`);
  }
  t.end();
});

t.test('the fields of each classic frame are read back', (t) => {
  for (const vector of classicVectors) {
    const names = CLASSIC_FIELDS[nameOf.get(vector.opcode) as keyof typeof CLASSIC_FIELDS];
    t.strictSame(Object.keys(vector.fields), names, `${vector.name}: the names`);
    const values = names.map((_, i) => readUint32(vector.bytes, BODY_OFFSET + 4 * i));
    t.strictSame(values, Object.values(vector.fields), vector.name);
  }
  t.end();
});

t.test('the stamp of each frame is read back', (t) => {
  for (const { name, bytes, stamp } of frameVectors) {
    const halves = [readUint32(bytes, STAMP_OFFSET), readUint32(bytes, STAMP_OFFSET + 4)];
    t.equal((BigInt(halves[0]) << 32n) | BigInt(halves[1]), stamp, name);
    if (stamp <= Number.MAX_SAFE_INTEGER) t.equal(readStamp(bytes, 0), Number(stamp), `${name}: as a number`);
  }
  t.end();
});

t.test('each extended frame is packed to exactly the bytes of the vector', (t) => {
  for (const vector of extendedVectors) {
    const frame = packFrame(vector.opcode, stampHigh(vector), stampLow(vector), vector.body);
    t.equal(toHex(frame), toHex(vector.bytes), vector.name);
  }
  t.end();
});

t.test('the body of each extended frame is unpacked, wherever the frame lies', (t) => {
  for (const { name, bytes, body, opcode } of extendedVectors) {
    t.strictSame(unpackBody(bytes, 0, bytes.length), body, name);
    const chunk = new Uint8Array(bytes.length + 14).fill(0x91);
    chunk.set(bytes, 7);
    t.strictSame(unpackBody(chunk, 7, bytes.length), body, `${name}: in mid-chunk`);
    if (opcode === Opcode.HELLO)
      t.strictSame(readHello(unpackBody(bytes, 0, bytes.length)), body, `${name}: as a Hello`);
    if (opcode === Opcode.SEND)
      t.strictSame(readSend(unpackBody(bytes, 0, bytes.length)), { ...LEFT_OUT.send, ...(body as object) }, name);
    if (opcode === Opcode.RECORDS)
      t.strictSame(readRecords(unpackBody(bytes, 0, bytes.length)), { ...LEFT_OUT.records, ...(body as object) }, name);
    if (opcode === Opcode.WALLET) t.equal(readWallet(unpackBody(bytes, 0, bytes.length)), true, name);
  }
  t.end();
});

t.test('each frame is accepted by the side it goes to and refused by the other', (t) => {
  for (const { name, direction, bytes, opcode } of frameVectors) {
    const [receiver, sender] = direction === 'to server' ? [SERVER_RULES, CLIENT_RULES] : [CLIENT_RULES, SERVER_RULES];
    t.equal(judgeHeader(receiver, bytes.length, opcode), FrameFault.NONE, `${name}: ${direction}`);
    t.equal(judgeHeader(sender, bytes.length, opcode), FrameFault.UNKNOWN_OPCODE, `${name}: the other way`);
  }
  t.end();
});

t.test('each frame comes whole out of the reader of the side it goes to', (t) => {
  for (const { name, direction, bytes, opcode } of frameVectors) {
    const sink = new FrameCollector();
    const reader = new FrameReader(direction === 'to server' ? SERVER_RULES : CLIENT_RULES, sink);
    t.equal(reader.feed(1, bytes, bytes.length), FrameFault.NONE, name);
    t.strictSame(sink.frames, [{ connection: 1, opcode, hex: toHex(bytes) }], `${name}: the frame`);
  }
  t.end();
});

t.test('each refused input is refused for the reason that its vector names', (t) => {
  for (const { name, bytes, fault, why } of refusedVectors) {
    const sink = new FrameCollector();
    const found = new FrameReader(SERVER_RULES, sink).feed(1, bytes, bytes.length);
    t.match(why, /^[A-Z].*\.$/, `${name}: the reason is a sentence`);
    if (fault !== 'body') {
      t.equal(found, FrameFault[fault], name);
      t.strictSame(sink.frames, [], `${name}: nothing is handed over`);
      continue;
    }
    t.equal(found, FrameFault.NONE, `${name}: the header is in order`);
    t.strictSame(sink.hexOf(1), [toHex(bytes)], `${name}: the frame is whole`);
    const body = unpackBody(bytes, 0, bytes.length);
    if (sink.frames[0].opcode === Opcode.SEND) t.equal(readSend(body), undefined, name);
    else if (sink.frames[0].opcode === Opcode.RECORDS) t.equal(readRecords(body), undefined, name);
    else if (sink.frames[0].opcode === Opcode.WALLET) t.equal(readWallet(body), false, name);
    else t.equal(readHello(body), 'body', name);
  }
  t.end();
});

t.test('each split gives the shares of its vector, for the seed that was committed to', (t) => {
  for (const { name, seed, commitment, amountsCents, ...request } of splitVectors) {
    const shares = new Int32Array(request.shares);
    split(request, seed, shares);
    t.strictSame([...shares], amountsCents, name);
    t.equal(toHex(commitTo(seed)), commitment, `${name}: the commitment`);
  }
  t.end();
});

/**
 * Calls the encoder of a classic frame with the fields of a vector. Encoders of frames that this code starts take the
 * stamp as a number; one that a number cannot hold is put into the header afterwards.
 */
function encodeClassic(vector: FrameVector, bytes: Uint8Array, offset: number): number {
  const values = Object.values(vector.fields);
  const [high, low] = [stampHigh(vector), stampLow(vector)];
  if (vector.opcode === Opcode.LOGIN_RESULT) return writeLoginResult(bytes, offset, high, low, values[0], values[1]);
  if (vector.opcode === Opcode.SHAKE_RESULT)
    return writeShakeResult(bytes, offset, high, low, values[0], values[1], values[2], values[3]);
  if (vector.opcode === Opcode.GRAB_RESULT) return writeGrabResult(bytes, offset, high, low, values[0], values[1]);
  const fits = vector.stamp <= Number.MAX_SAFE_INTEGER;
  const length = encodeStarted(vector.opcode, bytes, offset, fits ? Number(vector.stamp) : 0, values);
  if (!fits) writeHeader(bytes, offset, length, vector.opcode, high, low);
  return length;
}

function encodeStarted(opcode: number, bytes: Uint8Array, offset: number, stamp: number, values: number[]): number {
  if (opcode === Opcode.LOGIN) return writeLogin(bytes, offset, stamp, values[0]);
  if (opcode === Opcode.SHAKE) return writeShake(bytes, offset, stamp, values[0]);
  if (opcode === Opcode.GRAB) return writeGrab(bytes, offset, stamp, values[0], values[1]);
  const [packetId, total, shares, user1, user2, user3] = values;
  return writeNotice(bytes, offset, stamp, packetId, total, shares, user1, user2, user3);
}
