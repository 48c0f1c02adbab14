// Where the money of a user's send comes from: the interface to a payment system, in two phases.
//
// The server first asks to reserve the cents. If the packet can be created, the reservation is committed once that is
// durable; otherwise it is cancelled. Each reservation is committed or cancelled in the end, also across a crash; both may be
// asked for several times, so both must be idempotent. docs/WALLET.md says how to write one.

import type { PacketSource } from './record-layout.ts';

/** Cents that are to be held for a send. */
export interface Reservation {
  /** Unique on this node, also across restarts. */
  id: number;
  userId: number;
  /** 1 to 2^31 - 1. */
  cents: number;
  /** The request key of the send. */
  key: string;
}

export interface Wallet {
  /**
   * Holds the cents, or says that the user has not enough. A rejection means that nothing is known: the server then cancels.
   */
  reserve(reservation: Reservation): Promise<'reserved' | 'insufficient'>;
  /** The packet stands: takes what was held. Repeated until it resolves. */
  commit(reservation: Reservation): Promise<void>;
  /** Nothing was sent: frees what was held, if anything was. Repeated until it resolves. */
  cancel(reservation: Reservation): Promise<void>;
}

/** A wallet, and what the ledger has to know of it. */
export interface WalletInUse {
  wallet: Wallet;
  /** BALANCE: the built-in ledger, whose balances the journal has. WALLET: another one, each of whose reservations is logged. */
  source: typeof PacketSource.BALANCE | typeof PacketSource.WALLET;
}
