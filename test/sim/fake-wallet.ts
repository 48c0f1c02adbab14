// A payment system that is slow, refuses, fails, and fails after having done what it was asked: it outlives the server.

import assert from 'node:assert/strict';
import type { Reservation, Wallet } from '../../lib/ledger/wallet.ts';
import type { TestRandom } from '../packets/seed.ts';

type Method = 'reserve' | 'commit' | 'cancel';

interface Call {
  method: Method;
  reservation: Reservation;
  resolve: (outcome: 'reserved' | 'insufficient') => void;
  reject: (error: Error) => void;
}

/** What is known of a reservation. */
export type HeldState = 'held' | 'refused' | 'committed' | 'cancelled';

export class FakeWallet implements Wallet {
  readonly states = new Map<number, HeldState>();
  readonly #random: TestRandom;
  #calls: Call[] = [];

  constructor(random: TestRandom) {
    this.#random = random;
  }

  /** Calls that are not answered. */
  get waitingCount(): number {
    return this.#calls.length;
  }

  reserve(reservation: Reservation): Promise<'reserved' | 'insufficient'> {
    return this.#call('reserve', reservation);
  }

  async commit(reservation: Reservation): Promise<void> {
    await this.#call('commit', reservation);
  }

  async cancel(reservation: Reservation): Promise<void> {
    await this.#call('cancel', reservation);
  }

  /** Answers one of the calls. @param isSound false: it may refuse, and fail before or after having done it */
  answerOne(isSound: boolean): void {
    const [call] = this.#calls.splice(this.#random.below(this.#calls.length), 1);
    const luck = isSound ? 9 : this.#random.below(10);
    if (luck === 0) {
      call.reject(new Error('the wallet did nothing'));
      return;
    }
    const outcome = this.#carryOut(call, luck === 1);
    if (luck === 2) call.reject(new Error('the wallet did it, and does not say so'));
    else call.resolve(outcome);
  }

  /** The server is gone: what was on its way arrived or did not, and nobody waits for an answer. */
  forgetCalls(): void {
    for (const call of this.#calls) if (this.#random.below(2) === 0) this.#carryOut(call, false);
    this.#calls = [];
  }

  #call(method: Method, reservation: Reservation): Promise<'reserved' | 'insufficient'> {
    return new Promise((resolve, reject) => this.#calls.push({ method, reservation, resolve, reject }));
  }

  #carryOut({ method, reservation: { id } }: Call, refuses: boolean): 'reserved' | 'insufficient' {
    const state = this.states.get(id);
    if (method === 'reserve') {
      // A reservation that overtook its cancel holds nothing.
      if (state === 'cancelled') return 'insufficient';
      assert(state === undefined, `reservation ${id} is asked for once`);
      this.states.set(id, refuses ? 'refused' : 'held');
      return refuses ? 'insufficient' : 'reserved';
    }
    if (method === 'commit') {
      assert(state === 'held' || state === 'committed', `reservation ${id} is ${state} and must not be committed`);
      this.states.set(id, 'committed');
    } else {
      assert(state !== 'committed', `reservation ${id} is committed and must not be cancelled`);
      this.states.set(id, 'cancelled');
    }
    return 'reserved';
  }
}
