// The experiment as a user types it, small: everybody connects, shakes, wins and grabs; it ends with a verdict and a report.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readRun } from '../../../lib/monitor/run-reader.ts';
import { runCommand } from '../../server-process.ts';

t.setTimeout(300_000);

t.test('a small experiment passes, and leaves its run log and its report', { timeout: 90_000 }, async (t) => {
  const output = t.testdir({});
  const small = ['--scale', '0.002', '--connections', '60', '--qps', '500,1000'];
  const { code, stdout, stderr } = await runCommand(['experiment', '--quick', ...small, '-o', output]);
  // A machine that stands still for a moment fails the checks of speed, and nothing else.
  const failed = stdout.split('\n').filter((line) => /FAILED$/.test(line));
  t.strictSame(
    failed.filter((line) => !/^ *(99% of shakes answered within|shakes answered a second)/.test(line)),
    [],
  );
  const isPassed = failed.length === 0;
  t.equal(code, isPassed ? 0 : 1, stderr);
  t.match(stdout, /users connected +1,000,000 +60 +0.0%/);
  t.match(stdout, /dashboard: http:\/\/127\.0\.0\.1:\d+/);
  t.match(stdout, /drop 2: packets won +80 +80 +passed/);
  t.match(stdout, /send 2: shares grabbed +120 +120 +passed/);
  t.match(stdout, /missing in the books, yuan +0.00 +0.00 +agree/);
  t.match(stdout, isPassed ? /PASSED: all 25 checks/ : new RegExp(`FAILED: ${failed.length} of 25 checks`));
  const directory = join(output, readdirSync(output)[0]);
  const [log] = readdirSync(directory).filter((name) => name.endsWith('.ndjson'));
  const run = await readRun(join(directory, log));
  t.match(run.verdict, { isPassed });
  t.strictSame(
    run.marks.map(({ text }) => text),
    ['500 shakes/s', '1,000 shakes/s', 'drain', 'drop 1', 'send 1', 'drop 2', 'send 2'],
  );
  const seconds = (role: string) => new Set(run.samples.filter((s) => s.role === role).map((s) => s.second)).size;
  t.ok(seconds('server') >= 18 && seconds('client') >= 18, 'a sample of each side in each second');
  t.match(readFileSync(join(directory, 'report', 'index.html'), 'utf8'), /<svg/);
});

t.test('what cannot be asked for is one line', async (t) => {
  for (const [args, message] of [
    [['--scale', '0'], /--scale must be above 0/],
    [['--qps', '100,x'], /qps must be a whole number/],
    [['--connections', '2'], /connections must be a whole number from 3/],
    [['--connections', '9999999'], /a process may open \d+ connections here/],
  ] as const) {
    const { code, stderr } = await runCommand(['experiment', ...args, '-o', t.testdir({})]);
    t.equal(code, 1);
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, stderr);
  }
});
