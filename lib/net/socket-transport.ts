// The transport over Node's public net.Socket, bare or with TLS: works everywhere, costs an object tree per connection.

import { createServer, type Server, type Socket } from 'node:net';
import type { CloseReason } from './close-reasons.ts';
import { NO_CONNECTION } from './connection-table.ts';
import { KEEP_ALIVE_SECONDS, UNREAD_TLS_SHARE } from './limits.ts';
import { listen } from './listen.ts';
import type { NetLimits } from './net-limits.ts';
import { type TlsFiles, TlsSockets } from './tls-sockets.ts';
import { type ListenOptions, type Transport, type TransportHandler, WriteOutcome } from './transport.ts';

/** A socket that knows its index, so that all sockets can share the same listener functions. */
interface IndexedSocket extends Socket {
  connection: number;
  closeReason: CloseReason;
  /** Whether there is no TLS handshake, or it has ended well. */
  isReady: boolean;
}

export class SocketTransport implements Transport {
  readonly tellsTurns = false;
  readonly #handler: TransportHandler;
  readonly #limits: NetLimits;
  readonly #sockets: (IndexedSocket | undefined)[] = [];
  readonly #server: Server;
  readonly #tls: TlsSockets | undefined;

  /** @param limits may change in place @param tls undefined for plain TCP */
  constructor(handler: TransportHandler, limits: NetLimits, tls?: TlsFiles) {
    this.#handler = handler;
    this.#limits = limits;
    this.#tls = tls && new TlsSockets(tls, limits);
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_SECONDS * 1000 },
      (socket) => this.#accept(socket),
    );
  }

  listen(options: ListenOptions): Promise<number> {
    return listen(this.#server, options, () => {});
  }

  stopListening(): void {
    this.#server.close();
  }

  addressOf(connection: number): string | undefined {
    return this.#sockets[connection]?.remoteAddress;
  }

  // HOT
  write(connection: number, bytes: Uint8Array, start: number, end: number): WriteOutcome {
    const socket = this.#sockets[connection]!;
    // The peer has said goodbye, and the close event is on its way.
    if (!socket.writable) return WriteOutcome.DONE;
    const queued = socket.writableLength;
    // TLS never takes all at once, and what it keeps would keep the caller's buffer.
    if (queued > 0 || this.#tls !== undefined) {
      if (queued + end - start > this.#limits.maxQueuedBytes) return WriteOutcome.TOO_SLOW;
      socket.write(Uint8Array.prototype.slice.call(bytes, start, end));
      return WriteOutcome.DONE;
    }
    socket.write(bytes.subarray(start, end));
    return socket.writableLength === 0 ? WriteOutcome.DONE : WriteOutcome.KEPT;
  }

  end(connection: number): void {
    const socket = this.#sockets[connection]!;
    // Without a handshake there is nobody who could hear a goodbye.
    if (socket.isReady) socket.end();
    else socket.destroy();
  }

  destroy(connection: number): void {
    this.#sockets[connection]!.destroy();
  }

  flush(): void {}

  close(): void {}

  #accept(raw: Socket): void {
    const connection = this.#handler.onOpen(raw.remoteAddress ?? '');
    if (connection === NO_CONNECTION) {
      raw.destroy();
      return;
    }
    const socket = this.#secure(raw);
    socket.connection = connection;
    this.#sockets[connection] = socket;
    socket.on('data', this.#onData);
    if (this.#tls !== undefined) socket.on('data', () => this.#restWhenFull(socket));
    socket.on('end', this.#onEnd);
    socket.on('error', onError);
    socket.on('close', this.#onClose);
  }

  /** The socket to speak through. A connection is counted from its first moment on, handshake or not. */
  #secure(raw: Socket): IndexedSocket {
    const socket = (
      this.#tls === undefined
        ? raw
        : this.#tls.wrap(raw, {
            onSecure: () => {
              socket.isReady = true;
              socket.closeReason = 'peer';
            },
            onTimeout: () => {
              socket.closeReason = 'tls-timeout';
              socket.destroy();
            },
          })
    ) as IndexedSocket;
    socket.isReady = this.#tls === undefined;
    socket.closeReason = socket.isReady ? 'peer' : 'tls';
    return socket;
  }

  /** With TLS, called behind each read. */
  #restWhenFull(socket: IndexedSocket): void {
    if (socket.writableLength <= this.#limits.maxQueuedBytes * UNREAD_TLS_SHARE || socket.destroyed) return;
    this.#tls!.rest(socket, () => {
      socket.closeReason = 'slow-consumer';
      socket.destroy();
    });
  }

  readonly #onData = (() => {
    const handler = () => this.#handler;
    // A function, not an arrow: one for all sockets, which find their index in `this`.
    return function onData(this: IndexedSocket, chunk: Buffer): void {
      handler().onData(this.connection, chunk, chunk.length);
    };
  })();

  readonly #onEnd = (() => {
    const handler = () => this.#handler;
    return function onEnd(this: IndexedSocket): void {
      if (this.isReady) handler().onEnd(this.connection);
      else this.destroy();
    };
  })();

  readonly #onClose = (() => {
    const forget = (socket: IndexedSocket) => this.#forget(socket);
    return function onClose(this: IndexedSocket): void {
      forget(this);
    };
  })();

  #forget(socket: IndexedSocket): void {
    this.#sockets[socket.connection] = undefined;
    this.#handler.onClosed(socket.connection, socket.closeReason);
  }
}

function onError(this: IndexedSocket): void {
  if (this.isReady) this.closeReason = 'error';
}
