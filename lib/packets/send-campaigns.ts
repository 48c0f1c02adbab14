// The sends that the house makes: creates packets at a rate, names their recipients, and sums up what becomes of them.
//
// Main thread. Time, randomness, the log of movements and the packets themselves are handed in. A send exists from the
// moment its opening is durable; every packet of it is logged and opened by sent-packets.ts.

import { CampaignError } from './campaign-error.ts';
import { CampaignHolds, type Hold } from './campaign-holds.ts';
import { type CampaignPlan, planSend } from './campaign-plan.ts';
import { DEFAULT_EXPIRY_SECONDS, DEFAULT_MAX_CENTS, DEFAULT_MIN_CENTS } from './limits.ts';
import type { MovementLog, SendOpening } from './movement-log.ts';
import { NO_ROOM } from './packet-creator.ts';
import type { PacketTable } from './packet-table.ts';
import { SeededRandom } from './seeded-random.ts';
import { boundsOf, checkSend, type SendSpec } from './send-spec.ts';
import type { SentPackets } from './sent-packets.ts';
import { SPLIT_MODES } from './split.ts';

/**
 * How a send stands. `scheduled`: not yet; `creating`: at its rate; `created`: all created, some can still be grabbed; `closing`: no more are
 * created, some can still be grabbed; `closed`: all over.
 */
export interface SendStatus {
  id: number;
  count: number;
  rate: number;
  created: number;
  grabbedShares: number;
  totalCents: number;
  claimedCents: number;
  refundedCents: number;
  state: 'scheduled' | 'creating' | 'created' | 'closing' | 'closed';
  /** Nothing more is created until it is resumed; what is out can be grabbed. */
  isPaused: boolean;
  /** While it is scheduled: Unix milliseconds. */
  startsAtMs?: number;
}

/** A send of an earlier run that was not closed. */
export interface RestoredSend {
  opening: SendOpening;
  /** Packets created so far, and cents in them. */
  created: number;
  totalCents: number;
  /** Of those that are over: shares grabbed, cents grabbed, cents refunded. */
  grabbedShares: number;
  claimedCents: number;
  refundedCents: number;
  /** Ids of those that are not over. */
  open: readonly number[];
}

interface Send extends Omit<SendStatus, 'startsAtMs'> {
  opening: SendOpening;
  /** Since when it creates at its rate, and how many it had logged then. */
  startMs: number;
  loggedBefore: number;
  random: SeededRandom;
  /** Packets put into the log, created or not yet, and the cents in them. */
  logged: number;
  loggedCents: number;
  /** Infinity for none. */
  capCents: number;
  /** Of each packet. */
  recipients: number;
  /** Ids of packets that are not accounted for yet; grabbedShares, claimedCents and refundedCents cover the others. */
  open: Set<number>;
  /** The total of the next packet, if it has been drawn already. */
  drawnCents?: number | undefined;
}

/** Sends that stay on record once they are closed. */
const KEPT_CLOSED = 10_000;

/** Packets of a send that one tick creates at the most, so that a tick stays a matter of milliseconds. */
const TICK_PACKETS = 2000;

const NO_NOTE = new Uint8Array(0);

export class SendCampaigns {
  /** Told of a send that is closed now. */
  onClosed: (send: SendStatus) => void = () => {};
  /** What operators asked for beside the numbers; the owner sees to it that changes are kept. */
  readonly holds = new CampaignHolds();
  readonly #table: PacketTable;
  readonly #packets: SentPackets;
  readonly #log: MovementLog;
  readonly #drawSeed: () => Uint8Array;
  readonly #maxShares: number;
  readonly #sends = new Map<number, Send>();
  /** Sends that are not closed. */
  readonly #active = new Set<Send>();
  #nextId = 1;

  /** @param maxShares the most shares that a packet may have */
  constructor(
    table: PacketTable,
    packets: SentPackets,
    log: MovementLog,
    drawSeed: () => Uint8Array,
    maxShares: number,
  ) {
    this.#table = table;
    this.#packets = packets;
    this.#log = log;
    this.#drawSeed = drawSeed;
    this.#maxShares = maxShares;
  }

