// What every transport owes the acceptor, for both of them alike: bytes both ways, each end of a connection, slow readers.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { loadHandleParts } from '../../lib/handles/tcp-handle.ts';
import type { CloseReason } from '../../lib/net/close-reasons.ts';
import { NO_CONNECTION } from '../../lib/net/connection-table.ts';
import { HandleTransport } from '../../lib/net/handle-transport.ts';
import { DEFAULT_NET_LIMITS } from '../../lib/net/net-limits.ts';
import { SocketTransport } from '../../lib/net/socket-transport.ts';
import { type Transport, type TransportHandler, WriteOutcome } from '../../lib/net/transport.ts';
import { sleep, waitFor } from './raw-client.ts';

/** More than kernels buffer in both directions. */
const MOST_SENT = 64 * 1024 * 1024;

const CAPACITY = 4;

const { maxQueuedBytes: MAX_QUEUED_BYTES } = DEFAULT_NET_LIMITS;

const makers: Record<string, (handler: TransportHandler) => Transport> = {
  handle: (handler) => new HandleTransport(handler, loadHandleParts(), CAPACITY, DEFAULT_NET_LIMITS),
  socket: (handler) => new SocketTransport(handler, DEFAULT_NET_LIMITS),
};

/** An acceptor that writes down what it hears. Refuses connections beyond `room`. */
class Scribe implements TransportHandler {
  readonly received: Buffer[] = [];
  readonly ended: number[] = [];
  readonly closed: [connection: number, reason: CloseReason][] = [];
  room = CAPACITY;
  opened = 0;
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

  onEnd(connection: number): void {
    this.ended.push(connection);
    this.answerEnd(connection);
  }

  onClosed(connection: number, reason: CloseReason): void {
    this.closed.push([connection, reason]);
  }
}

for (const [name, make] of Object.entries(makers)) {
  const start = async (t: Test) => {
    const scribe = new Scribe();
    const transport = make(scribe);
    const port = await transport.listen({ host: '127.0.0.1', port: 0, reusePort: false });
    t.teardown(() => {
      transport.stopListening();
      for (let connection = 0; connection < scribe.opened; connection++) {
        if (!scribe.closed.some(([gone]) => gone === connection)) transport.destroy(connection);
      }
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
  const write = (transport: Transport, connection: number, text: string) => {
    const bytes = Buffer.from(`--${text}--`);
    return transport.write(connection, bytes, 2, bytes.length - 2);
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
    t.equal(transport.write(0, large, 0, large.length), WriteOutcome.KEPT);
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
    t.equal(transport.write(0, large, 0, large.length), WriteOutcome.KEPT);
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
      t.equal(transport.write(0, large, 0, large.length), WriteOutcome.KEPT);
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
      let outcome: WriteOutcome;
      let written = 0;
      do {
        outcome = transport.write(0, bytes, 0, bytes.length);
        written += bytes.length;
      } while (outcome === WriteOutcome.DONE && written < MOST_SENT);
      t.equal(outcome, WriteOutcome.KEPT, 'at some point the kernels have had enough');
      // Of the first that waits, the kernel may have taken a part.
      let waiting = bytes.length;
      while (transport.write(0, bytes, 0, bytes.length) === WriteOutcome.DONE) waiting += bytes.length;
      t.ok(
        waiting >= MAX_QUEUED_BYTES && waiting < MAX_QUEUED_BYTES + bytes.length,
        'as much waits as may, and no more',
      );
      t.equal(transport.write(0, bytes, 0, bytes.length), WriteOutcome.TOO_SLOW, 'not a single read more');
      written += waiting - bytes.length;

      let received = 0;
      peer.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      peer.resume();
      await waitFor('what was taken to arrive', () => received === written);
      t.equal(transport.write(0, bytes, 0, 1), WriteOutcome.DONE, 'then there is room again');
      await waitFor('the last byte', () => received === written + 1);
      peer.destroy();
      await waitFor('the goodbye', () => scribe.ended.length + scribe.closed.length > 0);
    },
  );

  t.test(`${name}: what waits arrives as it was written, though the buffer is used again`, async (t) => {
    const { transport, join } = await start(t);
    const peer = await join();
    peer.pause();
    const filler = Buffer.alloc(16 * 1024, 1);
    let filled = 0;
    let outcome: WriteOutcome = WriteOutcome.DONE;
    for (; outcome === WriteOutcome.DONE && filled < MOST_SENT; filled += filler.length) {
      outcome = transport.write(0, filler, 0, filler.length);
    }
    t.equal(outcome, WriteOutcome.KEPT);
    // As the acceptor does it: a part of a larger buffer, written anew after every write that was not kept.
    const buffer = Buffer.alloc(64);
    for (let value = 2; value < 12; value++) {
      buffer.fill(value);
      t.equal(transport.write(0, buffer, 8, 16), WriteOutcome.DONE);
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

  t.test(`${name}: a port that is taken is an error`, async (t) => {
    const { port } = await start(t);
    const other = make(new Scribe());
    await t.rejects(other.listen({ host: '127.0.0.1', port, reusePort: false }), { code: 'EADDRINUSE' });
  });
}
