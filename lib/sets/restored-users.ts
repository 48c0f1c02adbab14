// What the users of one worker had at the end of an earlier run, as recovery hands it over at the start.

import type { KeyUse } from './request-keys.ts';

/** Can be sent through workerData. */
export interface RestoredUsers {
  userIds: Int32Array;
  /** Cents, in the order of userIds. */
  balances: Float64Array;
  /** Pairs: user, packet that he may still be told of; the oldest packet first. */
  notices: Int32Array;
  /** How often users have won from the open drops that bound it; `slot` is the drop's in the drop table. */
  wins: { slot: number; dropId: number; userId: number; count: number }[];
  /** Request keys, each user's oldest first. */
  keys: { userId: number; key: string; use: KeyUse }[];
}