  /**
   * Logs a send, and starts creating packets once that is durable.
   * @throws {CampaignError} bad_request, no_room
   */
  async create(spec: SendSpec, readNowMs: () => number): Promise<SendStatus> {
    checkSend(spec, this.#table.slots, this.#maxShares);
    if (!this.#log.hasRoom(0)) throw new CampaignError('no_room', 'too much waits for the disk; try again later');
    const [lowCents, highCents] = boundsOf(spec.total);
    const opening: SendOpening = {
      id: this.#nextId++,
      count: spec.count,
      rate: spec.rate,
      shares: spec.shares,
      mode: SPLIT_MODES.indexOf(spec.mode ?? 'lucky'),
      users: spec.users,
      expiresInSeconds: spec.expiresInSeconds ?? DEFAULT_EXPIRY_SECONDS,
      lowCents,
      highCents,
      createdMs: Math.floor(readNowMs()),
      seed: this.#drawSeed(),
    };
    // Before the send is: a crash in between leaves a hold of nothing, not a send that begins too early.
    this.holds.begin(opening.id, {
      ...(spec.startMs === undefined ? {} : { startMs: spec.startMs }),
      ...(spec.cap === undefined ? {} : { capCents: spec.cap }),
      ...(spec.recipients === undefined ? {} : { recipients: spec.recipients }),
    });
    await this.#log.whenDurable(this.#log.openSend(opening));
    this.#add(opening, readNowMs(), 0);
    return this.status(opening.id);
  }

  /** Takes up a send of an earlier run where it stood. Its open packets have been restored. */
  restore(restored: RestoredSend, nowMs: number): void {
    this.holds.takeUp(restored.opening.id);
    const send = this.#add(restored.opening, nowMs, restored.created);
    send.totalCents = restored.totalCents;
    send.loggedCents = restored.totalCents;
    send.grabbedShares = restored.grabbedShares;
    send.claimedCents = restored.claimedCents;
    send.refundedCents = restored.refundedCents;
    for (const packetId of restored.open) send.open.add(packetId);
    if (send.state === 'created' || send.state === 'closing') this.#endPause(send);
    // Of one that was over before, nobody is told again.
    if (send.state === 'closing' && send.open.size === 0) this.#end(send);
  }

  /** Goes on counting where an earlier run ended. Before `restore`. @param holds by id */
  continueFrom(lastId: number, holds: Iterable<readonly [number, Hold]> = []): void {
    this.holds.restore(holds, lastId);
    this.#nextId = lastId + 1;
  }

  /**
   * Creates what is due. Call it every few milliseconds.
   * @param mayCreate false while notices of earlier packets still wait to be passed on
   */
  tick(nowMs: number, mayCreate: boolean): void {
    for (const send of this.#active) {
      if (send.state === 'scheduled' && nowMs >= send.startMs) send.state = 'creating';
      if (mayCreate && isCreating(send)) this.#createDue(send, nowMs);
      const isComplete = send.state === 'created' || (send.state === 'closing' && send.created === send.logged);
      if (isComplete && send.open.size === 0) {
        this.#end(send);
        this.onClosed(this.status(send.id));
      }
    }
  }

  /** A packet of a send is over: see PacketEvents. */
  onOver(packetId: number, sendId: number, shares: number, claimedCents: number, refundedCents: number): void {
    const send = this.#sends.get(sendId);
    if (send === undefined || !send.open.delete(packetId)) return;
    send.grabbedShares += shares;
    send.claimedCents += claimedCents;
    send.refundedCents += refundedCents;
  }

  /** What a send would do. @throws {CampaignError} bad_request */
  plan(spec: SendSpec, nowMs: number): CampaignPlan {
    checkSend(spec, this.#table.slots, this.#maxShares);
    const { count, shares, rate, cap = Number.POSITIVE_INFINITY, startMs = 0, expiresInSeconds } = spec;
    const [lowCents, highCents] = boundsOf(spec.total);
    const fitting = Math.min(count, Math.floor(cap / lowCents));
    const packets = { count: fitting, shares, lowCents, highCents, expiresInSeconds };
    return planSend(packets, { rate, startMs: Math.max(nowMs, startMs) }, cap);
  }

  /** Creates nothing more of a send until it is resumed. @throws {CampaignError} not_found, over; what keeping it throws */
  pause(id: number): SendStatus {
    const send = this.#findCreating(id);
    this.holds.change(id, { isPaused: true });
    send.isPaused = true;
    return this.status(id);
  }

  /** Goes on at the send's rate: what was not created meanwhile is not made up for. @throws as pause */
  resume(id: number, nowMs: number): SendStatus {
    const send = this.#findCreating(id);
    if (send.isPaused) {
      this.holds.change(id, { isPaused: false });
      send.isPaused = false;
      send.startMs = Math.max(nowMs, send.startMs);
      send.loggedBefore = send.logged;
    }
    return this.status(id);
  }

  /** Creates nothing more of a send. What is out can still be grabbed until it expires. @throws {CampaignError} not_found */
  close(id: number): SendStatus {
    const send = this.#find(id);
    if (send.state === 'creating' || send.state === 'scheduled') {
      this.holds.change(id, { isCutShort: true, isPaused: false });
      send.state = 'closing';
      send.isPaused = false;
    }
    return this.status(id);
  }

  /** Ids of the packets of a send that can still be grabbed, so many at the most. @throws {CampaignError} not_found */
  openPackets(id: number, most: number): number[] {
    return [...this.#find(id).open].slice(0, most);
  }

  /** The last sends, newest first. */
  list(most: number): SendStatus[] {
    return [...this.#sends.keys()]
      .reverse()
      .slice(0, most)
      .map((id) => this.status(id));
  }

  /** Sends that are not closed. */
  get activeCount(): number {
    return this.#active.size;
  }

  /** Packets a second that active sends create together. */
  get createRate(): number {
    let rate = 0;
    for (const send of this.#active) if (isCreating(send)) rate += send.rate;
    return rate;
  }

  /** Notices a second that go out with them. */
  get noticeRate(): number {
    let rate = 0;
    for (const send of this.#active) if (isCreating(send)) rate += send.rate * send.recipients;
    return rate;
  }

  /** @throws {CampaignError} not_found */
  status(id: number): SendStatus {
    const send = this.#find(id);
    const { count, rate, created, totalCents, refundedCents, state, isPaused, startMs } = send;
    let { grabbedShares, claimedCents } = send;
    for (const packetId of send.open) {
      grabbedShares += this.#table.countGrabbed(packetId);
      claimedCents += this.#table.sumGrabbed(packetId);
    }
    const status = {
      id,
      count,
      rate,
      created,
      grabbedShares,
      totalCents,
      claimedCents,
      refundedCents,
      state,
      isPaused,
    };
    return state === 'scheduled' ? { ...status, startsAtMs: startMs } : status;
  }

  #find(id: number): Send {
    const send = this.#sends.get(id);
    if (send === undefined) throw new CampaignError('not_found', `there is no send ${id}`);
    return send;
  }

  #findCreating(id: number): Send {
    const send = this.#find(id);
    if (send.state !== 'creating' && send.state !== 'scheduled') {
      throw new CampaignError('over', `send ${id} creates no more`);
    }
    return send;
  }

  #add(opening: SendOpening, nowMs: number, created: number): Send {
    const { lowCents, highCents, seed } = opening;
    const {
      isPaused = false,
      isCutShort = false,
      startMs = 0,
      capCents = Number.POSITIVE_INFINITY,
      recipients = opening.shares,
    } = this.holds.get(opening.id);
    const uncreated = isCutShort ? 'closing' : startMs > nowMs ? 'scheduled' : 'creating';
    const random = new SeededRandom(seed);
    for (let i = 0; i < created && lowCents !== highCents; i++) random.drawBetween(lowCents, highCents);
    const send: Send = {
      id: opening.id,
      count: opening.count,
      rate: opening.rate,
      created,
      grabbedShares: 0,
      totalCents: 0,
      claimedCents: 0,
      refundedCents: 0,
      state: created === opening.count ? 'created' : uncreated,
      isPaused,
      capCents,
      recipients: Math.min(recipients, opening.users[1] - opening.users[0] + 1),
      loggedCents: 0,
      opening,
      startMs: Math.max(nowMs, startMs),
      random,
      logged: created,
      loggedBefore: created,
      open: new Set(),
    };
    this.#sends.set(send.id, send);
    this.#active.add(send);
    this.#forgetOldest();
    return send;
  }

  #createDue(send: Send, nowMs: number): void {
    const elapsedSeconds = (nowMs - send.startMs) / 1000;
    const due = Math.min(send.count, send.loggedBefore + Math.floor(elapsedSeconds * send.rate));
    const most = Math.min(due - send.logged, TICK_PACKETS);
    for (let i = 0; i < most; i++) {
      if (!this.#createNext(send, Math.floor(nowMs / 1000))) return;
    }
  }

  /** Creates the send's next packet. False when there is no room now. */
  #createNext(send: Send, nowSecond: number): boolean {
    const { opening, random } = send;
    const { lowCents, highCents } = opening;
    // A number that was drawn for a packet that found no room is kept for the next try.
    const totalCents = send.drawnCents ?? (lowCents === highCents ? lowCents : random.drawBetween(lowCents, highCents));
    send.drawnCents = totalCents;
    if (send.loggedCents + totalCents > send.capCents) {
      // The cap is kept already: after a crash it cuts short again, in the same place.
      this.holds.note(send.id, { isCutShort: true });
      send.state = 'closing';
      return false;
    }
    const packet = {
      mode: SPLIT_MODES[opening.mode],
      totalCents,
      shares: opening.shares,
      minCents: DEFAULT_MIN_CENTS,
      maxCents: DEFAULT_MAX_CENTS,
      senderId: -1,
      createdAt: nowSecond,
      expiresAt: nowSecond + opening.expiresInSeconds,
      invited: listRecipients(opening.users, send.recipients, send.logged),
      seed: this.#drawSeed(),
      note: NO_NOTE,
    };
    const origin = { sendId: send.id, index: send.logged, source: 0, reservation: 0, key: '' } as const;
    const created = this.#packets.create(packet, origin, (packetId) => {
      send.created++;
      if (send.created === send.count && send.state === 'creating') {
        send.state = 'created';
        this.#endPause(send);
      }
      send.totalCents += totalCents;
      send.open.add(packetId);
    });
    if (created === NO_ROOM) return false;
    send.logged++;
    send.loggedCents += totalCents;
    send.drawnCents = undefined;
    return true;
  }

  /** Nothing is left to create: a pause holds nothing back. */
  #endPause(send: Send): void {
    send.isPaused = false;
    this.holds.note(send.id, { isPaused: false });
  }

  #end(send: Send): void {
    send.state = 'closed';
    this.#active.delete(send);
    // That it was cut short is needed for ever: its records look as if it went on.
    const { isCutShort = false } = this.holds.get(send.id);
    this.holds.forget(send.id, { isCutShort });
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

function isCreating({ state, isPaused }: Send): boolean {
  return state === 'creating' && !isPaused;
}

/** The users that packet number `index` of a send goes to: the next ones in turn, each once. @param recipients not more than users */
function listRecipients([first, last]: readonly [number, number], recipients: number, index: number): number[] {
  const users = last - first + 1;
  const listed: number[] = [];
  for (let i = 0; i < recipients; i++) listed.push(first + ((index * recipients + i) % users));
  return listed;
}
