// TLS around the sockets of a transport: one context for all, no renegotiation, and a bound on how long a handshake takes.

import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import type { NetLimits } from './net-limits.ts';

/** A certificate chain and its key, as PEM texts. */
export interface TlsFiles {
  cert: string;
  key: string;
}

/** What a handshake ends with; one of the two is called, or the socket closes before. */
export interface HandshakeEvents {
  onSecure: () => void;
  onTimeout: () => void;
}

/** TLS 1.2 at the least. A peer may not renegotiate: that would let it make the server work for ever. @throws {Error} bad PEM */
export function makeTlsContext({ cert, key }: TlsFiles): SecureContext {
  return createSecureContext({ cert, key, minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_RENEGOTIATION });
}

export class TlsSockets {
  readonly #context: SecureContext;
  readonly #limits: NetLimits;

  /** @param limits may change in place */
  constructor(files: TlsFiles, limits: NetLimits) {
    this.#context = makeTlsContext(files);
    this.#limits = limits;
  }

  /** Begins the handshake with a peer that has connected. What is wrong with it ends the returned socket alone. */
  wrap(raw: Socket, { onSecure, onTimeout }: HandshakeEvents): TLSSocket {
    // Its errors reach the socket around it.
    raw.on('error', () => {});
    const socket = new TLSSocket(raw, { isServer: true, secureContext: this.#context });
    const timer = setTimeout(onTimeout, this.#limits.tlsTimeoutSeconds * 1000);
    socket.once('secure', () => {
      clearTimeout(timer);
      onSecure();
    });
    socket.once('close', () => clearTimeout(timer));
    return socket;
  }

  /** Reads a peer no further until it has taken what is queued; `onTimeout` if it does not do so in time. */
  rest(socket: Socket, onTimeout: () => void): void {
    socket.pause();
    const timer = setTimeout(onTimeout, this.#limits.tlsTimeoutSeconds * 1000);
    const end = () => {
      clearTimeout(timer);
      socket.removeListener('drain', end).removeListener('close', end);
      socket.resume();
    };
    socket.on('drain', end).on('close', end);
  }
}
