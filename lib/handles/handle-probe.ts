// Tries Node's private handles once, with real bytes, before anything relies on them.
//
// They have no promise: another Node may lack them, or mean something else by them. So a connection to ourselves is made,
// with a handle at either end; a few bytes go round, a large write that cannot be done at once is waited for, and both ends
// close, just as the users of handles do it.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import {
  createHandleServer,
  type HandleParts,
  loadHandleParts,
  type TcpHandle,
  takeHandles,
  UV_EOF,
} from './tcp-handle.ts';

/** How long the exchange may take, in milliseconds: it takes a few. */
const PROBE_MS = 2000;

/** More than the kernels take at once. */
const LARGE_BYTES = 16 * 1024 * 1024;

/** Bytes of one read of the side that connects. */
const READ_BYTES = 64 * 1024;

const GREETING = Buffer.from('hongbao');

/** The private parts, tried; or why they cannot be used, in a few words. Settles within PROBE_MS. */
export async function probeHandles(load: () => HandleParts = loadHandleParts): Promise<HandleParts | string> {
  const used: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('an exchange over its handles did not end'), PROBE_MS);
  });
  try {
    const parts = load();
    return await Promise.race([exchange(parts, used).then(() => parts), timeout]);
  } catch (error) {
    return (error as Error).message;
  } finally {
    clearTimeout(timer);
    for (const close of used) close();
  }
}

/** @param used takes how to close whatever is opened, however the exchange ends */
async function exchange(parts: HandleParts, used: (() => void)[]): Promise<void> {
  const server = createHandleServer();
  used.push(() => server.close());
  server.listen({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const served = new Promise<void>((resolve, reject) => {
    takeHandles(server, (handle) => {
      used.push(() => handle.close(() => {}));
      serveOnce(parts, handle).then(resolve, reject);
    });
  });
  await Promise.all([served, askOnce(parts, (server.address() as AddressInfo).port, used)]);
}

/** The side that listens: echoes the greeting, sends a lot, and waits for the peer's goodbye. */
function serveOnce({ state, WriteRequest, ShutdownRequest }: HandleParts, handle: TcpHandle): Promise<void> {
  const buffer = Buffer.alloc(64);
  return new Promise((resolve, reject) => {
    const insist = insister(reject);
    const sendLarge = () => {
      const large = new WriteRequest();
      large.bytes = Buffer.alloc(LARGE_BYTES);
      large.oncomplete = (status) => {
        insist(status === 0 && handle.writeQueueSize === 0, 'finish a large write');
        const goodbye = new ShutdownRequest();
        goodbye.oncomplete = () => {};
        insist(handle.shutdown(goodbye) >= 0, 'say goodbye');
      };
      insist(handle.writeBuffer(large, large.bytes) === 0, 'take a large write');
      insist(state.words[state.ASYNC] === 1 && handle.writeQueueSize > 0, 'tell of what is queued');
    };
    handle.onread = function onread() {
      const length = state.words[state.READ];
      if (length === UV_EOF) {
        this.close(() => resolve());
        return;
      }
      insist(this === handle && GREETING.equals(buffer.subarray(0, length)), 'read into our buffer');
      insist(handle.writeBuffer(new WriteRequest(), buffer.subarray(0, length)) === 0, 'write');
      insist(state.words[state.ASYNC] === 0, 'write at once');
      sendLarge();
    };
    handle.setNoDelay(true);
    handle.setKeepAlive(true, 60);
    handle.useUserBuffer(buffer);
    insist(handle.readStart() === 0, 'read');
  });
}

/** The side that connects: greets, takes all that comes, and closes when the other side says goodbye. */
function askOnce(parts: HandleParts, port: number, used: (() => void)[]): Promise<void> {
  const { state, ConnectRequest, WriteRequest, makeHandle } = parts;
  const handle = makeHandle();
  const buffer = Buffer.alloc(READ_BYTES);
  used.push(() => handle.close(() => {}));
  let received = 0;
  let isGreeted = false;
  return new Promise((resolve, reject) => {
    const insist = insister(reject);
    handle.onread = () => {
      const length = state.words[state.READ];
      if (length > 0) {
        isGreeted ||= GREETING.equals(buffer.subarray(0, GREETING.length));
        received += length;
      } else if (length < 0) {
        const isWhole = length === UV_EOF && received === GREETING.length + LARGE_BYTES;
        insist(isGreeted && isWhole, 'bring every byte');
        handle.close(() => resolve());
      }
    };
    const request = new ConnectRequest();
    request.oncomplete = (status) => {
      insist(status === 0, 'connect');
      handle.useUserBuffer(buffer);
      insist(handle.readStart() === 0, 'read');
      insist(handle.writeBuffer(new WriteRequest(), GREETING) === 0, 'write');
    };
    insist(handle.bind('127.0.0.1', 0) === 0, 'bind');
    insist(handle.connect(request, '127.0.0.1', port) === 0, 'connect');
  });
}

/** What fails an exchange: `insist(isSo, what)` gives it up, with the reason that handles do not do what they should. */
function insister(reject: (error: Error) => void): (isSo: boolean, what: string) => void {
  return (isSo, what) => {
    if (!isSo) reject(new Error(`its handles do not ${what}`));
  };
}
