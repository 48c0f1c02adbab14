// The connections of a load engine over Node's bare TCP handles: for IPv4 addresses, at a fraction of a socket's cost. The
// load client shares the machine with the server in most tests, so what it costs is part of everybody's result.

import type { HandleParts, HandleRequest, TcpHandle, WriteRequest } from '../../lib/handles/tcp-handle.ts';
import { ViewCache } from '../../lib/handles/view-cache.ts';
import type { LinkHandler, LinkTarget, LoadLinks } from './load-links.ts';

/** Bytes read at once; one buffer serves every connection. */
const READ_BYTES = 64 * 1024;

export class HandleLinks implements LoadLinks {
  readonly #handler: LinkHandler;
  readonly #parts: HandleParts;
  /** By index; a handle that is being closed is in it no more. */
  readonly #handles: (TcpHandle | undefined)[] = [];
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #views = new ViewCache();
  /** For the next write; a new one is made only when a write has kept it. */
  #request: WriteRequest;
  readonly #onRead: TcpHandle['onread'];
  readonly #onConnected: HandleRequest['oncomplete'];
  readonly #onClosed: (this: TcpHandle) => void;

  constructor(handler: LinkHandler, parts: HandleParts) {
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
    this.#onClosed = function onClosed(this: TcpHandle): void {
      handler.onClose(this.index);
    };
  }

  connect(index: number, { host, port, localAddress }: LinkTarget): void {
    const handle = this.#parts.makeHandle();
    handle.index = index;
    this.#handles[index] = handle;
    const request = new this.#parts.ConnectRequest();
    request.oncomplete = this.#onConnected;
    const isBound = localAddress === undefined || handle.bind(localAddress, 0) === 0;
    if (!isBound || handle.connect(request, host, port) !== 0) this.destroy(index);
  }

  // HOT
  write(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const handle = this.#handles[index];
    if (handle === undefined) return true;
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
    handle.close(this.#onClosed);
  }

  #begin(handle: TcpHandle, status: number): void {
    const { index } = handle;
    if (this.#handles[index] !== handle) return;
    if (status !== 0) {
      this.destroy(index);
      return;
    }
    handle.setNoDelay(true);
    handle.useUserBuffer(this.#readBuffer);
    handle.onread = this.#onRead;
    if (handle.readStart() < 0) this.destroy(index);
    else this.#handler.onConnect(index);
  }
}

/** A write that failed is followed by a read that fails. */
function onWritten(): void {}
