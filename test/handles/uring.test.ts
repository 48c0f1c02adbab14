// An io_uring of this thread over pairs of sockets: what arrives, what is told of sends, and what ends a wait.

import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { loadSystemCalls } from '../../lib/handles/system-calls.ts';
import { loadHandleParts } from '../../lib/handles/tcp-handle.ts';
import { Uring } from '../../lib/handles/uring.ts';
import {
  NO_BUFFER,
  OP_TIMEOUT,
  SQE_CODE,
  SQE_OPERATION_FLAGS,
  SQE_WORDS,
  TIMEOUT_MULTISHOT,
} from '../../lib/handles/uring-layout.ts';
import { probeUring } from '../../lib/handles/uring-probe.ts';
import { sleep, waitFor } from '../net/raw-client.ts';

const parts = await probeUring(loadHandleParts());
const skip = typeof parts === 'string' && `io_uring cannot be used here: ${parts}`;

/** The span of a ring whose naps do not matter. */
const NAP_MS = 2;

/** Writes to sockets one after the other, so many milliseconds apart: the thread that naps cannot. */
function writeElsewhere(t: Test, descriptors: readonly number[], apartMs: number): Promise<unknown> {
  const code = `const { writeSync } = require('node:fs');
    const { workerData, parentPort } = require('node:worker_threads');
    const word = new Int32Array(new SharedArrayBuffer(4));
    parentPort.postMessage('ready');
    for (const descriptor of workerData.descriptors) {
      Atomics.wait(word, 0, 0, workerData.apartMs);
      writeSync(descriptor, 'x');
    }
    // Its end would be something that the loop of who naps has to do.
    Atomics.wait(word, 0, 0, 5000);`;
  const worker = new Worker(code, { eval: true, workerData: { descriptors, apartMs }, execArgv: [] });
  t.teardown(() => worker.terminate());
  return once(worker, 'message');
}

function make(t: Test, pairs = 1, napMs = NAP_MS) {
  const calls = loadSystemCalls();
  const unsent: [connection: number, result: number][] = [];
  const uring = new Uring(calls, (connection, result) => unsent.push([connection, result]), napMs);
  const ends = Array.from({ length: pairs }, () => calls.makeSocketPair());
  const open = new Set([...ends.flat(), uring.event]);
  const close = (descriptor: number) => {
    if (open.delete(descriptor)) calls.close(descriptor);
  };
  t.teardown(() => {
    calls.close(uring.descriptor);
    for (const descriptor of open) close(descriptor);
  });
  /** The receives that are complete: whose, what they came to, whether they go on, and the bytes. */
  const take = () => {
    uring.submit();
    const taken: { connection: number; result: number; isMore: boolean; text: string }[] = [];
    while (uring.next()) {
      const { connection, result, isMore, buffer } = uring;
      const text = result > 0 ? String(uring.buffers[buffer].subarray(0, result)) : '';
      if (result > 0) uring.giveBack(buffer);
      taken.push({ connection, result, isMore, text });
    }
    return taken;
  };
  return { calls, uring, ends, unsent, take, close };
}

t.test('a receive brings every arrival, and at last the end', { skip }, (t) => {
  const { uring, ends, take, close } = make(t);
  uring.receive(7, ends[0][0]);
  t.same(take(), []);
  for (const text of ['first', 'second']) {
    writeSync(ends[0][1], text);
    t.same(take(), [{ connection: 7, result: text.length, isMore: true, text }]);
  }
  writeSync(ends[0][1], 'third');
  close(ends[0][1]);
  const [third, end] = [...take(), ...take()];
  t.same([third.text, end], ['third', { connection: 7, result: 0, isMore: false, text: '' }]);
  t.end();
});

t.test('more sends than the ring has places leave with one submit, and nothing is told of them', { skip }, (t) => {
  const count = 600;
  const { uring, ends, unsent, take } = make(t, count);
  const bytes = Buffer.from(Array.from({ length: count }, (_, i) => String(i).padStart(4, '0')).join(''));
  ends.forEach(([here, there], i) => {
    uring.receive(i, here);
    uring.send(i, there, bytes, i * 4, i * 4 + 4);
  });
  const taken = [];
  while (taken.length < count) taken.push(...take());
  taken.sort((a, b) => a.connection - b.connection);
  t.same(
    taken.map(({ text }) => Number(text)),
    ends.map((_, i) => i),
  );
  t.same(unsent, []);
  t.end();
});

