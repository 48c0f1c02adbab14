// What the SETs of one worker do with each request: log in, shake, grab, forget a connection, tell of a packet.
//
// Everything about one user happens on this one thread, in the order of its requests, so nothing here is locked. Every
// request gets exactly one reply; a win stands in the user's balance whether or not the reply is ever read.

import type { DropTable, MayWin } from '../packets/drop-table.ts';
import { MAX_OPEN_DROPS, MAX_PENDING_NOTICES } from '../packets/limits.ts';
import { GrabOutcome, type PacketTable } from '../packets/packet-table.ts';
import { GrabStatus, LoginResult, ShakeResult } from '../protocol/opcodes.ts';
import {
  REPLY_AMOUNT,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_GENERATION,
  REPLY_KIND,
  REPLY_PACKET,
  REPLY_RECEIVED,
  REPLY_RESULT,
  REPLY_RICH,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REQUEST_CONNECTION,
  REQUEST_GENERATION,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RECEIVED,
  REQUEST_RICH,
  REQUEST_STAMP_HIGH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  ReplyKind,
  RequestKind,
} from '../protocol/slot-layout.ts';
import type { CounterWriter } from '../ring/counters.ts';
import { HOUSEKEEPING_USERS, MAX_USERS_PER_WORKER } from './limits.ts';
import { NoticeLists } from './notice-lists.ts';
import type { Outbox } from './outbox.ts';
import { UnaskedFrames } from './unasked-frames.ts';
import { NO_ROW, NO_SESSION, UserTable } from './user-table.ts';
import { WorkerCount, WorkerSum } from './worker-counters.ts';

/** The counter of each grab outcome. */
const GRAB_COUNTS: Record<GrabOutcome, number> = {
  [GrabOutcome.WON]: WorkerCount.grabsWon,
  [GrabOutcome.REPEAT]: WorkerCount.grabsRepeat,
  [GrabOutcome.EMPTY]: WorkerCount.grabsEmpty,
  [GrabOutcome.EXPIRED]: WorkerCount.grabsExpired,
  [GrabOutcome.NOT_INVITED]: WorkerCount.grabsNotInvited,
  [GrabOutcome.NOT_FOUND]: WorkerCount.grabsNotFound,
};

/** The status on the wire of each grab outcome. */
const GRAB_STATUSES: Record<GrabOutcome, GrabStatus> = {
  [GrabOutcome.WON]: GrabStatus.WON,
  [GrabOutcome.REPEAT]: GrabStatus.REPEAT,
  [GrabOutcome.EMPTY]: GrabStatus.EMPTY,
  [GrabOutcome.EXPIRED]: GrabStatus.EXPIRED,
  [GrabOutcome.NOT_INVITED]: GrabStatus.NOT_INVITED,
  [GrabOutcome.NOT_FOUND]: GrabStatus.NOT_FOUND,
};

/** Owned by one worker thread. */
export class SetWorker {
  readonly #drops: DropTable;
  readonly #packets: PacketTable;
  readonly #outbox: Outbox;
  readonly #counters: CounterWriter;
  readonly #users: UserTable;
  readonly #notices = new NoticeLists(MAX_PENDING_NOTICES);
  readonly #unasked: UnaskedFrames;
  /** Wins by user in the drop of each slot; made anew when the slot gets another drop. */
  readonly #wins: { dropId: number; byUser: Map<number, number> }[];
  #housekeepingRow = 0;
  /** The drop slot that is being looked at, for #mayWin. */
  #dropSlot = 0;

  /** @param maxUsers only tests give one */
  constructor(
    drops: DropTable,
    packets: PacketTable,
    outbox: Outbox,
    counters: CounterWriter,
    maxUsers = MAX_USERS_PER_WORKER,
  ) {
    this.#drops = drops;
    this.#packets = packets;
    this.#outbox = outbox;
    this.#counters = counters;
    this.#users = new UserTable(maxUsers);
    this.#unasked = new UnaskedFrames(this.#users, packets, outbox);
    this.#wins = Array.from({ length: MAX_OPEN_DROPS }, () => ({ dropId: 0, byUser: new Map() }));
  }

  /** Frames that wait for room in a reply ring. */
  get deferredCount(): number {
    return this.#unasked.waitingCount;
  }

  /** Handles the request in a slot. @param acceptor which acceptor sent it; unused for what main sends */
  // HOT
  handle(acceptor: number, words: Int32Array, slot: number): void {
    switch (words[slot + REQUEST_KIND]) {
      case RequestKind.SHAKE:
        this.#shake(acceptor, words, slot);
        break;
      case RequestKind.GRAB:
        this.#grab(acceptor, words, slot);
        break;
      case RequestKind.LOGIN:
        this.#login(acceptor, words, slot);
        break;
      case RequestKind.DISCONNECT:
        this.#disconnect(acceptor, words, slot);
        break;
      case RequestKind.NOTIFY:
        this.#notify(words[slot + REQUEST_USER], words[slot + REQUEST_PACKET]);
        break;
    }
  }

