// Why a connection ended: every close has one of these reasons, and each is counted.

/** The reasons in the order of their counters. */
export const CLOSE_REASONS = [
  /** The peer closed it. */
  'peer',
  /** The network reported an error, such as a reset. */
  'error',
  /** A frame broke the rules of the protocol. */
  'frame',
  /** The body of an extended frame was not what it has to be. */
  'body',
  /** A request came before LOGIN or HELLO. */
  'not-logged-in',
  /** LOGIN where a token is needed, or a HELLO whose token is missing, wrong, expired, or another user's. */
  'auth',
  /** The TLS handshake failed, such as plain bytes that came to a TLS port. */
  'tls',
  /** The TLS handshake did not end within tlsTimeoutSeconds. */
  'tls-timeout',
  /** It did not log in within loginTimeoutSeconds. */
  'login-timeout',
  /** The user sent nothing for longer than idleTimeoutSeconds. */
  'idle-timeout',
  /** A frame did not become whole within frameTimeoutSeconds. */
  'frame-timeout',
  /** It did not read what was sent to it: over maxQueuedBytes. */
  'slow-consumer',
  /** The same user logged in on another connection. */
  'replaced',
  /** Refused at once: the server holds as many connections as it may. */
  'limit',
  /** The same: as many as it may of the peer's address. */
  'address-limit',
  /** The same: as many as it may take in one second. */
  'accept-limit',
  /** The server stopped. */
  'shutdown',
] as const;

export type CloseReason = (typeof CLOSE_REASONS)[number];
