// What one worker's SETs must be indistinguishable from: plain maps and arrays, and the frames that they answer with.

import { RecordType } from '../../lib/ledger/record-layout.ts';
import { MAX_OPEN_DROPS, MAX_PENDING_NOTICES } from '../../lib/packets/limits.ts';
import { shakePacketIdOf } from '../../lib/packets/packet-id.ts';
import { GrabOutcome } from '../../lib/packets/packet-table.ts';
import { GrabStatus, LoginResult, ShakeResult } from '../../lib/protocol/opcodes.ts';
import type { PacketModel } from '../packets/packet-model.ts';
import type { Place, Reply } from './rig.ts';

/** What is expected of a reply; nothing is said of the other fields. */
export type Expected = Partial<Reply>;

/** What is expected of a record of the journal. */
export interface ExpectedRecord {
  type: RecordType;
  payload: number[];
}

interface ModelDrop {
  id: number;
  amounts: readonly number[];
  firstNumber: number;
  winsPerUser: number;
  /** Packets of each SET that can be won. */
  stock: number[];
  won: number;
  wins: Map<number, number>;
}

interface Unasked {
  kind: 'NOTICE' | 'REPLACED';
  user: number;
  to: Place;
  packet: number;
}

const STATUS = new Map<GrabOutcome, GrabStatus>([
  [GrabOutcome.WON, GrabStatus.WON],
  [GrabOutcome.REPEAT, GrabStatus.REPEAT],
  [GrabOutcome.EMPTY, GrabStatus.EMPTY],
  [GrabOutcome.EXPIRED, GrabStatus.EXPIRED],
  [GrabOutcome.NOT_INVITED, GrabStatus.NOT_INVITED],
  [GrabOutcome.NOT_FOUND, GrabStatus.NOT_FOUND],
]);

const COUNTER = new Map<GrabOutcome, string>([
  [GrabOutcome.WON, 'grabsWon'],
  [GrabOutcome.REPEAT, 'grabsRepeat'],
  [GrabOutcome.EMPTY, 'grabsEmpty'],
  [GrabOutcome.EXPIRED, 'grabsExpired'],
  [GrabOutcome.NOT_INVITED, 'grabsNotInvited'],
  [GrabOutcome.NOT_FOUND, 'grabsNotFound'],
]);

export class SetModel {
  readonly sets: number;
  readonly maxInFlight: number;
  readonly maxUsers: number;
  readonly drops: (ModelDrop | undefined)[] = new Array(MAX_OPEN_DROPS).fill(undefined);
  /** Packets whose id is still known, by id. */
  readonly packets = new Map<number, PacketModel>();
  readonly sessions = new Map<number, Place & { rich: boolean }>();
  readonly users = new Set<number>();
  /** The packets that wait for each user, the latest first. */
  readonly notices = new Map<number, number[]>();
  readonly balances = new Map<number, number>();
  /** What each acceptor is to find, in this order: in the ring from the worker, and in the ring from the journal. */
  readonly direct: Expected[][];
  readonly durable: Expected[][];
  /** What the journal is to have. */
  readonly records: ExpectedRecord[] = [];
  readonly counts: Record<string, number> = {};
  shakeCents = 0;
  grabCents = 0;
  #waiting: Unasked[] = [];

