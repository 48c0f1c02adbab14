// One slot of the packet table as a model: users grab by one word, its owner closes the packet by the same word, waits for the
// claims, and puts the next packet into the slot, into the same words.
//
// The steps are those of lib/packets: packet-table.ts (find the row, read the claims, confirm the state, compare and exchange,
// read the amount, leave the claim; close; look for all claims) and packet-creator.ts (fill, publish, strip). Atomic steps
// are sequentially consistent; the owner's plain stores are seen at any moment up to its next atomic step.

import type { Model } from './checker.ts';

export type PacketFlaw =
  | 'closes with a load and a store'
  | 'grabs with a blind add'
  | 'does not wait for the claims'
  | 'does not confirm the state'
  | 'uses the same generation again'
  | 'leaves its claim before it has read'
  | 'opens a packet before it is filled';

export interface PacketScene {
  /** Of each user, which packets he grabs, one after the other; packets are numbered from 1. */
  grabs: readonly (readonly number[])[];
  packets: number;
  shares: number;
  flaw?: PacketFlaw;
}

const GENERATION_SHIFT = 8;
const CLOSED = 1 << 7;
const CURSOR_MASK = CLOSED - 1;
const BUILDING = CLOSED | CURSOR_MASK;

/** Where the owner stands, and a user. */
const O = { FILL: 0, PUBLISH: 1, LOOK: 2, CLOSE: 3, COUNT: 4, CLAIMS: 5, STRIP: 6, DONE: 7 } as const;
const U = { FIND: 0, CLAIMS: 1, AMOUNT: 2, CONFIRM: 3, TAKE: 4, READ: 5, LEAVE: 6, DONE: 7 } as const;

const STATE = 0;
const OWNER_PC = 1;
/** The packet that the owner is at, what it has read of the state, and which word it is at. */
const PACKET = 2;
const OWNER_SAW = 3;
const OWNER_AT = 4;
/** Shares that went back, as bits, over all packets. */
const REFUNDED = 5;
const BLOCK = 6;

const USER_PC = 0;
const GRAB = 1;
const SAW = 2;
const PLACE = 3;
const AT = 4;
const AMOUNT = 5;
const USER_WORDS = 6;

export class PacketModel implements Model {
  readonly first: Int32Array;
  readonly actors: readonly string[];
  fault: string | undefined;
  readonly #scene: PacketScene;
  readonly #users: number;
  /** Where the parts of a state begin: stores of the owner that wait, who took which share, and the users. */
  readonly #pending: number;
  readonly #taken: number;
  readonly #usersAt: number;

  constructor(scene: PacketScene) {
    const { grabs, packets, shares } = scene;
    this.#scene = scene;
    this.#users = grabs.length;
    this.#pending = BLOCK + 2 * shares;
    this.#taken = this.#pending + 2 * shares;
    this.#usersAt = this.#taken + packets * shares;
    this.first = new Int32Array(this.#usersAt + USER_WORDS * grabs.length);
    this.first[PACKET] = 1;
    if (scene.flaw === 'opens a packet before it is filled') this.first[OWNER_PC] = O.PUBLISH;
    this.first[STATE] = (1 << GENERATION_SHIFT) | BUILDING;
    this.actors = ['owner', ...grabs.map((_, i) => `user ${i + 1}`), 'memory'];
  }

  isDone(s: Int32Array): boolean {
    if (s[OWNER_PC] !== O.DONE) return false;
    for (let user = 0; user < this.#users; user++) if (s[this.#userAt(user)] !== U.DONE) return false;
    return true;
  }

  step(s: Int32Array, actor: number, choice: number): string | undefined {
    if (actor > this.#users) return this.#reachMemory(s, choice);
    if (choice > 0) return undefined;
    return actor === 0 ? this.#own(s) : this.#grab(s, actor - 1);
  }

  #userAt(user: number): number {
    return this.#usersAt + USER_WORDS * user;
  }

  /** What share `i` of a packet is worth: another amount for each. */
  #amountOf(packet: number, share: number): number {
    return 1 + packet * 10 + share;
  }

  #generationOf(packet: number): number {
    return this.#scene.flaw === 'uses the same generation again' ? 1 : packet;
  }

  #bitOf(packet: number, share: number): number {
    return 1 << ((packet - 1) * this.#scene.shares + share);
  }

