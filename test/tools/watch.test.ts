// Tries `hongbao watch`: the parser of the stream, lines against a server that is cut and sends late samples, and frames.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import t, { type Test } from 'tap';
import yargs from 'yargs';
import type { LatencySummary } from '../../lib/monitor/latency-log.ts';
import type { LiveSecond, LiveState } from '../../lib/monitor/live.ts';
import { watchCommand } from '../../tools/commands/watch.ts';
import { formatBlocks } from '../../tools/watch/charts.ts';
import { followLive, type LiveEvent } from '../../tools/watch/follow-live.ts';
import { buildFrame } from '../../tools/watch/frame.ts';
import { RipeSeconds } from '../../tools/watch/ripe-seconds.ts';
import { Screen } from '../../tools/watch/screen.ts';
import { type SseEvent, SseParser } from '../../tools/watch/sse-parser.ts';
import { cleanText, cutText, renderLine, widthOf } from '../../tools/watch/styled-text.ts';
import { WatchLines } from '../../tools/watch/watch-lines.ts';
import { WatchState } from '../../tools/watch/watch-state.ts';
import { collect } from '../server-process.ts';

const NOON = 1_800_000_000;

const HELLO = { program: 'hongbao 9.9.9', server: 'server-1' };

function makeLatency(p50Us: number): Record<string, LatencySummary & { heat: { first: number; counts: number[] } }> {
  const summary = { count: 500, meanUs: p50Us, p50Us, p90Us: p50Us * 2, p99Us: p50Us * 4, p999Us: p50Us * 8 };
  return { shake: { ...summary, maxUs: p50Us * 16, heat: { first: 3, counts: [500] } } };
}

/** A second as a server reports it. @param sent shakes of a client, if one has reported too */
function makeSecond(second: number, shakes: number, sent?: number): LiveSecond {
  const made: LiveSecond = {
    second,
    server: {
      sources: 1,
      rates: {
        requestsShake: shakes,
        requestsGrab: 6,
        shakesWon: 2,
        shakesNone: shakes - 5,
        shakesOverload: 3,
        packetsReleased: 4,
        ringWaitUs: 1000,
        ringBatches: 10,
        journalSyncUs: 5000,
        journalSyncs: 2,
        cpuUs: 250_000,
      },
      gauges: { connections: 1234, level: 1, ringWaitMaxUs: 777, differenceCents: 0 },
      latency: makeLatency(100),
    },
  };
  if (sent !== undefined) {
    const rates = { sent, answered: sent - 1, won: 2, overload: 3, grabsSent: 6, grabsAnswered: 6 };
    made.client = { sources: 1, rates, gauges: { connected: 1200 }, latency: makeLatency(200) };
  }
  return made;
}

function makeLive(changes: Partial<LiveState> = {}): LiveState {
  const source = { source: 'server-1', role: 'server', state: 'here', lastSecond: NOON, lost: 0 } as const;
  return {
    nowMs: NOON * 1000,
    sources: [source, { ...source, source: 'client-1', role: 'client', qps: 30_000 }],
    refused: {},
    money: { funded: 500_000, claimed: 300_000, refunded: 50_000, outstanding: 150_000, difference: 0 },
    drops: [],
    sends: [],
    ...changes,
  };
}

function makeDrop(id: number) {
  const counts = { count: 1000, rate: 100, released: 450, claimed: 440 };
  return {
    id,
    ...counts,
    totalCents: 500_000,
    claimedCents: 123_400,
    refundedCents: 0,
    state: 'releasing',
    isPaused: false,
  };
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

type Answer = (response: ServerResponse, url: string) => void;

/** A server whose answers to one connection after the other are given; the last one is given again and again. */
async function startLive(t: Test, ...answers: Answer[]): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)];
    asked.push(request.url!);
    answer(response, request.url!);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function startStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
  response.write(event('hello', HELLO));
}

/** Runs the command in this process. */
async function run(t: Test, ...args: string[]): Promise<{ stdout: string; stderr: string; error: string | undefined }> {
  const out = t.capture(process.stdout, 'write', () => true);
  const err = t.capture(process.stderr, 'write', () => true);
  let error: string | undefined;
  await yargs(['watch', ...args])
    .command(watchCommand)
    .strict()
    .fail(false)
    .parseAsync()
    .catch((caught: Error) => {
      error = caught.message;
    });
  const [stdout, stderr] = [out, err].map((captured) => captured().map(({ args: [text] }) => text));
  out.restore();
  err.restore();
  return { stdout: stdout.join(''), stderr: stderr.join(''), error };
}

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