  /** Sends what found no room before, in its order, as far as there is room now. */
  sendDeferred(): void {
    this.#unasked.sendWaiting();
  }

  /** Takes notices of packets that are over off the lists of some users. Call it now and then. */
  keepHouse(): void {
    const rows = Math.min(HOUSEKEEPING_USERS, this.#users.size);
    for (let i = 0; i < rows; i++) {
      this.#housekeepingRow = (this.#housekeepingRow + 1) % this.#users.size;
      if (this.#notices.count(this.#housekeepingRow) > 0) this.#pruneNotices(this.#housekeepingRow);
    }
  }

  #login(acceptor: number, words: Int32Array, slot: number): void {
    const userId = words[slot + REQUEST_USER];
    const connection = words[slot + REQUEST_CONNECTION];
    const generation = words[slot + REQUEST_GENERATION];
    const users = this.#users;
    const before = users.size;
    const row = users.ensureRow(userId);
    if (row === NO_ROW) {
      this.#replyToLogin(acceptor, words, slot, LoginResult.FULL, 0);
      return;
    }
    if (users.size !== before) this.#counters.add(WorkerCount.users, 1);
    if (users.acceptors[row] === NO_SESSION) {
      this.#countSession(userId, 1);
    } else if (!users.isSessionOf(row, acceptor, connection, generation)) {
      this.#unasked.tell(row, ReplyKind.REPLACED, 0);
    }
    users.acceptors[row] = acceptor;
    users.connections[row] = connection;
    users.generations[row] = generation;
    users.rich[row] = words[slot + REQUEST_RICH];
    this.#pruneNotices(row);
    this.#replyToLogin(acceptor, words, slot, LoginResult.OK, this.#notices.count(row));
    this.#notices.keep(row, (packetId) => {
      this.#unasked.tell(row, ReplyKind.NOTICE, packetId);
      return true;
    });
  }

  #replyToLogin(acceptor: number, words: Int32Array, slot: number, result: LoginResult, notices: number): void {
    const place = this.#reply(acceptor, words, slot, ReplyKind.LOGIN, result, 0, 0);
    const out = this.#outbox.wordsFor(acceptor);
    out[place + REPLY_COUNT] = notices;
    out[place + REPLY_RICH] = words[slot + REQUEST_RICH];
  }

  #disconnect(acceptor: number, words: Int32Array, slot: number): void {
    const userId = words[slot + REQUEST_USER];
    const row = this.#users.rowOf(userId);
    if (row === NO_ROW || !this.#isSession(row, acceptor, words, slot)) return;
    this.#users.acceptors[row] = NO_SESSION;
    this.#countSession(userId, -1);
  }

  // HOT
  #shake(acceptor: number, words: Int32Array, slot: number): void {
    const userId = words[slot + REQUEST_USER];
    const row = this.#users.rowOf(userId);
    if (row === NO_ROW || !this.#isSession(row, acceptor, words, slot)) {
      this.#reply(acceptor, words, slot, ReplyKind.NOT_LOGGED_IN, 0, 0, 0);
      return;
    }
    const set = userId % this.#drops.sets;
    if (this.#drops.stock.hasAny(set) && this.#takePacket(set, userId)) {
      this.#win(acceptor, words, slot, row);
      return;
    }
    this.#counters.add(WorkerCount.shakesNone, 1);
    this.#reply(acceptor, words, slot, ReplyKind.SHAKE, ShakeResult.NONE, 0, 0);
  }

  /** Takes a packet of some open drop for a user. The drop table then says which; #dropSlot is its slot. */
  #takePacket(set: number, userId: number): boolean {
    for (this.#dropSlot = 0; this.#dropSlot < MAX_OPEN_DROPS; this.#dropSlot++) {
      if (this.#drops.take(this.#dropSlot, set, userId, this.#mayWin)) return true;
    }
    return false;
  }

  /** Credits the packet just taken. */
  #win(acceptor: number, words: Int32Array, slot: number, row: number): void {
    const { takenPacketId, takenAmountCents } = this.#drops;
    const { byUser } = this.#winsOf(this.#drops.takenDropId);
    const userId = this.#users.userIds[row];
    byUser.set(userId, (byUser.get(userId) ?? 0) + 1);
    this.#users.balances[row] += takenAmountCents;
    this.#counters.add(WorkerCount.shakesWon, 1);
    this.#counters.addToSum(WorkerSum.shakeCents, takenAmountCents);
    this.#drops.settle(this.#dropSlot);
    this.#reply(acceptor, words, slot, ReplyKind.SHAKE, ShakeResult.WON, takenPacketId, takenAmountCents);
  }

  readonly #mayWin: MayWin = (dropId, winsPerUser, userId) =>
    winsPerUser === 0 || (this.#winsOf(dropId).byUser.get(userId) ?? 0) < winsPerUser;

  /** The wins so far in the drop that holds #dropSlot. */
  #winsOf(dropId: number): { dropId: number; byUser: Map<number, number> } {
    const wins = this.#wins[this.#dropSlot];
    if (wins.dropId !== dropId) {
      wins.dropId = dropId;
      wins.byUser = new Map();
    }
    return wins;
  }

  #grab(acceptor: number, words: Int32Array, slot: number): void {
    const userId = words[slot + REQUEST_USER];
    const packetId = words[slot + REQUEST_PACKET];
    const row = this.#users.rowOf(userId);
    if (row === NO_ROW || !this.#isSession(row, acceptor, words, slot)) {
      this.#reply(acceptor, words, slot, ReplyKind.NOT_LOGGED_IN, 0, packetId, 0);
      return;
    }
    const outcome = this.#packets.grab(packetId, userId);
    this.#counters.add(GRAB_COUNTS[outcome], 1);
    const hasShare = outcome === GrabOutcome.WON || outcome === GrabOutcome.REPEAT;
    const amountCents = hasShare ? this.#packets.grabbedCents : 0;
    if (outcome === GrabOutcome.WON) {
      this.#users.balances[row] += amountCents;
      this.#counters.addToSum(WorkerSum.grabCents, amountCents);
    }
    this.#notices.remove(row, packetId);
    this.#reply(acceptor, words, slot, ReplyKind.GRAB, GRAB_STATUSES[outcome], packetId, amountCents);
  }

  /** A user is invited to a packet: he is told now if he is here, and in any case at his next login. */
  #notify(userId: number, packetId: number): void {
    const before = this.#users.size;
    const row = this.#users.ensureRow(userId);
    if (this.#users.size !== before) this.#counters.add(WorkerCount.users, 1);
    if (row === NO_ROW || !this.#packets.isOpen(packetId)) {
      this.#counters.add(WorkerCount.noticesDropped, 1);
      return;
    }
    if (!this.#notices.add(row, packetId)) {
      this.#pruneNotices(row);
      if (this.#notices.count(row) === MAX_PENDING_NOTICES) {
        this.#notices.removeOldest(row);
        this.#counters.add(WorkerCount.noticesDropped, 1);
      }
      this.#notices.add(row, packetId);
    }
    if (this.#users.acceptors[row] !== NO_SESSION) this.#unasked.tell(row, ReplyKind.NOTICE, packetId);
  }

  #pruneNotices(row: number): void {
    const userId = this.#users.userIds[row];
    this.#notices.keep(row, (id) => this.#packets.isOpen(id) && !this.#packets.hasGrabbed(id, userId));
  }

  /** Fills the slot of a reply to the request in `slot`. Returns the reply's place in its ring. */
  // HOT
  #reply(
    acceptor: number,
    words: Int32Array,
    slot: number,
    kind: ReplyKind,
    result: number,
    packetId: number,
    amountCents: number,
  ): number {
    const place = amountCents === 0 ? this.#outbox.claimReply(acceptor) : this.#outbox.claimMoneyReply(acceptor);
    const out = this.#outbox.wordsFor(acceptor);
    out[place + REPLY_KIND] = kind;
    out[place + REPLY_CONNECTION] = words[slot + REQUEST_CONNECTION];
    out[place + REPLY_GENERATION] = words[slot + REQUEST_GENERATION];
    out[place + REPLY_USER] = words[slot + REQUEST_USER];
    out[place + REPLY_RESULT] = result;
    out[place + REPLY_PACKET] = packetId;
    out[place + REPLY_AMOUNT] = amountCents;
    out[place + REPLY_STAMP_HIGH] = words[slot + REQUEST_STAMP_HIGH];
    out[place + REPLY_STAMP_LOW] = words[slot + REQUEST_STAMP_LOW];
    out[place + REPLY_RECEIVED] = words[slot + REQUEST_RECEIVED];
    return place;
  }

  #isSession(row: number, acceptor: number, words: Int32Array, slot: number): boolean {
    return this.#users.isSessionOf(row, acceptor, words[slot + REQUEST_CONNECTION], words[slot + REQUEST_GENERATION]);
  }

  #countSession(userId: number, by: number): void {
    this.#counters.add(WorkerCount.sessions, by);
    this.#drops.stock.addSessions(userId % this.#drops.sets, by);
  }
}
