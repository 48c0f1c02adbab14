// The frame reader under every cut, several connections, refused headers, a sink that stops, and slow peers.

import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { FrameReader } from '../../lib/protocol/frame-reader.ts';
import { FrameFault, SERVER_RULES } from '../../lib/protocol/frame-rules.ts';
import { Opcode } from '../../lib/protocol/opcodes.ts';
import { FrameCollector } from './frame-collector.ts';
import { framesToServer, fromHex, refusedVectors, toHex } from './vectors.ts';

const JUNK = 0xee;
const longest = extendedFrame(16_384);
const frames = [
  ...framesToServer,
  extendedFrame(12),
  extendedFrame(13),
  extendedFrame(63),
  extendedFrame(64),
  extendedFrame(65),
];
const framesInHex = frames.map(toHex);
const badHeaders = refusedVectors.filter((vector) => vector.fault !== 'body');

/** A frame of PING with a body of rising bytes, so that a byte in the wrong place shows. */
function extendedFrame(length: number): Uint8Array {
  const frame = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8)) & 0xff);
  frame.set([length >>> 8, length & 0xff, Opcode.PING >>> 8, Opcode.PING & 0xff]);
  return frame;
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(pieces));
}

/** A reader whose chunks come through one receive buffer, as from a socket: with junk behind, and overwritten afterwards. */
class Harness {
  readonly sink = new FrameCollector();
  readonly reader = new FrameReader(SERVER_RULES, this.sink);
  readonly #receiveBuffer = new Uint8Array(64 * 1024);

