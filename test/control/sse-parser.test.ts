// Tries the parser of event streams: cut anywhere, and with an event that never ends.

import t from 'tap';
import { type SseEvent, SseParser } from '../../lib/control/page/sse-parser.ts';

const STREAM =
  '\ufeffdata: first\n\n' +
  ': a comment\nevent: named\r\ndata: 恭喜\r\ndata:发财 🧧\r\n\r\n' +
  'event: without data\n\n' +
  'id: 7\nretry: 10\nunknown: x\ndata\n\n' +
  'data:  two spaces: and a colon\r\rdata: a\ndata:\ndata: b\n\n\n' +
  'data: cut off';

const EVENTS: SseEvent[] = [
  { name: 'message', data: 'first' },
  { name: 'named', data: '恭喜\n发财 🧧' },
  { name: 'message', data: '' },
  { name: 'message', data: ' two spaces: and a colon' },
  { name: 'message', data: 'a\n\nb' },
];

t.test('events come out of the stream whole, wherever it is cut', (t) => {
  const bytes = Buffer.from(STREAM);
  const parse = (...pieces: Uint8Array[]) => {
    const parser = new SseParser();
    return pieces.flatMap((piece) => parser.push(piece));
  };
  t.strictSame(parse(bytes), EVENTS);
  for (let at = 0; at <= bytes.length; at++) {
    const events = parse(bytes.subarray(0, at), bytes.subarray(at));
    if (JSON.stringify(events) !== JSON.stringify(EVENTS)) t.strictSame(events, EVENTS, `cut at ${at}`);
  }
  t.strictSame(parse(...[...bytes].map((byte) => Uint8Array.of(byte))), EVENTS, 'byte by byte');
  t.end();
});

t.test('an event that never ends is refused, and many small ones are not', (t) => {
  const parser = new SseParser(100);
  for (let i = 0; i < 50; i++) t.equal(parser.push(Buffer.from(`: comment\ndata: ${i}\n\n`)).length, 1);
  for (let i = 0; i < 50; i++) t.equal(parser.push(Buffer.from(': nothing else for long\n')).length, 0);
  t.throws(() => {
    for (let i = 0; i < 30; i++) parser.push(Buffer.from('data: x\n'));
  }, /too long/);
  t.end();
});
