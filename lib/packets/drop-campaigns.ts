// The drops of this server: splits a budget, releases packets at their rate, moves what nobody fetches, refunds the rest.
//
// Main thread. Time, randomness and the log of movements are handed in. Every cent of a budget is at each moment with a
// winner, refunded, or outstanding. A drop is released only once its opening is durable; it is closed in the log only when
// every win of it has been logged.

import { CampaignError } from './campaign-error.ts';
import { CampaignHolds, type Hold } from './campaign-holds.ts';
import { type CampaignPlan, planDrop } from './campaign-plan.ts';
import { type DropSpec, toSplit } from './drop-spec.ts';
import type { DropTable } from './drop-table.ts';
import { DROP_ARENA_WORDS, MAX_OPEN_DROPS } from './limits.ts';
import type { DropOpening, MovementLog, Ticket } from './movement-log.ts';
import { SHAKE_NUMBERS } from './packet-id.ts';
import { RunList } from './run-list.ts';
import type { SplitRequest } from './split.ts';

/** How a drop stands. `scheduled`: not yet; `releasing`: at its rate; `released`: all out, not all won; `closing`: taking back; `closed`. */
export interface DropStatus {
  id: number;
  count: number;
  rate: number;
  budget: number;
  released: number;
  claimed: number;
  claimedCents: number;
  refundedCents: number;
  state: 'scheduled' | 'releasing' | 'released' | 'closing' | 'closed';
  /** Nothing more is released until it is resumed; what is out can be won. */
  isPaused: boolean;
  /** While it is scheduled: Unix milliseconds. */
  startsAtMs?: number;
}

/** A drop of an earlier run that was not closed. */
export interface RestoredDrop {
  opening: DropOpening;
  /** A bit for each number, 1 where it was won; bit i is in byte i >> 3, at 1 << (i & 7). */
  won: Uint8Array;
}

interface Drop extends Omit<DropStatus, 'startsAtMs'> {
  slot: number;
  /** Where the amounts begin of the packets that were not won in an earlier run. */
  firstAmount: number;
  /** Since when it is released at its rate, and how many were out then. */
  startMs: number;
  releasedBefore: number;
  /** Packets won, and released again from there on, when the drop was taken up after a restart. */
  wonBefore: number;
  /** The entry that closes it. */
  closing: Ticket | undefined;
  /** Packets taken back at closing. */
  takenBack: number;
  /** The `taken` sequence of each SET at the last look, to see whether anybody fetches there. */
  lastTaken: Int32Array;
}

/** Splits a drop's budget off this thread: fills the Int32 words of `memory` from word `at` on. */
export type DropSplitter = (
  request: SplitRequest,
  seed: Uint8Array,
  memory: SharedArrayBuffer,
  at: number,
) => Promise<void>;

/** Closed drops that stay on record. */
const KEPT_CLOSED = 10_000;

/** Stock that nobody fetched for this long is moved to a SET where somebody is logged in. */
const MOVE_AFTER_MS = 1000;

export class DropCampaigns {
  /** Told of a drop that is closed now. */
  onClosed: (drop: DropStatus) => void = () => {};
  /** What operators asked for beside the numbers; the owner sees to it that changes are kept. */
  readonly holds = new CampaignHolds();
  readonly #table: DropTable;
  readonly #splitDrop: DropSplitter;
  readonly #drawSeed: () => Uint8Array;
  readonly #log: MovementLog;
  readonly #drops = new Map<number, Drop>();
  /** The open drop of each slot of the table. */
  readonly #bySlot: (Drop | 'taken' | undefined)[] = new Array(MAX_OPEN_DROPS).fill(undefined);
  /** Twice the words of DROP_ARENA_WORDS: a drop that is taken up again has the numbers of its packets as well. */
  readonly #arena = new RunList(2 * DROP_ARENA_WORDS);
  /** Packets of the drops that hold a run of the arena. */
  #arenaPackets = 0;
  /** Packets to release to each SET, during one call. */
  readonly #toRelease: Int32Array;
  #nextId = 1;
  #nextNumber = 0;
  #nextSet = 0;
  #nextMoveMs = 0;
  /** Packets and cents put into the SETs in this run. */
  #releasedPackets = 0;
  #releasedCents = 0;
  #fundedCents = 0;
  #refundedCents = 0;

  constructor(table: DropTable, splitDrop: DropSplitter, drawSeed: () => Uint8Array, log: MovementLog) {
    this.#table = table;
    this.#splitDrop = splitDrop;
    this.#drawSeed = drawSeed;
    this.#log = log;
    this.#toRelease = new Int32Array(table.sets);
  }

