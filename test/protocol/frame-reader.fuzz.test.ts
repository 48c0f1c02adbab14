// The frame reader under random cuts of valid, damaged and random streams, against a reader that sees all bytes at once.
// Run a failure again with the printed SEED.

import t from 'tap';
import { readHello, readRecords, readSend, readWallet } from '../../lib/protocol/extended.ts';
import { FrameReader } from '../../lib/protocol/frame-reader.ts';
import { FrameFault, SERVER_RULES } from '../../lib/protocol/frame-rules.ts';
import { unpackBody } from '../../lib/protocol/message-pack.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { FrameCollector } from './frame-collector.ts';
import { Random, seed } from './seeded.ts';
import { framesToServer, toHex } from './vectors.ts';

const STREAMS = 2000;
const CONNECTIONS = 8;
const random = new Random(seed);
t.comment(`SEED=${seed}`);

/** What a stream should come to: its frames up to the first fault, the fault, and whether an incomplete frame is left. */
interface Outcome {
  frames: string[];
  fault: FrameFault;
  waits: boolean;
}

/** The frames that a server accepts, by opcode and exact length; 0 means any length from 12 to 16,384. */
const ACCEPTED = new Map([
  [0x0000, 16],
  [0x0002, 16],
  [0x0005, 20],
  [0x0100, 0],
  [0x0110, 0],
  [0x0120, 0],
  [0x0122, 0],
  [0x0124, 0],
]);
for (let opcode = 0x0200; opcode < 0x0280; opcode += 2) ACCEPTED.set(opcode, -1);
const isChat = (opcode: number) => opcode >= 0x0200;

/** Reads a whole stream the simplest way there is. */
function readPlainly(stream: Uint8Array): Outcome {
  const bytes = Buffer.from(stream);
  const outcome: Outcome = { frames: [], fault: FrameFault.NONE, waits: false };
  let at = 0;
  while (bytes.length - at >= 4) {
    const length = bytes.readUInt16BE(at);
    const opcode = bytes.readUInt16BE(at + 2);
    const rule = ACCEPTED.get(opcode);
    if (rule === undefined) outcome.fault = FrameFault.UNKNOWN_OPCODE;
    else if (rule > 0 ? length !== rule : length < 12) outcome.fault = FrameFault.WRONG_LENGTH;
    else if (length > (isChat(opcode) ? 4000 : 16_384)) outcome.fault = FrameFault.OVERSIZE;
    if (outcome.fault !== FrameFault.NONE) return outcome;
    if (bytes.length - at < length) break;
    outcome.frames.push(bytes.toString('hex', at, at + length));
    at += length;
  }
  outcome.waits = at < bytes.length;
  return outcome;
}

function drawValidFrame(): Uint8Array {
  if (random.between(0, 2) > 0) return random.pick(framesToServer);
  const length = random.between(0, 9) === 0 ? random.between(12, 16_384) : random.between(12, 200);
  const frame = random.bytes(length);
  frame.set([length >>> 8, length & 0xff, 0x01, random.pick([0x00, 0x10, 0x20, 0x22, 0x24])]);
  if (length <= 4000 && random.between(0, 5) === 0) frame.set([0x02, 2 * random.between(0, 63)], 2);
  return frame;
}

function drawValidStream(): Uint8Array {
  const pieces = Array.from({ length: random.between(0, 12) }, drawValidFrame);
  if (random.between(0, 3) === 0) pieces.push(drawValidFrame().subarray(0, random.between(1, 11)));
  return Uint8Array.from(Buffer.concat(pieces));
}

/** A valid stream with a few bytes changed, dropped, doubled or put in. */
function drawDamagedStream(): Uint8Array {
  let stream = [...drawValidStream()];
  for (let i = random.between(1, 4); i > 0 && stream.length > 0; i--) {
    const at = random.between(0, stream.length - 1);
    const kind = random.between(0, 3);
    if (kind === 0) stream[at] = random.between(0, 255);
    else if (kind === 1) stream.splice(at, random.between(1, 3));
    else if (kind === 2) stream.splice(at, 0, ...random.bytes(random.between(1, 3)));
    else stream = [...stream.slice(0, at), ...stream.slice(Math.max(0, at - 5))];
  }
  return Uint8Array.from(stream);
}

/** Random bytes, small ones more often than not: they make lengths and opcodes that come close. */
function drawGarbage(): Uint8Array {
  const garbage = random.bytes(random.between(0, 300));
  if (random.between(0, 1) === 0) return garbage;
  return garbage.map((byte) =>
    random.between(0, 3) === 0 ? byte : random.pick([0x00, 0x00, 0x01, 0x02, 0x05, 0x10, 0x14]),
  );
}

