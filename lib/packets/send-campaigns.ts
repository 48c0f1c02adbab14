// The sends that the house makes: creates packets at a rate, names their recipients, expires them, and accounts for them.
//
// Main thread. Time, randomness and the way to tell a user are handed in. Every cent of a packet is at each moment with
// somebody who grabbed it, refunded, or outstanding.

import { CampaignError } from './campaign-error.ts';
import { ExpiryCalendar } from './expiry-calendar.ts';
import {
  DEFAULT_EXPIRY_SECONDS,
  DEFAULT_MAX_CENTS,
  DEFAULT_MIN_CENTS,
  MAX_AMOUNT_CENTS,
  SHARE_ARENA_WORDS,
} from './limits.ts';
import { NO_ROOM, type PacketCreator } from './packet-creator.ts';
import { slotOf } from './packet-id.ts';
import type { PacketTable, PacketView } from './packet-table.ts';
import { SeededRandom } from './seeded-random.ts';
import { isSplittable, type SplitMode } from './split.ts';

/** What is asked for. */
export interface SendSpec {
  /** Packets. */
  count: number;
  /** Packets a second. */
  rate: number;
  /** Shares of each packet, which is also how many users each is sent to. */
  shares: number;
  /** Cents of each packet: a fixed number, or bounds between which each is drawn. */
  total: number | readonly [number, number];
  /** First and last user id; recipients are taken in turn. */
  users: readonly [number, number];
  mode?: SplitMode | undefined;
  expiresInSeconds?: number | undefined;
}

/** How a send stands. `creating`: at its rate; `created`: all created, some can still be grabbed; `closed`: all over. */
export interface SendStatus {
  id: number;
  count: number;
  rate: number;
  created: number;
  grabbedShares: number;
  totalCents: number;
  claimedCents: number;
  refundedCents: number;
  state: 'creating' | 'created' | 'closed';
}

interface Send extends SendStatus {
  spec: SendSpec;
  startMs: number;
  random: SeededRandom;
  /** Ids of packets that are not accounted for yet; grabbedShares and claimedCents cover the others. */
  open: number[];
  /** Where the sweep of `open` goes on. */
  sweepIndex: number;
}

/** What happens to sent packets over the whole life of the server. */
export interface SendTotals {
  fundedCents: number;
  refundedCents: number;
  outstandingCents: number;
  sent: number;
  open: number;
  grabbedShares: number;
  expired: number;
}

/** Tells a user of a packet that he may grab. Must not fail: what cannot be passed on at once is kept. */
export type TellUser = (userId: number, packetId: number) => void;

/** Sends that stay on record once they are closed. */
const KEPT_CLOSED = 10_000;

/** Open packets of a send that one tick looks at, to account for those that are over. */
const SWEEP_PACKETS = 2000;

/** Packets of a send that one tick creates at the most, so that a tick stays a matter of milliseconds. */
const TICK_PACKETS = 2000;

export class SendCampaigns {
  readonly #table: PacketTable;
  readonly #creator: PacketCreator;
  readonly #drawSeed: () => Uint8Array;
  readonly #tellUser: TellUser;
  readonly #maxShares: number;
  readonly #expiry: ExpiryCalendar;
  readonly #sends = new Map<number, Send>();
  /** Sends that are not closed. */
  readonly #active = new Set<Send>();
  /** Which send the packet in a slot belongs to. */
  readonly #sendOfSlot: Int32Array;
  #nextId = 1;
  #fundedCents = 0;
  #refundedCents = 0;
  #sent = 0;
  #expired = 0;
  /** Shares of packets that are accounted for. */
  #settledShares = 0;

  /** @param maxShares the most shares that a packet may have */
  constructor(
    table: PacketTable,
    creator: PacketCreator,
    drawSeed: () => Uint8Array,
    tellUser: TellUser,
    maxShares: number,
    nowSecond: number,
  ) {
    this.#maxShares = maxShares;
    this.#table = table;
    this.#creator = creator;
    this.#drawSeed = drawSeed;
    this.#tellUser = tellUser;
    this.#expiry = new ExpiryCalendar(table.slots, nowSecond);
    this.#sendOfSlot = new Int32Array(table.slots);
  }