  /**
   * Splits the budget, logs the drop, and starts releasing once that is durable.
   * @param readNowMs Unix milliseconds; read when the split is done
   * @throws {CampaignError} bad_request, no_room
   */
  async create(spec: DropSpec, readNowMs: () => number): Promise<DropStatus> {
    const request = toSplit(spec);
    const slot = this.#takeSlot();
    const firstAmount = this.#takeRun(spec.count, spec.count);
    const seed = this.#drawSeed();
    this.#bySlot[slot] = 'taken';
    try {
      await this.#splitDrop(request, seed, this.#table.amounts.buffer as SharedArrayBuffer, firstAmount);
      if (!this.#log.hasRoom(0)) throw new CampaignError('no_room', 'too much waits for the disk; try again later');
      // Before the drop is: a crash in between leaves a hold of nothing, not a drop that begins too early.
      this.holds.begin(this.#nextId, spec.startMs === undefined ? {} : { startMs: spec.startMs });
    } catch (error) {
      this.#bySlot[slot] = undefined;
      this.#giveRun(firstAmount, spec.count);
      throw error;
    }
    const opening: DropOpening = {
      id: this.#nextId++,
      count: spec.count,
      rate: spec.rate,
      budget: spec.budget,
      minCents: request.minCents,
      maxCents: request.maxCents,
      winsPerUser: spec.winsPerUser ?? 0,
      firstNumber: this.#nextNumber,
      createdMs: Math.floor(readNowMs()),
      seed,
    };
    this.#nextNumber = (opening.firstNumber + spec.count) % SHAKE_NUMBERS;
    await this.#log.whenDurable(this.#log.openDrop(opening));
    this.#fundedCents += spec.budget;
    this.#open(opening, slot, firstAmount, readNowMs(), 0, 0);
    return this.status(opening.id);
  }

  /**
   * Takes up a drop of an earlier run where it stood: what was not won is released again, at its rate.
   * @throws {CampaignError} no_room
   */
  async restore({ opening, won }: RestoredDrop, nowMs: number): Promise<void> {
    const { count, budget, minCents, maxCents } = opening;
    const slot = this.#takeSlot();
    this.#bySlot[slot] = 'taken';
    const all = new Int32Array(new SharedArrayBuffer(4 * count));
    const request: SplitRequest = { mode: 'lucky', totalCents: budget, shares: count, minCents, maxCents };
    await this.#splitDrop(request, opening.seed, all.buffer, 0);
    let wonCount = 0;
    let wonCents = 0;
    for (let number = 0; number < count; number++) {
      if (!hasBit(won, number)) continue;
      wonCount++;
      wonCents += all[number];
    }
    const left = count - wonCount;
    const firstAmount = this.#takeRun(2 * left, count);
    for (let number = 0, place = firstAmount; number < count; number++) {
      if (hasBit(won, number)) continue;
      this.#table.amounts[place] = all[number];
      this.#table.amounts[left + place++] = number;
    }
    this.holds.takeUp(opening.id);
    this.#open(opening, slot, firstAmount, nowMs, wonCount, wonCents);
  }

  /** The slot of an open drop in the drop table. */
  slotOf(id: number): number {
    return this.#find(id).slot;
  }

  /** Goes on counting where an earlier run ended. Before `restore`. @param nextNumber of the next shake packet @param holds by id */
  continueFrom(lastId: number, nextNumber: number, holds: Iterable<readonly [number, Hold]> = []): void {
    this.holds.restore(holds, lastId);
    this.#nextId = lastId + 1;
    this.#nextNumber = nextNumber;
  }

  /** Releases what is due, moves idle stock, finishes drops that are over. Call it every few milliseconds. */
  tick(nowMs: number): void {
    const moves = nowMs >= this.#nextMoveMs;
    if (moves) this.#nextMoveMs = nowMs + MOVE_AFTER_MS;
    for (const drop of this.#bySlot) {
      if (drop === undefined || drop === 'taken') continue;
      this.#refresh(drop);
      if (drop.state === 'scheduled' && nowMs >= drop.startMs) drop.state = 'releasing';
      if (drop.state === 'releasing' && !drop.isPaused) this.#releaseDue(drop, nowMs);
      if (drop.state === 'closing' || drop.claimed === drop.count) this.#finish(drop);
      else if (moves) this.#moveIdle(drop);
    }
  }

  /**
   * Ends a drop: what nobody has won goes back to its funder. Closing a closed drop changes nothing. Resolves once the
   * close is durable, or at once if winners are still being credited.
   * @throws {CampaignError} not_found
   */
  async close(id: number): Promise<DropStatus> {
    const drop = this.#find(id);
    if (drop.state !== 'closing' && drop.state !== 'closed') {
      drop.state = 'closing';
      drop.isPaused = false;
      // Without it a crash that the close does not survive would let the drop go on.
      this.holds.note(id, { isCutShort: true, isPaused: false });
      for (let set = 0; set < this.#table.sets; set++) {
        drop.takenBack += this.#table.takeBack(drop.slot, set, drop.count);
      }
      this.#finish(drop);
    }
    if (drop.closing !== undefined) await this.#log.whenDurable(drop.closing);
    return this.status(id);
  }

  /** What a drop would do. @throws {CampaignError} bad_request */
  plan(spec: DropSpec, nowMs: number): CampaignPlan {
    return planDrop(toSplit(spec), { rate: spec.rate, startMs: Math.max(nowMs, spec.startMs ?? 0) });
  }

  /** Releases nothing more of a drop until it is resumed. @throws {CampaignError} not_found, over; what keeping it throws */
  pause(id: number): DropStatus {
    const drop = this.#findOpen(id);
    this.holds.change(id, { isPaused: true });
    drop.isPaused = true;
    return this.status(id);
  }

  /** Goes on at the drop's rate: what was not released meanwhile is not made up for. @throws as pause */
  resume(id: number, nowMs: number): DropStatus {
    const drop = this.#findOpen(id);
    if (drop.isPaused) {
      this.holds.change(id, { isPaused: false });
      drop.isPaused = false;
      drop.startMs = Math.max(nowMs, drop.startMs);
      drop.releasedBefore = drop.released;
    }
    return this.status(id);
  }

  /** The last drops, newest first. */
  list(most: number): DropStatus[] {
    return [...this.#drops.keys()]
      .reverse()
      .slice(0, most)
      .map((id) => this.status(id));
  }

  /** Drops that are not closed, also those that are still being split. */
  get openCount(): number {
    return this.#bySlot.reduce((open, drop) => (drop === undefined ? open : open + 1), 0);
  }

  /** Packets a second that open drops release together, while they do. */
  get releaseRate(): number {
    let rate = 0;
    for (const drop of this.#bySlot) {
      if (typeof drop === 'object' && drop.state === 'releasing' && !drop.isPaused) rate += drop.rate;
    }
    return rate;
  }

  /** @throws {CampaignError} not_found */
  status(id: number): DropStatus {
    const drop = this.#find(id);
    this.#refresh(drop);
    const { count, rate, budget, released, claimed, claimedCents, refundedCents, state, isPaused, startMs } = drop;
    const status = { id, count, rate, budget, released, claimed, claimedCents, refundedCents, state, isPaused };
    return state === 'scheduled' ? { ...status, startsAtMs: startMs } : status;
  }

  /** Packets put into the SETs in this run, and the cents in them. */
  released(): { packets: number; cents: number } {
    return { packets: this.#releasedPackets, cents: this.#releasedCents };
  }

  /** Cents over all drops there ever were. `outstanding` is neither won nor refunded. */
  totals(): { fundedCents: number; refundedCents: number; outstandingCents: number } {
    let outstandingCents = 0;
    for (const drop of this.#bySlot) {
      if (drop === undefined || drop === 'taken') continue;
      this.#refresh(drop);
      outstandingCents += drop.budget - drop.claimedCents;
    }
    return { fundedCents: this.#fundedCents, refundedCents: this.#refundedCents, outstandingCents };
  }

  #takeSlot(): number {
    const slot = this.#bySlot.indexOf(undefined);
    if (slot < 0) throw new CampaignError('no_room', `at most ${MAX_OPEN_DROPS} drops can be open at once`);
    return slot;
  }

  /** A run of `words` words of the arena for a drop of so many packets. */
  #takeRun(words: number, packets: number): number {
    const first = this.#arenaPackets + packets > DROP_ARENA_WORDS ? -1 : this.#arena.take(Math.max(1, words));
    if (first < 0) {
      throw new CampaignError(
        'no_room',
        `open drops can hold ${DROP_ARENA_WORDS} packets together; wait or ask for fewer`,
      );
    }
    this.#arenaPackets += packets;
    return first;
  }

  #giveRun(first: number, packets: number): void {
    this.#arena.give(first);
    this.#arenaPackets -= packets;
  }

  #open(
    opening: DropOpening,
    slot: number,
    firstAmount: number,
    nowMs: number,
    wonCount: number,
    wonCents: number,
  ): void {
    const { id, count, rate, budget, firstNumber, winsPerUser } = opening;
    const { isPaused = false, isCutShort = false, startMs = 0 } = this.holds.get(id);
    const unreleased = isCutShort ? 'closing' : startMs > nowMs ? 'scheduled' : 'releasing';
    const drop: Drop = {
      id,
      count,
      rate,
      budget,
      released: wonCount,
      claimed: wonCount,
      claimedCents: wonCents,
      refundedCents: 0,
      state: wonCount === count ? 'released' : unreleased,
      isPaused,
      slot,
      firstAmount,
      startMs: Math.max(nowMs, startMs),
      releasedBefore: wonCount,
      wonBefore: wonCount,
      closing: undefined,
      takenBack: 0,
      lastTaken: new Int32Array(this.#table.sets),
    };
    for (let set = 0; set < this.#table.sets; set++) drop.lastTaken[set] = this.#table.takenSequence(slot, set);
    this.#drops.set(id, drop);
    this.#bySlot[slot] = drop;
    const numbers = wonCount > 0 ? { numbers: firstAmount + count - wonCount } : {};
    this.#table.open(slot, { id, firstAmount, firstNumber, winsPerUser, ...numbers });
    this.#forgetOldest();
  }

  #releaseDue(drop: Drop, nowMs: number): void {
    const due = Math.min(drop.count, drop.releasedBefore + Math.floor(((nowMs - drop.startMs) / 1000) * drop.rate));
    if (due <= drop.released) return;
    this.#place(drop, due - drop.released);
    this.#releasedPackets += due - drop.released;
    for (let i = drop.released; i < due; i++) {
      this.#releasedCents += this.#table.amounts[drop.firstAmount + i - drop.wonBefore];
    }
    drop.released = due;
    if (due === drop.count) drop.state = 'released';
  }

  /** Spreads packets over the SETs in turn, leaving out those where nobody is logged in, unless that is all of them. */
  #place(drop: Drop, packets: number): void {
    const { sets, stock } = this.#table;
    for (let placed = 0; placed < packets; placed++) {
      for (let skipped = 0; skipped < sets && stock.countSessions(this.#nextSet) === 0; skipped++) {
        this.#nextSet = (this.#nextSet + 1) % sets;
      }
      this.#toRelease[this.#nextSet]++;
      this.#nextSet = (this.#nextSet + 1) % sets;
    }
    for (let set = 0; set < sets; set++) {
      if (this.#toRelease[set] === 0) continue;
      this.#table.release(drop.slot, set, this.#toRelease[set]);
      this.#toRelease[set] = 0;
    }
  }

  /** Takes stock from SETs where none was fetched since the last look, and places it anew. */
  #moveIdle(drop: Drop): void {
    let idle = 0;
    for (let set = 0; set < this.#table.sets; set++) {
      const taken = this.#table.takenSequence(drop.slot, set);
      if (taken === drop.lastTaken[set]) idle += this.#table.takeBack(drop.slot, set, drop.count);
      drop.lastTaken[set] = this.#table.takenSequence(drop.slot, set);
    }
    if (idle > 0) this.#place(drop, idle);
  }

  /** Brings claimed and claimedCents up to what winners have been credited with. Numbers are given out in order. */
  #refresh(drop: Drop): void {
    if (drop.state === 'closed') return;
    const claimed = drop.wonBefore + this.#table.countSettled(drop.slot);
    for (let i = drop.claimed; i < claimed; i++) {
      drop.claimedCents += this.#table.amounts[drop.firstAmount + i - drop.wonBefore];
    }
    drop.claimed = claimed;
  }

  /** Ends a drop whose stock is gone, once every winner has been credited; else the next tick tries again. */
  #finish(drop: Drop): void {
    this.#refresh(drop);
    if (drop.claimed !== drop.released - drop.takenBack || !this.#log.hasRoom(0)) return;
    drop.closing = this.#log.closeDrop(drop.id, drop.claimed, drop.budget - drop.claimedCents);
    drop.state = 'closed';
    drop.isPaused = false;
    drop.refundedCents = drop.budget - drop.claimedCents;
    this.#refundedCents += drop.refundedCents;
    this.#table.close(drop.slot);
    this.#giveRun(drop.firstAmount, drop.count);
    this.#bySlot[drop.slot] = undefined;
    void this.#log.whenDurable(drop.closing).then(() => this.holds.forget(drop.id));
    this.onClosed(this.status(drop.id));
  }

  #find(id: number): Drop {
    const drop = this.#drops.get(id);
    if (drop === undefined) throw new CampaignError('not_found', `there is no drop ${id}`);
    return drop;
  }

  #findOpen(id: number): Drop {
    const drop = this.#find(id);
    if (drop.state === 'closing' || drop.state === 'closed') throw new CampaignError('over', `drop ${id} is closed`);
    return drop;
  }

  /** Keeps the record of closed drops bounded. */
  #forgetOldest(): void {
    if (this.#drops.size <= KEPT_CLOSED + MAX_OPEN_DROPS) return;
    for (const drop of this.#drops.values()) {
      if (drop.state !== 'closed') continue;
      this.#drops.delete(drop.id);
      return;
    }
  }
}

function hasBit(bits: Uint8Array, index: number): boolean {
  return (bits[index >> 3] & (1 << (index & 7))) !== 0;
}