  /** Stores that wait have one added, so that 0 says that there is none. */
  #reachMemory(s: Int32Array, choice: number): string | undefined {
    let waiting = choice;
    for (let word = 0; word < 2 * this.#scene.shares; word++) {
      if (s[this.#pending + word] === 0 || waiting-- > 0) continue;
      this.#reach(s, word);
      return 'lets a store of the owner be seen';
    }
    return undefined;
  }

  #reach(s: Int32Array, word: number): void {
    if (s[this.#pending + word] === 0) return;
    s[BLOCK + word] = s[this.#pending + word] - 1;
    s[this.#pending + word] = 0;
  }

  #flush(s: Int32Array): void {
    for (let word = 0; word < 2 * this.#scene.shares; word++) this.#reach(s, word);
  }

  // The owner.

  #own(s: Int32Array): string | undefined {
    const { shares, packets, flaw } = this.#scene;
    const packet = s[PACKET];
    switch (s[OWNER_PC]) {
      case O.FILL: {
        // The amounts, then the claims, which nobody has left yet.
        const word = s[OWNER_AT]++;
        s[this.#pending + word] = (word < shares ? this.#amountOf(packet, word) : 0) + 1;
        if (s[OWNER_AT] === 2 * shares) {
          s[OWNER_AT] = 0;
          s[OWNER_PC] = flaw === 'opens a packet before it is filled' ? O.LOOK : O.PUBLISH;
        }
        return `stores word ${word} of packet ${packet}`;
      }
      case O.PUBLISH:
        this.#flush(s);
        s[STATE] = this.#generationOf(packet) << GENERATION_SHIFT;
        s[OWNER_PC] = flaw === 'opens a packet before it is filled' ? O.FILL : O.LOOK;
        return `opens packet ${packet}`;
      case O.LOOK:
        this.#flush(s);
        s[OWNER_SAW] = s[STATE];
        if ((s[STATE] & CURSOR_MASK) < shares) s[OWNER_PC] = O.CLOSE;
        else s[OWNER_PC] = flaw === 'does not wait for the claims' ? O.STRIP : O.COUNT;
        return `looks at packet ${packet}`;
      case O.CLOSE:
        if (flaw !== 'closes with a load and a store' && s[STATE] !== s[OWNER_SAW]) {
          s[OWNER_PC] = O.LOOK;
          return 'finds that somebody was quicker';
        }
        s[STATE] = s[OWNER_SAW] | CLOSED;
        this.#refund(s, packet, s[OWNER_SAW] & CURSOR_MASK);
        s[OWNER_PC] = flaw === 'does not wait for the claims' ? O.STRIP : O.COUNT;
        return `closes packet ${packet}, and ${shares - (s[OWNER_SAW] & CURSOR_MASK)} shares go back`;
      case O.COUNT:
        s[OWNER_SAW] = s[STATE];
        s[OWNER_AT] = 0;
        s[OWNER_PC] = (s[STATE] & CURSOR_MASK) === 0 ? O.STRIP : O.CLAIMS;
        return 'counts the claims that have to come';
      case O.CLAIMS:
        if (s[BLOCK + shares + s[OWNER_AT]] === 0) {
          s[OWNER_PC] = O.COUNT;
          return `misses claim ${s[OWNER_AT]}`;
        }
        s[OWNER_AT]++;
        if (s[OWNER_AT] === (s[OWNER_SAW] & CURSOR_MASK)) s[OWNER_PC] = O.STRIP;
        return 'finds a claim';
      case O.STRIP:
        return this.#strip(s, packet, packets);
      default:
        return undefined;
    }
  }

  #refund(s: Int32Array, packet: number, from: number): void {
    for (let share = from; share < this.#scene.shares; share++) {
      s[REFUNDED] |= this.#bitOf(packet, share);
      if (this.#takerOf(s, packet, share) !== 0) this.fault ??= 'a share goes back that a user has';
    }
  }

  #takerOf(s: Int32Array, packet: number, share: number): number {
    return s[this.#taken + (packet - 1) * this.#scene.shares + share];
  }

  #strip(s: Int32Array, packet: number, packets: number): string {
    const { shares, flaw } = this.#scene;
    for (let share = 0; share < shares; share++) {
      const wentBack = (s[REFUNDED] & this.#bitOf(packet, share)) !== 0;
      if (!wentBack && this.#takerOf(s, packet, share) === 0)
        this.fault ??= 'a share is gone: nobody has it, and it did not go back';
    }
    s[OWNER_AT] = 0;
    s[OWNER_SAW] = 0;
    if (packet === packets) {
      s[OWNER_PC] = O.DONE;
      return `is done with packet ${packet}`;
    }
    s[STATE] = (this.#generationOf(packet + 1) << GENERATION_SHIFT) | BUILDING;
    s[PACKET]++;
    s[OWNER_PC] = flaw === 'opens a packet before it is filled' ? O.PUBLISH : O.FILL;
    return `takes packet ${packet} away`;
  }

  // A user, on the thread of his own worker.

  #grab(s: Int32Array, user: number): string | undefined {
    const { shares, grabs, flaw } = this.#scene;
    const at = this.#userAt(user);
    const asked = grabs[user][s[at + GRAB]];
    switch (s[at + USER_PC]) {
      case U.FIND:
        s[at + SAW] = s[STATE];
        if (!this.#isOf(s[STATE], asked) || (s[STATE] & BUILDING) === BUILDING)
          return this.#finish(s, user, `finds no packet ${asked}`);
        s[at + PLACE] = -1;
        s[at + AT] = 0;
        s[at + USER_PC] = U.CLAIMS;
        return `finds packet ${asked}`;
      case U.CLAIMS: {
        const claim = s[BLOCK + shares + s[at + AT]];
        if (claim === user + 1) {
          s[at + PLACE] = s[at + AT];
          s[at + USER_PC] = U.AMOUNT;
        } else if (++s[at + AT] === shares) s[at + USER_PC] = U.CONFIRM;
        return claim === user + 1 ? 'sees a claim of his own' : 'reads a claim';
      }
      case U.AMOUNT:
        s[at + AMOUNT] = s[BLOCK + s[at + PLACE]];
        s[at + USER_PC] = U.CONFIRM;
        return 'reads the amount of his claim';
      case U.CONFIRM:
        return this.#confirm(s, user, asked);
      case U.TAKE:
        return this.#take(s, user, asked);
      case U.READ:
        s[at + AMOUNT] = s[BLOCK + s[at + PLACE]];
        if (s[at + AMOUNT] !== this.#amountOf(asked, s[at + PLACE]))
          this.fault ??= 'a user reads the amount of another packet';
        if (flaw === 'leaves its claim before it has read') return this.#finish(s, user, 'reads his amount');
        s[at + USER_PC] = U.LEAVE;
        return 'reads his amount';
      case U.LEAVE:
        s[BLOCK + shares + s[at + PLACE]] = user + 1;
        if (flaw !== 'leaves its claim before it has read') return this.#finish(s, user, 'leaves his claim');
        s[at + USER_PC] = U.READ;
        return 'leaves his claim';
      default:
        return undefined;
    }
  }

  #isOf(state: number, packet: number): boolean {
    return state >> GENERATION_SHIFT === this.#generationOf(packet);
  }

  #confirm(s: Int32Array, user: number, asked: number): string {
    const { shares, flaw } = this.#scene;
    const at = this.#userAt(user);
    if (flaw !== 'does not confirm the state' || s[at + PLACE] < 0) s[at + SAW] = s[STATE];
    const saw = s[at + SAW];
    if (!this.#isOf(saw, asked)) return this.#finish(s, user, 'finds another packet in its place');
    if (s[at + PLACE] >= 0) {
      const place = s[at + PLACE];
      const isHis = this.#takerOf(s, asked, place) === user + 1 && s[at + AMOUNT] === this.#amountOf(asked, place);
      if (!isHis) this.fault ??= 'a user is told again of an amount that he did not get';
      return this.#finish(s, user, 'is told his amount again');
    }
    if ((saw & CLOSED) !== 0) return this.#finish(s, user, 'is too late');
    if ((saw & CURSOR_MASK) === shares) return this.#finish(s, user, 'finds nothing left');
    s[at + USER_PC] = U.TAKE;
    return 'sees a share';
  }

  #take(s: Int32Array, user: number, asked: number): string {
    const { shares, flaw } = this.#scene;
    const at = this.#userAt(user);
    const old = s[STATE];
    if (flaw === 'grabs with a blind add') {
      s[STATE]++;
      if ((old & CLOSED) !== 0 || (old & CURSOR_MASK) >= shares)
        return this.#finish(s, user, 'adds, and finds nothing left');
    } else if (old !== s[at + SAW]) {
      s[at + USER_PC] = U.CONFIRM;
      return 'finds that somebody was quicker';
    } else s[STATE]++;
    const share = old & CURSOR_MASK;
    const packet = s[PACKET];
    if (packet !== asked) this.fault ??= `a grab of packet ${asked} takes a share of packet ${packet}`;
    if (this.#takerOf(s, packet, share) !== 0) this.fault ??= 'two users get the same share';
    if ((s[REFUNDED] & this.#bitOf(packet, share)) !== 0) this.fault ??= 'a user gets a share that went back';
    s[this.#taken + (packet - 1) * shares + share] = user + 1;
    s[at + PLACE] = share;
    s[at + USER_PC] = flaw === 'leaves its claim before it has read' ? U.LEAVE : U.READ;
    return `takes share ${share}`;
  }

  #finish(s: Int32Array, user: number, did: string): string {
    const at = this.#userAt(user);
    for (const word of [SAW, PLACE, AT, AMOUNT]) s[at + word] = 0;
    s[at + USER_PC] = ++s[at + GRAB] === this.#scene.grabs[user].length ? U.DONE : U.FIND;
    return did;
  }
}