/** Feeds several streams to one reader, cut at random and interleaved at random; returns what came of each. */
function readCut(streams: readonly Uint8Array[]): Outcome[] {
  const sink = new FrameCollector();
  const reader = new FrameReader(SERVER_RULES, sink);
  const receiveBuffer = new Uint8Array(32 * 1024);
  const sent = streams.map(() => 0);
  const faults = streams.map((): FrameFault => FrameFault.NONE);
  const open = new Set(streams.keys());
  const largest = random.pick([1, 3, 5, 20, 200, 20_000]);
  while (open.size > 0) {
    const connection = random.pick([...open]);
    const chunk = streams[connection].subarray(sent[connection], sent[connection] + random.between(1, largest));
    sent[connection] += chunk.length;
    receiveBuffer.set(chunk);
    faults[connection] = reader.feed(connection, receiveBuffer, chunk.length);
    receiveBuffer.fill(0xee, 0, chunk.length);
    if (sent[connection] === streams[connection].length || faults[connection] !== FrameFault.NONE)
      open.delete(connection);
  }
  const outcomes = streams.map((_, connection) => ({
    frames: sink.hexOf(connection),
    fault: faults[connection],
    waits: faults[connection] === FrameFault.NONE && reader.findStale(1).includes(connection),
  }));
  for (let connection = 0; connection < streams.length; connection++) reader.forget(connection);
  return reader.partialCount === 0 ? outcomes : [];
}

/** Draws many streams, reads them cut and interleaved, and lists those that came out otherwise than read at once. */
function compare(draw: () => Uint8Array) {
  const wrong: string[] = [];
  const seen = { frames: 0, waits: 0, faults: new Set<FrameFault>() };
  for (let i = 0; i < STREAMS / CONNECTIONS; i++) {
    const streams = Array.from({ length: CONNECTIONS }, draw);
    const outcomes = readCut(streams);
    for (const [connection, stream] of streams.entries()) {
      const expected = readPlainly(stream);
      seen.frames += expected.frames.length;
      seen.waits += expected.waits ? 1 : 0;
      seen.faults.add(expected.fault);
      if (JSON.stringify(outcomes[connection]) !== JSON.stringify(expected)) wrong.push(toHex(stream));
    }
  }
  return { wrong, seen };
}

t.test('valid streams, cut and interleaved at random, give the plain list of their frames', (t) => {
  const { wrong, seen } = compare(drawValidStream);
  t.strictSame(wrong, [], `SEED=${seed}`);
  t.strictSame(seen.faults, new Set([FrameFault.NONE]));
  t.ok(seen.frames > STREAMS && seen.waits > STREAMS / 10, `${seen.frames} frames, ${seen.waits} left incomplete`);
  t.end();
});

t.test('damaged streams give the same frames and the same fault however they are cut', (t) => {
  const { wrong, seen } = compare(drawDamagedStream);
  t.strictSame(wrong, [], `SEED=${seed}`);
  t.strictSame(seen.faults, new Set(Object.values(FrameFault)), 'every fault came up');
  t.ok(seen.frames > STREAMS, `${seen.frames} frames`);
  t.end();
});

t.test('random bytes give the same frames and the same fault however they are cut', (t) => {
  const { wrong, seen } = compare(drawGarbage);
  t.strictSame(wrong, [], `SEED=${seed}`);
  t.strictSame(seen.faults, new Set(Object.values(FrameFault)), 'every fault came up');
  t.end();
});

t.test('no frame of a damaged or random stream makes the reading of its body throw', (t) => {
  let bodies = 0;
  const read = new Map<number, number>();
  const reader = new FrameReader(SERVER_RULES, {
    onFrame(_connection, bytes, offset, length, opcode) {
      if (opcode < 0x0100) return true;
      bodies++;
      const body = unpackBody(bytes, offset, length);
      if (isInOrder(opcode, body)) read.set(opcode, (read.get(opcode) ?? 0) + 1);
      return true;
    },
  });
  for (let i = 0; i < STREAMS; i++) {
    const stream = random.pick([drawDamagedStream, drawGarbage])();
    const cut = random.between(0, stream.length);
    if (reader.feed(i, stream.subarray(0, cut), cut) === FrameFault.NONE)
      reader.feed(i, stream.subarray(cut), stream.length - cut);
    reader.forget(i);
  }
  t.ok(bodies > 500, `${bodies} bodies`);
  for (const opcode of [Opcode.HELLO, Opcode.SEND, Opcode.WALLET, Opcode.RECORDS]) {
    t.ok((read.get(opcode) ?? 0) > 50, `${read.get(opcode)} bodies in order of opcode ${opcode}`);
  }
  t.end();
});

function isInOrder(opcode: number, body: unknown): boolean {
  if (opcode === Opcode.HELLO) return typeof readHello(body) === 'object';
  if (opcode === Opcode.SEND) return readSend(body) !== undefined;
  if (opcode === Opcode.RECORDS) return readRecords(body) !== undefined;
  return opcode === Opcode.WALLET && readWallet(body);
}
