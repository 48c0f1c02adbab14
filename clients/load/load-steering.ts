// How a running load test is watched and given another rate from outside.
//
// One belongs to one run; the coordinator keeps it up to date, and it passes changes on to the threads.

import type { LoadOptions, UserRange } from './load-options.ts';
import { emptyTotals, type LoadTotals } from './load-totals.ts';

export type LoadPhase = 'connecting' | 'shaking' | 'draining';

/** A rate that holds from a moment on. */
export interface RateChange {
  /** Shakes a second over the whole population. */
  qps: number;
  /** A whole second, in Unix milliseconds. */
  fromMs: number;
}

/** What a load client says of itself. */
export interface LoadStatus {
  phase: LoadPhase;
  users: UserRange;
  population: UserRange;
  closed: boolean;
  /** Shakes a second over the whole population at this moment; 0 in a closed loop, which has no rate. */
  qps: number;
  /** A change that has not begun yet. */
  next?: RateChange;
  totals: LoadTotals;
}

/** Why a rate cannot be changed; `code` is `closed_loop` or `over`. */
export class SteeringError extends Error {
  readonly code: 'closed_loop' | 'over';
  constructor(code: SteeringError['code'], message: string) {
    super(message);
    this.name = 'SteeringError';
    this.code = code;
  }
}

/** The threads need so long to hear of a change, in milliseconds: a second that begins earlier is too near. */
const NOTICE_MS = 50;

export class LoadSteering {
  readonly #options: LoadOptions;
  readonly #now: () => number;
  #pass: (change: RateChange) => void = () => {};
  #passGrab: (packetId: number) => void = () => {};
  #phase: LoadPhase = 'connecting';
  #totals: LoadTotals = emptyTotals();
  /** All rates that were asked for, in the order of their times. */
  readonly #rates: RateChange[];

  /** @param now Unix milliseconds */
  constructor(options: LoadOptions, now: () => number = Date.now) {
    this.#options = options;
    this.#now = now;
    this.#rates = [{ qps: options.closed ? 0 : options.qps, fromMs: 0 }];
  }

  /** The rates so far, first one first: more than one if it was changed. */
  get rates(): readonly RateChange[] {
    return this.#rates;
  }

  /** The rate of this moment; 0 in a closed loop. */
  get qps(): number {
    const nowMs = this.#now();
    return this.#rates.findLast(({ fromMs }) => fromMs <= nowMs)!.qps;
  }

  /** For the coordinator: where changes go, and packets that everybody is to grab. */
  attach(pass: (change: RateChange) => void, passGrab: (packetId: number) => void): void {
    this.#pass = pass;
    this.#passGrab = passGrab;
  }

  /** Lets every connection grab one packet, whether it was told of it or not. */
  grabAll(packetId: number): void {
    this.#passGrab(packetId);
  }

  /** For the coordinator: how far the test is. */
  observe(phase: LoadPhase, totals: LoadTotals): void {
    this.#phase = phase;
    this.#totals = totals;
  }

  /**
   * Another rate from the next whole second on, or from a later one.
   *
   * @param qps shakes a second over the whole population @param fromMs Unix milliseconds; rounded up to a whole second
   * @returns the rate and the second from which on it holds
   * @throws {SteeringError}
   */
  setQps(qps: number, fromMs = 0): RateChange {
    if (this.#options.closed) throw new SteeringError('closed_loop', 'this client runs a closed loop: it has no rate');
    if (this.#phase === 'draining') throw new SteeringError('over', 'this client shakes no more');
    const earliestMs = Math.ceil((this.#now() + NOTICE_MS) / 1000) * 1000;
    const change = { qps, fromMs: Math.max(earliestMs, Math.ceil(fromMs / 1000) * 1000) };
    while (this.#rates.at(-1)!.fromMs >= change.fromMs) this.#rates.pop();
    this.#rates.push(change);
    this.#pass(change);
    return change;
  }

  status(): LoadStatus {
    const { users, population, closed } = this.#options;
    const nowMs = this.#now();
    const next = this.#rates.find(({ fromMs }) => fromMs > nowMs);
    const status: LoadStatus = { phase: this.#phase, users, population, closed, qps: this.qps, totals: this.#totals };
    if (next !== undefined) status.next = next;
    return status;
  }
}
