// Opens, closes and counts the connections of one acceptor, and ends those that run out of time.

import { ERROR_MESSAGES, type ErrorCode, type GoingAway } from '../protocol/extended.ts';
import type { FrameReader } from '../protocol/frame-reader.ts';
import { packFrame } from '../protocol/message-pack.ts';
import { Opcode } from '../protocol/opcodes.ts';
import type { CounterWriter } from '../ring/counters.ts';
import { AcceptorCount, closeCount } from './acceptor-counters.ts';
import type { Admission } from './admission.ts';
import type { CloseReason } from './close-reasons.ts';
import { ConnectionState, type ConnectionTable, NO_CONNECTION, NO_USER } from './connection-table.ts';
import type { NetLimits } from './net-limits.ts';
import type { Outgoing } from './outgoing.ts';
import type { Transport } from './transport.ts';
import type { WorkerLink } from './worker-link.ts';

/** What the keeper works with; all of it belongs to the same acceptor. */
export interface KeeperParts {
  table: ConnectionTable;
  transport: Transport;
  outgoing: Outgoing;
  reader: FrameReader;
  links: readonly WorkerLink[];
  counters: CounterWriter;
  admission: Admission;
  /** Of all acceptors together. */
  maxConnections: number;
  /** May change in place. */
  limits: NetLimits;
}

/** Owned by one acceptor. */
export class ConnectionKeeper {
  /** Seconds since the acceptor started. */
  tick = 0;
  /** Connections of this acceptor that are not gone yet. */
  openCount = 0;
  readonly #parts: KeeperParts;
  /** The frame that extended sessions are sent once the server goes away. */
  #goingAway: Uint8Array | undefined;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** A peer has connected: its index, or NO_CONNECTION when it is one too many. */
  open(address: string): number {
    const { table, counters, admission, maxConnections, limits } = this.#parts;
    const hash = admission.hash(address);
    const refusal = admission.enter(hash, maxConnections, limits, unixSeconds());
    const connection = refusal === undefined ? table.open(this.tick, hash) : NO_CONNECTION;
    if (connection === NO_CONNECTION) {
      if (refusal === undefined) admission.leave(hash);
      counters.add(closeCount(refusal ?? 'limit'), 1);
      return NO_CONNECTION;
    }
    counters.add(AcceptorCount.connectionsAccepted, 1);
    counters.add(AcceptorCount.connectionsOpen, 1);
    this.openCount++;
    return connection;
  }

