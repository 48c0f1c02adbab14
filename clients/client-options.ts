// The options of a client, with their defaults.

import type { ConnectionOptions } from 'node:tls';

export interface ClientOptions {
  host: string;
  port: number;
  /**
   * What proves to the server who the user is, for `hello`; or what gets one, asked at each login, since a token expires.
   * undefined for a server that asks for none.
   */
  token: string | (() => string | Promise<string>) | undefined;
  /** Connect with TLS: true for a server whose certificate Node trusts, or what Node's tls.connect takes, such as `ca`. */
  tls: boolean | ConnectionOptions;
  /** How long a reply may take, in milliseconds; also how long connecting may take. */
  timeoutMs: number;
  /** Connect and log in again when the connection is lost. */
  reconnect: boolean;
  /** The first wait before connecting again, in milliseconds; it doubles each time, and a random half is taken off. */
  reconnectMinMs: number;
  /** The longest such wait, in milliseconds. */
  reconnectMaxMs: number;
  /** Go where a server that goes away says, if it names another place. */
  followTarget: boolean;
}

export const DEFAULT_CLIENT_OPTIONS: ClientOptions = {
  host: '127.0.0.1',
  port: 1025,
  token: undefined,
  tls: false,
  timeoutMs: 10_000,
  reconnect: true,
  reconnectMinMs: 200,
  reconnectMaxMs: 10_000,
  followTarget: true,
};
