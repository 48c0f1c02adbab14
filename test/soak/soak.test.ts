// A short soak, by the relaxed rule, through the command. `make soak` runs for minutes or hours.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { collect } from '../server-process.ts';

const SOAK = fileURLToPath(new URL('../../tools/soak/soak.ts', import.meta.url));

function run(...args: string[]) {
  return collect(spawn(process.execPath, [SOAK, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
}

t.test('a quarter of a minute of mixed load leaves nothing behind, and both ends agree', async (t) => {
  const few = ['--connections=60', '--qps=300', '--churning=4', '--deaf=1', '--slow=2', '--idle=5'];
  const { code, stdout, stderr } = await run('--minutes=0.25', ...few, `--directory=${t.testdir({})}`);
  t.equal(stderr, '');
  t.equal(code, 0, stdout);
  t.match(stdout, /flat, both ends agree, nothing is missing/);
  t.match(stdout, /audit: [\d,]+ records, difference 0/);
  t.match(stdout, /resident +[▁-█]+ up to/, 'a chart');
});

t.test('a mistake is one line that says what to do', async (t) => {
  for (const [option, sentence] of [
    ['--minutes=0', /--minutes must be from/],
    ['--connections=1', /--connections must be a whole number/],
  ] as const) {
    const { code, stderr } = await run(option);
    t.equal(code, 1);
    t.match(stderr, sentence);
  }
});