  /**
   * Starts creating packets at the next tick.
   * @throws {CampaignError} bad_request
   */
  create(spec: SendSpec, nowMs: number): SendStatus {
    checkSend(spec, this.#table.slots, this.#maxShares);
    const send: Send = {
      id: this.#nextId++,
      count: spec.count,
      rate: spec.rate,
      created: 0,
      grabbedShares: 0,
      totalCents: 0,
      claimedCents: 0,
      refundedCents: 0,
      state: 'creating',
      spec,
      startMs: nowMs,
      random: new SeededRandom(this.#drawSeed()),
      open: [],
      sweepIndex: 0,
    };
    this.#sends.set(send.id, send);
    this.#active.add(send);
    this.#forgetOldest();
    return this.status(send.id);
  }

  /**
   * Expires what is due, creates what is due, accounts for what is over. Call it every few milliseconds.
   * @param mayCreate false while notices of earlier packets still wait to be passed on
   */
  tick(nowMs: number, mayCreate: boolean): void {
    const nowSecond = Math.floor(nowMs / 1000);
    for (const packetId of this.#expiry.takeDue(nowSecond)) this.#expire(packetId);
    for (const send of this.#active) {
      if (mayCreate && send.state === 'creating') this.#createDue(send, nowMs);
      this.#sweep(send, Math.min(SWEEP_PACKETS, send.open.length));
      if (send.state === 'created' && send.open.length === 0) {
        send.state = 'closed';
        this.#active.delete(send);
      }
    }
  }

  /** Sends that are not closed. */
  get activeCount(): number {
    return this.#active.size;
  }

  /** @throws {CampaignError} not_found */
  status(id: number): SendStatus {
    const send = this.#sends.get(id);
    if (send === undefined) throw new CampaignError('not_found', `there is no send ${id}`);
    const { count, rate, created, totalCents, refundedCents, state } = send;
    let { grabbedShares, claimedCents } = send;
    for (const packetId of send.open) {
      grabbedShares += this.#table.countGrabbed(packetId);
      claimedCents += this.#table.sumGrabbed(packetId);
    }
    return { id, count, rate, created, grabbedShares, totalCents, claimedCents, refundedCents, state };
  }

  /** @throws {CampaignError} not_found, also for a packet so old that its place has been used again */
  packet(packetId: number): PacketView {
    const view = this.#table.view(packetId);
    if (view === undefined) throw new CampaignError('not_found', `there is no packet ${packetId}`);
    return view;
  }

  /** Over all sends there ever were. `outstanding` is neither grabbed nor refunded. Looks at every open packet. */
  totals(): SendTotals {
    const totals = {
      fundedCents: this.#fundedCents,
      refundedCents: this.#refundedCents,
      outstandingCents: 0,
      sent: this.#sent,
      open: 0,
      grabbedShares: this.#settledShares,
      expired: this.#expired,
    };
    for (const send of this.#active) {
      totals.outstandingCents += send.totalCents - send.claimedCents - send.refundedCents;
      for (const packetId of send.open) {
        totals.outstandingCents -= this.#table.sumGrabbed(packetId);
        totals.grabbedShares += this.#table.countGrabbed(packetId);
        if (this.#table.isOpen(packetId)) totals.open++;
      }
    }
    return totals;
  }

  #createDue(send: Send, nowMs: number): void {
    const due = Math.min(send.count, Math.floor(((nowMs - send.startMs) / 1000) * send.rate));
    const most = Math.min(due - send.created, TICK_PACKETS);
    for (let i = 0; i < most; i++) {
      if (!this.#createNext(send, Math.floor(nowMs / 1000))) return;
    }
    if (send.created === send.count) send.state = 'created';
  }

  /** Creates the send's next packet and tells its recipients. False when there is no room now. */
  #createNext(send: Send, nowSecond: number): boolean {
    const { spec } = send;
    const totalCents =
      typeof spec.total === 'number' ? spec.total : send.random.drawBetween(spec.total[0], spec.total[1]);
    const expiresAt = nowSecond + (spec.expiresInSeconds ?? DEFAULT_EXPIRY_SECONDS);
    const invited = listRecipients(spec, send.created);
    const packetId = this.#creator.create({
      mode: spec.mode ?? 'lucky',
      totalCents,
      shares: spec.shares,
      minCents: DEFAULT_MIN_CENTS,
      maxCents: DEFAULT_MAX_CENTS,
      senderId: -1,
      createdAt: nowSecond,
      expiresAt,
      invited,
      seed: this.#drawSeed(),
    });
    if (packetId === NO_ROOM) return false;
    send.created++;
    send.totalCents += totalCents;
    send.open.push(packetId);
    this.#sent++;
    this.#fundedCents += totalCents;
    this.#sendOfSlot[slotOf(packetId)] = send.id;
    this.#expiry.add(packetId, expiresAt);
    for (const userId of invited) this.#tellUser(userId, packetId);
    return true;
  }

  #expire(packetId: number): void {
    const refundedCents = this.#table.close(packetId);
    if (refundedCents === 0) return;
    const send = this.#sends.get(this.#sendOfSlot[slotOf(packetId)])!;
    send.refundedCents += refundedCents;
    this.#refundedCents += refundedCents;
    this.#expired++;
  }