  constructor(sets: number, acceptors: number, maxInFlight: number, maxUsers: number) {
    this.sets = sets;
    this.maxInFlight = maxInFlight;
    this.maxUsers = maxUsers;
    this.direct = Array.from({ length: acceptors }, () => []);
    this.durable = Array.from({ length: acceptors }, () => []);
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  sendWaiting(): void {
    while (this.#waiting.length > 0 && this.#emitUnasked(this.#waiting[0])) this.#waiting.shift();
  }

  login(user: number, at: Place, rich: boolean, reply: Expected): void {
    if (!this.#ensureUser(user)) {
      this.#emit(at, { ...reply, kind: 'LOGIN', result: LoginResult.FULL });
      return;
    }
    const before = this.sessions.get(user);
    if (before === undefined) this.#count('sessions');
    else if (!isSame(before, at)) this.#tell({ kind: 'REPLACED', user, to: before, packet: 0 });
    this.sessions.set(user, { ...at, rich });
    this.#prune(user);
    const list = this.notices.get(user) ?? [];
    this.#emit(at, { ...reply, kind: 'LOGIN', result: LoginResult.OK, count: list.length });
    for (const packet of list) this.#tell({ kind: 'NOTICE', user, to: at, packet });
  }

  disconnect(user: number, at: Place): void {
    if (!this.#hasSession(user, at)) return;
    this.sessions.delete(user);
    this.#count('sessions', -1);
  }

  shake(user: number, at: Place, reply: Expected): void {
    if (!this.#hasSession(user, at)) {
      this.#emit(at, { ...reply, kind: 'NOT_LOGGED_IN', amount: 0 });
      return;
    }
    const set = user % this.sets;
    for (const drop of this.drops) {
      if (drop === undefined || drop.stock[set] === 0) continue;
      const wins = drop.wins.get(user) ?? 0;
      if (drop.winsPerUser > 0 && wins >= drop.winsPerUser) continue;
      const amount = drop.amounts[drop.won];
      const packet = shakePacketIdOf(drop.firstNumber + drop.won);
      drop.won++;
      drop.stock[set]--;
      drop.wins.set(user, wins + 1);
      this.#credit(user, amount);
      this.shakeCents += amount;
      this.#count('shakesWon');
      this.records.push({ type: RecordType.WIN, payload: [drop.id, drop.won - 1, packet | 0, user, amount] });
      this.#emitMoney(at, { ...reply, kind: 'SHAKE', result: ShakeResult.WON, packet, amount });
      return;
    }
    this.#count('shakesNone');
    this.#emit(at, { ...reply, kind: 'SHAKE', result: ShakeResult.NONE, packet: 0, amount: 0 });
  }

  grab(user: number, at: Place, packet: number, reply: Expected): void {
    if (!this.#hasSession(user, at)) {
      this.#emit(at, { ...reply, kind: 'NOT_LOGGED_IN', packet, amount: 0 });
      return;
    }
    const [outcome, amount] = this.packets.get(packet)?.grab(user) ?? [GrabOutcome.NOT_FOUND, 0];
    if (outcome === GrabOutcome.WON) {
      this.#credit(user, amount);
      this.grabCents += amount;
      const share = this.packets.get(packet)!.grabs.length - 1;
      this.records.push({ type: RecordType.GRAB, payload: [packet, share, user, amount] });
    }
    this.#count(COUNTER.get(outcome)!);
    this.#keep(user, (other) => other !== packet);
    const answer: Expected = { ...reply, kind: 'GRAB', result: STATUS.get(outcome)!, packet, amount };
    if (amount > 0) this.#emitMoney(at, answer);
    else this.#emit(at, answer);
  }

  notify(user: number, packet: number): void {
    if (!this.#ensureUser(user) || !this.packets.get(packet)?.isOpen) {
      this.#count('noticesDropped');
      return;
    }
    if (this.packets.get(packet)!.grabs.some(({ userId }) => userId === user)) return;
    if ((this.notices.get(user) ?? []).length === MAX_PENDING_NOTICES) {
      this.#prune(user);
      const list = this.notices.get(user)!;
      if (list.length === MAX_PENDING_NOTICES) {
        const dropped = list.pop()!;
        this.#count('noticesDropped');
        this.records.push({ type: RecordType.NOTICE_DROPPED, payload: [user, dropped] });
      }
    }
    this.notices.set(user, [packet, ...(this.notices.get(user) ?? [])]);
    const session = this.sessions.get(user);
    if (session !== undefined) this.#tell({ kind: 'NOTICE', user, to: session, packet });
  }

  /** Sessions of each SET. */
  sessionsBySet(): number[] {
    const counts = new Array(this.sets).fill(0);
    for (const user of this.sessions.keys()) counts[user % this.sets]++;
    return counts;
  }

  #hasSession(user: number, at: Place): boolean {
    const session = this.sessions.get(user);
    return session !== undefined && isSame(session, at);
  }

  #ensureUser(user: number): boolean {
    if (this.users.has(user)) return true;
    if (this.users.size === this.maxUsers) return false;
    this.users.add(user);
    this.#count('users');
    return true;
  }

  #credit(user: number, cents: number): void {
    this.balances.set(user, (this.balances.get(user) ?? 0) + cents);
  }

  #prune(user: number): void {
    this.#keep(user, (id) => {
      const packet = this.packets.get(id);
      return packet?.isOpen === true && !packet.grabs.some(({ userId }) => userId === user);
    });
  }

  #keep(user: number, isKept: (packet: number) => boolean): void {
    const list = this.notices.get(user);
    if (list !== undefined) this.notices.set(user, list.filter(isKept));
  }

  #tell(frame: Unasked): void {
    if (this.#waiting.length > 0 || !this.#emitUnasked(frame)) this.#waiting.push(frame);
  }

  /** False if there is no room; true also if there is nobody to tell any more. */
  #emitUnasked({ kind, user, to, packet }: Unasked): boolean {
    if (kind === 'NOTICE' && !(this.#hasSession(user, to) && this.packets.has(packet))) return true;
    if (this.direct[to.acceptor].length >= this.maxInFlight) return false;
    const { acceptor, connection, generation } = to;
    const reply: Expected = { kind, isDurable: false, acceptor, connection, generation, user };
    if (kind === 'NOTICE') {
      const { totalCents, shares, invited, senderId, expiresAt } = this.packets.get(packet)!.packet;
      const users = [0, 1, 2].map((i) => invited[i] ?? 0);
      Object.assign(reply, { packet, amount: totalCents, count: shares, users, sender: senderId, expiresAt });
      if (this.sessions.get(user)!.rich) reply.commitment = this.packets.get(packet)!.view().commitment;
    }
    this.direct[acceptor].push(reply);
    return true;
  }

  #emit(at: Place, reply: Expected): void {
    this.direct[at.acceptor].push({ ...reply, isDurable: false });
  }

  /** A reply that tells of money goes through the journal. */
  #emitMoney(at: Place, reply: Expected): void {
    this.durable[at.acceptor].push({ ...reply, isDurable: true });
  }

  #count(name: string, by = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }
}

function isSame(a: Place, b: Place): boolean {
  return a.acceptor === b.acceptor && a.connection === b.connection && a.generation === b.generation;
}
