// What is read from /proc: names with anything in them, and figures of this very process.

import t from 'tap';
import { parseStat, readCpuUs, readResidentBytes, readThreads } from '../../tools/proc-stat.ts';

function statOf(name: string, utime: number, stime: number): string {
  return `4711 (${name}) S 1 4711 4711 0 -1 4194304 900 0 7 0 ${utime} ${stime} 11 12 20 0 9 0 123456 1000000 5000 0 0\n`;
}

t.test('the CPU time is user and kernel time, in microseconds', async (t) => {
  t.strictSame(parseStat(statOf('node', 12, 34)), { id: 4711, name: 'node', cpuUs: 460_000 });
});

t.test('a name may hold blanks, parentheses and what looks like fields', async (t) => {
  for (const name of ['my thread', 'a) S 1 2 (b', '(', ')', ') (', 'x) R 1 1 1 1']) {
    t.strictSame(parseStat(statOf(name, 5, 6)), { id: 4711, name, cpuUs: 110_000 }, name);
  }
});

t.test('what is no stat line is refused', async (t) => {
  for (const text of ['', '4711 node S 1', '4711 (node) S 1 2 3']) t.throws(() => parseStat(text), /not the stat/);
});

t.test('this process has threads, has used CPU and takes memory', { skip: process.platform !== 'linux' }, async (t) => {
  const threads = readThreads(process.pid);
  t.equal(threads[0].id, process.pid, 'the oldest is the one the process is named after');
  const before = readCpuUs(process.pid);
  const until = performance.now() + 60;
  while (performance.now() < until);
  t.ok(readCpuUs(process.pid) > before);
  t.ok(readResidentBytes(process.pid) > 2 ** 20);
});
