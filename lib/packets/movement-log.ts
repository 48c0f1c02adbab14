// What main writes down before it tells anybody: drops, sends and packets opened and closed. The ledger implements it.
//
// Entries are durable in their order. `hasRoom` is asked first; an entry without room is a mistake of the caller.

import type { NewPacket } from './packet-creator.ts';

/** Where an entry ends in the log of this thread: it is durable once everything up to there is. Wraps. */
export type Ticket = number;

export interface DropOpening {
  id: number;
  count: number;
  rate: number;
  budget: number;
  minCents: number;
  maxCents: number;
  /** 0 for any number of times. */
  winsPerUser: number;
  firstNumber: number;
  createdMs: number;
  seed: Uint8Array;
}

export interface SendOpening {
  id: number;
  count: number;
  rate: number;
  shares: number;
  /** Index into SPLIT_MODES. */
  mode: number;
  users: readonly [number, number];
  expiresInSeconds: number;
  lowCents: number;
  highCents: number;
  createdMs: number;
  /** Of the draws between lowCents and highCents. */
  seed: Uint8Array;
}

export interface PacketOpening {
  id: number;
  packet: NewPacket;
  /** The house's send and the place in it; 0 and 0 for a packet that a user sent. */
  sendId: number;
  index: number;
  /** 0 the house, 1 the sender's balance, 2 a reservation at an external wallet. */
  source: 0 | 1 | 2;
  /** With source 2. */
  reservation: number;
  /** The sender's request key; '' for none. */
  key: string;
}

export interface MovementLog {
  /** Whether an entry with so many invited users has room now; without room, try again at the next tick. */
  hasRoom(invited: number): boolean;
  openDrop(drop: DropOpening): Ticket;
  closeDrop(dropId: number, won: number, refundCents: number): Ticket;
  openSend(send: SendOpening): Ticket;
  openPacket(opening: PacketOpening): Ticket;
  closePacket(packetId: number, taken: number, refundCents: number): Ticket;
  isDurable(ticket: Ticket): boolean;
  /** Resolves once the entry is durable. */
  whenDurable(ticket: Ticket): Promise<void>;
}
