// A fast lane by itself: how long a turn of it may be, over pairs of sockets, when it naps, and how it accepts.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { loadSystemCalls } from '../../lib/handles/system-calls.ts';
import { loadHandleParts } from '../../lib/handles/tcp-handle.ts';
import { UringLane } from '../../lib/handles/uring-lane.ts';
import { probeUring } from '../../lib/handles/uring-probe.ts';
import { waitFor } from '../net/raw-client.ts';

const parts = await probeUring(loadHandleParts());
const skip = typeof parts === 'string' && `io_uring cannot be used here: ${parts}`;

/** Exchanges after which a test that goes wrong gives up. */
const MOST_EXCHANGES = 200_000;

/** Connections of the test of naps. */
const NAPPING_PAIRS = 8;

/** Writes a byte to each some times a millisecond, also on a machine that has time for one thread only; says how many. */
const WRITER = `
  const { writeSync } = require('node:fs');
  const { parentPort, workerData: { ends, isOver } } = require('node:worker_threads');
  let bytesWritten = 0;
  while (Atomics.wait(isOver, 0, 0, 0.05) === 'timed-out') {
    for (const end of ends) {
      try {
        bytesWritten += writeSync(end, 'x');
      } catch (fault) {
        // The reader is behind.
        if (fault.code !== 'EAGAIN') throw fault;
      }
    }
  }
  parentPort.postMessage(bytesWritten);`;

t.test('timers are served while every read of a turn brings the next', { skip }, async (t) => {
  if (typeof parts === 'string') return;
  const calls = loadSystemCalls();
  const ends = calls.makeSocketPair();
  let exchanges = 0;
  let isOver = false;
  const lane: UringLane = new UringLane(
    {
      onData(connection, bytes, length) {
        exchanges++;
        if (isOver || exchanges > MOST_EXCHANGES) return;
        // Bytes of its own: so the write is handed over before the next read of this turn is taken.
        const copy = Buffer.from(bytes.subarray(0, length));
        lane.prepare(connection, copy);
        lane.write(connection, copy, 0, length);
        lane.flush();
      },
      onTurn: () => true,
      onEnd: () => {},
      onUnsent: () => t.fail('there is room for it'),
    },
    parts,
    2,
  );
  t.teardown(() => {
    lane.close();
    for (const end of ends) calls.close(end);
  });
  for (const connection of [0, 1]) lane.enter(connection, ends[connection]);
  const ball = Buffer.from('ball');
  lane.prepare(0, ball);
  lane.write(0, ball, 0, ball.length);
  lane.flush();
  await sleep(20);
  isOver = true;
  t.ok(exchanges > 0, 'they did answer each other');
  t.ok(exchanges < MOST_EXCHANGES, `the timer was served after ${exchanges} exchanges`);
});

t.test(
  'while much arrives the thread naps; its owner hears of each nap, and when they are over',
  { skip },
  async (t) => {
    if (typeof parts === 'string') return;
    const calls = loadSystemCalls();
    const pairs = Array.from({ length: NAPPING_PAIRS }, () => calls.makeSocketPair());
    const heard: string[] = [];
    const told = () => heard.join(' ');
    let bytesRead = 0;
    const lane = new UringLane(
      {
        onData: (_connection, _bytes, length) => {
          bytesRead += length;
        },
        onNap: () => heard.push('nap'),
        onNapOver: (ms) => heard.push(ms >= 0 ? 'over' : `${ms} ms`),
        onTurn: () => heard.push('turn') > 0,
        onSleep: () => heard.push('sleep'),
        onEnd: () => {},
        onUnsent: () => {},
      },
      parts,
      NAPPING_PAIRS,
    );
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const isOver = new Int32Array(new SharedArrayBuffer(4));
    const writer = new Worker(WRITER, {
      eval: true,
      workerData: { ends: pairs.map(([, theirs]) => theirs), isOver },
      execArgv: [],
    });
    t.teardown(async () => {
      clearInterval(timer);
      await writer.terminate();
      lane.close();
      for (const end of pairs.flat()) calls.close(end);
    });
    for (const [connection, [mine]] of pairs.entries()) lane.enter(connection, mine);
    const written = once(writer, 'message');
    await waitFor('naps one after another', () => /nap over turn nap over turn nap/.test(told()));
    ticks = 0;
    await waitFor('timers', () => ticks >= 20);
    Atomics.store(isOver, 0, 1);
    const [bytesWritten] = await written;
    await waitFor('all of it', () => bytesRead === bytesWritten);
    await waitFor('sleep', () => heard.at(-1) === 'sleep');
    t.notMatch(told(), /nap (?!over)/, 'nothing comes between');
    t.notMatch(told(), /(?<!nap )over/);
  },
);

t.test('accepting goes on after it has failed, until it is stopped', { skip }, async (t) => {
  if (typeof parts === 'string') return;
  const { calls } = parts;
  const accepted: number[] = [];
  const lane = new UringLane(
    {
      onData: () => {},
      onTurn: () => true,
      onEnd: () => {},
      onUnsent: () => {},
      onAccept: (descriptor) => accepted.push(descriptor),
    },
    parts,
    2,
  );
  t.teardown(() => {
    lane.close();
    for (const descriptor of accepted) calls.close(descriptor);
  });
  // It does not listen yet: nothing can be accepted.
  const listener = calls.makeTcpSocket();
  lane.accept(listener);
  await sleep(20);
  const server = createServer().listen({ fd: calls.duplicate(listener) });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  for (let count = 1; count <= 3; count++) {
    const peer = connect(port, '127.0.0.1');
    t.teardown(() => peer.destroy());
    await once(peer, 'connect');
    await waitFor('the connection', () => accepted.length === count);
  }
  t.strictSame(accepted.map(calls.peerOf), ['127.0.0.1', '127.0.0.1', '127.0.0.1']);
  lane.stopAccepting();
  calls.close(listener);
  await t.rejects(once(connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
  t.equal(accepted.length, 3);
});