t.test(
  'what a peer does not take is told before submit returns: how much was sent, then that nothing was',
  { skip },
  (t) => {
    const { uring, ends, unsent, take } = make(t);
    const bytes = Buffer.alloc(4 * 1024 * 1024, 'x');
    uring.send(3, ends[0][0], bytes, 10, bytes.length);
    uring.submit();
    const [[connection, sent]] = unsent;
    t.ok(connection === 3 && sent > 0 && sent < bytes.length - 10, `${sent} bytes were sent`);
    uring.send(3, ends[0][0], bytes, 10 + sent, bytes.length);
    uring.submit();
    t.ok(unsent[1][1] < 0, 'there is no room');
    uring.receive(4, ends[0][1]);
    let received = 0;
    while (received < sent) for (const { result } of take()) received += Math.max(result, 0);
    t.equal(received, sent);
    t.end();
  },
);

t.test('a send to a peer that is gone is told as an error', { skip }, (t) => {
  const { uring, ends, unsent, close } = make(t);
  close(ends[0][1]);
  uring.send(1, ends[0][0], Buffer.alloc(64, 'x'), 0, 64);
  uring.submit();
  t.ok(unsent.length === 1 && unsent[0][1] < 0);
  t.end();
});

t.test('who is told of a send may submit more at once', { skip }, (t) => {
  const { calls, ends } = make(t, 3);
  const told: number[] = [];
  const bytes = Buffer.alloc(4 * 1024 * 1024, 'x');
  const uring = new Uring(
    calls,
    (connection) => {
      told.push(connection);
      if (connection < 2) uring.send(connection + 1, ends[connection + 1][0], bytes, 0, bytes.length);
      uring.submit();
    },
    NAP_MS,
  );
  t.teardown(() => {
    calls.close(uring.descriptor);
    calls.close(uring.event);
  });
  uring.send(0, ends[0][0], bytes, 0, bytes.length);
  uring.submit();
  t.same(told, [0, 1, 2], 'each of them once');
  t.end();
});

t.test('when the buffers run out a receive says so, and goes on where it was once they are back', { skip }, (t) => {
  const { uring, ends } = make(t);
  uring.receive(1, ends[0][0]);
  const sizes = [uring.buffers.length, uring.buffers[0].length];
  let written = 0;
  const held: { buffer: number; bytes: Buffer }[] = [];
  const receive = () => {
    uring.submit();
    const ended: number[] = [];
    while (uring.next()) {
      if (uring.result > 0)
        held.push({ buffer: uring.buffer, bytes: Buffer.from(uring.buffers[uring.buffer].subarray(0, uring.result)) });
      if (!uring.isMore) ended.push(uring.result);
    }
    return ended;
  };
  let ended: number[] = [];
  while (!ended.includes(NO_BUFFER) && written < 4 * sizes[0]) {
    writeSync(ends[0][1], String(written++).padStart(6, '0'));
    ended = receive();
  }
  t.same([ended, held.length], [[NO_BUFFER], sizes[0]], 'every buffer is held');
  for (const { buffer } of held) uring.giveBack(buffer);
  uring.receive(1, ends[0][0]);
  while (Buffer.concat(held.map(({ bytes }) => bytes)).length < written * 6) receive();
  const text = Buffer.concat(held.map(({ bytes }) => bytes)).toString();
  t.equal(text, Array.from({ length: written }, (_, i) => String(i).padStart(6, '0')).join(''));
  t.end();
});

t.test('whoever wants to sleep hears of what came before, whatever the order', { skip }, (t) => {
  const { uring, ends, take } = make(t);
  uring.receive(1, ends[0][0]);
  take();
  t.ok(uring.sleep(), 'nothing has come');
  uring.wake();
  writeSync(ends[0][1], 'x');
  t.notOk(uring.sleep(), 'something has come that was not brought in yet');
  t.equal(take().length, 1);
  t.ok(uring.sleep());
  t.end();
});

t.test('whoever wants to sleep after a nap hears of what came before', { skip }, async (t) => {
  const { uring, ends, take } = make(t);
  uring.receive(1, ends[0][0]);
  take();
  for (let round = 0; round < 20; round++) {
    // So that the loop has nothing to do, and time ends the nap.
    await sleep(2);
    uring.submitAndNap(1);
    writeSync(ends[0][1], 'x');
    t.notOk(uring.sleep(), 'whether it was brought in meanwhile or not');
    t.equal(take().length, 1);
  }
});

t.test(
  'a nap ends with an arrival, with what the event loop has to do, and after a bounded time',
  { skip },
  async (t) => {
    const { uring, ends, take } = make(t);
    uring.receive(1, ends[0][0]);
    take();
    writeSync(ends[0][1], 'x');
    uring.submitAndNap(1);
    t.ok(uring.next() && !uring.takeLoopDue(), 'an arrival ends it, and the loop has nothing to do');
    uring.giveBack(uring.buffer);
    const { spans } = uring;
    uring.submitAndNap(1);
    t.ok(!uring.next() && !uring.takeLoopDue() && uring.spans > spans, 'time ends it');
    const { port1, port2 } = new MessageChannel();
    const heard = new Promise((resolve) => {
      port2.onmessage = resolve;
    });
    for (let naps = 0; naps < 3; naps++) {
      port1.postMessage('here');
      uring.submitAndNap(1);
      // A span may have ended before it began, and then that ends it.
      const isDue = uring.takeLoopDue();
      if (!isDue) uring.submitAndNap(1);
      t.ok(isDue || uring.takeLoopDue());
    }
    await heard;
    port2.close();
  },
);

