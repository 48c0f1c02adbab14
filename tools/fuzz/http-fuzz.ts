// Wrong requests to the control API: paths, methods, headers, bodies, samples, and bytes that are no HTTP at all.
//
// Whatever comes, the answer is below 500, or 503 with a reason, and has a code and a sentence where it says no.

import { connect } from 'node:net';
import { deflateSync } from 'node:zlib';
import { encodeLatency } from '../../lib/monitor/latency-coding.ts';
import { buildMicroseconds } from '../../lib/monitor/microseconds.ts';
import { FuzzRandom } from './fuzz-random.ts';
import { PATIENCE_MS } from './limits.ts';

/** A request as bytes. */
export interface HttpScript {
  index: number;
  bytes: Buffer;
  /** Breaks off without waiting for the answer. */
  leaves: boolean;
  /** Not a whole request: the end has to say that no more comes. */
  isCut: boolean;
}

/** How long an answer may be late before the end says that no more comes: some headers promise more than there is. */
const QUIET_MS = 1500;

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'];

const PATHS = [
  '/healthz',
  '/status',
  '/metrics',
  '/connections/by-address',
  '/drops',
  '/drops/1',
  '/drops/1/pause',
  '/drops/1/resume',
  '/drops/9/close',
  '/sends',
  '/sends/1',
  '/sends/1/close',
  '/packets/1048576',
  '/packets/1048576/records',
  '/users/2000000',
  '/users/2000000/topup',
  '/users/2000000/withdraw',
  '/ledger',
  '/samples',
  '/sources',
  '/clients/qps',
  '/',
];

const ODD_PARTS = [
  '%00',
  '%',
  '..',
  '..%2f..%2fetc%2fpasswd',
  '-1',
  '4294967296',
  '99999999999',
  'NaN',
  '1e3',
  '__proto__',
  '',
  '%ff',
  '?limit=0',
  '?limit=x&before=-1',
  '?seconds=99999',
  '?a=b&a=c',
  '//',
  'x'.repeat(2000),
];

const ODD_JSON = [
  'null',
  'true',
  '0',
  '-0',
  '1e400',
  '-1',
  '0.5',
  '9007199254740993',
  '2147483648',
  '""',
  '"x"',
  '"\\ud800"',
  '[]',
  '{}',
  '[[[[[[]]]]]]',
  '{"__proto__":{"a":1}}',
  '{"constructor":{"prototype":{}}}',
  '"\\u0000"',
];

const FIELDS: Record<string, [string, string][]> = {
  '/drops': [
    ['count', '3'],
    ['rate', '100'],
    ['budget', '300'],
    ['min', '1'],
    ['max', '200'],
    ['winsPerUser', '1'],
  ],
  '/sends': [
    ['count', '2'],
    ['rate', '100'],
    ['shares', '2'],
    ['total', '[10,20]'],
    ['users', '[2000000,2000009]'],
    ['mode', '"line"'],
    ['expiresInSeconds', '1'],
  ],
  '/users/2000000/topup': [
    ['cents', '5'],
    ['key', '"k"'],
  ],
  '/users/2000000/withdraw': [
    ['cents', '5'],
    ['key', '"w"'],
  ],
};

const HEADERS = [
  'content-type: application/json',
  'content-type: text/plain',
  'content-type: application/json; charset=utf-16',
  'content-type: multipart/form-data',
  'origin: http://evil.example',
  'host: evil.example',
  'accept-encoding: gzip',
  'expect: 100-continue',
  'x-forwarded-for: 1.2.3.4',
  'transfer-encoding: chunked',
  'content-length: 5',
  'content-length: -1',
  'upgrade: websocket',
  `x-long: ${'y'.repeat(9000)}`,
  'bad header',
  'x: \u0001',
];

const HISTOGRAM = encodeHistogram();

function encodeHistogram(): string {
  const histogram = buildMicroseconds();
  for (let us = 1; us < 100_000; us += 997) histogram.recordValue(us);
  return encodeLatency(histogram);
}

