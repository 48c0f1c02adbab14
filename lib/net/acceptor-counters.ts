// What an acceptor counts: the names of its block of shared counters, in the order of their cells.

import { CLOSE_REASONS, type CloseReason } from './close-reasons.ts';

const COUNTS = [
  'connectionsOpen',
  'connectionsAccepted',
  'requestsLogin',
  'requestsShake',
  'requestsGrab',
  'requestsHello',
  'requestsPing',
  'requestsSend',
  'requestsWallet',
  'requestsRecords',
  'requestsChat',
  'shakesNone',
  'shakesOverload',
  /** Of the shakes: shed because of the level. */
  'shakesShed',
  /** Of the shakes: of users who shook too often. */
  'shakesLimited',
  'grabsBusy',
  'sideBusy',
  /** Of these: because of the level. */
  'sideShed',
  'slowDowns',
  /** A gauge: requests under way to the worker that has most. */
  'inFlight',
  'chatBusy',
  'chatUnavailable',
  'chatLimited',
  'chatAnswers',
  'chatPushes',
  'noticesSent',
  'repliesStale',
  'bytesReceived',
  'bytesSent',
] as const;

export const ACCEPTOR_COUNTERS = {
  counts: [...COUNTS, ...CLOSE_REASONS.map((reason) => `closed:${reason}`)],
  sums: [],
};

/** The cell of each count. */
export const AcceptorCount = Object.fromEntries(COUNTS.map((name, i) => [name, i])) as Record<
  (typeof COUNTS)[number],
  number
>;

/** The cell that counts closes for this reason. */
export function closeCount(reason: CloseReason): number {
  return COUNTS.length + CLOSE_REASONS.indexOf(reason);
}