t.test('a nap for two goes on behind the first, and one for more than come ends in time', { skip }, async (t) => {
  const { uring, ends, take } = make(t, 2, 500);
  for (const [connection, [mine]] of ends.entries()) uring.receive(connection, mine);
  // Until time has ended one it is not known that it would end another.
  for (let naps = 0; naps < 3; naps++) uring.submitAndNap(1);
  const theirs = ends.map(([, end]) => end);
  for (const least of [2, 3]) {
    await writeElsewhere(t, theirs, 100);
    // So that the loop has nothing to do, and what it had is forgotten.
    await sleep(20);
    take();
    let brought = 0;
    let { spans } = uring;
    // Time that began before may be over at any moment.
    for (let naps = 0; naps < 5 && brought < 2; naps++) {
      spans = uring.spans;
      uring.submitAndNap(least);
      brought = uring.waiting;
    }
    t.equal(brought, 2);
    t.equal(uring.spans > spans, least === 3, least === 3 ? 'time ends it' : 'the second ends it');
    take();
  }
});

t.test('time ends every nap, also where it is over just as one begins', { skip }, (t) => {
  const { uring } = make(t, 1, 0.1);
  // What the loop has to do ends naps for one, and is one of what others wait for: so these begin at any point of their time.
  const { port1, port2 } = new MessageChannel();
  port2.on('message', () => {});
  port1.postMessage('here');
  const naps = 20_000;
  let due = 0;
  for (let nap = 0; nap < naps; nap++) {
    uring.submitAndNap(1);
    const untilMs = performance.now() + 0.0015 * (nap % 100);
    while (performance.now() < untilMs);
    uring.takeLoopDue();
    const { spans } = uring;
    uring.submitAndNap(8);
    if (uring.takeLoopDue() || uring.spans > spans) due++;
  }
  t.ok(due > 0.999 * naps, `${due} of ${naps}: nothing else happens but a signal`);
  port1.close();
  t.end();
});

t.test('where timers do not go on by themselves, time ends every nap too', { skip }, (t) => {
  const calls = loadSystemCalls();
  const memories: ArrayBuffer[] = [];
  let refused = 0;
  const uring = new Uring(
    {
      ...calls,
      mapMemory: (bytes) => {
        const memory = calls.mapMemory(bytes);
        memories.push(memory);
        return memory;
      },
      // A flag that no kernel knows stands for one that this kernel would not know.
      enterRing: (descriptor, count, least) => {
        const words = new Int32Array(memories[1]);
        for (let entry = 0; entry < words.length; entry += SQE_WORDS) {
          const isTimer = (words[entry + SQE_CODE] & 0xff) === OP_TIMEOUT;
          if (!isTimer || words[entry + SQE_OPERATION_FLAGS] !== TIMEOUT_MULTISHOT) continue;
          words[entry + SQE_OPERATION_FLAGS] = 1 << 30;
          refused++;
        }
        return calls.enterRing(descriptor, count, least);
      },
    },
    () => {},
    0.1,
  );
  t.teardown(() => {
    calls.close(uring.descriptor);
    calls.close(uring.event);
  });
  for (let nap = 0; nap < 1000; nap++) {
    uring.takeLoopDue();
    const { spans } = uring;
    uring.submitAndNap(8);
    if (!uring.takeLoopDue() && uring.spans === spans) t.fail(`nap ${nap}`);
  }
  t.equal(refused, 1, 'that is tried once');
  t.end();
});

t.test(
  'an arrival wakes whoever sleeps after a nap, though the loop had something to do meanwhile',
  { skip },
  async (t) => {
    if (typeof parts === 'string') return;
    const { uring, ends, take, close } = make(t);
    let woken = 0;
    const event = parts.openEvent(uring.event, () => {
      woken++;
    });
    t.teardown(() => event.close());
    uring.receive(1, ends[0][0]);
    take();
    const { port1, port2 } = new MessageChannel();
    t.teardown(() => port1.close());
    for (let round = 0; round < 5; round++) {
      // A short one: its end is that of the time that naps may take.
      uring.submitAndNap(1);
      uring.takeLoopDue();
      while (!uring.sleep()) take();
      for (let messages = 0; messages < 3; messages++) {
        const heard = once(port2, 'message');
        port1.postMessage('here');
        await heard;
      }
      woken = 0;
      writeSync(ends[0][1], 'x');
      await waitFor('the event', () => woken > 0);
      uring.wake();
      t.equal(take().length, 1, `round ${round}`);
    }
    close(ends[0][1]);
  },
);
