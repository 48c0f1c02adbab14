// The options of a client, with their defaults.

export interface ClientOptions {
  host: string;
  port: number;
  /** How long a reply may take, in milliseconds; also how long connecting may take. */
  timeoutMs: number;
  /** Connect and log in again when the connection is lost. */
  reconnect: boolean;
  /** The first wait before connecting again, in milliseconds; it doubles each time, and a random half is taken off. */
  reconnectMinMs: number;
  /** The longest such wait, in milliseconds. */
  reconnectMaxMs: number;
}

export const DEFAULT_CLIENT_OPTIONS: ClientOptions = {
  host: '127.0.0.1',
  port: 1025,
  timeoutMs: 10_000,
  reconnect: true,
  reconnectMinMs: 200,
  reconnectMaxMs: 10_000,
};
