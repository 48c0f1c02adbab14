// The connections of a load engine over Node's public net.Socket: works everywhere, for any kind of address, and with TLS.

import { connect, isIP, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { LinkHandler, LinkTarget, LoadLinks } from './load-links.ts';
import type { LoadOptions } from './load-options.ts';

/** Bytes read at once; one buffer serves every connection. */
const READ_BYTES = 64 * 1024;

export class SocketLinks implements LoadLinks {
  readonly #handler: LinkHandler;
  readonly #tls: LoadOptions['tls'];
  readonly #sockets: (Socket | undefined)[] = [];
  readonly #readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

  constructor(handler: LinkHandler, tls?: LoadOptions['tls']) {
    this.#handler = handler;
    this.#tls = tls;
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
    const tls = this.#tls;
    const socket =
      tls === undefined ? connect(options) : connectTls({ ...options, ca: tls.ca, servername: nameOf(host) });
    this.#sockets[index] = socket;
    // TLS does not pass the option on.
    if (tls !== undefined) socket.once('secureConnect', () => socket.setNoDelay(true));
    socket.on(tls === undefined ? 'connect' : 'secureConnect', () => handler.onConnect(index));
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

  flush(): void {}

  close(): void {}

  destroy(index: number): void {
    this.#sockets[index]?.destroy();
  }
}

/** The name that a server is asked for by: an address is none. */
function nameOf(host: string): string {
  return isIP(host) === 0 ? host : '';
}
