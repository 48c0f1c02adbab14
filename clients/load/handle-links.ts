// The connections of a load engine over Node's bare TCP handles: for IPv4 addresses, at a fraction of a socket's cost. The
// load client shares the machine with the server in most tests, so what it costs is part of everybody's result. With an
// io_uring reads and writes go through a fast lane; the handle connects, queues what the server does not take, and closes.

import { probeHandles } from '../../lib/handles/handle-probe.ts';
import { findSystemCalls, type SystemCalls } from '../../lib/handles/system-calls.ts';
import type { HandleParts, HandleRequest, TcpHandle, WriteRequest } from '../../lib/handles/tcp-handle.ts';
import { type LaneHandler, UringLane } from '../../lib/handles/uring-lane.ts';
import { probeUring, type UringParts } from '../../lib/handles/uring-probe.ts';
import { ViewCache } from '../../lib/handles/view-cache.ts';
import type { LinkHandler, LinkTarget, LoadLinks } from './load-links.ts';

/** Timers are no later than the open loop's own pace, a millisecond. */
const PACE = { napMs: 1, turnSpans: 1 };

/** Bytes read at once; one buffer serves every connection. */
const READ_BYTES = 64 * 1024;

export interface HandleLinksParts {
  handles: HandleParts;
  /** For the fast lane. */
  uring?: UringParts | undefined;
  /** For ports that are chosen late, without which many connections from an address that is named are slow to make. */
  calls?: SystemCalls | undefined;
}

export class HandleLinks implements LoadLinks {
  readonly #handler: LinkHandler;
  readonly #parts: HandleParts;
  /** By index; a handle that is being closed is in it no more. */
  readonly #handles: (TcpHandle | undefined)[] = [];
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #views = new ViewCache();
  readonly #calls: SystemCalls | undefined;
  readonly #lane: UringLane | undefined;
  /** By index, with the lane: 1 while the handle has something queued. */
  readonly #isQueued: Uint8Array;
  #isFlushDue = false;
  /** For the next write; a new one is made only when a write has kept it. */
  #request: WriteRequest;
  readonly #onRead: TcpHandle['onread'];
  readonly #onConnected: HandleRequest['oncomplete'];
  readonly #onClosed: (this: TcpHandle) => void;