/** Draws request number `index`. */
export function drawHttp(seed: number, index: number): HttpScript {
  const random = new FuzzRandom(seed, `http ${index}`);
  const leaves = random.oneIn(30);
  if (random.oneIn(10)) return { index, bytes: random.bytes(random.between(1, 400)), leaves, isCut: true };
  let path = random.pick(PATHS);
  let method =
    path === '/samples'
      ? 'POST'
      : random.oneIn(4)
        ? random.pick(METHODS)
        : Object.hasOwn(FIELDS, path)
          ? 'POST'
          : 'GET';
  let body = '';
  if (random.oneIn(4)) path = '/samples';
  if (random.oneIn(12)) [path, method] = ['/live', 'GET'];
  if (path === '/samples' && !random.oneIn(5)) {
    method = 'POST';
    body = drawSamples(random);
  } else if (method !== 'GET' && method !== 'HEAD') {
    body = drawJson(random, path);
  }
  if (random.oneIn(5))
    path = random.oneIn(2) ? `${path}/${random.pick(ODD_PARTS)}` : `${path}${random.pick(ODD_PARTS)}`;
  // (Samples name no port of a load client: the fuzzer must not reach other programs through the server.)
  const lines = [`${method} ${path} HTTP/1.1`, 'host: 127.0.0.1', 'connection: close'];
  if (body !== '') lines.push('content-type: application/json', `content-length: ${Buffer.byteLength(body)}`);
  for (let i = random.pick([0, 0, 0, 1, 2]); i > 0; i--) {
    const header = random.pick(HEADERS);
    const at = random.oneIn(2) ? lines.findIndex((line) => line.split(':')[0] === header.split(':')[0]) : -1;
    if (at > 0) lines[at] = header;
    else lines.push(header);
  }
  let bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'utf8');
  const isCut = random.oneIn(12);
  if (isCut) bytes = bytes.subarray(0, random.between(1, bytes.length));
  return { index, bytes, leaves, isCut };
}

function drawJson(random: FuzzRandom, path: string): string {
  if (random.oneIn(40)) return `{"key":"${'z'.repeat(70_000)}"}`;
  if (random.oneIn(10)) return random.pick(ODD_JSON);
  const fields = FIELDS[path] ?? [['a', '1']];
  const parts = fields
    .filter(() => !random.oneIn(8))
    .map(([name, value]) => `"${name}":${random.oneIn(6) ? random.pick(ODD_JSON) : value}`);
  if (random.oneIn(10)) parts.push(`"more":${random.pick(ODD_JSON)}`, '"count":7');
  const json = `{${parts.join(',')}}`;
  return random.oneIn(8) ? flip(random, json) : json;
}

function flip(random: FuzzRandom, json: string): string {
  const at = random.between(0, json.length - 1);
  return `${json.slice(0, at)}${String.fromCharCode(random.between(32, 126))}${json.slice(at + 1)}`;
}

/** One or more samples, most of them with something wrong. */
function drawSamples(random: FuzzRandom): string {
  const count = random.pick([1, 1, 1, 2, 20]);
  const samples = Array.from({ length: count }, () => drawSample(random));
  return count === 1 && random.oneIn(2) ? samples[0] : `[${samples.join(',')}]`;
}

function drawSample(random: FuzzRandom): string {
  const now = Math.floor(Date.now() / 1000);
  const fields: Record<string, string> = {
    source: `"fuzz-${random.between(0, 5)}"`,
    run: '"a"',
    role: random.oneIn(2) ? '"client"' : '"server"',
    sequence: `${random.between(0, 1e9)}`,
    second: `${now - random.pick([0, 0, 1, 60, 1000, -3, -100])}`,
    seconds: '1',
    counts: `{"sent":${random.between(0, 1000)},"constructor":1}`,
    gauges: '{"qps":5}',
    latency: `{"shake":"${drawHistogram(random)}"}`,
  };
  for (const name of Object.keys(fields)) {
    if (random.oneIn(14)) fields[name] = random.pick(ODD_JSON);
    if (random.oneIn(40)) delete fields[name];
  }
  const json = `{${Object.entries(fields)
    .map(([name, value]) => `"${name}":${value}`)
    .join(',')}}`;
  return random.oneIn(20) ? flip(random, json) : json;
}

