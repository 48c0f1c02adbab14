// The one error class of the client library; its code says what happened.

/**
 * - `connect`: the server could not be reached
 * - `closed`: the connection ended before the reply came; a grab, and a send with its key, may be repeated safely
 * - `not-connected`: there is no connection at the moment, or the server is going away and takes nothing more
 * - `timeout`: no reply came in time
 * - `login`: the server refused the login, or its token; the message says why
 * - `protocol`: the server sent something that is not the protocol
 * - `request`: the protocol allows no such request; nothing was sent
 * - `server`: the server answered ERROR; the message is the server's
 */
export type ClientErrorCode =
  | 'connect'
  | 'closed'
  | 'not-connected'
  | 'timeout'
  | 'login'
  | 'protocol'
  | 'request'
  | 'server';

interface ClientErrorOptions extends ErrorOptions {
  key?: string;
  serverCode?: string;
  retryAfterMs?: number | undefined;
}

export class ClientError extends Error {
  readonly code: ClientErrorCode;

  /** The request key of a send that may have been carried out or not: repeat it with this key. */
  readonly key: string | undefined;

  /** With `server`: the code of the server's ERROR, and how long to wait before asking again, if it says. */
  readonly serverCode: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: ClientErrorCode, message: string, options: ClientErrorOptions = {}) {
    super(message, options);
    this.name = 'ClientError';
    this.code = code;
    this.key = options.key;
    this.serverCode = options.serverCode;
    this.retryAfterMs = options.retryAfterMs;
  }
}
