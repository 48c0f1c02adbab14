// Which level a server should be at: driven by how long requests wait in the rings and by how full these are.
//
// A pure rule: fed at a steady beat, it knows no clock and no thread. Pressure is the worst of the waits over its target and
// the fill over its target; above 1 is too much. Going up takes several beats of too much, so that a hiccup does nothing;
// going down takes many beats of little, one level after the other, so that a level does not flap. At level 2 the share that
// is shed grows by a quarter of the whole while it is too much, and shrinks by a tenth when it is little: many users feel a
// little of it rather than all of it feel everything.

import { Level, MOST_LEVEL } from './level-words.ts';

/** How often the rule is fed, in milliseconds. */
export const BEAT_MS = 100;

/** A request may wait so long in a ring, in microseconds: a fifth of what a person notices. */
export const TARGET_WAIT_US = 20_000;

/** A ring may be so full. */
export const TARGET_FILL = 0.5;

/** Pressure below which it is little. */
const LITTLE = 0.5;

/** Pressure from which on one beat more is not waited for. */
const EXTREME = 10;

/** Beats of too much before the level goes up, and of little before it goes down. */
const BEATS_UP = 3;
const BEATS_DOWN = 10;

/** How the share that is shed grows and shrinks in a beat. */
const SHARE_UP = 0.25;
const SHARE_DOWN = 0.9;

/** A share below this is nothing. */
const LEAST_SHARE = 0.05;

/** What is measured in a beat. */
export interface Strain {
  /** The longest wait in a request ring, in microseconds. */
  waitUs: number;
  /** How full the fullest request ring is, or how much of what may be under way is; 0 to 1. */
  fill: number;
}

export class LevelRule {
  level: Level = Level.NORMAL;
  /** The share of shakes that is shed at level 2; 1 at level 3, 0 below. */
  share = 0;
  #forced: Level | undefined;
  #beatsUp = 0;
  #beatsDown = 0;

  /** The level that an operator has set, if one has. */
  get forced(): Level | undefined {
    return this.#forced;
  }

  /** Sets a level by hand, or lets the rule have its way again. A forced level 2 sheds half. */
  force(level: Level | undefined): void {
    this.#forced = level;
    this.#beatsUp = 0;
    this.#beatsDown = 0;
    if (level === undefined) return;
    this.level = level;
    this.share = level === Level.SHARE ? 0.5 : level === Level.SHAKES ? 1 : 0;
  }

  /** A beat has passed. */
  feed({ waitUs, fill }: Strain): void {
    if (this.#forced !== undefined) return;
    const pressure = Math.max(waitUs / TARGET_WAIT_US, fill / TARGET_FILL);
    if (pressure > 1) this.#strain(pressure);
    else if (pressure < LITTLE) this.#relax();
    else {
      this.#beatsUp = 0;
      this.#beatsDown = 0;
    }
  }

  #strain(pressure: number): void {
    this.#beatsDown = 0;
    this.#beatsUp++;
    if (this.level === Level.SHARE && this.share < 1) {
      this.share = Math.min(1, this.share + SHARE_UP);
      return;
    }
    if (this.level === MOST_LEVEL || (this.#beatsUp < BEATS_UP && pressure < EXTREME)) return;
    this.#beatsUp = 0;
    this.level = (this.level + 1) as Level;
    this.share = this.level === Level.SHARE ? SHARE_UP : this.level === Level.SHAKES ? 1 : 0;
  }

  #relax(): void {
    this.#beatsUp = 0;
    this.#beatsDown++;
    if (this.level === Level.SHARE) {
      this.share *= SHARE_DOWN;
      if (this.share >= LEAST_SHARE) return;
    }
    if (this.level === Level.NORMAL || this.#beatsDown < BEATS_DOWN) return;
    this.#beatsDown = 0;
    this.level = (this.level - 1) as Level;
    this.share = this.level === Level.SHARE ? 1 : 0;
  }
}
