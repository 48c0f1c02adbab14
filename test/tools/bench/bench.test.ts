// The bench as a user starts it, as small as it can be: it prints rows that are verified. Speeds are printed, not tested.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { spentByKind } from '../../../tools/bench/growth/acceptors-axis.ts';
import { BenchServer } from '../../../tools/bench/growth/bench-server.ts';
import { runGrabs } from '../../../tools/bench/growth/grab-run.ts';
import { runRing } from '../../../tools/bench/ring.ts';
import { runSplits } from '../../../tools/bench/split.ts';
import { makeDataDirectory } from '../../data-directory.ts';
import { collect } from '../../server-process.ts';

const BENCH = fileURLToPath(new URL('../../../tools/bench/bench.ts', import.meta.url));

function run(...args: string[]) {
  return collect(spawn(process.execPath, [BENCH, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
}

t.test('a walk along the frames a read prints a verified row for each point', async (t) => {
  const json = join(makeDataDirectory(), 'bench.json');
  const options = ['--quick', '--seconds=0.5', '--rounds=1', '--connections=50', `--json=${json}`];
  const { code, stdout, stderr } = await run('--only=frames', ...options);
  t.equal(stderr, '');
  t.equal(code, 0, stdout);
  t.match(stdout, /\d+ cores .*connections possible/);
  for (const frames of [1, 64]) t.match(stdout, new RegExp(`^${frames} .*[\\d.]+\\.\\.[\\d.]+ .* verified$`, 'm'));
  t.match(stdout, /^(NOT FLAT|flat): the dearest/m);
  const [{ points }] = JSON.parse(readFileSync(json, 'utf8')).axes.frames;
  for (const { cost, faults } of points) {
    t.ok(cost.median > 0);
    t.strictSame(faults, []);
  }
});

t.test('grabs: every user is told, every grab gets a share, and the server counts the same', async (t) => {
  const server = await BenchServer.start(['--durability=buffered']);
  t.teardown(() => server.stop());
  for (let round = 0; round < 2; round++) {
    const { cost, faults } = await runGrabs(server, 0.1);
    t.strictSame(faults, []);
    t.ok(cost > 0);
  }
});

t.test('the ring alone: every message arrives as it was sent, also when it is full and when it is empty', async (t) => {
  for (const [batch, wait] of [
    [1, 'park'],
    [256, 'spin-then-park'],
    [40_000, 'park'],
  ] as const) {
    const { cost, faults } = await runRing(100_000, batch, wait);
    t.strictSame(faults, []);
    t.ok(cost > 0);
  }
});

t.test('the split alone: every split adds up', async (t) => {
  for (const mode of ['lucky', 'line', 'equal'] as const) {
    const { cost, faults } = runSplits(mode, 10, 0.001);
    t.strictSame(faults, []);
    t.ok(cost > 0);
  }
});

t.test('CPU time is told by kind of thread, of threads that are new as well', async (t) => {
  const task = (id: number, name: string, cpuUs: number) => ({ id, name, cpuUs });
  const from = [task(1, 'node-MainThread', 100), task(2, 'acceptor-thread', 50)];
  const to = [
    task(1, 'node-MainThread', 130),
    task(2, 'acceptor-thread', 90),
    task(3, 'acceptor-thread', 5),
    task(4, 'x', 7),
  ];
  t.match(spentByKind(from, to), { main: 30, acceptors: 45, workers: 0, journal: 0, others: 7 });
});

t.test('a mistake is one line that says what to do', async (t) => {
  for (const [option, sentence] of [
    ['--only=frame', /--only takes connections, sets, .* not frame/],
    ['--rounds=0', /--rounds must be a whole number from 1/],
    ['--seconds=x', /--seconds must be 0\.1 to 600/],
    ['--connections=0', /--connections must be a whole number from 1/],
    ['--rate=1.5', /--rate must be a whole number/],
  ] as const) {
    const { code, stderr } = await run(option);
    t.equal(code, 1);
    t.match(stderr, sentence);
    t.equal(stderr.trim().split('\n').length, 1, 'one line');
  }
});
