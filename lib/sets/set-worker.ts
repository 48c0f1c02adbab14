// What the SETs of one worker do with each request: log in, shake, grab, forget a connection, tell of a packet.
//
// Everything about one user happens on this one thread, in the order of its requests, so nothing here is locked. Every
// request gets exactly one reply; a win stands in the user's balance whether or not the reply is ever read. What moves
// money enters its record into the journal before anybody can act upon it, and the reply leaves behind that record.

import { GRAB, NOTICE_DROPPED, RecordType, WIN } from '../ledger/record-layout.ts';
import type { DropTable, MayWin } from '../packets/drop-table.ts';
import { MAX_OPEN_DROPS, MAX_PENDING_NOTICES } from '../packets/limits.ts';
import { GrabOutcome, type PacketTable } from '../packets/packet-table.ts';
import { GrabStatus, LoginResult, ShakeResult } from '../protocol/opcodes.ts';
import {
  REPLY_AMOUNT,
  REPLY_COUNT,
  REPLY_PACKET,
  REPLY_RESULT,
  REPLY_RICH,
  REQUEST_CONNECTION,
  REQUEST_GENERATION,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RICH,
  REQUEST_USER,
  ReplyKind,
  RequestKind,
} from '../protocol/slot-layout.ts';
import type { CounterWriter } from '../ring/counters.ts';
import { ServicePulse } from '../ring/service-pulse.ts';
import { ChatDesk } from './chat-desk.ts';
import { HOUSEKEEPING_MORE_NOTICES, HOUSEKEEPING_NOTICES, HOUSEKEEPING_USERS, MAX_USERS_PER_WORKER } from './limits.ts';
import { NoticeLists } from './notice-lists.ts';
import type { Outbox } from './outbox.ts';
import { fillReplyHead } from './reply-head.ts';
import type { RestoredUsers } from './restored-users.ts';
import { UnaskedFrames } from './unasked-frames.ts';
import { NO_ROW, NO_SESSION, UserTable } from './user-table.ts';
import { Wallets } from './wallets.ts';
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
  readonly #wallets: Wallets;
  readonly #chat: ChatDesk;
  readonly #worker: number;
  /** Wins by user in the drop of each slot; made anew when the slot gets another drop. */
  readonly #wins: { dropId: number; byUser: Map<number, number> }[];
  #housekeepingRow = 0;
  /** The drop slot that is being looked at, for #mayWin. */
  #dropSlot = 0;

  /**
   * @param worker its index among the workers
   * @param maxUsers only tests give one
   * @param pulse of the chat service, if there is one @param readMs milliseconds that never go back
   */
  constructor(
    worker: number,
    drops: DropTable,
    packets: PacketTable,
    outbox: Outbox,
    counters: CounterWriter,
    maxUsers = MAX_USERS_PER_WORKER,
    pulse = new ServicePulse(ServicePulse.allocate()),
    readMs = () => performance.now(),
  ) {
    this.#worker = worker;
    this.#drops = drops;
    this.#packets = packets;
    this.#outbox = outbox;
    this.#counters = counters;
    this.#users = new UserTable(maxUsers);
    this.#unasked = new UnaskedFrames(this.#users, packets, outbox);
    this.#wallets = new Wallets(worker, this.#users, outbox, counters, (userId) => this.#ensureRow(userId));
    this.#chat = new ChatDesk(worker, this.#users, packets, outbox, counters, pulse, readMs);
    this.#wins = Array.from({ length: MAX_OPEN_DROPS }, () => ({ dropId: 0, byUser: new Map() }));
  }

  /** Frames that wait for room in a reply ring. */
  get deferredCount(): number {
    return this.#unasked.waitingCount;
  }

  /** Whether anything at all waits for room in a ring. */
  get waitsForRoom(): boolean {
    return this.deferredCount > 0 || this.#chat.isWaiting;
  }

  /** Takes up what its users had at the end of an earlier run. Before the first request. */
  restore(restored: RestoredUsers): void {
    const { userIds, balances, notices, wins, keys } = restored;
    for (let i = 0; i < userIds.length; i++) {
      const row = this.#ensureRow(userIds[i]);
      if (row !== NO_ROW) this.#users.balances[row] = balances[i];
    }
    for (let i = 0; i < notices.length; i += 2) {
      const row = this.#ensureRow(notices[i]);
      // Also beyond the bound, which a crash may have left: nothing can be recorded yet.
      if (row !== NO_ROW) this.#notices.force(row, notices[i + 1]);
    }
    for (const { slot, dropId, userId, count } of wins) {
      this.#dropSlot = slot;
      this.#winsOf(dropId).byUser.set(userId, count);
    }
    this.#wallets.restoreKeys(keys);
  }

  /**
   * Handles the request in a slot. Before it, make sure that `Outbox.canRecord()`.
   * @param acceptor which acceptor sent it, or main's index
   * @param body the words behind its head; empty if it has none
   */
  // HOT
  handle(acceptor: number, words: Int32Array, slot: number, body: Int32Array): void {
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
      case RequestKind.SEND:
      case RequestKind.RECORDS:
      case RequestKind.WALLET:
        this.#askWallets(acceptor, words, slot, body);
        break;
      case RequestKind.CHAT:
        this.#askChat(acceptor, words, slot, body);
        break;
      case RequestKind.CHAT_ANSWER:
      case RequestKind.CHAT_PUSH:
      case RequestKind.CHAT_WATCH:
      case RequestKind.CHAT_PACKET:
        this.#chat.handleService(words, slot, body);
        break;
      default:
        this.#wallets.handleCommand(acceptor, words, slot, body);
    }
  }

  /** Sends what found no room before, in its order, as far as there is room now. */
  sendDeferred(): void {
    this.#unasked.sendWaiting();
    if (this.#chat.isWaiting) this.#chat.sendWaiting();
  }

  /** Takes notices of packets that are over off the lists of some users, and looks after chat. Call it now and then. */
  keepHouse(): void {
    this.#chat.keepTime();
    const rows = Math.min(HOUSEKEEPING_USERS, this.#users.size);
    let wanted = HOUSEKEEPING_NOTICES;
    for (let i = 0; i < rows && wanted > 0; i++) {
      this.#housekeepingRow = (this.#housekeepingRow + 1) % this.#users.size;
      const row = this.#housekeepingRow;
      const looked = this.#notices.count(row);
      if (looked === 0) continue;
      this.#pruneNotices(row);
      const found = looked - this.#notices.count(row);
      wanted += HOUSEKEEPING_MORE_NOTICES * found - looked;
    }
  }

  #login(acceptor: number, words: Int32Array, slot: number): void {
    const userId = words[slot + REQUEST_USER];
    const connection = words[slot + REQUEST_CONNECTION];
    const generation = words[slot + REQUEST_GENERATION];
    const users = this.#users;
    const row = this.#ensureRow(userId);
    if (row === NO_ROW) {
      this.#replyToLogin(acceptor, words, slot, LoginResult.FULL, 0);
      return;
    }
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
    this.#chat.onSession(row);
  }

  #replyToLogin(acceptor: number, words: Int32Array, slot: number, result: LoginResult, notices: number): void {
    const place = this.#outbox.claimReply(acceptor);
    this.#fillReply(place, words, slot, ReplyKind.LOGIN, result, 0, 0);
    const out = this.#outbox.words;
    out[place + REPLY_COUNT] = notices;
    out[place + REPLY_RICH] = words[slot + REQUEST_RICH];
  }

  #disconnect(acceptor: number, words: Int32Array, slot: number): void {
    const userId = words[slot + REQUEST_USER];
    const row = this.#users.rowOf(userId);
    if (row === NO_ROW || !this.#isSession(row, acceptor, words, slot)) return;
    this.#users.acceptors[row] = NO_SESSION;
    this.#countSession(userId, -1);
    this.#chat.onSession(row);
  }

  // HOT
  #shake(acceptor: number, words: Int32Array, slot: number): void {
    const userId = words[slot + REQUEST_USER];
    const row = this.#users.rowOf(userId);
    if (row === NO_ROW || !this.#isSession(row, acceptor, words, slot)) {
      this.#replyNotLoggedIn(acceptor, words, slot);
      return;
    }
    const set = userId % this.#drops.sets;
    if (this.#drops.stock.hasAny(set) && this.#takePacket(set, userId)) {
      this.#win(acceptor, words, slot, row);
      return;
    }
    this.#counters.add(WorkerCount.shakesNone, 1);
    const place = this.#outbox.claimReply(acceptor);
    this.#fillReply(place, words, slot, ReplyKind.SHAKE, ShakeResult.NONE, 0, 0);
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
    const { entries } = this.#outbox;
    entries.begin(RecordType.WIN, WIN.WORDS);
    entries.set(WIN.DROP, this.#drops.takenDropId);
    entries.set(WIN.NUMBER, this.#drops.takenNumber);
    entries.set(WIN.PACKET, takenPacketId);
    entries.set(WIN.USER, userId);
    entries.set(WIN.AMOUNT, takenAmountCents);
    const place = this.#outbox.attachReply(acceptor, ShakeResult.OVERLOAD);
    this.#fillReply(place, words, slot, ReplyKind.SHAKE, ShakeResult.WON, takenPacketId, takenAmountCents);
    // The record first: once everything is settled, main may log the end of the drop.
    entries.publish();
    this.#drops.settle(this.#dropSlot);
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
      this.#replyNotLoggedIn(acceptor, words, slot);
      return;
    }
    const outcome = this.#packets.grab(packetId, userId);
    this.#counters.add(GRAB_COUNTS[outcome], 1);
    this.#notices.remove(row, packetId);
    const status = GRAB_STATUSES[outcome];
    if (outcome === GrabOutcome.WON) {
      this.#credit(acceptor, words, slot, row, packetId);
    } else if (outcome === GrabOutcome.REPEAT) {
      const place = this.#outbox.claimMoneyReply(acceptor, GrabStatus.BUSY);
      this.#fillReply(place, words, slot, ReplyKind.GRAB, status, packetId, this.#packets.grabbedCents);
    } else {
      const place = this.#outbox.claimReply(acceptor);
      this.#fillReply(place, words, slot, ReplyKind.GRAB, status, packetId, 0);
    }
  }

  /** Credits the share just grabbed. */
  #credit(acceptor: number, words: Int32Array, slot: number, row: number, packetId: number): void {
    const { grabbedCents, grabbedShare } = this.#packets;
    const userId = this.#users.userIds[row];
    this.#users.balances[row] += grabbedCents;
    this.#counters.addToSum(WorkerSum.grabCents, grabbedCents);
    const { entries } = this.#outbox;
    entries.begin(RecordType.GRAB, GRAB.WORDS);
    entries.set(GRAB.PACKET, packetId);
    entries.set(GRAB.SHARE, grabbedShare);
    entries.set(GRAB.USER, userId);
    entries.set(GRAB.AMOUNT, grabbedCents);
    const place = this.#outbox.attachReply(acceptor, GrabStatus.BUSY);
    this.#fillReply(place, words, slot, ReplyKind.GRAB, GrabStatus.WON, packetId, grabbedCents);
    // The record first: once all claims are there, main may log the end of the packet.
    entries.publish();
    this.#packets.leaveClaim(userId);
  }

  /** A user is invited to a packet: he is told now if he is here, and in any case at his next login. */
  #notify(userId: number, packetId: number): void {
    const row = this.#ensureRow(userId);
    if (row === NO_ROW || !this.#packets.isOpen(packetId)) {
      this.#counters.add(WorkerCount.noticesDropped, 1);
      return;
    }
    // Somebody who heard of it elsewhere may have been quicker than the notice.
    if (this.#packets.hasGrabbed(packetId, userId)) return;
    this.#enlist(row, packetId);
    if (this.#users.acceptors[row] !== NO_SESSION) this.#unasked.tell(row, ReplyKind.NOTICE, packetId);
  }

  /** Puts a packet on a user's list; the oldest goes if the list is full, which is recorded: it is not told again. */
  #enlist(row: number, packetId: number): void {
    if (this.#notices.add(row, packetId)) return;
    this.#pruneNotices(row);
    if (this.#notices.count(row) >= MAX_PENDING_NOTICES) {
      const { entries } = this.#outbox;
      entries.begin(RecordType.NOTICE_DROPPED, NOTICE_DROPPED.WORDS);
      entries.set(NOTICE_DROPPED.USER, this.#users.userIds[row]);
      entries.set(NOTICE_DROPPED.PACKET, this.#notices.removeOldest(row));
      entries.publish();
      this.#counters.add(WorkerCount.noticesDropped, 1);
    }
    this.#notices.force(row, packetId);
  }

  /** What concerns the user's own money, for a session that stands. */
  #askWallets(acceptor: number, words: Int32Array, slot: number, body: Int32Array): void {
    const row = this.#users.rowOf(words[slot + REQUEST_USER]);
    if (row === NO_ROW || !this.#isSession(row, acceptor, words, slot)) this.#replyNotLoggedIn(acceptor, words, slot);
    else this.#wallets.handleRequest(acceptor, words, slot, row, body);
  }

  /** What concerns chat, for a session that stands. */
  #askChat(acceptor: number, words: Int32Array, slot: number, body: Int32Array): void {
    const row = this.#users.rowOf(words[slot + REQUEST_USER]);
    if (row !== NO_ROW && this.#isSession(row, acceptor, words, slot)) {
      this.#chat.handleRequest(acceptor, words, slot, body);
    } else {
      this.#chat.refuseStranger(acceptor, words, slot);
    }
  }

  #ensureRow(userId: number): number {
    const before = this.#users.size;
    const row = this.#users.ensureRow(userId);
    if (this.#users.size !== before) this.#counters.add(WorkerCount.users, 1);
    return row;
  }

  /** Takes packets that are over off a user's list. What he grabs comes off at once, so nothing on it is his already. */
  #pruneNotices(row: number): void {
    this.#notices.keep(row, (packetId) => this.#packets.isOpen(packetId));
  }

  #replyNotLoggedIn(acceptor: number, words: Int32Array, slot: number): void {
    const place = this.#outbox.claimReply(acceptor);
    this.#fillReply(place, words, slot, ReplyKind.NOT_LOGGED_IN, 0, words[slot + REQUEST_PACKET], 0);
  }

  /** Fills the place of a reply, claimed just now, to the request in `slot`. */
  // HOT
  #fillReply(
    place: number,
    words: Int32Array,
    slot: number,
    kind: ReplyKind,
    result: number,
    packetId: number,
    amountCents: number,
  ): void {
    const out = this.#outbox.words;
    fillReplyHead(out, place, words, slot, kind, this.#worker);
    out[place + REPLY_RESULT] = result;
    out[place + REPLY_PACKET] = packetId;
    out[place + REPLY_AMOUNT] = amountCents;
  }

  #isSession(row: number, acceptor: number, words: Int32Array, slot: number): boolean {
    return this.#users.isSessionOf(row, acceptor, words[slot + REQUEST_CONNECTION], words[slot + REQUEST_GENERATION]);
  }

  #countSession(userId: number, by: number): void {
    this.#counters.add(WorkerCount.sessions, by);
    this.#drops.stock.addSessions(userId % this.#drops.sets, by);
  }
}