t.test('a second is given away once: when a later one has come, or after a second and a half', (t) => {
  const seconds = new RipeSeconds();
  seconds.add([makeSecond(NOON, 100)], 0);
  t.same(seconds.take(1499), []);
  seconds.add([makeSecond(NOON, 100, 90)], 1499);
  t.strictSame(seconds.take(1500), [makeSecond(NOON, 100, 90)], 'with the late sample');
  seconds.add([makeSecond(NOON, 100, 95)], 1600);
  t.same(seconds.take(9999), [], 'not again');
  seconds.add([makeSecond(NOON + 3, 3), makeSecond(NOON + 1, 1), makeSecond(NOON + 2, 2)], 10_000);
  t.strictSame(
    seconds.take(10_000).map(({ second }) => second - NOON),
    [1, 2],
    'in order, without the newest',
  );
  t.end();
});

t.test('lines have a heading every twenty lines, and columns that stay where they are', (t) => {
  const lines: string[] = [];
  let ends = 0;
  const output = { print: (line: string) => lines.push(line), say: () => {} };
  const watch = new WatchLines(
    output,
    45,
    () => ends++,
    () => 0,
  );
  watch.take({ kind: 'hello', hello: HELLO });
  for (let i = 0; i < 60; i++) {
    watch.take({ kind: 'seconds', seconds: [makeSecond(NOON + i, 10 ** (i % 7) + 5, i < 30 ? i * 1000 : undefined)] });
  }
  t.equal(ends, 1);
  t.strictSame(
    lines.flatMap((line, i) => (line.startsWith('time') ? [i] : [])),
    [0, 21, 42],
  );
  t.equal(lines.length, 45 + 3);
  t.equal(new Set(lines.map((line) => line.length)).size, 1, 'all equally long');
  const cells = (line: string) => line.trim().split(/ {2,}/);
  t.equal(cells(lines[0]).length, 16);
  t.strictSame(
    cells(lines[2]).slice(1),
    '1,234 1,000 999 15 2 4 3 6 0.200 0.800 1.600 0.777 1 2.500 0'.split(' '),
    'the latency of the client',
  );
  const alone = cells(lines[36]);
  t.strictSame(alone.slice(2, 4), ['-', '-'], 'no client');
  t.strictSame(alone.slice(9, 12), ['0.100', '0.400', '0.800'], 'the latency of the server');
  t.match(alone[0], /^\d\d:\d\d:\d\d$/);
  t.end();
});

t.test('watching goes on after a cut, says so, prints no second twice, and waits for late samples', async (t) => {
  const live = await startLive(
    t,
    (response) => {
      startStream(response);
      response.write(event('seconds', [makeSecond(NOON, 100, 99)]));
      response.write(event('seconds', [makeSecond(NOON + 1, 200)]));
      response.write(event('seconds', [makeSecond(NOON + 1, 200, 199)]));
      response.write(event('news of a later version', 'not JSON for us'));
      response.write(event('state', makeLive()));
      response.end(event('seconds', [makeSecond(NOON + 2, 300)]).slice(0, 40));
    },
    (response) => {
      response.writeHead(503, { 'content-type': 'application/json' });
      response.end('{"message": "not yet"}');
    },
    (response) => {
      startStream(response);
      const all = [0, 1, 2, 3].map((i) => makeSecond(NOON + i, 100 * (i + 1), 100 * (i + 1) - 1));
      response.write(event('seconds', all));
    },
  );
  const { stdout, stderr, error } = await run(t, '--control', live.url, '--count', '4');
  t.equal(error, undefined);
  const rows = stdout.trim().split('\n').slice(1);
  t.strictSame(
    rows.map((row) => row.trim().split(/ +/).slice(2, 5)),
    [
      ['99', '98', '100'],
      ['199', '198', '200'],
      ['299', '298', '300'],
      ['399', '398', '400'],
    ],
  );
  t.equal(stderr, 'hongbao: cut: the stream has ended; trying to connect again\nhongbao: connected again\n');
  t.equal(live.asked[0], '/live?seconds=2');
  t.match(live.asked[2], /^\/live\?seconds=[4-9]$/, 'and what was missed');
  t.equal(live.asked.length, 3);
});

