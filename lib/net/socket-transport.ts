// The transport over Node's public net.Socket: works everywhere, costs an object tree per connection.

import { createServer, type Server, type Socket } from 'node:net';
import type { CloseReason } from './close-reasons.ts';
import { NO_CONNECTION } from './connection-table.ts';
import { BACKLOG, MAX_QUEUED_BYTES } from './limits.ts';
import { type ListenOptions, type Transport, type TransportHandler, WriteOutcome } from './transport.ts';

/** A socket that knows its index, so that all sockets can share the same listener functions. */
interface IndexedSocket extends Socket {
  connection: number;
  closeReason: CloseReason;
}

/** Seconds of silence after which the kernel asks whether the peer is still there. */
const KEEP_ALIVE_SECONDS = 120;

export class SocketTransport implements Transport {
  readonly #handler: TransportHandler;
  readonly #sockets: (IndexedSocket | undefined)[] = [];
  readonly #server: Server;

  constructor(handler: TransportHandler) {
    this.#handler = handler;
    this.#server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_SECONDS * 1000 },
      (socket) => this.#accept(socket as IndexedSocket),
    );
  }

  listen({ host, port, reusePort }: ListenOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, reusePort, backlog: BACKLOG }, () => {
        this.#server.removeListener('error', reject);
        // Once it listens, an error is a failed accept of one connection, which the kernel already dropped.
        this.#server.on('error', () => {});
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  stopListening(): void {
    this.#server.close();
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
