// What a load engine needs of the network, and nothing of how it is done. Connections are named by index.

/** The engine, as its links see it. */
export interface LinkHandler {
  /** The connection stands. */
  onConnect(index: number): void;
  /** `length` bytes have arrived. They are only good during the call. */
  onData(index: number, bytes: Uint8Array, length: number): void;
  /**
   * Where many reads are taken together: they have all been told, and what is written now leaves with what they wrote. Returns
   * whether to wait for the next read: not if there is more to write.
   */
  onTurn(): boolean;
  /** The connection is gone, or could not be made. */
  onClose(index: number): void;
}

/** Whom to connect to, and from which local address; undefined lets the system choose. */
export interface LinkTarget {
  host: string;
  port: number;
  localAddress: string | undefined;
}

/** All connections of one engine. */
export interface LoadLinks {
  /** Begins to connect; `onConnect` or `onClose` follows. */
  connect(index: number, target: LinkTarget): void;
  /** Sends bytes. Returns false if some of them wait in place, or for `flush`: the caller leaves those bytes alone from then on. */
  write(index: number, bytes: Uint8Array, start: number, end: number): boolean;
  /** What was written outside of `onData` is to leave now, and not only at the end of the loop's turn. */
  flush(): void;
  /** Closes at once; `onClose` follows. */
  destroy(index: number): void;
  /** Gives back what they hold, after the last of them was destroyed. */
  close(): void;
}