t.test('a server that cannot be watched at the start is a mistake in one line', async (t) => {
  const refusing = await startLive(t, (response) => {
    response.writeHead(503, { 'content-type': 'application/json' });
    response.end('{"code": "busy", "message": "32 viewers are there already"}');
  });
  const other = await startLive(t, (response) => response.end('<html>'));
  const old = await startLive(t, (response) => response.writeHead(404).end());
  const mistakes: [string[], RegExp][] = [
    [['--control', 'http://127.0.0.1:1'], /^cannot watch http:\/\/127\.0\.0\.1:1: .+$/],
    [['--control', 'nowhere'], /^cannot watch nowhere: Invalid URL$/],
    [['--control', refusing.url], /: 32 viewers are there already$/],
    [['--control', other.url], /: what answers there has no live view$/],
    [['--control', old.url], /: it answers 404$/],
    [['--count', '0'], /--count must be a whole number from 1/],
  ];
  for (const [args, message] of mistakes) {
    const { stdout, stderr, error } = await run(t, ...args);
    t.match(error, message);
    t.equal(stdout + stderr, '');
  }
});

t.test('what is no JSON is a cut, and a fault of the viewer is thrown on', async (t) => {
  const live = await startLive(t, (response) => {
    startStream(response);
    response.write('event: state\ndata: {\n\n');
  });
  const stop = new AbortController();
  const events: LiveEvent[] = [];
  const take = (event: LiveEvent) => {
    events.push(event);
    if (event.kind === 'cut') stop.abort();
  };
  await followLive({ url: live.url, token: '' }, { secondsWanted: () => 5, take }, stop.signal);
  t.match(events, [{ kind: 'hello' }, { kind: 'cut', reason: /JSON/ }]);
  const failing = () => {
    throw new Error('a fault');
  };
  await t.rejects(
    followLive({ url: live.url, token: '' }, { secondsWanted: () => 5, take: failing }, new AbortController().signal),
    {
      message: 'a fault',
    },
  );
});

t.test('Ctrl-C ends it with exit code 0, and so does a reader that has read enough', async (t) => {
  const live = await startLive(t, (response) => {
    startStream(response);
    let second = NOON;
    const timer = setInterval(() => response.write(event('seconds', [makeSecond(second++, 100)])), 20);
    response.on('close', () => clearInterval(timer));
  });
  const start = () => {
    const code =
      "import yargs from 'yargs'; import { watchCommand } from './tools/commands/watch.ts';" +
      "await yargs(process.argv.slice(1)).command(watchCommand).parseAsync(); process.stderr.write('ended');";
    const args = ['--input-type=module', '-e', code, '--', 'watch', '--control', live.url];
    const cwd = fileURLToPath(new URL('../..', import.meta.url));
    return spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  };
  const child = start();
  const ended = collect(child);
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  t.match(await ended, { code: 0, stdout: /^time/, stderr: 'ended' });

  const piped = start();
  const pipedEnd = collect(piped);
  await once(piped.stdout, 'data');
  piped.stdout.destroy();
  t.match(await pipedEnd, { code: 0, stderr: 'ended' });
});

const VIEWS: [string, (state: WatchState) => void][] = [
  ['nothing yet', () => {}],
  [
    'a quiet server',
    (state) => {
      state.take({ kind: 'seconds', seconds: [{ second: NOON }] });
      state.take({ kind: 'state', state: { nowMs: 0, sources: [], refused: {} } });
    },
  ],
  ['a busy minute', (state) => fillMinute(state)],
  [
    'everything at its largest',
    (state) => {
      fillMinute(state);
      const money = { funded: 9e15, claimed: -9e15, refunded: 9e15, outstanding: 9e15, difference: -9e15 };
      const drops = Array.from({ length: 50 }, (_, i) => ({ ...makeDrop(4e9 + i), count: 9e9, isPaused: true }));
      const source = { source: '红包'.repeat(32), role: 'client', lastSecond: NOON, lost: 9e9, qps: 9e9 } as const;
      const sources = Array.from({ length: 40 }, () => ({ ...source, state: 'missing' as const }));
      const lastRefusal = `🧧\x1b[2J\u202e\r\n${'红'.repeat(300)}`;
      state.take({
        kind: 'state',
        state: makeLive({ money, drops, sends: drops, sources, lastRefusal, refused: { bad: 9e9 } }),
      });
      state.take({ kind: 'cut', reason: `${'长'.repeat(300)}` });
    },
  ],
];

function fillMinute(state: WatchState): void {
  const seconds = Array.from({ length: 70 }, (_, i) => makeSecond(NOON + i, 1000 * i + 5, 1000 * i));
  state.take({ kind: 'seconds', seconds });
  state.take({ kind: 'state', state: makeLive({ drops: [makeDrop(7), { ...makeDrop(6), state: 'closed' }] }) });
}

