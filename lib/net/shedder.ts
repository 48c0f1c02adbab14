// What an acceptor sheds at the present level, and of users who shake too often: decides for each shake, and tells extended
// sessions to shake less often.

import type { SlowDown } from '../protocol/extended.ts';
import { packFrame } from '../protocol/message-pack.ts';
import { Opcode } from '../protocol/opcodes.ts';
import type { CounterWriter } from '../ring/counters.ts';
import { AcceptorCount } from './acceptor-counters.ts';
import type { ConnectionTable } from './connection-table.ts';
import { LEVEL_WORD, Level, SHED_SHARE_WORD, SHED_WHOLE } from './level-words.ts';
import { SLOW_DOWN_AGAIN_SECONDS, SLOW_DOWN_INTERVAL_MS, SLOW_DOWN_MS } from './limits.ts';
import type { NetLimits } from './net-limits.ts';
import type { Outgoing } from './outgoing.ts';

/** What becomes of a shake. */
export const Shed = { NO: 0, NONE: 1, OVERLOAD: 2 } as const;
export type Shed = (typeof Shed)[keyof typeof Shed];

export interface ShedderParts {
  /** See level-words.ts. */
  levels: Int32Array;
  table: ConnectionTable;
  outgoing: Outgoing;
  counters: CounterWriter;
  /** May change in place. */
  limits: NetLimits;
  /** 0 to below 1. */
  random?: () => number;
}

/** Owned by one acceptor. */
export class Shedder {
  /** Seconds since the acceptor started; kept by the owner. */
  tick = 0;
  readonly #parts: ShedderParts;
  readonly #levels: Int32Array;
  readonly #limits: NetLimits;
  readonly #random: () => number;
  /** Adds up the share of each shake: one is shed whenever it passes the whole. So a third is every third one. */
  #phase = 0;

  constructor(parts: ShedderParts) {
    this.#parts = parts;
    this.#levels = parts.levels;
    this.#limits = parts.limits;
    this.#random = parts.random ?? Math.random;
  }

  /** Whether shakes have to be judged at all. */
  // HOT
  get isOn(): boolean {
    return this.#levels[LEVEL_WORD] !== Level.NORMAL || this.#limits.maxShakesPerSecond > 0;
  }

  /** Whether what is neither a shake nor money has to wait. */
  get shedsSide(): boolean {
    return this.#levels[LEVEL_WORD] >= Level.SIDE;
  }

  /** Judges one shake; counts it and tells its session if it is shed. */
  judgeShake(connection: number): Shed {
    if (this.#isTooOften(connection)) {
      this.#parts.counters.add(AcceptorCount.shakesLimited, 1);
      this.#askForPatience(connection);
      return Shed.OVERLOAD;
    }
    const level = this.#levels[LEVEL_WORD];
    if (level < Level.SHARE) return Shed.NO;
    if (level === Level.SHARE) {
      this.#phase += this.#levels[SHED_SHARE_WORD];
      if (this.#phase < SHED_WHOLE) return Shed.NO;
      this.#phase -= SHED_WHOLE;
    }
    this.#parts.counters.add(AcceptorCount.shakesShed, 1);
    this.#askForPatience(connection);
    return level === Level.SHARE ? Shed.NONE : Shed.OVERLOAD;
  }

  #isTooOften(connection: number): boolean {
    const most = this.#limits.maxShakesPerSecond;
    if (most === 0) return false;
    const { shakeTick, shakesInTick } = this.#parts.table;
    if (shakeTick[connection] !== this.tick) {
      shakeTick[connection] = this.tick;
      shakesInTick[connection] = 0;
    }
    if (shakesInTick[connection] >= most) return true;
    shakesInTick[connection]++;
    return false;
  }

  /** SLOW_DOWN to an extended session, now and again. The times are drawn, so that not everybody comes back at once. */
  #askForPatience(connection: number): void {
    const { table, outgoing, counters } = this.#parts;
    if (table.rich[connection] === 0) return;
    const told = table.toldTick[connection];
    if (told !== 0 && this.tick - told < SLOW_DOWN_AGAIN_SECONDS) return;
    table.toldTick[connection] = Math.max(1, this.tick);
    const draw = 1 + this.#random();
    const slowDown: SlowDown = {
      retryAfterMs: Math.round(SLOW_DOWN_MS * draw),
      intervalMs: Math.round(SLOW_DOWN_INTERVAL_MS * draw),
    };
    outgoing.send(connection, packFrame(Opcode.SLOW_DOWN, 0, Math.floor(Date.now() / 1000), slowDown));
    counters.add(AcceptorCount.slowDowns, 1);
  }
}
