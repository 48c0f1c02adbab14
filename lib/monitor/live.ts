// What GET /live tells a viewer: the events of its stream, as the dashboard and `hongbao watch` read them.
//
// | event   | data           | when                                                                              |
// |---------|----------------|-----------------------------------------------------------------------------------|
// | hello   | LiveHello      | first                                                                             |
// | seconds | LiveSecond[]   | the last seconds asked for, then each second as it comes; one that comes again,   |
// |         |                | because a late sample joined it, replaces the one before                          |
// | state   | LiveState      | once a second                                                                     |

import type { MergedSide } from './merged-second.ts';
import type { Role } from './sample.ts';

export interface LiveHello {
  /** The program and its version. */
  program: string;
  /** The source whose own server this is; none at a monitor that stands alone, which has no drops and sends. */
  server?: string;
}

/** A merged second without its counts: its rates say the same. */
export interface LiveSecond {
  /** Unix seconds. */
  second: number;
  server?: Omit<MergedSide, 'counts'>;
  client?: Omit<MergedSide, 'counts'>;
}

/** One process that sends samples. */
export interface LiveSource {
  source: string;
  role: Role;
  /** `missing`: nothing has come for some seconds, and it did not say that it ends. */
  state: 'here' | 'missing' | 'ended';
  /** The last second that it has told of, in Unix seconds. */
  lastSecond: number;
  /** Samples that never came, because it could not deliver them or they were lost on the way. */
  lost: number;
  /** Shakes a second that it is asked for, if its rate can be set from here. */
  qps?: number;
}

/** A drop or a send as its table shows it. Money is in cents. */
export interface LiveCampaign {
  id: number;
  count: number;
  rate: number;
  /** Released by a drop, created by a send; won of a drop, shares grabbed of a send. */
  released: number;
  claimed: number;
  /** The budget of a drop, what a send has put into packets so far. */
  totalCents: number;
  claimedCents: number;
  refundedCents: number;
  state: string;
  isPaused: boolean;
}

export interface LiveState {
  /** Unix milliseconds. */
  nowMs: number;
  sources: LiveSource[];
  /** Samples that the monitor has refused, by reason, and what was wrong with the last one. */
  refused: Record<string, number>;
  lastRefusal?: string;
  /** Since the first record of the server's journal; in cents. Only at a server. */
  money?: { funded: number; claimed: number; refunded: number; outstanding: number; difference: number };
  /** Newest first, at most 50 each; only at a server. */
  drops?: LiveCampaign[];
  sends?: LiveCampaign[];
}
