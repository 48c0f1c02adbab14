// The connections of a load engine over Node's public net.Socket: works everywhere, for any kind of address.

import { connect, type Socket, type TcpNetConnectOpts } from 'node:net';
import type { LinkHandler, LinkTarget, LoadLinks } from './load-links.ts';

/** Bytes read at once; one buffer serves every connection. */
const READ_BYTES = 64 * 1024;

export class SocketLinks implements LoadLinks {
  readonly #handler: LinkHandler;
  readonly #sockets: (Socket | undefined)[] = [];
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

  constructor(handler: LinkHandler) {
    this.#handler = handler;
  }

  connect(index: number, { host, port, localAddress }: LinkTarget): void {
    const handler = this.#handler;
    const options: TcpNetConnectOpts = { host, port, noDelay: true };
    if (localAddress !== undefined) options.localAddress = localAddress;
    options.onread = {
      buffer: this.#readBuffer,
      callback: (length, bytes) => {
        handler.onData(index, bytes, length);
        return true;
      },
    };
    const socket = connect(options);
    this.#sockets[index] = socket;
    socket.on('connect', () => handler.onConnect(index));
    // A close follows every error.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets[index] = undefined;
      handler.onClose(index);
    });
  }

  // HOT
  write(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const socket = this.#sockets[index]!;
    socket.write(bytes.subarray(start, end));
    return socket.writableLength === 0;
  }

  destroy(index: number): void {
    this.#sockets[index]?.destroy();
  }
}
