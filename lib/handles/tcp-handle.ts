// Node's own TCP handles, the objects beneath net.Socket: private parts of Node, and the one file that touches them.
//
// A handle does what a connection needs and nothing else: no stream, no events, no allocation per read or write. Everything
// here is looked up at run time, so a Node without it is noticed (see handle-probe.ts) and net.Socket serves instead.

import { createServer, type Server } from 'node:net';

/** What `length` of a read is at the end of the stream, and what a write says when the connection is no more. */
export const UV_EOF = -4095;

/** An accepted or outgoing connection. */
export interface TcpHandle {
  /** Called for each read with the handle as `this`; how long it was is in `StreamState`. The bytes are in the user's buffer. */
  onread: (this: TcpHandle) => void;
  /**
   * Reads go into this buffer; it may be shared by every handle of a thread, since a read is handed over at once. Node does
   * not keep it alive: `onread` has to hold it, or a read goes into memory that is somebody else's by then.
   */
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  /** Writes what the kernel takes now, and queues the rest in place. Returns 0 or a negative error. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  /** Says goodbye once all is written. Returns 0, 1 if it is done already, or a negative error. */
  shutdown(request: HandleRequest): number;
  /** Closes, with a reset of what is queued. `closed` is called in a later turn, with the handle as `this`. */
  close(closed: (this: TcpHandle) => void): void;
  /** Puts the peer's address and port into `name`. Returns 0 or a negative error. */
  getpeername(name: { address?: string; port?: number }): number;
  setNoDelay(on: boolean): void;
  setKeepAlive(on: boolean, seconds: number): void;
  /** The descriptor of its socket. */
  readonly fd: number;
  /** Bytes that wait to be written. */
  readonly writeQueueSize: number;
  /** Outgoing handles: takes over a socket. Returns 0 or a negative error. */
  open(descriptor: number): number;
  /** Outgoing handles: binds to a local address, and connects. Returns 0 or a negative error. */
  bind(address: string, port: number): number;
  connect(request: HandleRequest, address: string, port: number): number;
  /** The connection's index in its owner's tables: the one thing that is ours. */
  index: number;
}

/** Stands for an operation that ends later. `oncomplete` is called with it as `this`. */
export interface HandleRequest {
  oncomplete: (this: HandleRequest, status: number, handle: TcpHandle) => void;
}

/** A write. One that was done at once leaves it unused: it may serve the next write. */
export interface WriteRequest extends HandleRequest {
  /** What is being written must stay alive until it is. */
  bytes: Uint8Array;
}

/** What the last read or write of this thread came to. */
export interface StreamState {
  /** By `READ`: bytes read, or a negative error. By `ASYNC`: 1 if the last write could not be done at once. */
  readonly words: Int32Array;
  readonly READ: number;
  readonly ASYNC: number;
}

/** The private parts of this thread's Node. */
export interface HandleParts {
  state: StreamState;
  WriteRequest: new () => WriteRequest;
  ShutdownRequest: new () => HandleRequest;
  ConnectRequest: new () => HandleRequest;
  /** Makes an outgoing handle. */
  makeHandle(): TcpHandle;
}

interface TcpBinding {
  TCP: new (type: number) => TcpHandle;
  TCPConnectWrap: new () => HandleRequest;
  constants: { SOCKET: number };
}

interface StreamBinding {
  streamBaseState: Int32Array;
  kReadBytesOrError: number;
  kLastWriteWasAsync: number;
  WriteWrap: new () => WriteRequest;
  ShutdownWrap: new () => HandleRequest;
}

/** Looks the private parts up. @throws Error if this Node has them no more, or keeps them from us */
export function loadHandleParts(): HandleParts {
  const binding = (process as unknown as { binding: (name: string) => unknown }).binding;
  const { TCP, TCPConnectWrap, constants } = binding('tcp_wrap') as TcpBinding;
  const stream = binding('stream_wrap') as StreamBinding;
  const { streamBaseState, kReadBytesOrError, kLastWriteWasAsync, WriteWrap, ShutdownWrap } = stream;
  const classes = [TCP, TCPConnectWrap, WriteWrap, ShutdownWrap];
  const methods = ['useUserBuffer', 'readStart', 'writeBuffer', 'shutdown', 'close', 'setNoDelay', 'setKeepAlive'];
  const hasAll =
    classes.every((made) => typeof made === 'function') &&
    methods.every((method) => typeof TCP.prototype[method] === 'function') &&
    [kReadBytesOrError, kLastWriteWasAsync].every((index) => Number.isInteger(streamBaseState[index]));
  if (!hasAll) throw new Error(`Node ${process.versions.node} has other handles`);
  return {
    state: { words: streamBaseState, READ: kReadBytesOrError, ASYNC: kLastWriteWasAsync },
    WriteRequest: WriteWrap,
    ShutdownRequest: ShutdownWrap,
    ConnectRequest: TCPConnectWrap,
    makeHandle: () => new TCP(constants.SOCKET),
  };
}

/** A public server whose connections come as bare handles once `takeHandles` was called. */
export function createHandleServer(): Server {
  // Nothing is accepted between listening and takeHandles, which is called in the same turn.
  return createServer((socket) => socket.destroy());
}

/** Has a server hand its connections to `onHandle`. Call it in the turn in which it began to listen. @throws Error */
export function takeHandles(server: Server, onHandle: (handle: TcpHandle) => void): void {
  const listening = (server as unknown as { _handle?: { onconnection?: unknown } })._handle;
  if (typeof listening?.onconnection !== 'function')
    throw new Error(`Node ${process.versions.node} listens in another way`);
  // An error is a failed accept of one connection, which the kernel has dropped already.
  listening.onconnection = (error: number, handle: TcpHandle) => {
    if (error === 0) onHandle(handle);
  };
}

/** The descriptor of a server that listens. @throws Error */
export function descriptorOf(server: Server): number {
  const descriptor = (server as unknown as { _handle?: { fd?: number } })._handle?.fd;
  if (descriptor === undefined || descriptor < 0)
    throw new Error(`Node ${process.versions.node} hides its descriptors`);
  return descriptor;
}
