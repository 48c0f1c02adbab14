// The transport over Node's bare TCP handles: one read buffer for all connections, no stream objects, nothing allocated per
// read or write. What net.Socket does beside that is done here: end of stream, errors, goodbyes, the bound on what waits.
//
// With the fast lane (uring-lane.ts) a connection is a descriptor: the lane accepts it, and takes its reads and the writes that
// find nothing queued. A handle is made for it only when something has to wait for the peer, or to say goodbye.

import type { Server } from 'node:net';
import type { SystemCalls } from '../handles/system-calls.ts';
import {
  createHandleServer,
  descriptorOf,
  type HandleParts,
  type HandleRequest,
  type TcpHandle,
  takeHandles,
  UV_EOF,
  type WriteRequest,
} from '../handles/tcp-handle.ts';
import { type LaneHandler, UringLane } from '../handles/uring-lane.ts';
import type { UringParts } from '../handles/uring-probe.ts';
import { ViewCache } from '../handles/view-cache.ts';
import type { CloseReason } from './close-reasons.ts';
import { NO_CONNECTION } from './connection-table.ts';
import { KEEP_ALIVE_SECONDS } from './limits.ts';
import { listen } from './listen.ts';
import type { NetLimits } from './net-limits.ts';
import { allocateSockets, NO_SOCKET, SocketTable } from './socket-table.ts';
import { type ListenOptions, type Transport, type TransportHandler, WriteOutcome } from './transport.ts';

/** Bytes of one read: libuv offers no more at a time. */
const READ_BYTES = 64 * 1024;

/** What a connection has said or heard of its end, as bits. */
const Goodbye = { NONE: 0, HEARD: 1, SAID: 2 } as const;

/** What takes the place of handles, as far as it can. */
interface Lane {
  readonly uring: UringLane;
  readonly calls: SystemCalls;
  /** Of the connections that have no handle. */
  readonly sockets: SocketTable;
}

interface Callbacks {
  onRead: TcpHandle['onread'];
  onShutdown: HandleRequest['oncomplete'];
  onWritten: HandleRequest['oncomplete'];
  onClosed: (this: TcpHandle) => void;
  onFailed: (this: TcpHandle) => void;
}

/** One acceptor's. */
export class HandleTransport implements Transport {
  readonly tellsTurns: boolean;
  readonly #handler: TransportHandler;
  readonly #parts: HandleParts;
  readonly #limits: NetLimits;
  readonly #server: Server = createHandleServer();
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #views = new ViewCache();
  /** By connection: 1 until it is being closed. */
  readonly #isOpen: Uint8Array;
  /** By connection, if it has one; a handle that is being closed is in it no more. */
  readonly #handles: (TcpHandle | undefined)[] = [];
  /** By connection: bytes that wait for the peer, and what was said of the end. */
  readonly #queued: Int32Array;
  readonly #goodbyes: Uint8Array;
  readonly #lane: Lane | undefined;
  /** For the next write; a new one is made only when a write has kept it. */
  #request: WriteRequest;
  readonly #callbacks: Callbacks;

  /**
   * @param capacity connections at the most @param limits may change in place @param uring for the fast lane
   * @param sockets for the fast lane too: see socket-table.ts
   * @throws Error if the kernel refuses a lane
   */
  constructor(
    handler: TransportHandler,
    parts: HandleParts,
    capacity: number,
    limits: NetLimits,
    uring?: UringParts | undefined,
    sockets = allocateSockets(capacity),
  ) {
    this.#handler = handler;
    this.#parts = parts;
    this.#limits = limits;
    this.#isOpen = new Uint8Array(capacity);
    this.#queued = new Int32Array(capacity);
    this.#goodbyes = new Uint8Array(capacity);
    this.#request = new parts.WriteRequest();
    this.#callbacks = this.#makeCallbacks();
    this.tellsTurns = uring !== undefined;
    this.#lane = uring && {
      uring: new UringLane(this.#makeLaneHandler(), uring, capacity),
      calls: uring.calls,
      sockets: new SocketTable(sockets),
    };
  }

