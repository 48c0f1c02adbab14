// The stop of an acceptor, in steps that are each bounded in time: tell extended sessions that the server goes away and let
// them leave; read no more, and answer what was read; close what is left; cut off who does not let go.
//
// On the acceptor's thread, which calls `step` every few milliseconds. Requests are served while sessions are told and leave.

import type { Acceptor } from './acceptor.ts';
import type { StopMessage } from './acceptor-messages.ts';
import { LAST_READS_MS, LEAVE_MS } from './limits.ts';
import type { NetLimits } from './net-limits.ts';

/** The parts of the whole time that sessions may take to leave, and that closing is given, at the most. */
const LEAVE_SHARE = 1 / 3;
const CLOSE_SHARE = 1 / 3;

/** What a stop needs of an acceptor. */
export type StoppingAcceptor = Pick<
  Acceptor,
  | 'goAway'
  | 'tellSome'
  | 'hasExtended'
  | 'drainReplies'
  | 'stopReading'
  | 'isDrained'
  | 'closeAll'
  | 'openCount'
  | 'destroyAll'
> & { readonly transport: Pick<Acceptor['transport'], 'stopListening'> };

type Phase = 'leaving' | 'answering' | 'closing' | 'over';

/** Made when the stop is asked for. */
export class AcceptorStop {
  readonly #acceptor: StoppingAcceptor;
  readonly #closeMs: number;
  /** The instants, in the caller's milliseconds, at which each phase has to be over. */
  readonly #lastReadsAt: number;
  readonly #leaveBy: number;
  readonly #answerBy: number;
  readonly #endBy: number;
  #toldAt: number | undefined;
  #closeBy = 0;
  #phase: Phase = 'leaving';

  constructor(acceptor: StoppingAcceptor, { goingAway, withinMs }: StopMessage, limits: NetLimits, nowMs: number) {
    this.#acceptor = acceptor;
    this.#closeMs = Math.min(limits.closeTimeoutSeconds * 1000, withinMs * CLOSE_SHARE);
    // What had arrived when the stop was asked for is still read, however the loop cuts it.
    this.#lastReadsAt = nowMs + Math.min(LAST_READS_MS, withinMs * LEAVE_SHARE);
    this.#leaveBy = nowMs + withinMs * LEAVE_SHARE;
    this.#answerBy = nowMs + withinMs - this.#closeMs;
    this.#endBy = nowMs + withinMs;
    acceptor.transport.stopListening();
    acceptor.goAway(goingAway);
  }

  /** Goes on with it. True once every connection is gone; not to be called again then. */
  step(nowMs: number): boolean {
    this.#acceptor.drainReplies();
    if (this.#phase === 'leaving') this.#letLeave(nowMs);
    if (this.#phase === 'answering') this.#answer(nowMs);
    if (this.#phase === 'closing') this.#close(nowMs);
    return this.#phase === 'over';
  }

  #letLeave(nowMs: number): void {
    const acceptor = this.#acceptor;
    if (acceptor.tellSome()) this.#toldAt ??= nowMs;
    if (nowMs < this.#lastReadsAt) return;
    const isOver = this.#toldAt !== undefined && (nowMs >= this.#toldAt + LEAVE_MS || !acceptor.hasExtended);
    if (!isOver && nowMs < this.#leaveBy) return;
    acceptor.stopReading();
    this.#phase = 'answering';
  }

  #answer(nowMs: number): void {
    if (!this.#acceptor.isDrained && nowMs < this.#answerBy) return;
    this.#acceptor.closeAll();
    this.#closeBy = Math.min(nowMs + this.#closeMs, this.#endBy);
    this.#phase = 'closing';
  }

  #close(nowMs: number): void {
    if (this.#acceptor.openCount > 0 && nowMs < this.#closeBy) return;
    this.#acceptor.destroyAll();
    this.#phase = 'over';
  }
}
