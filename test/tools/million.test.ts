// `hongbao million` in small: two servers and two clients that agree, and nothing left behind, however it ends.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { makeDataDirectory } from '../data-directory.ts';
import { collect, runCommand } from '../server-process.ts';

/** Long for a busy machine; it starts many processes. */
t.setTimeout(300_000);

const CLI = fileURLToPath(new URL('../../tools/cli.ts', import.meta.url));
const SMALL = ['--processes', '2', '--connections', '300', '--qps', '600', '--drop-rate', '20', '--send-rate', '20'];

if (process.platform !== 'linux') t.bailout('hongbao million needs Linux');

/** Starts it with a directory for temporary files of its own. */
function start(...args: string[]) {
  const temporary = makeDataDirectory();
  const child = spawn(process.execPath, [CLI, 'million', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR: temporary },
  });
  return { child, temporary, ended: collect(child) };
}

/** Starts a run and resolves once everybody shakes. */
async function startShaking() {
  const run = start(...SMALL, '--duration', '60');
  let text = '';
  while (!text.includes('shaking  ')) text += (await once(run.child.stderr, 'data'))[0];
  return { ...run, children: findChildren(run.child.pid!) };
}

/** Process ids of the children of a process. */
function findChildren(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && readParent(name) === parent)
    .map(Number);
}

function readParent(pid: string): number | undefined {
  try {
    return Number(/\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    // It ended between the two looks.
    return undefined;
  }
}

t.test('two pairs of processes connect, shake, grab, and agree', async (t) => {
  const json = join(makeDataDirectory(), 'result.json');
  const run = start(...SMALL, '--duration', '2', '--json', json);
  const { code, stdout, stderr } = await run.ended;
  t.equal(code, 0, stderr);
  t.match(stdout, '300 connections asked');
  t.match(stdout, '2 servers and 2 clients with up to 150 connections each');
  t.match(stdout, '300 connections over 2 servers');
  t.match(stdout, /^shakes a second +600\/s +600\/s +\d{3}\/s$/m);
  t.match(stdout, /^shakes +1,200 +1,200 +1,200$/m);
  t.match(stdout, /^grabs +120 +120$/m);
  t.match(stdout, /^sent; shares grabbed +40 +120 +120\.00$/m);
  t.match(stdout, /^shake \(from when it was due\) +1,200( +\d+\.\d+){6}$/m);
  t.match(stdout, /^grab \(from when it was sent\) +120( +\d+\.\d+){6}$/m);
  t.match(stdout, /^user space, server( +-?\d+\.\d KB){2}$/m);
  t.match(stdout, /^kernel, both ends( +-?\d+\.\d KB){2}$/m);
  t.match(stdout, /^servers +\d+\.\d\d +\d+\.\d$/m);
  t.match(stdout, /^shakes +1,200 +1,200 +agree$/m);
  t.match(stdout, /^missing in the books, yuan +0\.00 +0\.00 +agree$/m);
  t.notMatch(stdout, /DIFFER|NaN|undefined/);
  t.match(JSON.parse(readFileSync(json, 'utf8')), {
    totals: { connected: 300, sent: 1200, answered: 1200, notices: 120 },
    latency: { shake: { count: 1200 } },
    faults: [],
  });
  t.strictSame(readdirSync(run.temporary), [], 'nothing is left behind');
});

t.test('a pair has more connections than one local address carries', async (t) => {
  const run = start('--processes', '1', '--connections', '10400', '--qps', '2000', '--duration', '1');
  const { code, stdout, stderr } = await run.ended;
  t.equal(code, 0, stderr);
  t.match(stdout, '10,400 connections over 1 server');
  t.match(stdout, /^shakes +2,000 +2,000 +agree$/m);
});

t.test('Ctrl-C ends everything that was started', async (t) => {
  const { child, temporary, ended, children } = await startShaking();
  t.equal(children.length, 4);
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  t.equal(code, 130);
  t.match(stderr, 'SIGINT: everything that was started is being ended');
  t.strictSame(
    children.filter((pid) => readParent(String(pid)) !== undefined),
    [],
  );
  t.strictSame(readdirSync(temporary), []);
});

t.test('a child that dies ends the run with a sentence', async (t) => {
  const { temporary, ended, children } = await startShaking();
  process.kill(children[0], 'SIGKILL');
  const { code, stderr } = await ended;
  t.equal(code, 1);
  t.match(stderr, /^hongbao: (server|client) \d ended by SIGKILL in the middle of the run/m);
  t.strictSame(
    children.filter((pid) => readParent(String(pid)) !== undefined),
    [],
  );
  t.strictSame(readdirSync(temporary), []);
});

t.test('children end when their parent is killed', async (t) => {
  const { child, ended, children } = await startShaking();
  child.kill('SIGKILL');
  await ended;
  for (let tries = 0; tries < 100 && children.some((pid) => readParent(String(pid)) !== undefined); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  t.strictSame(
    children.filter((pid) => readParent(String(pid)) !== undefined),
    [],
  );
});

t.test('a mistake is one line that says what to do', async (t) => {
  for (const [args, message] of [
    [['--connections', '0'], /--connections must be a whole number from 1/],
    [['--qps', '-1'], /--qps must be a whole number from 0/],
    [['--duration', '0.5'], /--duration must be a whole number from 1/],
    [['--drop-rate', 'x'], /--drop-rate must be a whole number from 0/],
    [['--send-rate', '-3'], /--send-rate must be a whole number/],
    [['--processes', '0'], /--processes must be a whole number from 1/],
    [['--processes', '3', '--connections', '2'], /--processes must be a whole number from 1 to 2/],
    [['--durability', 'hope'], /Invalid values/],
  ] as [string[], RegExp][]) {
    const { code, stderr } = await runCommand(['million', ...args]);
    t.equal(code, 1, args.join(' '));
    t.match(stderr, message);
    t.equal(stderr.trim().split('\n').length, 1, 'one line');
  }
});
