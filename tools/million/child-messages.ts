// What the parent of a run and its servers and clients say to each other.

import type { LoadOptions } from '../../clients/load/load-options.ts';
import type { LoadTotals } from '../../clients/load/load-totals.ts';
import type { ServerOptions } from '../../lib/server-options.ts';

export type ToServer = { kind: 'start'; options: Partial<ServerOptions> } | { kind: 'stop' };

export type FromServer =
  | { kind: 'serving'; port: number; controlPort: number }
  /** It cannot start, or cannot go on; it ends. */
  | { kind: 'failed'; message: string };

/**
 * `connect` makes all connections of `options.users`. `shake` sends what is due from `fromMs` on and before `untilMs`, in
 * Unix milliseconds; the client looks what is due from `offsetMs` behind `fromMs` on. `stop` ends the shaking, `end` all.
 */
export type ToClient =
  | { kind: 'connect'; options: LoadOptions }
  | { kind: 'shake'; fromMs: number; untilMs: number; offsetMs: number }
  | { kind: 'stop' }
  | { kind: 'end' };

export type FromClient =
  | { kind: 'ready' }
  /**
   * quietMs: how long nothing had come. lastAnswerMs: when the last shake was answered, in Unix milliseconds. hasStopped: no
   * shake will be sent any more.
   */
  | { kind: 'report'; totals: LoadTotals; hasStopped: boolean; quietMs: number; lastAnswerMs: number }
  /** The histograms, encoded; nothing follows. */
  | { kind: 'ended'; latency: { shake: string; grab: string } };
