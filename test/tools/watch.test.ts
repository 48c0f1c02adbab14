// Tries `hongbao watch` in lines, against a server that is cut and sends late samples.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import yargs from 'yargs';
import { watchCommand } from '../../tools/commands/watch.ts';
import { followLive, type LiveEvent } from '../../tools/watch/follow-live.ts';
import { RipeSeconds } from '../../tools/watch/ripe-seconds.ts';
import { WatchLines } from '../../tools/watch/watch-lines.ts';
import { collect } from '../server-process.ts';
import { HELLO, makeLive, makeSecond, NOON } from './watch-facts.ts';

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
