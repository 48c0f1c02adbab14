// The load client's connections, over io_uring, handles and sockets alike: made, used, lost, refused, each told once.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { HandleLinks } from '../../clients/load/handle-links.ts';
import type { LinkHandler, LoadLinks } from '../../clients/load/load-links.ts';
import { localAddressOf } from '../../clients/load/load-options.ts';
import { SocketLinks } from '../../clients/load/socket-links.ts';
import { findSystemCalls } from '../../lib/handles/system-calls.ts';
import { loadHandleParts } from '../../lib/handles/tcp-handle.ts';
import { probeUring } from '../../lib/handles/uring-probe.ts';
import { waitFor } from '../net/raw-client.ts';

/** Indexes in these tests are below it. */
const CAPACITY = 100;

const handles = loadHandleParts();
const calls = findSystemCalls();
const uring = await probeUring(handles);
if (typeof uring === 'string') t.comment(`not tried with io_uring: ${uring}`);

const makers: Record<string, (handler: LinkHandler) => LoadLinks> = {
  ...(typeof uring === 'object' && { uring: (handler) => new HandleLinks(handler, { handles, uring }, CAPACITY) }),
  handles: (handler) => new HandleLinks(handler, { handles }, CAPACITY),
  'handles with late ports': (handler) => new HandleLinks(handler, { handles, calls }, CAPACITY),
  sockets: (handler) => new SocketLinks(handler),
};

/** An engine that writes down what it hears. */
class Scribe implements LinkHandler {
  readonly connected: number[] = [];
  readonly closed: number[] = [];
  text = '';

  onConnect(index: number): void {
    this.connected.push(index);
  }

  onData(index: number, bytes: Uint8Array, length: number): void {
    this.text += `${index}:${Buffer.from(bytes.subarray(0, length))} `;
  }

  onTurn(): boolean {
    return true;
  }

  onClose(index: number): void {
    this.closed.push(index);
  }
}

async function listen(t: Test, onSocket: (socket: Socket) => void): Promise<number> {
  const server = createServer(onSocket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

for (const [name, make] of Object.entries(makers)) {
  /** What a write says that the kernel would take: with io_uring the bytes wait for the flush. */
  const IS_DONE = name !== 'uring';

  t.test(`${name}: connects from the address asked for, and bytes go both ways`, async (t) => {
    const froms: string[] = [];
    const port = await listen(t, (socket) => {
      froms.push(socket.remoteAddress!);
      socket.on('error', () => {});
      socket.on('data', (bytes) => socket.write(bytes));
    });
    const scribe = new Scribe();
    const links = make(scribe);
    links.connect(3, { host: '127.0.0.1', port, localAddress: undefined });
    await waitFor('the first', () => scribe.connected.length === 1 && froms.length === 1);
    links.connect(5, { host: '127.0.0.1', port, localAddress: '127.0.0.9' });
    await waitFor('the second', () => scribe.connected.length === 2 && froms.length === 2);
    t.same(
      [scribe.connected, froms],
      [
        [3, 5],
        ['127.0.0.1', '127.0.0.9'],
      ],
    );
    t.equal(links.write(5, Buffer.from('..shake..'), 2, 7), IS_DONE);
    links.flush();
    await waitFor('the echo', () => scribe.text === '5:shake ');
    links.destroy(3);
    links.destroy(3);
    links.destroy(5);
    await waitFor('the closes', () => scribe.closed.length === 2);
    t.same(scribe.closed.sort(), [3, 5]);
    links.close();
  });

  t.test(`${name}: a server that closes, and one that is not there, are told once`, async (t) => {
    const port = await listen(t, (socket) => socket.end());
    const scribe = new Scribe();
    const links = make(scribe);
    links.connect(0, { host: '127.0.0.1', port, localAddress: undefined });
    await waitFor('the close', () => scribe.closed.length === 1);
    links.connect(1, { host: '127.0.0.1', port: 1, localAddress: undefined });
    await waitFor('the refusal', () => scribe.closed.length === 2);
    t.same([scribe.connected, scribe.closed], [[0], [0, 1]]);
    links.close();
  });

  t.test(`${name}: bytes that the kernel does not take at once arrive all the same`, async (t) => {
    let socket: Socket | undefined;
    const port = await listen(t, (opened) => {
      socket = opened.pause();
      opened.on('error', () => {});
    });
    const scribe = new Scribe();
    const links = make(scribe);
    links.connect(0, { host: '127.0.0.1', port, localAddress: undefined });
    await waitFor('the connection', () => scribe.connected.length === 1 && socket !== undefined);
    const large = Buffer.alloc(16 * 1024 * 1024, 1);
    t.equal(links.write(0, large, 0, large.length), false, 'some of them wait');
    let received = 0;
    socket!.on('data', (bytes) => {
      received += bytes.length;
    });
    socket!.resume();
    await waitFor('all of them', () => received === large.length);
    links.destroy(0);
    await waitFor('the close', () => scribe.closed.length === 1);
    links.close();
  });
}

t.test(
  'when no socket can be had for an address, that is told as a refusal',
  { skip: calls === undefined },
  async (t) => {
    const makeTcpSocket = () => {
      throw new Error('socket fails: EMFILE');
    };
    const scribe = new Scribe();
    const links = new HandleLinks(scribe, { handles, calls: { ...calls!, makeTcpSocket } }, CAPACITY);
    links.connect(4, { host: '127.0.0.1', port: 1, localAddress: '127.0.0.9' });
    await waitFor('the refusal', () => scribe.closed.length === 1);
    t.same([scribe.connected, scribe.closed], [[], [4]]);
    links.close();
  },
);

t.test('a population spreads over loopback addresses, ten thousand users on each', (t) => {
  t.same([0, 9999, 10_000, 19_999, 20_000, 2_490_000, 2_500_000].map(localAddressOf), [
    undefined,
    undefined,
    '127.0.0.2',
    '127.0.0.2',
    '127.0.0.3',
    '127.0.0.250',
    '127.0.1.1',
  ]);
  t.end();
});