/** A histogram in base64: right, damaged, or made to cost all memory or all time. */
function drawHistogram(random: FuzzRandom): string {
  const bytes = Buffer.from(HISTOGRAM, 'base64');
  switch (random.between(0, 6)) {
    case 0:
      return HISTOGRAM;
    case 1:
      bytes[random.between(0, bytes.length - 1)] ^= 1 << random.between(0, 7);
      return bytes.toString('base64');
    case 2:
      return bytes.subarray(0, random.between(0, bytes.length)).toString('base64');
    case 3:
      return wrap(Buffer.alloc(random.pick([10, 40, 5_000_000])));
    case 4:
      return wrap(drawPayload(random));
    case 5:
      return random.bytes(random.between(0, 200)).toString('base64');
    default:
      return 'not base64 %%%';
  }
}

/** Deflated and with the header that a histogram has. */
function wrap(inner: Buffer): string {
  const deflated = deflateSync(inner);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(0x1c849314, 0);
  head.writeUInt32BE(deflated.length, 4);
  return Buffer.concat([head, deflated]).toString('base64');
}

function drawPayload(random: FuzzRandom): Buffer {
  const payload = random.oneIn(2)
    ? Buffer.alloc(random.between(1, 4000), random.pick([0x80, 0xff, 0x01, 0x02]))
    : random.bytes(random.between(1, 200));
  const head = Buffer.alloc(40);
  head.writeUInt32BE(0x1c849313, 0);
  head.writeUInt32BE(random.oneIn(5) ? random.between(0, 2 ** 32 - 1) : payload.length, 4);
  head.writeUInt32BE(random.oneIn(5) ? random.between(0, 9) : 3, 12);
  head.writeUInt32BE(1, 20);
  head.writeUInt32BE(60_000_000, 28);
  return Buffer.concat([head, payload]);
}

/** Sends a request; says what is wrong with the answer. */
export async function playHttp(controlUrl: string, { bytes, leaves, isCut }: HttpScript): Promise<string | undefined> {
  const { hostname, port } = new URL(controlUrl);
  const isLive = bytes.includes('/live');
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: hostname, port: Number(port) });
    let quiet: NodeJS.Timeout | undefined;
    const finish = (wrong?: string) => {
      clearTimeout(timer);
      clearTimeout(quiet);
      socket.destroy();
      resolve(wrong);
    };
    const timer = setTimeout(() => finish(`no answer within ${PATIENCE_MS} ms`), PATIENCE_MS);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') finish('the control API is gone');
    });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      // A stream has no end.
      if (isLive && Buffer.concat(chunks).includes('text/event-stream')) finish();
    });
    socket.on('close', () => finish(judgeAnswer(Buffer.concat(chunks).toString('latin1'))));
    socket.on('connect', () => {
      if (leaves) socket.write(bytes, () => finish());
      else if (isCut) socket.end(bytes);
      else socket.write(bytes);
      quiet = setTimeout(() => socket.end(), QUIET_MS);
    });
  });
}

/** An answer to a request that was cut off, or that is no HTTP, may be none. */
function judgeAnswer(answer: string): string | undefined {
  if (answer === '') return undefined;
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
  if (Number.isNaN(status)) return `no HTTP: ${answer.slice(0, 80)}`;
  if (status === 503 && answer.includes('"code":"busy"')) return undefined;
  if (status >= 500) return `answered ${answer.slice(0, 300)}`;
  // An answer to HEAD has no body.
  const isJson = /content-type: application\/json/i.test(answer) && !answer.endsWith('\r\n\r\n');
  if (status >= 400 && isJson && !/"(code|error)":"/.test(answer))
    return `says no without a reason: ${answer.slice(-200)}`;
  return undefined;
}
