// Which of a server's threads go first where cores are short.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import t from 'tap';
import { ServerProcess } from './server-process.ts';

const FIRST = ['acceptor-thread', 'worker-thread', 'journal-thread'];

interface Thread {
  name: string;
  nice: number;
  /** The longest turn on a core, in nanoseconds. */
  slice: number;
}

function readThreads(pid: number): Thread[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).map((thread) => {
    const read = (file: string) => readFileSync(`${tasks}/${thread}/${file}`, 'utf8');
    // The name may hold spaces: fields are counted from behind it.
    const [, name, fields] = /\((.*)\) (.*)/.exec(read('stat'))!;
    const slice = existsSync(`${tasks}/${thread}/sched`) ? /se\.slice\s*:\s*(\d+)/.exec(read('sched'))?.[1] : undefined;
    return { name, nice: Number(fields.split(' ')[16]), slice: Number(slice) };
  });
}

/** Kernels before 6.12 have turns of one length only, and tell it only where they were built to. */
const [major, minor] = release().split('.').map(Number);
const tellsSlices = (major > 6 || (major === 6 && minor >= 12)) && existsSync('/proc/self/sched');

t.test(
  'the threads that a request waits for go before the others',
  { skip: process.platform !== 'linux' },
  async (t) => {
    const server = await ServerProcess.start(['--acceptors', '2']);
    t.teardown(() => server.stop());
    const threads = readThreads(server.pid);
    const own = readThreads(process.pid)[0].nice;
    const first = threads.filter(({ name }) => FIRST.includes(name));
    const others = threads.filter(({ name }) => !FIRST.includes(name));
    t.match(new Set(first.map(({ name }) => name)), new Set(FIRST), 'they have their names');
    t.ok(others.some(({ name }) => name === 'chat-thread') && others.length > 4);
    t.strictSame(new Set(first.map(({ nice }) => nice)), new Set([own]));
    t.strictSame(new Set(others.map(({ nice }) => nice)), new Set([Math.min(own + 5, 19)]));
    if (tellsSlices) {
      const acceptors = threads.filter(({ name }) => name === 'acceptor-thread');
      t.strictSame(
        acceptors.map(({ slice }) => slice),
        [100_000, 100_000],
      );
      t.ok(others.every(({ slice }) => slice > 100_000));
    }
  },
);
