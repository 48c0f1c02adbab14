// The transport over Node's public net.Socket: works everywhere, costs an object tree per connection.

import { createServer, type Server, type Socket } from 'node:net';
import type { CloseReason } from './close-reasons.ts';
import { NO_CONNECTION } from './connection-table.ts';
import { KEEP_ALIVE_SECONDS, MAX_QUEUED_BYTES } from './limits.ts';
import { listen } from './listen.ts';
import { type ListenOptions, type Transport, type TransportHandler, WriteOutcome } from './transport.ts';

/** A socket that knows its index, so that all sockets can share the same listener functions. */
interface IndexedSocket extends Socket {
  connection: number;
  closeReason: CloseReason;
}

export class SocketTransport implements Transport {
  readonly #handler: TransportHandler;
  readonly #sockets: (IndexedSocket | undefined)[] = [];
  readonly #server: Server;

  constructor(handler: TransportHandler) {
    this.#handler = handler;
    this.#server = createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_SECONDS * 1000 },
      (socket) => this.#accept(socket as IndexedSocket),
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
    if (queued > 0) {
      if (queued + end - start > MAX_QUEUED_BYTES) return WriteOutcome.TOO_SLOW;
      socket.write(Uint8Array.prototype.slice.call(bytes, start, end));
      return WriteOutcome.DONE;
    }
    socket.write(bytes.subarray(start, end));
    return socket.writableLength === 0 ? WriteOutcome.DONE : WriteOutcome.KEPT;
  }

  end(connection: number): void {
    this.#sockets[connection]!.end();
  }

  destroy(connection: number): void {
    this.#sockets[connection]!.destroy();
  }

  #accept(socket: IndexedSocket): void {
    const connection = this.#handler.onOpen();
    if (connection === NO_CONNECTION) {
      socket.destroy();
      return;
    }
    socket.connection = connection;
    socket.closeReason = 'peer';
    this.#sockets[connection] = socket;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', onError);
    socket.on('close', this.#onClose);
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
      handler().onEnd(this.connection);
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
  this.closeReason = 'error';
}
