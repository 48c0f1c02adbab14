// A short run of chaos: the server is killed a few times, and nothing is missing afterwards. `make chaos` runs longer.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { collect } from '../server-process.ts';

const CHAOS = fileURLToPath(new URL('../../tools/chaos/chaos.ts', import.meta.url));

/** Kills in each round, and before one of them while the server starts; the interleaving is another at each run. */
const SEED = process.env.SEED ?? '12';
const ROUNDS = 4;

t.setTimeout(300_000);

function run(...args: string[]) {
  return collect(spawn(process.execPath, [CHAOS, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** The first number in the line that begins so. */
function readCount(stdout: string, line: string): number {
  const found = new RegExp(`^ *${line} +([\\d,]+)`, 'm').exec(stdout);
  return Number(found?.[1].replaceAll(',', ''));
}

/** What must have been acknowledged, or the run has shown nothing about it. */
const LINES = [
  'wins',
  'grabs',
  'of these sends',
  'of these transfers',
  'refunds of packets',
  'drops',
  'sends of the house',
];

t.test('what was acknowledged before a kill is there after it', async (t) => {
  t.comment(`SEED=${SEED}`);
  const { code, stdout, stderr } = await run(`--rounds=${ROUNDS}`, `--seed=${SEED}`, '--users=40', '--max-seconds=150');
  t.equal(stderr, '');
  t.equal(code, 0, stdout);
  t.match(stdout, `SEED=${SEED}: ${ROUNDS} rounds, 40 users`);
  const [, rounds, kills] = /^(\d+) rounds, (\d+) kills/m.exec(stdout) ?? [];
  t.equal(Number(rounds), ROUNDS);
  t.ok(Number(kills) >= ROUNDS);
  for (const line of LINES) t.ok(readCount(stdout, line) > 0, line);
  t.equal(readCount(stdout, 'balances at the end'), 40);
  t.match(stdout, /everything that was acknowledged is in the journal, once; the difference of the audit is 0/);
});

t.test('a load that was too short goes on until everything was acknowledged once', async (t) => {
  const { code, stdout } = await run('--rounds=1', '--seed=29', '--users=40', '--max-seconds=150');
  t.equal(code, 0, stdout);
  t.match(stdout, /; 231 ms of load and [1-9]\d* ms more, until everything was acknowledged once;/);
  for (const line of LINES) t.ok(readCount(stdout, line) > 0, line);
});

t.test('a mistake is one line that says what to do', async (t) => {
  for (const [option, sentence] of [
    ['--rounds=0', /--rounds must be a whole number from 1/],
    ['--seed=x', /--seed \(or SEED\) must be a whole number from 0/],
    ['--users=1.5', /--users must be a whole number/],
  ] as const) {
    const { code, stderr } = await run(option);
    t.equal(code, 1);
    t.match(stderr, sentence);
  }
});