  async listen(options: ListenOptions): Promise<number> {
    const lane = this.#lane;
    if (lane === undefined) {
      return listen(this.#server, options, () => takeHandles(this.#server, (handle) => this.#acceptHandle(handle)));
    }
    const { uring, calls, sockets } = lane;
    const port = await listen(this.#server, options, () => {
      const listener = calls.duplicate(descriptorOf(this.#server));
      sockets.set(sockets.listener, listener);
      calls.setAccepted(listener, KEEP_ALIVE_SECONDS);
      uring.accept(listener);
    });
    // Before the loop polls again, so that Node accepts nobody.
    this.#server.close();
    return port;
  }

  stopListening(): void {
    const lane = this.#lane;
    if (lane === undefined) {
      this.#server.close();
      return;
    }
    const listener = lane.sockets.take(lane.sockets.listener);
    if (listener === NO_SOCKET) return;
    lane.uring.stopAccepting();
    lane.calls.close(listener);
  }

  addressOf(connection: number): string | undefined {
    if (this.#isOpen[connection] === 0) return undefined;
    const handle = this.#handles[connection];
    return handle === undefined ? this.#lane!.calls.peerOf(this.#lane!.sockets.get(connection)) : peerOf(handle);
  }

  // HOT
  write(connection: number, bytes: Uint8Array, start: number, end: number): WriteOutcome {
    const lane = this.#lane?.uring;
    lane?.prepare(connection, bytes);
    if (this.#isOpen[connection] === 0) return WriteOutcome.DONE;
    if (this.#queued[connection] > 0) return this.#queue(connection, bytes, start, end);
    if (lane !== undefined) {
      lane.write(connection, bytes, start, end);
      return WriteOutcome.DONE;
    }
    const handle = this.#handles[connection]!;
    const view = this.#views.get(bytes, start, end);
    const { state } = this.#parts;
    if (handle.writeBuffer(this.#request, view) < 0) {
      this.#close(connection, 'error');
      return WriteOutcome.DONE;
    }
    if (state.words[state.ASYNC] === 0) return WriteOutcome.DONE;
    this.#keep(connection, handle, view);
    return WriteOutcome.KEPT;
  }

  // HOT
  flush(): void {
    this.#lane?.uring.flush();
  }

  end(connection: number): void {
    this.flush();
    if (this.#isOpen[connection] === 0 || (this.#goodbyes[connection] & Goodbye.SAID) !== 0) return;
    const hasHeard = (this.#goodbyes[connection] & Goodbye.HEARD) !== 0;
    if (hasHeard && this.#queued[connection] === 0) {
      // Closing says goodbye too.
      this.#close(connection, 'peer');
      return;
    }
    this.#goodbyes[connection] |= Goodbye.SAID;
    const request = new this.#parts.ShutdownRequest();
    request.oncomplete = this.#callbacks.onShutdown;
    if (this.#handleOf(connection).shutdown(request) < 0) this.#close(connection, 'error');
  }

  destroy(connection: number): void {
    this.#close(connection, 'peer');
  }

  close(): void {
    this.#lane?.uring.close();
  }

  #acceptHandle(handle: TcpHandle): void {
    const connection = this.#open(peerOf(handle));
    if (connection === NO_CONNECTION) {
      handle.close(onRefused);
      return;
    }
    handle.index = connection;
    this.#handles[connection] = handle;
    handle.setNoDelay(true);
    handle.setKeepAlive(true, KEEP_ALIVE_SECONDS);
    handle.useUserBuffer(this.#readBuffer);
    handle.onread = this.#callbacks.onRead;
    if (handle.readStart() < 0) this.#close(connection, 'error');
  }

  #acceptDescriptor({ uring, calls, sockets }: Lane, descriptor: number): void {
    // One that was accepted just before we stopped listening is too late.
    const isLate = sockets.get(sockets.listener) === NO_SOCKET;
    const connection = isLate ? NO_CONNECTION : this.#open(calls.peerOf(descriptor));
    if (connection === NO_CONNECTION) {
      calls.close(descriptor);
      return;
    }
    sockets.set(connection, descriptor);
    uring.enter(connection, descriptor);
  }

  /** Begins a connection from an address. Returns its index, or NO_CONNECTION if it is refused. */
  #open(address: string | undefined): number {
    const connection = this.#handler.onOpen(address ?? '');
    if (connection === NO_CONNECTION) return connection;
    this.#isOpen[connection] = 1;
    this.#queued[connection] = 0;
    this.#goodbyes[connection] = Goodbye.NONE;
    return connection;
  }

  /** The handle of an open connection. */
  #handleOf(connection: number): TcpHandle {
    const existing = this.#handles[connection];
    if (existing !== undefined) return existing;
    const handle = this.#parts.makeHandle();
    // From here on the handle closes it, also if the thread is ended.
    if (handle.open(this.#lane!.sockets.take(connection)) < 0) throw new Error('a handle does not take a descriptor');
    handle.index = connection;
    this.#handles[connection] = handle;
    return handle;
  }

  /** Queues a copy behind what waits already. */
  #queue(connection: number, bytes: Uint8Array, start: number, end: number): WriteOutcome {
    if (this.#queued[connection] + end - start > this.#limits.maxQueuedBytes) return WriteOutcome.TOO_SLOW;
    // Not bytes.slice: that of a Buffer is a view, and the caller writes over these bytes at once.
    this.#queueCopy(connection, Uint8Array.prototype.slice.call(bytes, start, end));
    return WriteOutcome.DONE;
  }

  /** Queues bytes that are nobody else's. */
  #queueCopy(connection: number, copy: Uint8Array): void {
    const handle = this.#handleOf(connection);
    if (handle.writeBuffer(this.#request, copy) < 0) this.#close(connection, 'error');
    else if (this.#parts.state.words[this.#parts.state.ASYNC] === 1) this.#keep(connection, handle, copy);
  }

  /** The kernel has not taken all of a write: its bytes stay where they are until it has. */
  #keep(connection: number, handle: TcpHandle, bytes: Uint8Array): void {
    const request = this.#request;
    request.bytes = bytes;
    request.oncomplete = this.#callbacks.onWritten;
    this.#request = new this.#parts.WriteRequest();
    this.#queued[connection] = handle.writeQueueSize;
  }

  #close(connection: number, reason: CloseReason): void {
    if (this.#isOpen[connection] === 0) return;
    this.#isOpen[connection] = 0;
    // Reading ends first: the lane holds the socket open as long as it reads from it.
    this.#lane?.uring.leave(connection);
    const handle = this.#handles[connection];
    if (handle === undefined) {
      this.#closeSocket(this.#lane!, connection, reason);
      return;
    }
    this.#handles[connection] = undefined;
    handle.close(reason === 'error' ? this.#callbacks.onFailed : this.#callbacks.onClosed);
  }

  #closeSocket({ uring, calls, sockets }: Lane, connection: number, reason: CloseReason): void {
    uring.afterLeaving(connection, () => {
      calls.close(sockets.take(connection));
      // The lane may have been done with it long ago, and whoever closes is not told while he does.
      queueMicrotask(() => this.#handler.onClosed(connection, reason));
    });
  }

  #onEnd(connection: number, status: number): void {
    if (this.#isOpen[connection] === 0) return;
    if (status !== UV_EOF) {
      this.#close(connection, 'error');
      return;
    }
    const wasSaid = (this.#goodbyes[connection] & Goodbye.SAID) !== 0;
    this.#goodbyes[connection] |= Goodbye.HEARD;
    if (!wasSaid) this.#handler.onEnd(connection);
    else if (this.#queued[connection] === 0) this.#close(connection, 'peer');
  }

  #onShutdown(handle: TcpHandle, status: number): void {
    const connection = handle.index;
    if (this.#handles[connection] !== handle) return;
    if (status < 0) this.#close(connection, 'error');
    else if ((this.#goodbyes[connection] & Goodbye.HEARD) !== 0) this.#close(connection, 'peer');
  }

  #onWritten(handle: TcpHandle, status: number): void {
    const connection = handle.index;
    if (this.#handles[connection] !== handle) return;
    this.#queued[connection] = handle.writeQueueSize;
    if (status < 0) this.#close(connection, 'error');
  }

  /** The handle of a connection is closed; its index is free once the lane is done with it too. */
  #onClosed(handle: TcpHandle, reason: CloseReason): void {
    const { index } = handle;
    if (this.#lane === undefined) this.#handler.onClosed(index, reason);
    else this.#lane.uring.afterLeaving(index, () => this.#handler.onClosed(index, reason));
  }

  #makeLaneHandler(): LaneHandler {
    const handler = this.#handler;
    return {
      // HOT
      onData: (connection, bytes, length) => handler.onData(connection, bytes, length),
      // HOT
      onTurn: () => {
        handler.onTurn();
        return true;
      },
      // HOT
      onNap: () => handler.onNap(),
      // HOT
      onNapOver: (ms) => handler.onNapOver(ms),
      onSleep: () => handler.onSleep(),
      onEnd: (connection, status) => this.#onEnd(connection, status === 0 ? UV_EOF : status),
      onUnsent: (connection, rest, error) => {
        if (this.#isOpen[connection] === 0) return;
        if (error < 0) this.#close(connection, 'error');
        else this.#queueCopy(connection, rest);
      },
      onAccept: (descriptor) => this.#acceptDescriptor(this.#lane!, descriptor),
    };
  }

  /** What Node calls: one function each for all handles, which are handed over as `this` or as an argument. */
  #makeCallbacks(): Callbacks {
    const transport = this;
    const { state } = this.#parts;
    const handler = this.#handler;
    const readBuffer = this.#readBuffer;
    return {
      // HOT
      onRead(this: TcpHandle): void {
        const length = state.words[state.READ];
        if (length > 0) handler.onData(this.index, readBuffer, length);
        else if (length < 0 && transport.#handles[this.index] === this) transport.#onEnd(this.index, length);
      },
      onShutdown: (status, handle) => transport.#onShutdown(handle, status),
      onWritten: (status, handle) => transport.#onWritten(handle, status),
      onClosed(this: TcpHandle): void {
        transport.#onClosed(this, 'peer');
      },
      onFailed(this: TcpHandle): void {
        transport.#onClosed(this, 'error');
      },
    };
  }
}

/** Whom a handle is connected to; undefined if it is not any more. */
function peerOf(handle: TcpHandle): string | undefined {
  const name: { address?: string } = {};
  return handle.getpeername(name) < 0 ? undefined : name.address;
}

function onRefused(): void {}