  /** Accounts for packets that are over: nothing to grab, and everybody who took a share has it. */
  #sweep(send: Send, packets: number): void {
    for (let looked = 0; looked < packets && send.open.length > 0; looked++) {
      if (send.sweepIndex >= send.open.length) send.sweepIndex = 0;
      const packetId = send.open[send.sweepIndex];
      if (this.#table.isOpen(packetId) || !this.#table.hasAllClaims(packetId)) {
        send.sweepIndex++;
        continue;
      }
      const shares = this.#table.countGrabbed(packetId);
      send.grabbedShares += shares;
      this.#settledShares += shares;
      send.claimedCents += this.#table.sumGrabbed(packetId);
      send.open[send.sweepIndex] = send.open.at(-1)!;
      send.open.pop();
      this.#creator.retire(packetId);
    }
  }

  /** Keeps the record of closed sends bounded. */
  #forgetOldest(): void {
    if (this.#sends.size - this.#active.size <= KEPT_CLOSED) return;
    for (const send of this.#sends.values()) {
      if (send.state !== 'closed') continue;
      this.#sends.delete(send.id);
      return;
    }
  }
}

/** Checks the numbers against each other and against the room there is. */
function checkSend(spec: SendSpec, slots: number, maxShares: number): void {
  const { count, shares, total, users } = spec;
  const [lowCents, highCents] = typeof total === 'number' ? [total, total] : total;
  const fail = (message: string): never => {
    throw new CampaignError('bad_request', message);
  };
  if (shares > maxShares) fail(`shares must be at most ${maxShares}`);
  if (count > slots) fail(`count must be at most ${slots}: so many packets can be open at once`);
  if (count * 4 * shares > SHARE_ARENA_WORDS) {
    fail(`count * shares must be at most ${SHARE_ARENA_WORDS / 4}: there is no room for more shares`);
  }
  if (lowCents > highCents) fail('the first bound of total must not be above the second');
  if (highCents > MAX_AMOUNT_CENTS) fail(`total must be at most ${MAX_AMOUNT_CENTS} cents`);
  if (users[0] > users[1]) fail('users must be [first, last] with first at most last');
  for (const totalCents of [lowCents, highCents]) {
    const request = {
      mode: 'equal',
      totalCents,
      shares,
      minCents: DEFAULT_MIN_CENTS,
      maxCents: DEFAULT_MAX_CENTS,
    } as const;
    if (isSplittable(request)) continue;
    fail(
      `total must lie between shares * ${DEFAULT_MIN_CENTS} = ${shares * DEFAULT_MIN_CENTS} ` +
        `and shares * ${DEFAULT_MAX_CENTS} = ${shares * DEFAULT_MAX_CENTS} cents`,
    );
  }
}

/** The users that packet number `index` of a send goes to: the next `shares` ones in turn, each once. */
function listRecipients(spec: SendSpec, index: number): number[] {
  const [first, last] = spec.users;
  const users = last - first + 1;
  const recipients = Math.min(spec.shares, users);
  return Array.from({ length: recipients }, (_, i) => first + ((index * recipients + i) % users));
}
