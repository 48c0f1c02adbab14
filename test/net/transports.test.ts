// What every transport owes the acceptor, for all of them alike: bytes both ways, each end of a connection, slow readers.

import { once } from 'node:events';
import { readSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { loadHandleParts } from '../../lib/handles/tcp-handle.ts';
import { probeUring } from '../../lib/handles/uring-probe.ts';
import type { CloseReason } from '../../lib/net/close-reasons.ts';
import { NO_CONNECTION } from '../../lib/net/connection-table.ts';
import { HandleTransport } from '../../lib/net/handle-transport.ts';
import { DEFAULT_NET_LIMITS, type NetLimits } from '../../lib/net/net-limits.ts';
import { SocketTransport } from '../../lib/net/socket-transport.ts';
import { type Transport, type TransportHandler, WriteOutcome } from '../../lib/net/transport.ts';
import { printSeed, seed, TestRandom } from '../packets/seed.ts';
import { patternAt } from './byte-pattern.ts';
import { sleep, waitFor } from './raw-client.ts';
import type { PeersData } from './transport-peers-worker.ts';

/** More than kernels buffer in both directions. */
const MOST_SENT = 64 * 1024 * 1024;

const CAPACITY = 4;

/** Bytes of the longest answer to one question. */
const LONGEST_ANSWER = 128 * 1024;

const { maxQueuedBytes: MAX_QUEUED_BYTES } = DEFAULT_NET_LIMITS;

const handles = loadHandleParts();
const uring = await probeUring(handles);
if (typeof uring === 'string') t.comment(`not tried with io_uring: ${uring}`);

const makers: Record<string, (handler: TransportHandler, limits: NetLimits) => Transport> = {
  ...(typeof uring === 'object' && {
    uring: (handler, limits) => new HandleTransport(handler, handles, CAPACITY, limits, uring),
  }),
  handle: (handler, limits) => new HandleTransport(handler, handles, CAPACITY, limits),
  socket: (handler, limits) => new SocketTransport(handler, limits),
};

/** An acceptor that writes down what it hears. Refuses connections beyond `room`. */
class Scribe implements TransportHandler {
  readonly received: Buffer[] = [];
  readonly ended: number[] = [];
  readonly closed: [connection: number, reason: CloseReason][] = [];
  room = CAPACITY;
  opened = 0;
  turns = 0;
  /** What to do when the peer has said goodbye. */
  answerEnd: (connection: number) => void = () => {};

  onOpen(): number {
    if (this.room === 0) return NO_CONNECTION;
    this.room--;
    return this.opened++;
  }

  onData(connection: number, bytes: Uint8Array, length: number): void {
    this.received[connection] = Buffer.concat([
      this.received[connection] ?? Buffer.alloc(0),
      bytes.subarray(0, length),
    ]);
  }

  onTurn(): void {
    this.turns++;
  }

  onNap(): void {}

  onNapOver(): void {}

  onSleep(): void {}

  onEnd(connection: number): void {
    this.ended.push(connection);
    this.answerEnd(connection);
  }

  onClosed(connection: number, reason: CloseReason): void {
    this.closed.push([connection, reason]);
  }
}

for (const [name, make] of Object.entries(makers)) {
  /** What a write comes to when the peer does not take it: with io_uring that is only known behind the flush. */
  const WAITS = name === 'uring' ? WriteOutcome.DONE : WriteOutcome.KEPT;
  const start = async (t: Test, limits = DEFAULT_NET_LIMITS) => {
    const scribe = new Scribe();
    const transport = make(scribe, limits);
    const port = await transport.listen({ host: '127.0.0.1', port: 0, reusePort: false });
    t.teardown(() => {
      transport.stopListening();
      for (let connection = 0; connection < scribe.opened; connection++) {
        if (!scribe.closed.some(([gone]) => gone === connection)) transport.destroy(connection);
      }
      transport.close();
    });
    const join = async (): Promise<Socket> => {
      const before = scribe.opened;
      const peer = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      peer.on('error', () => {});
      t.teardown(() => peer.destroy());
      await once(peer, 'connect');
      await waitFor('the connection', () => scribe.opened === before + 1);
      return peer;
    };
    return { scribe, transport, port, join };
  };
  const put = (transport: Transport, connection: number, bytes: Buffer, start = 0, end = bytes.length) => {
    const outcome = transport.write(connection, bytes, start, end);
    transport.flush();
    return outcome;
  };
  const write = (transport: Transport, connection: number, text: string) => {
    const bytes = Buffer.from(`--${text}--`);
    return put(transport, connection, bytes, 2, bytes.length - 2);
  };
  const read = (peer: Socket): (() => string) => {
    let text = '';
    peer.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    return () => text;
  };

  t.test(`${name}: bytes go both ways, to the connection that is meant`, async (t) => {
    const { scribe, transport, join } = await start(t);
    const [first, second] = [await join(), await join()];
    const texts = [read(first), read(second)];
    first.write('from the first');
    second.write('from the second');
    await waitFor('what they say', () => scribe.received.length === 2);
    t.same(scribe.received.map(String), ['from the first', 'from the second']);
    t.equal(write(transport, 1, 'to the second'), WriteOutcome.DONE);
    t.equal(write(transport, 0, 'to the first'), WriteOutcome.DONE);
    await waitFor('the answers', () => texts.every((text) => text() !== ''));
    t.same(
      texts.map((text) => text()),
      ['to the first', 'to the second'],
    );
    t.same(scribe.closed, []);
    t.equal(scribe.turns > 0, transport.tellsTurns, 'the end of a turn is told, if it is promised');
  });

  t.test(`${name}: a peer that says goodbye still reads what it is answered, and then all is closed`, async (t) => {
    const { scribe, transport, join } = await start(t);
    const peer = await join();
    const text = read(peer);
    scribe.answerEnd = (connection) => {
      write(transport, connection, 'one last word');
      transport.end(connection);
    };
    peer.end('all I wanted to say');
    await waitFor('the close', () => scribe.closed.length === 1);
    t.same([String(scribe.received[0]), scribe.ended, scribe.closed], ['all I wanted to say', [0], [[0, 'peer']]]);
    await waitFor('our goodbye', () => peer.readableEnded);
    t.equal(text(), 'one last word');
  });

  t.test(`${name}: our goodbye comes after all that is queued, and the peer's closes the connection`, async (t) => {
    const { scribe, transport, join } = await start(t);
    const peer = await join();
    peer.pause();
    const large = Buffer.alloc(16 * 1024 * 1024, 7);
    t.equal(put(transport, 0, large), WAITS);
    transport.end(0);
    transport.end(0);
    await sleep(50);
    t.same(scribe.closed, [], 'the peer has not read it');
    let received = 0;
    peer.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    peer.resume();
    await waitFor('our goodbye', () => peer.readableEnded);
    t.equal(received, large.length);
    t.same(scribe.closed, [], 'the peer has not said goodbye');
    peer.end();
    await waitFor('the close', () => scribe.closed.length === 1);
    t.same([scribe.closed, scribe.ended.length <= 1], [[[0, 'peer']], true]);
  });

  t.test(`${name}: a peer that says goodbye while much waits for it gets it all`, async (t) => {
    const { scribe, transport, join } = await start(t);
    const peer = await join();
    peer.pause();
    scribe.answerEnd = (connection) => transport.end(connection);
    const large = Buffer.alloc(16 * 1024 * 1024, 7);
    t.equal(put(transport, 0, large), WAITS);
    peer.end();
    await waitFor('its goodbye', () => scribe.ended.length === 1);
    let received = 0;
    peer.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    peer.resume();
    await waitFor('the close', () => scribe.closed.length === 1);
    await waitFor('our goodbye', () => peer.readableEnded);
    t.same([received, scribe.closed], [large.length, [[0, 'peer']]]);
  });

  t.test(`${name}: a reset is an error, told once`, async (t) => {
    const { scribe, transport, join } = await start(t);
    const peer = await join();
    peer.resetAndDestroy();
    await waitFor('the close', () => scribe.closed.length === 1);
    t.same([scribe.closed, scribe.ended], [[[0, 'error']], []]);
    t.equal(write(await another(), 1, 'still here'), WriteOutcome.DONE, 'the others go on');

    async function another(): Promise<Transport> {
      await join();
      return transport;
    }
  });

  t.test(
    `${name}: a peer that is destroyed with bytes waiting is forgotten once, and its place can be used`,
    async (t) => {
      const { scribe, transport, join } = await start(t);
      const peer = await join();
      peer.pause();
      const large = Buffer.alloc(16 * 1024 * 1024);
      t.equal(put(transport, 0, large), WAITS);
      transport.destroy(0);
      await waitFor('the close', () => scribe.closed.length === 1);
      scribe.opened = 0;
      const next = await join();
      const text = read(next);
      t.equal(write(transport, 0, 'welcome'), WriteOutcome.DONE);
      await waitFor('the greeting', () => text() === 'welcome');
      t.equal(scribe.closed.length, 1);
    },
  );

  t.test(`${name}: what was written to one connection last is not heard by the next in its place`, async (t) => {
    const { scribe, transport, join } = await start(t);
    for (const hasEnded of [false, true]) {
      scribe.opened = 0;
      scribe.room = CAPACITY;
      scribe.closed.length = 0;
      scribe.ended.length = 0;
      const peer = await join();
      if (hasEnded) {
        peer.end();
        await waitFor('its goodbye', () => scribe.ended.length === 1);
      }
      transport.write(0, Buffer.from('for the first'), 0, 13);
      transport.destroy(0);
      await waitFor('the close', () => scribe.closed.length === 1);
      scribe.opened = 0;
      const next = await join();
      const text = read(next);
      t.equal(write(transport, 0, 'for the second'), WriteOutcome.DONE);
      await waitFor('the greeting', () => text() !== '');
      t.equal(text(), 'for the second');
      transport.destroy(0);
      await waitFor('the close', () => scribe.closed.length === 2);
    }
  });

  t.test(`${name}: two writes behind one flush arrive one after the other, though the first has to wait`, async (t) => {
    const { scribe, transport, join } = await start(t, { ...DEFAULT_NET_LIMITS, maxQueuedBytes: 1024 * 1024 * 1024 });
    const peer = await join();
    peer.pause();
    const bytes = Buffer.alloc(16 * 1024 * 1024 + 16, 1);
    bytes.fill(2, bytes.length - 16);
    transport.write(0, bytes, 0, bytes.length - 16);
    transport.write(0, bytes, bytes.length - 16, bytes.length);
    transport.flush();
    let received = 0;
    let last = 0;
    let isInOrder = true;
    peer.on('data', (chunk: Buffer) => {
      received += chunk.length;
      for (const byte of [chunk[0], chunk.at(-1)!]) {
        isInOrder &&= byte >= last;
        last = byte;
      }
    });
    peer.resume();
    await waitFor('all of it', () => received >= bytes.length);
    t.same([received, isInOrder, last], [bytes.length, true, 2]);
    t.same(scribe.closed, []);
  });

  t.test(`${name}: a connection that the acceptor refuses is closed at once, and never named`, async (t) => {
    const { scribe, port, join } = await start(t);
    scribe.room = 1;
    await join();
    const refused = connect(port, '127.0.0.1');
    refused.on('error', () => {});
    await once(refused, 'close');
    t.same([scribe.opened, scribe.closed], [1, []]);
  });

  t.test(
    `${name}: what waits for a peer that does not read has a bound, and arrives if it reads after all`,
    async (t) => {
      const { scribe, transport, join } = await start(t);
      const peer = await join();
      peer.pause();
      await sleep(50);
      const bytes = Buffer.alloc(16 * 1024, 7);
      let written = 0;
      // Of the first that waits, the kernel may have taken a part.
      let waiting = 0;
      let outcome: WriteOutcome = WriteOutcome.DONE;
      while (written < MOST_SENT) {
        outcome = put(transport, 0, bytes);
        if (outcome === WriteOutcome.TOO_SLOW) break;
        written += bytes.length;
        if (waiting > 0 || outcome === WriteOutcome.KEPT) waiting += bytes.length;
      }
      t.equal(outcome, WriteOutcome.TOO_SLOW, 'at some point it is enough');
      if (WAITS === WriteOutcome.KEPT) {
        t.ok(
          waiting >= MAX_QUEUED_BYTES && waiting < MAX_QUEUED_BYTES + bytes.length,
          'as much waits as may, and no more',
        );
      }
      t.equal(put(transport, 0, bytes), WriteOutcome.TOO_SLOW, 'not a single read more');

      let received = 0;
      peer.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      peer.resume();
      await waitFor('what was taken to arrive', () => received === written);
      t.equal(put(transport, 0, bytes, 0, 1), WriteOutcome.DONE, 'then there is room again');
      await waitFor('the last byte', () => received === written + 1);
      peer.destroy();
      await waitFor('the goodbye', () => scribe.ended.length + scribe.closed.length > 0);
    },
  );

  t.test(`${name}: what waits arrives as it was written, though the buffer is used again`, async (t) => {
    const { transport, join } = await start(t);
    const filler = Buffer.alloc(16 * 1024, 1);
    const fill = (connection: number, most: number): number => {
      let filled = 0;
      while (filled < most) {
        const outcome = put(transport, connection, filler);
        if (outcome === WriteOutcome.TOO_SLOW) break;
        filled += filler.length;
        if (outcome === WriteOutcome.KEPT) break;
      }
      return filled;
    };
    // As much as the first took until it was too slow shows how much has to be written for half of that to wait.
    const first = await join();
    first.pause();
    const peer = await join();
    peer.pause();
    await sleep(50);
    const most = fill(0, MOST_SENT);
    const filled = fill(1, WAITS === WriteOutcome.KEPT ? MOST_SENT : most - MAX_QUEUED_BYTES / 2);
    t.ok(most < MOST_SENT && filled < MOST_SENT, 'at some point the kernels have had enough');
    // As the acceptor does it: a part of a larger buffer, written anew after every write that was not kept.
    const buffer = Buffer.alloc(64);
    for (let value = 2; value < 12; value++) {
      buffer.fill(value);
      t.equal(put(transport, 1, buffer, 8, 16), WriteOutcome.DONE);
    }
    buffer.fill(0);
    const chunks: Buffer[] = [];
    peer.on('data', (chunk: Buffer) => chunks.push(chunk));
    peer.resume();
    const count = () => chunks.reduce((sum, { length }) => sum + length, 0);
    await waitFor('all of it', () => count() === filled + 80);
    const behind = Buffer.concat(chunks).subarray(filled);
    t.same(
      [...behind],
      Array.from({ length: 80 }, (_, i) => 2 + Math.floor(i / 8)),
    );
  });

  /** Runs peers in a thread of their own, and returns what each of them says at the end. */
  const play = async (t: Test, data: PeersData): Promise<number[]> => {
    const worker = new Worker(new URL('./transport-peers-worker.ts', import.meta.url), {
      workerData: data,
      execArgv: [],
    });
    t.teardown(() => worker.terminate());
    const [results] = await once(worker, 'message');
    return results;
  };

  t.test(`${name}: whoever asks is heard, however soon after the last answer`, { timeout: 60_000 }, async (t) => {
    printSeed(t);
    const { scribe, transport, port } = await start(t);
    const answer = Buffer.from('!');
    scribe.onData = (connection) => put(transport, connection, answer);
    const asks = 3000;
    const results = await play(t, { port, peers: 2, asks, mode: 'ask-and-wait', seed });
    t.same(results, [asks, asks]);
  });

  t.test(`${name}: every byte comes in its place, whoever reads when`, { timeout: 60_000 }, async (t) => {
    printSeed(t);
    const limits = { ...DEFAULT_NET_LIMITS, maxQueuedBytes: 1024 * 1024 * 1024 };
    const { scribe, transport, port } = await start(t, limits);
    const random = new TestRandom(seed);
    const written = new Array(CAPACITY).fill(0);
    // One buffer for all, written anew behind each flush unless it was kept, as the acceptor does it.
    let buffer = Buffer.alloc(4 * LONGEST_ANSWER);
    let used = 0;
    const flush = () => {
      transport.flush();
      used = 0;
    };
    scribe.onData = (connection, _bytes, length) => {
      for (let asked = 0; asked < length; asked++) {
        const start = used + random.below(100);
        const end = start + 1 + random.below(random.below(4) === 0 ? LONGEST_ANSWER - 100 : 100);
        for (let i = start; i < end; i++) buffer[i] = patternAt(connection, written[connection]++);
        used = end;
        if (transport.write(connection, buffer, start, end) === WriteOutcome.KEPT) {
          buffer = Buffer.alloc(4 * LONGEST_ANSWER);
          used = 0;
        }
        if (random.below(2) === 0 || used + LONGEST_ANSWER > buffer.length) flush();
      }
      flush();
    };
    scribe.answerEnd = (connection) => transport.end(connection);
    const results = await play(t, { port, peers: CAPACITY, asks: 300, mode: 'ask-and-gorge', seed });
    t.same(results, written, `${written.reduce((sum, bytes) => sum + bytes, 0)} bytes`);
  });

  t.test(`${name}: a port that is taken is an error`, async (t) => {
    const { port } = await start(t);
    const other = make(new Scribe(), DEFAULT_NET_LIMITS);
    await t.rejects(other.listen({ host: '127.0.0.1', port, reusePort: false }), { code: 'EADDRINUSE' });
  });
}

t.test(
  'uring: what waits goes first, though there is room again by then',
  { skip: typeof uring === 'string' },
  async (t) => {
    if (typeof uring === 'string') return;
    const scribe = new Scribe();
    let drain = () => {};
    const calls = {
      ...uring.calls,
      enterRing: (...args: Parameters<typeof uring.calls.enterRing>) => {
        drain();
        return uring.calls.enterRing(...args);
      },
    };
    const limits = { ...DEFAULT_NET_LIMITS, maxQueuedBytes: 1024 * 1024 * 1024 };
    const transport = new HandleTransport(scribe, handles, CAPACITY, limits, { ...uring, calls });
    const port = await transport.listen({ host: '127.0.0.1', port: 0, reusePort: false });
    const peer = connect({ port, host: '127.0.0.1' });
    await once(peer, 'connect');
    await waitFor('the connection', () => scribe.opened === 1);
    peer.pause();
    await sleep(50);
    // The peer's kernel is emptied between any two calls into the ring: whatever is sent then finds room.
    const chunks: Buffer[] = [];
    const chunk = Buffer.alloc(1024 * 1024);
    const descriptor = (peer as unknown as { _handle: { fd: number } })._handle.fd;
    drain = () => {
      try {
        for (;;) chunks.push(Buffer.from(chunk.subarray(0, readSync(descriptor, chunk))));
      } catch {
        // Nothing is left.
      }
    };
    const bytes = Buffer.alloc(16 * 1024 * 1024 + 16, 1);
    bytes.fill(2, bytes.length - 16);
    transport.write(0, bytes, 0, bytes.length - 16);
    transport.write(0, bytes, bytes.length - 16, bytes.length);
    transport.flush();
    drain = () => {};
    let received = chunks.reduce((sum, { length }) => sum + length, 0);
    peer.on('data', (more: Buffer) => {
      chunks.push(more);
      received += more.length;
    });
    peer.resume();
    await waitFor('all of it', () => received === bytes.length);
    t.ok(Buffer.concat(chunks).equals(bytes), 'in order');
    peer.destroy();
    await waitFor('the goodbye', () => scribe.ended.length + scribe.closed.length > 0);
    transport.stopListening();
    transport.destroy(0);
    await waitFor('the close', () => scribe.closed.length === 1);
    transport.close();
  },
);