  /**
   * Closes a connection in good order: what is queued still leaves, with an ERROR as the last frame for an extended
   * session. What the peer still sends is thrown away until it closes too, so that our last words are not lost to a
   * reset.
   */
  close(connection: number, reason: CloseReason, error?: ErrorCode): void {
    const { table, outgoing, transport } = this.#parts;
    if (!this.#isOpen(connection)) return;
    if (error !== undefined && table.rich[connection] === 1) this.sendError(connection, error, 0, unixSeconds());
    outgoing.flush();
    // Writing may have shown that the peer does not read, and then the connection is gone already.
    if (!this.#isOpen(connection)) return;
    this.#leave(connection, reason);
    table.states[connection] = ConnectionState.CLOSING;
    table.sinceTick[connection] = this.tick;
    transport.end(connection);
  }

  /** Closes a connection whose peer does not read, at once. */
  closeSlow(connection: number): void {
    const { table, transport } = this.#parts;
    if (this.#isOpen(connection)) this.#leave(connection, 'slow-consumer');
    table.states[connection] = ConnectionState.CLOSING;
    transport.destroy(connection);
  }

  /** The transport has closed a connection: the index becomes free. */
  forget(connection: number, reason: CloseReason): void {
    const { table, counters, admission } = this.#parts;
    if (this.#isOpen(connection)) this.#leave(connection, reason);
    admission.leave(table.addressHashes[connection]);
    table.release(connection);
    counters.add(AcceptorCount.connectionsOpen, -1);
    this.openCount--;
  }

  /** Sends ERROR to an extended session. @param retryAfterMs left out, it does not say when to ask again */
  sendError(connection: number, code: ErrorCode, stampHigh: number, stampLow: number, retryAfterMs?: number): void {
    const body = { code, message: ERROR_MESSAGES[code], ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    this.#parts.outgoing.send(connection, packFrame(Opcode.ERROR, stampHigh, stampLow, body));
  }

  /** A second has passed: ends what has run out of time. */
  keepTime(): void {
    this.tick++;
    const { table, reader, transport, limits } = this.#parts;
    const { idleTimeoutSeconds } = limits;
    reader.tick = this.tick;
    for (const connection of reader.findStale(this.tick - limits.frameTimeoutSeconds)) {
      this.close(connection, 'frame-timeout', 'timeout');
    }
    for (let connection = 0; connection < table.highWater; connection++) {
      const state = table.states[connection];
      const age = this.tick - table.sinceTick[connection];
      if (state === ConnectionState.NEW && age > limits.loginTimeoutSeconds) {
        this.close(connection, 'login-timeout', 'timeout');
      } else if (
        idleTimeoutSeconds > 0 &&
        state === ConnectionState.LOGGED_IN &&
        this.tick - table.heardTick[connection] > idleTimeoutSeconds
      ) {
        this.close(connection, 'idle-timeout', 'timeout');
      } else if (state === ConnectionState.CLOSING && age > limits.closeTimeoutSeconds) {
        transport.destroy(connection);
      }
    }
  }

  /** From now on every extended session is to be told that the server goes away: see `tellGoingAway`. */
  goAway(goingAway: GoingAway): void {
    this.#goingAway = packFrame(Opcode.GOING_AWAY, 0, unixSeconds(), goingAway);
  }

  /** Tells the extended sessions among `count` connections; returns from which one on it has to go on. */
  tellSome(from: number, count: number): number {
    const end = Math.min(from + count, this.#parts.table.highWater);
    for (let connection = from; connection < end; connection++) this.tellGoingAway(connection);
    return end;
  }

  /** Tells an extended session that the server goes away, if it does. */
  tellGoingAway(connection: number): void {
    if (this.#goingAway !== undefined && this.#isExtended(connection)) {
      this.#parts.outgoing.send(connection, this.#goingAway);
    }
  }

  /** Whether somebody is logged in with an extended session. */
  hasExtended(): boolean {
    const { highWater } = this.#parts.table;
    for (let connection = 0; connection < highWater; connection++) if (this.#isExtended(connection)) return true;
    return false;
  }

  /** Closes every connection because the server stops. */
  closeAll(): void {
    const { table } = this.#parts;
    for (let connection = 0; connection < table.highWater; connection++) this.close(connection, 'shutdown', 'shutdown');
  }

  /** Closes at once what is still there. */
  destroyAll(): void {
    const { table, transport } = this.#parts;
    for (let connection = 0; connection < table.highWater; connection++) {
      if (table.states[connection] !== ConnectionState.FREE) transport.destroy(connection);
    }
  }

  #isExtended(connection: number): boolean {
    const { table } = this.#parts;
    return table.rich[connection] === 1 && table.states[connection] === ConnectionState.LOGGED_IN;
  }

  /** Whether the connection is neither free nor being closed. */
  #isOpen(connection: number): boolean {
    const state = this.#parts.table.states[connection];
    return state !== ConnectionState.FREE && state !== ConnectionState.CLOSING;
  }

  /** What every end of a connection has in common: counted once, the user's session ended, nothing kept. */
  #leave(connection: number, reason: CloseReason): void {
    const { table, counters, reader, outgoing, links } = this.#parts;
    counters.add(closeCount(reason), 1);
    reader.forget(connection);
    outgoing.drop(connection);
    const userId = table.userIds[connection];
    if (userId === NO_USER) return;
    table.userIds[connection] = NO_USER;
    const link = links[table.sets[connection] % links.length];
    link.disconnect(connection, table.generations[connection], userId);
    link.flush();
  }
}

/** The stamp of frames that the server starts. */
export function unixSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