  /** @param capacity connections at the most */
  constructor(handler: LinkHandler, { handles: parts, uring, calls }: HandleLinksParts, capacity: number) {
    this.#handler = handler;
    this.#parts = parts;
    this.#request = new parts.WriteRequest();
    // One function each for all handles, which are handed over as `this` or as an argument.
    const { state } = parts;
    const readBuffer = this.#readBuffer;
    const destroy = (index: number) => this.destroy(index);
    // HOT
    this.#onRead = function onRead(this: TcpHandle): void {
      const length = state.words[state.READ];
      if (length > 0) handler.onData(this.index, readBuffer, length);
      else if (length < 0) destroy(this.index);
    };
    this.#onConnected = (status, handle) => this.#begin(handle, status);
    const gone = (index: number) => this.#gone(index);
    this.#onClosed = function onClosed(this: TcpHandle): void {
      gone(this.index);
    };
    this.#isQueued = new Uint8Array(capacity);
    this.#calls = calls;
    this.#lane = uring && new UringLane(this.#makeLaneHandler(), uring, capacity, PACE);
  }

  connect(index: number, { host, port, localAddress }: LinkTarget): void {
    const handle = this.#parts.makeHandle();
    handle.index = index;
    this.#handles[index] = handle;
    const request = new this.#parts.ConnectRequest();
    request.oncomplete = this.#onConnected;
    if (!this.#bind(handle, localAddress) || handle.connect(request, host, port) !== 0) this.destroy(index);
  }

  // HOT
  write(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    this.#lane?.prepare(index, bytes);
    const handle = this.#handles[index];
    if (handle === undefined) return true;
    if (this.#lane !== undefined) return this.#writeInLane(this.#lane, index, handle, bytes, start, end);
    const { state } = this.#parts;
    const view = this.#views.get(bytes, start, end);
    if (handle.writeBuffer(this.#request, view) < 0) {
      this.destroy(index);
      return true;
    }
    if (state.words[state.ASYNC] === 0) return true;
    this.#request.bytes = view;
    this.#request.oncomplete = onWritten;
    this.#request = new this.#parts.WriteRequest();
    return false;
  }

  destroy(index: number): void {
    const handle = this.#handles[index];
    if (handle === undefined) return;
    this.#handles[index] = undefined;
    this.#lane?.leave(index);
    handle.close(this.#onClosed);
  }

  flush(): void {
    this.#lane?.flush();
  }

  close(): void {
    this.#lane?.close();
  }

  /** @returns whether it worked */
  #bind(handle: TcpHandle, localAddress: string | undefined): boolean {
    if (localAddress === undefined) return true;
    return (this.#calls === undefined || openLate(handle, this.#calls)) && handle.bind(localAddress, 0) === 0;
  }

  // HOT
  #writeInLane(
    lane: UringLane,
    index: number,
    handle: TcpHandle,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    if (this.#isQueued[index] === 1) {
      this.#queue(index, handle, Uint8Array.prototype.slice.call(bytes, start, end));
      return true;
    }
    lane.write(index, bytes, start, end);
    if (!lane.isInTurn && !this.#isFlushDue) {
      this.#isFlushDue = true;
      setImmediate(this.#flushWhenDue);
    }
    return false;
  }

  readonly #flushWhenDue = (): void => {
    this.#isFlushDue = false;
    this.flush();
  };

  #queue(index: number, handle: TcpHandle, bytes: Uint8Array): void {
    const { WriteRequest } = this.#parts;
    const request = new WriteRequest();
    request.bytes = bytes;
    request.oncomplete = () => {
      if (this.#handles[index] === handle && handle.writeQueueSize === 0) this.#isQueued[index] = 0;
    };
    if (handle.writeBuffer(request, bytes) < 0) this.destroy(index);
    else this.#isQueued[index] = handle.writeQueueSize === 0 ? 0 : 1;
  }

  #gone(index: number): void {
    if (this.#lane === undefined) this.#handler.onClose(index);
    else this.#lane.afterLeaving(index, () => this.#handler.onClose(index));
  }

  #makeLaneHandler(): LaneHandler {
    const handler = this.#handler;
    return {
      // HOT
      onData: (index, bytes, length) => handler.onData(index, bytes, length),
      onTurn: () => handler.onTurn(),
      onEnd: (index) => this.destroy(index),
      onUnsent: (index, rest, error) => {
        const handle = this.#handles[index];
        if (handle === undefined) return;
        if (error < 0) this.destroy(index);
        else this.#queue(index, handle, rest);
      },
    };
  }

  #begin(handle: TcpHandle, status: number): void {
    const { index } = handle;
    if (this.#handles[index] !== handle) return;
    if (status !== 0) {
      this.destroy(index);
      return;
    }
    handle.setNoDelay(true);
    if (this.#lane !== undefined) {
      this.#isQueued[index] = 0;
      this.#lane.enter(index, handle.fd);
      this.#handler.onConnect(index);
      return;
    }
    handle.useUserBuffer(this.#readBuffer);
    handle.onread = this.#onRead;
    if (handle.readStart() < 0) this.destroy(index);
    else this.#handler.onConnect(index);
  }
}

/** A write that failed is followed by a read that fails. */
function onWritten(): void {}

/** Gives a handle a socket whose port is chosen when it connects. Returns whether there was one. */
function openLate(handle: TcpHandle, calls: SystemCalls): boolean {
  let descriptor: number;
  try {
    descriptor = calls.makeTcpSocket();
  } catch {
    return false;
  }
  if (handle.open(descriptor) === 0) return true;
  calls.close(descriptor);
  return false;
}

/** Tries what works here. Undefined where Node keeps its handles to itself. */
export async function probeLinks(): Promise<HandleLinksParts | undefined> {
  const handles = await probeHandles();
  if (typeof handles === 'string') return undefined;
  const uring = await probeUring(handles);
  return typeof uring === 'object' ? { handles, uring, calls: uring.calls } : { handles, calls: findSystemCalls() };
}
