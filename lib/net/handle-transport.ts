// The transport over Node's bare TCP handles: one read buffer for all connections, no stream objects, nothing allocated per
// read or write. What net.Socket does beside that is done here: end of stream, errors, goodbyes, the bound on what waits.
//
// With the fast lane (uring-lane.ts) a handle accepts, queues what the peer does not take, and closes; reads and the writes
// that find nothing queued go through the lane.

import type { Server } from 'node:net';
import {
  createHandleServer,
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
import { type ListenOptions, type Transport, type TransportHandler, WriteOutcome } from './transport.ts';

/** Bytes of one read: libuv offers no more at a time. */
const READ_BYTES = 64 * 1024;

/** What a connection has said or heard of its end, as bits. */
const Goodbye = { NONE: 0, HEARD: 1, SAID: 2 } as const;

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
  /** By connection; a handle that is being closed is in it no more. */
  readonly #handles: (TcpHandle | undefined)[] = [];
  /** By connection: bytes that wait for the peer, and what was said of the end. */
  readonly #queued: Int32Array;
  readonly #goodbyes: Uint8Array;
  readonly #lane: UringLane | undefined;
  /** For the next write; a new one is made only when a write has kept it. */
  #request: WriteRequest;
  readonly #callbacks: Callbacks;

  /**
   * @param capacity connections at the most @param limits may change in place @param uring for the fast lane
   * @throws Error if the kernel refuses a lane
   */
  constructor(
    handler: TransportHandler,
    parts: HandleParts,
    capacity: number,
    limits: NetLimits,
    uring?: UringParts | undefined,
  ) {
    this.#handler = handler;
    this.#parts = parts;
    this.#limits = limits;
    this.#queued = new Int32Array(capacity);
    this.#goodbyes = new Uint8Array(capacity);
    this.#request = new parts.WriteRequest();
    this.#callbacks = this.#makeCallbacks();
    this.tellsTurns = uring !== undefined;
    this.#lane = uring && new UringLane(this.#makeLaneHandler(), uring, capacity);
  }

  listen(options: ListenOptions): Promise<number> {
    return listen(this.#server, options, () => takeHandles(this.#server, (handle) => this.#accept(handle)));
  }

  stopListening(): void {
    this.#server.close();
  }

  addressOf(connection: number): string | undefined {
    const handle = this.#handles[connection];
    return handle && peerOf(handle);
  }

  // HOT
  write(connection: number, bytes: Uint8Array, start: number, end: number): WriteOutcome {
    this.#lane?.prepare(connection, bytes);
    const handle = this.#handles[connection];
    if (handle === undefined) return WriteOutcome.DONE;
    if (this.#queued[connection] > 0) return this.#queue(connection, handle, bytes, start, end);
    if (this.#lane !== undefined) {
      this.#lane.write(connection, bytes, start, end);
      return WriteOutcome.DONE;
    }
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
    this.#lane?.flush();
  }

  end(connection: number): void {
    this.flush();
    const handle = this.#handles[connection];
    if (handle === undefined || (this.#goodbyes[connection] & Goodbye.SAID) !== 0) return;
    const hasHeard = (this.#goodbyes[connection] & Goodbye.HEARD) !== 0;
    if (hasHeard && this.#queued[connection] === 0) {
      // Closing says goodbye too.
      this.#close(connection, 'peer');
      return;
    }
    this.#goodbyes[connection] |= Goodbye.SAID;
    const request = new this.#parts.ShutdownRequest();
    request.oncomplete = this.#callbacks.onShutdown;
    if (handle.shutdown(request) < 0) this.#close(connection, 'error');
  }

  destroy(connection: number): void {
    this.#close(connection, 'peer');
  }

  close(): void {
    this.#lane?.close();
  }

  #accept(handle: TcpHandle): void {
    const connection = this.#handler.onOpen(peerOf(handle) ?? '');
    if (connection === NO_CONNECTION) {
      handle.close(onRefused);
      return;
    }
    handle.index = connection;
    this.#handles[connection] = handle;
    this.#queued[connection] = 0;
    this.#goodbyes[connection] = Goodbye.NONE;
    handle.setNoDelay(true);
    handle.setKeepAlive(true, KEEP_ALIVE_SECONDS);
    if (this.#lane !== undefined) {
      this.#lane.enter(connection, handle.fd);
      return;
    }
    handle.useUserBuffer(this.#readBuffer);
    handle.onread = this.#callbacks.onRead;
    if (handle.readStart() < 0) this.#close(connection, 'error');
  }

  /** Queues a copy behind what waits already. */
  #queue(connection: number, handle: TcpHandle, bytes: Uint8Array, start: number, end: number): WriteOutcome {
    if (this.#queued[connection] + end - start > this.#limits.maxQueuedBytes) return WriteOutcome.TOO_SLOW;
    // Not bytes.slice: that of a Buffer is a view, and the caller writes over these bytes at once.
    this.#queueCopy(connection, handle, Uint8Array.prototype.slice.call(bytes, start, end));
    return WriteOutcome.DONE;
  }

  /** Queues bytes that are nobody else's. */
  #queueCopy(connection: number, handle: TcpHandle, copy: Uint8Array): void {
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
    const handle = this.#handles[connection];
    if (handle === undefined) return;
    this.#handles[connection] = undefined;
    // Reading ends first: the lane holds the socket open as long as it reads from it.
    this.#lane?.leave(connection);
    handle.close(reason === 'error' ? this.#callbacks.onFailed : this.#callbacks.onClosed);
  }

  #onEnd(handle: TcpHandle, status: number): void {
    const connection = handle.index;
    if (this.#handles[connection] !== handle) return;
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
    else this.#lane.afterLeaving(index, () => this.#handler.onClosed(index, reason));
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
      onEnd: (connection, status) => {
        const handle = this.#handles[connection];
        if (handle !== undefined) this.#onEnd(handle, status === 0 ? UV_EOF : status);
      },
      onUnsent: (connection, rest, error) => {
        const handle = this.#handles[connection];
        if (handle === undefined) return;
        if (error < 0) this.#close(connection, 'error');
        else this.#queueCopy(connection, handle, rest);
      },
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
        else if (length < 0) transport.#onEnd(this, length);
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
