// What the calls of a client take and give.

import type { RichGrabResult, Send, Sent } from '../lib/protocol/extended.ts';

/** What a shake came to. */
export interface ShakeResultOf {
  /** `overload`: the server is busy; wait before shaking again. */
  result: 'won' | 'none' | 'overload';
  /** 0 unless won. */
  packetId: number;
  amountCents: number;
}

/** What a grab came to. */
export interface GrabResult {
  packetId: number;
  /** 0 if nothing was got. */
  amountCents: number;
  /** Why; only sessions opened with `hello` are told. */
  status?: RichGrabResult['status'];
  /** With status BUSY: grab again after so many milliseconds. */
  retryAfterMs?: number;
}

/** What to send: see Send for the bounds. What is left out: a key that is drawn, mode `lucky`, a day, no note. */
export type SendRequest = Pick<Send, 'users' | 'totalCents' | 'shares'> & Partial<Send>;

/** What a send came to. */
export interface SendResult extends Sent {
  /** The key that it was sent with. */
  key: string;
}
