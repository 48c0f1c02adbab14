// What is counted over the whole life of a ledger, and how a snapshot has it.

import assert from 'node:assert/strict';
import type { DatabaseSync } from 'node:sqlite';
import { readMeta } from './snapshot-schema.ts';

/** Running totals since the first record, under the names that `meta` has them by. */
export const TOTALS = {
  /** What came in from outside, less what went out. */
  fundingCents: 'funding',
  /** Budgets of drops and totals of packets. */
  houseFundedCents: 'house_funded',
  /** The part of it that was budgets of drops. */
  dropFundedCents: 'drop_funded',
  wonCents: 'won',
  grabbedCents: 'grabbed',
  /** What drops and packets gave back. */
  refundedCents: 'refunded',
  /** The part of it that drops gave back. */
  dropRefundedCents: 'drop_refunded',
  toppedUpCents: 'topped_up',
  withdrawnCents: 'withdrawn',
  packetsSent: 'packets_sent',
  packetsExpired: 'packets_expired',
  sharesGrabbed: 'shares_grabbed',
  packetsWon: 'packets_won',
  /** The highest ids there were; 0 before the first. */
  lastDropId: 'last_drop',
  lastSendId: 'last_send',
  lastReservation: 'last_reservation',
  /** The number that the first packet of the next drop gets. */
  nextNumber: 'next_number',
} as const;
export type Totals = Record<keyof typeof TOTALS, number>;

/** The totals that a snapshot has; all zero before the first segment. */
export function readTotals(database: DatabaseSync): Totals {
  const meta = readMeta(database);
  const entries = Object.entries(TOTALS).map(([name, key]) => {
    const value = meta.get(key) ?? 0;
    assert(typeof value === 'number', 'totals are numbers');
    return [name, value];
  });
  return Object.fromEntries(entries);
}