  feed(connection: number, chunk: Uint8Array): FrameFault {
    this.#receiveBuffer.fill(JUNK);
    this.#receiveBuffer.set(chunk);
    const fault = this.reader.feed(connection, this.#receiveBuffer, chunk.length);
    this.#receiveBuffer.fill(JUNK);
    return fault;
  }
}

t.test('each whole frame is handed over in place, without a copy', (t) => {
  for (const frame of [...frames, longest]) {
    const sink = new FrameCollector();
    const reader = new FrameReader(SERVER_RULES, sink);
    t.equal(reader.feed(7, frame, frame.length), FrameFault.NONE);
    t.strictSame(sink.hexOf(7), [toHex(frame)]);
    t.equal(sink.lastBytes, frame, 'the very bytes');
    t.equal(sink.lastOffset, 0);
    t.equal(reader.partialCount, 0);
  }
  t.end();
});

t.test('each frame comes through in every two-piece cut', (t) => {
  let cuts = 0;
  const wrong: string[] = [];
  for (const frame of [...frames, longest]) {
    const hex = toHex(frame);
    const { sink, reader, feed } = bind(new Harness());
    for (let cut = 1; cut < frame.length; cut += cut < 200 ? 1 : 97) {
      cuts++;
      sink.frames.length = 0;
      const first = feed(1, frame.subarray(0, cut));
      const waiting = reader.partialCount === 1 && sink.frames.length === 0;
      const second = feed(1, frame.subarray(cut));
      const whole = sink.frames.length === 1 && sink.frames[0].hex === hex && reader.partialCount === 0;
      if (first !== FrameFault.NONE || second !== FrameFault.NONE || !waiting || !whole) wrong.push(`${hex} at ${cut}`);
    }
  }
  t.strictSame(wrong, []);
  t.ok(cuts > 700, `${cuts} cuts`);
  t.end();
});

t.test('a stream of all frames comes through in every two-piece cut', (t) => {
  const stream = concat(frames);
  const wrong: number[] = [];
  for (let cut = 0; cut <= stream.length; cut++) {
    const { sink, reader, feed } = bind(new Harness());
    feed(1, stream.subarray(0, cut));
    feed(1, stream.subarray(cut));
    if (sink.hexOf(1).join() !== framesInHex.join() || reader.partialCount !== 0) wrong.push(cut);
  }
  t.strictSame(wrong, []);
  t.end();
});

t.test('a stream comes through byte by byte, each frame with its last byte', (t) => {
  const { sink, reader, feed } = bind(new Harness());
  let expected = 0;
  for (const frame of [...frames, longest, ...frames]) {
    const early: number[] = [];
    for (let i = 0; i < frame.length - 1; i++) {
      if (feed(1, frame.subarray(i, i + 1)) !== FrameFault.NONE || sink.frames.length !== expected) early.push(i);
    }
    t.strictSame(early, [], 'nothing before the last byte');
    t.equal(feed(1, frame.subarray(-1)), FrameFault.NONE);
    t.equal(sink.frames.length, ++expected);
    t.equal(sink.frames[expected - 1].hex, toHex(frame));
    t.equal(reader.partialCount, 0);
  }
  t.end();
});

t.test('pieces of every size up to 70 bytes give the same frames', (t) => {
  const stream = concat([...frames, longest, ...frames]);
  const expected = [...framesInHex, toHex(longest), ...framesInHex].join();
  const wrong: number[] = [];
  for (let size = 1; size <= 70; size++) {
    const { sink, feed } = bind(new Harness());
    for (let at = 0; at < stream.length; at += size) feed(1, stream.subarray(at, at + size));
    if (sink.hexOf(1).join() !== expected) wrong.push(size);
  }
  t.strictSame(wrong, []);
  t.end();
});

t.test('several frames in one chunk are handed over in their order, with what is behind them kept', (t) => {
  const { sink, reader, feed } = bind(new Harness());
  const stream = concat(frames);
  const next = frames[0];
  t.equal(feed(1, concat([stream, next.subarray(0, 5)])), FrameFault.NONE);
  t.strictSame(sink.hexOf(1), framesInHex);
  t.equal(reader.partialCount, 1);
  t.equal(feed(1, concat([next.subarray(5), stream])), FrameFault.NONE);
  t.strictSame(sink.hexOf(1), [...framesInHex, toHex(next), ...framesInHex]);
  t.equal(reader.partialCount, 0);
  t.end();
});

t.test('an empty chunk changes nothing, whether a frame waits or not', (t) => {
  const { sink, reader, feed } = bind(new Harness());
  const none = new Uint8Array(0);
  t.equal(feed(1, none), FrameFault.NONE);
  t.equal(reader.partialCount, 0);
  feed(1, frames[0].subarray(0, 3));
  t.equal(feed(1, none), FrameFault.NONE);
  feed(1, frames[0].subarray(3, 9));
  t.equal(feed(1, none), FrameFault.NONE);
  feed(1, frames[0].subarray(9));
  t.strictSame(sink.hexOf(1), [toHex(frames[0])]);
  t.end();
});

t.test('the frames of many connections, cut and interleaved, do not mix', (t) => {
  const { sink, reader, feed } = bind(new Harness());
  const connections = 50;
  // Each connection sends all frames, beginning with another one, in pieces of its own size.
  const streams = Array.from({ length: connections }, (_, c) =>
    concat([...frames.slice(c % frames.length), ...frames.slice(0, c % frames.length)]),
  );
  const sent = new Array<number>(connections).fill(0);
  let mostWaiting = 0;
  for (let left = connections; left > 0; ) {
    for (let c = 0; c < connections; c++) {
      if (sent[c] === streams[c].length) continue;
      const end = Math.min(sent[c] + 1 + (c % 23), streams[c].length);
      feed(c, streams[c].subarray(sent[c], end));
      sent[c] = end;
      if (end === streams[c].length) left--;
      mostWaiting = Math.max(mostWaiting, reader.partialCount);
    }
  }
  for (let c = 0; c < connections; c++) {
    const first = c % frames.length;
    t.strictSame(sink.hexOf(c), [...framesInHex.slice(first), ...framesInHex.slice(0, first)], `connection ${c}`);
  }
  t.ok(mostWaiting > connections / 2, `${mostWaiting} frames waited at once`);
  t.equal(reader.partialCount, 0);
  t.end();
});

t.test('a refused header is refused with its fourth byte, not before, and what came first is handed over', (t) => {
  for (const { name, bytes, fault } of badHeaders) {
    const expected = FrameFault[fault as keyof typeof FrameFault];
    for (const before of [[], frames.slice(0, 1), frames]) {
      const good = concat(before);
      const { sink, feed } = bind(new Harness());
      if (good.length > 0) feed(1, good);
      t.equal(feed(1, bytes.subarray(0, 3)), FrameFault.NONE, `${name}: three bytes prove nothing`);
      t.equal(feed(1, bytes.subarray(3, 4)), expected, `${name}: the fourth byte`);
      t.strictSame(sink.hexOf(1), before.map(toHex));
    }
  }
  t.end();
});

t.test('a refused header is found wherever the stream before it and in it is cut', (t) => {
  const wrong: string[] = [];
  let cuts = 0;
  for (const { name, bytes, fault } of badHeaders) {
    const good = concat(frames.slice(0, 3));
    const stream = concat([good, bytes]);
    const proof = good.length + 4;
    for (let cut = 0; cut <= stream.length; cut++) {
      cuts++;
      const { sink, feed } = bind(new Harness());
      const faults = [feed(1, stream.subarray(0, cut))];
      if (faults[0] === FrameFault.NONE) faults.push(feed(1, stream.subarray(cut)));
      const expected = FrameFault[fault as keyof typeof FrameFault];
      const found = faults.at(-1) === expected && (faults.length === 1) === cut >= proof;
      if (!found || sink.hexOf(1).join() !== framesInHex.slice(0, 3).join()) wrong.push(`${name} at ${cut}`);
    }
  }
  t.strictSame(wrong, []);
  t.ok(cuts > 1000, `${cuts} cuts`);
  t.end();
});

t.test('a refused header of one connection does not harm the others', (t) => {
  const { sink, reader, feed } = bind(new Harness());
  feed(1, frames[0].subarray(0, 6));
  feed(2, frames[1].subarray(0, 2));
  t.equal(feed(3, badHeaders[0].bytes), FrameFault.WRONG_LENGTH);
  feed(2, frames[1].subarray(2, 3));
  t.equal(feed(2, fromHex('ff')), FrameFault.UNKNOWN_OPCODE, 'found while a frame is being completed');
  reader.forget(2);
  reader.forget(3);
  t.equal(feed(1, frames[0].subarray(6)), FrameFault.NONE);
  t.strictSame(sink.frames, [{ connection: 1, opcode: Opcode.LOGIN, hex: toHex(frames[0]) }]);
  t.equal(reader.partialCount, 0);
  t.end();
});

t.test('an extended frame of 16,384 bytes passes and one of 16,385 does not', (t) => {
  const { sink, feed } = bind(new Harness());
  t.equal(feed(1, longest), FrameFault.NONE);
  t.strictSame(sink.hexOf(1), [toHex(longest)]);
  t.equal(feed(2, extendedFrame(16_385)), FrameFault.OVERSIZE);
  t.equal(feed(3, extendedFrame(65_535).subarray(0, 4)), FrameFault.OVERSIZE, 'from its first 4 bytes');
  t.strictSame(sink.frames.length, 1);
  t.end();
});

t.test('a sink that returns false ends the reading of the chunk, and nothing of it is kept', (t) => {
  const stream = concat([...frames, frames[0].subarray(0, 9)]);
  for (let stopAt = 1; stopAt <= frames.length; stopAt++) {
    const { sink, reader, feed } = bind(new Harness());
    sink.stopAt = stopAt;
    t.equal(feed(1, stream), FrameFault.NONE);
    t.strictSame(sink.hexOf(1), framesInHex.slice(0, stopAt), `${stopAt} frames`);
    t.equal(reader.partialCount, 0);
  }
  t.end();
});

t.test('a sink that returns false for a frame that was kept ends the reading too', (t) => {
  const stream = concat([...frames, frames[0].subarray(0, 9)]);
  for (const cut of [1, 3, 4, 11, 15]) {
    const { sink, reader, feed } = bind(new Harness());
    sink.stopAt = 1;
    feed(1, stream.subarray(0, cut));
    t.equal(feed(1, stream.subarray(cut)), FrameFault.NONE);
    t.strictSame(sink.hexOf(1), framesInHex.slice(0, 1), `cut at ${cut}`);
    t.equal(reader.partialCount, 0);
  }
  t.end();
});

t.test('a refused header behind the frame at which the sink stopped is not looked at', (t) => {
  const { sink, feed } = bind(new Harness());
  sink.stopAt = 1;
  t.equal(feed(1, concat([frames[0], badHeaders[0].bytes])), FrameFault.NONE);
  t.equal(sink.frames.length, 1);
  t.end();
});

t.test('findStale names the connections whose incomplete frame began before the tick', (t) => {
  const { reader, feed } = bind(new Harness());
  for (let c = 1; c <= 5; c++) {
    reader.tick = 10 * c;
    feed(c, frames[0].subarray(0, c));
  }
  t.strictSame(reader.findStale(10), []);
  t.strictSame(reader.findStale(11), [1]);
  t.strictSame(reader.findStale(31), [1, 2, 3]);
  t.strictSame(reader.findStale(1000), [1, 2, 3, 4, 5]);
  t.end();
});

t.test('bytes that trickle in do not make an incomplete frame younger, and a new frame has its own age', (t) => {
  const { reader, feed } = bind(new Harness());
  reader.tick = 1;
  feed(1, longest.subarray(0, 1));
  for (let i = 1; i < 500; i++) {
    reader.tick = 1 + i;
    feed(1, longest.subarray(i, i + 1));
  }
  t.strictSame(reader.findStale(2), [1], 'still as old as its first byte');
  reader.tick = 600;
  feed(1, concat([longest.subarray(500), frames[0].subarray(0, 2)]));
  t.strictSame(reader.findStale(600), [], 'the next frame began just now');
  t.strictSame(reader.findStale(601), [1]);
  reader.tick = 700;
  feed(1, frames[0].subarray(2));
  t.strictSame(reader.findStale(1000), [], 'a whole frame is never stale');
  t.end();
});

t.test('forget drops what a connection left, so that the next user of its number starts clean', (t) => {
  const { sink, reader, feed } = bind(new Harness());
  for (const cut of [1, 3, 4, 12, 15]) {
    feed(1, frames[0].subarray(0, cut));
    feed(2, frames[0].subarray(0, cut));
    reader.forget(1);
    t.equal(reader.partialCount, 1, 'the other connection is left alone');
    t.equal(feed(1, frames[1]), FrameFault.NONE);
    t.equal(feed(2, frames[0].subarray(cut)), FrameFault.NONE);
  }
  reader.forget(1);
  reader.forget(99);
  t.strictSame(sink.hexOf(1), new Array(5).fill(toHex(frames[1])));
  t.strictSame(sink.hexOf(2), new Array(5).fill(toHex(frames[0])));
  t.equal(reader.partialCount, 0);
  t.end();
});

t.test('a peer that announces 16 KiB and sends a few bytes costs little memory', async (t) => {
  const connections = 20_000;
  const { reader, feed } = bind(new Harness());
  const before = await measureUsedBytes();
  for (let c = 0; c < connections; c++) feed(c, longest.subarray(0, 1 + (c % 32)));
  const each = ((await measureUsedBytes()) - before) / connections;
  t.equal(reader.partialCount, connections);
  t.ok(
    each > 32 && each < 512,
    `about ${Math.round(each)} bytes for each of ${connections} connections, of 16,384 announced`,
  );
});

t.test('the buffer of a kept frame grows with what arrives, and never beyond the frame', (t) => {
  for (const length of [65, 100, 1000, 5000, 16_384]) {
    for (const piece of [1, 50, 63, 64, 999, 4096]) {
      const { sink, feed } = bind(new Harness());
      const frame = extendedFrame(length);
      for (let at = 0; at < length; at += piece) feed(1, frame.subarray(at, at + piece));
      t.strictSame(sink.hexOf(1), [toHex(frame)]);
      if (piece < length) t.equal(sink.lastBytes.buffer.byteLength, length, `${length} bytes in pieces of ${piece}`);
    }
  }
  t.end();
});

/** Bytes of what is still referred to: collects garbage until two looks agree, since buffers are freed in the background. */
async function measureUsedBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let used = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20; round++) {
    collect();
    await setTimeout(20);
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    if (Math.abs(heapUsed + arrayBuffers - used) < 64 * 1024) break;
    used = heapUsed + arrayBuffers;
  }
  return used;
}

/** The parts of a harness, with `feed` ready to be called on its own. */
function bind(harness: Harness) {
  return { sink: harness.sink, reader: harness.reader, feed: harness.feed.bind(harness) };
}
