// What an acceptor needs of the network, and nothing of how it is done: the interface every transport implements.

import type { CloseReason } from './close-reasons.ts';

/** What became of the bytes handed to `write`. */
export const WriteOutcome = {
  /** They are on their way, or will be with `flush`; the caller may reuse the buffer after it. */
  DONE: 0,
  /** They wait for the peer, in the caller's buffer: those bytes must not be written again. */
  KEPT: 1,
  /** The peer does not read: more than maxQueuedBytes would wait. Nothing more is queued; close the connection. */
  TOO_SLOW: 2,
} as const;
export type WriteOutcome = (typeof WriteOutcome)[keyof typeof WriteOutcome];

/** The acceptor, as a transport sees it. Connections are named by index. */
export interface TransportHandler {
  /** A peer has connected from an address, '' if it is gone again. Returns the connection's index, or NO_CONNECTION to refuse it. */
  onOpen(address: string): number;
  /** `length` bytes have arrived. They are only good during the call. */
  onData(connection: number, bytes: Uint8Array, length: number): void;
  /**
   * The thread is about to wait for arrivals outside its event loop: a moment as a rule, a few milliseconds at the most. What
   * the loop has to do ends it, but nothing else does. Only from transports that tell turns, and so are the next three.
   */
  onNap(): void;
  /** It has, and some time, in milliseconds, has passed since the turn before. `onTurn` follows if anything has arrived. */
  onNapOver(ms: number): void;
  /** All that has arrived by now has been handed over: write, a `flush` follows. */
  onTurn(): void;
  /** The thread goes on in its event loop. */
  onSleep(): void;
  /** The peer has said goodbye: nothing more will arrive, but it may still read. Answer with `end`. */
  onEnd(connection: number): void;
  /** The connection is gone; the index is free. `reason` is why, unless the acceptor closed it itself. */
  onClosed(connection: number, reason: CloseReason): void;
}

/**
 * What connections are, each with the next where it does not work: io_uring beneath Node's bare handles, the handles alone,
 * Node's sockets.
 */
export type TransportName = 'uring' | 'handle' | 'socket';

export interface ListenOptions {
  host: string;
  /** 0 lets the system choose. */
  port: number;
  /** Share the port with other acceptors. */
  reusePort: boolean;
}

/** One thread's network. */
export interface Transport {
  /** Whether `onTurn` follows the reads of a turn. If not, the acceptor finds out by itself when one is over. */
  readonly tellsTurns: boolean;
  /** Starts accepting. Resolves to the port. @throws the system's error, such as EADDRINUSE */
  listen(options: ListenOptions): Promise<number>;
  /** Accepts no more; open connections go on. */
  stopListening(): void;
  /** Where a connection comes from; undefined if it is not there any more. */
  addressOf(connection: number): string | undefined;
  /** Sends `bytes` from `start` to `end`, at the latest with the next `flush`; until then they stay as they are. */
  write(connection: number, bytes: Uint8Array, start: number, end: number): WriteOutcome;
  /** Call it after writes, before their bytes are used again. */
  flush(): void;
  /** Sends what is queued, says goodbye, and waits for the peer's goodbye. `onClosed` follows, or call `destroy`. */
  end(connection: number): void;
  /** Closes at once. `onClosed` follows. */
  destroy(connection: number): void;
  /** Gives back what it holds. Every connection is gone, or is not asked for any more. */
  close(): void;
}