/** The state of a viewer that has just connected, and what has come since. */
function makeState(fill: (state: WatchState) => void): WatchState {
  const state = new WatchState('http://127.0.0.1:8989');
  state.take({ kind: 'hello', hello: HELLO });
  fill(state);
  return state;
}

t.test('a frame is never wider or higher than the terminal, and the same with colours', (t) => {
  const sizes = [
    [80, 24],
    [200, 60],
    [20, 5],
    [100, 30],
    [1, 1],
    [80, 10],
    [40, 100],
  ];
  for (const [name, fill] of VIEWS) {
    for (const [columns, rows] of sizes) {
      const state = makeState(fill);
      const frame = buildFrame(state, columns, rows, false);
      t.ok(frame.length <= rows, `${name} in ${columns}x${rows}: ${frame.length} lines`);
      const widest = Math.max(...frame.map(widthOf));
      t.ok(widest <= columns, `${name} in ${columns}x${rows}: ${widest} columns`);
      t.notMatch(frame.join(''), /\p{C}|NaN|undefined|Infinity|\[object/u);
      const colored = buildFrame(state, columns, rows, true).map(stripVTControlCharacters);
      t.strictSame(colored, frame);
    }
  }
  t.end();
});

t.test('80 by 24 show rates, charts, latency, money, drops, sources and refusals', (t) => {
  const text = buildFrame(makeState(fillMinute), 80, 24, false).join('\n');
  t.match(text, /^hongbao 9\.9\.9 {2}http:\/\/127\.0\.0\.1:8989 .*level 1 .*q quits$/m);
  t.match(text, /^client +68,006\/s [▁▂▃▄▅▆▇█]{60}$/m, 'the last whole second, and a minute');
  t.match(text, /^server +68,011\/s ▂.*█$/m);
  t.match(text, /^client +68,006 +67,999 +2 +- +3 +6 +1,200$/m);
  t.match(text, /^server +68,011 +68,005 +2 +4 +3 +6 +1,234$/m);
  t.match(text, /^client shake +500 +0\.200 +0\.400 +0\.800 +1\.600 +3\.200$/m);
  t.match(text, /^server grab( +-){6}$/m);
  t.match(text, /^ring wait 0\.10, worst 0\.78 ms {3}sync 2\.50 ms {3}CPU server 0\.25, client 0\.00$/m);
  t.match(text, /issued = claimed \+ refunded \+ outstanding {3}difference 0\.00$/m);
  t.match(text, /^5,000\.00 = 3,000\.00 \+ 500\.00 \+ 1,500\.00$/m);
  t.match(text, /^open drops 1, open sends 0/m, 'a closed one is not shown');
  t.match(text, /^drop 7 +releasing +\[####------\] {2}45% {2}450 of 1,000 {2}1,234\.00 of 5,000\.00$/m);
  t.match(text, /^sources 2 here$/m);
  t.match(text, /^samples refused none$/m);
  t.end();
});

t.test('more room shows more charts, and all drops, sends and sources', (t) => {
  const state = makeState(fillMinute);
  const drops = Array.from({ length: 9 }, (_, i) => makeDrop(i + 1));
  state.take({ kind: 'state', state: makeLive({ drops, sends: drops }) });
  const large = buildFrame(state, 200, 60, false).join('\n');
  for (let id = 1; id <= 9; id++) t.match(large, new RegExp(`^drop ${id} .*\n(.*\n)*send ${id} `, 'm'));
  t.match(large, /^sync +2\.500 ms █+$/m);
  t.match(large, /^client {2}client-1 +here +last \d\d:\d\d:\d\d {2}30,000 shakes a second asked$/m);
  const small = buildFrame(state, 80, 24, false).join('\n');
  t.match(small, /^drop 3 .*\nand 15 more$/m);
  t.match(small, /^sources 2 here$/m);
  t.end();
});

t.test('what is wrong is red: a difference, a source that is missing, a cut; without colours it is words', (t) => {
  const state = makeState((state) => {
    fillMinute(state);
    const money = { funded: 100, claimed: 90, refunded: 0, outstanding: 0, difference: 10 };
    const sources = [{ ...makeLive().sources[1], state: 'missing' as const }];
    state.take({ kind: 'state', state: makeLive({ money, sources, refused: { schema: 2 }, lastRefusal: 'no name' }) });
    state.take({ kind: 'cut', reason: 'connect ECONNREFUSED' });
  });
  const colored = buildFrame(state, 80, 24, true).join('\n');
  t.match(colored, '\x1b[31mdifference 0.10\x1b[0m');
  t.match(colored, '\x1b[31m1.00 = 0.90 + 0.00 + 0.00\x1b[0m');
  t.match(colored, '\x1b[31m, 1 missing: client-1 since ');
  t.match(colored, '\x1b[31mcut: connect ECONNREFUSED; trying to connect again');
  const plain = buildFrame(state, 80, 24, false).join('\n');
  t.match(plain, /^samples refused 2 schema; the last one: no name$/m);
  t.notMatch(plain, '\x1b');
  state.take({ kind: 'hello', hello: HELLO });
  t.notMatch(buildFrame(state, 80, 24, false).join('\n'), /cut:/);
  t.end();
});

t.test('blocks are as high as their values, and a second that is not there is a gap', (t) => {
  t.equal(formatBlocks([0, 1, 2, 3, 4, 5, 6, 7]), '▁▂▃▄▅▆▇█');
  t.equal(formatBlocks([undefined, 0, 0]), ' ▁▁');
  t.equal(formatBlocks([1, 1_000_000, undefined]), '▂█ ', 'anything above nothing can be seen');
  t.equal(formatBlocks([]), '');
  t.end();
});

t.test('wide characters take two columns, and others none', (t) => {
  const widths: [string, number][] = [
    ['plain', 5],
    ['红包', 4],
    ['🧧', 2],
    ['e\u0301', 1],
    ['한글', 4],
    ['ｆｕ', 4],
    ['▁█', 2],
    ['', 0],
  ];
  for (const [text, width] of widths) t.equal(widthOf(text), width, text);
  t.equal(cutText('a红包', 2), 'a', 'no half of a character');
  t.equal(cutText('a红包', 3), 'a红');
  t.equal(cutText('e\u0301x', 1), 'e\u0301');
  t.equal(cutText('abc', -1), '');
  t.equal(cleanText('a\x1b[2J\r\n\u202eb\u{f0000}'), 'a?[2J???b?');
  t.equal(
    renderLine([{ text: '红包', style: 'red' }, 'x'], 3, true),
    '\x1b[31m红\x1b[0m',
    'what is behind a cut is cut too',
  );
  t.end();
});

/** A terminal that keeps what is written to it. */
function makeTerminal() {
  const listeners = new Map<string, (keys: Buffer) => void>();
  const terminal = {
    written: '',
    isRaw: false,
    isTTY: true,
    columns: 80,
    rows: 24,
    write: (text: string) => {
      terminal.written += text;
    },
    setRawMode: (isRaw: boolean) => {
      terminal.isRaw = isRaw;
    },
    resume: () => {},
    pause: () => {},
    on: (name: string, listener: (keys: Buffer) => void) => listeners.set(name, listener),
    off: (name: string) => listeners.delete(name),
    emit: (name: string, keys = '') => listeners.get(name)?.(Buffer.from(keys)),
    listeners,
  };
  return terminal;
}

t.test('the terminal is given back as it was, also when the process ends by itself', (t) => {
  const exit = () => process.listeners('exit').at(-1)!(1);
  const fault = () => process.listeners('uncaughtExceptionMonitor').at(-1)!(new Error('a fault'), 'uncaughtException');
  for (const leave of [(screen: Screen) => screen.leave(), exit, fault]) {
    const terminal = makeTerminal();
    let quits = 0;
    let resizes = 0;
    const screen = new Screen(
      terminal,
      terminal,
      () => quits++,
      () => resizes++,
    );
    screen.leave();
    t.equal(terminal.written, '', 'nothing to give back yet');
    screen.enter();
    screen.enter();
    t.equal(terminal.written, '\x1b[?1049h\x1b[?25l\x1b[2J');
    t.ok(terminal.isRaw);
    for (const keys of ['x', 'q', '\x03', '\x1b[A']) terminal.emit('data', keys);
    t.equal(quits, 2);
    terminal.emit('resize');
    t.equal(resizes, 1);
    terminal.written = '';
    screen.draw(['one', 'two']);
    t.equal(terminal.written, '\x1b[H\x1b[Kone\r\n\x1b[Ktwo\r\n\x1b[J');
    terminal.written = '';
    leave(screen);
    screen.leave();
    t.equal(terminal.written, '\x1b[?25h\x1b[?1049l', 'once');
    t.notOk(terminal.isRaw);
    t.equal(terminal.listeners.size, 0);
  }
  t.end();
});
