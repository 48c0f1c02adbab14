// The sent packets in the second set of books: what each has still to give, by the split that its seed stands for.
//
// An open packet is one block of words in an array that all share, since there can be a million of them:
//
// | word     | name    | meaning                                  |
// |----------|---------|------------------------------------------|
// | 0        | shares  | n                                        |
// | 1        | taken   | shares grabbed                           |
// | 2        | left    | cents of the shares that are not         |
// | 3        | sender  | user id, -1 = the house                  |
// | 4        | invited | m, 0 = everybody                         |
// | 5..      | amounts | n words, the split                       |
// | 5 + n..  | claims  | n words, user id or -1                   |
// | 5 + 2n.. | invited | m words, user ids                        |

import type { Accounts, Desk } from './accounts.ts';
import { NumberSet } from './id-table.ts';
import { HOUSE, PACKET_OPEN_INVITED_WORD } from './journal-format.ts';

const SHARES = 0;
const TAKEN = 1;
const LEFT = 2;
const SENDER = 3;
const INVITED = 4;
const AMOUNTS = 5;

const NOBODY = -1;
const NOT_THERE = -1;
const FIRST_ARENA_WORDS = 2 ** 16;
const SOURCE_SENDER = 1;

/** Longer lists of claims or invited users are looked up in a set: going through them would take too long. */
const LONG_LIST = 64;

export class PacketBook {
  opened = 0;
  /** What the open packets have still to give. */
  heldCents = 0;
  readonly #accounts: Accounts;
  readonly #desk: Desk;
  readonly #blocks = new Map<number, number>();
  readonly #everOpened = new NumberSet();
  readonly #longLists = new Map<number, { claims: Set<number>; invited: Set<number> }>();
  #arena = new Int32Array(FIRST_ARENA_WORDS);
  #arenaEnd = 0;
  /** Blocks that can be used again, by the logarithm of their words. */
  readonly #freeBlocks: number[][] = Array.from({ length: 32 }, () => []);

  constructor(accounts: Accounts, desk: Desk) {
    this.#accounts = accounts;
    this.#desk = desk;
  }

  get open(): number {
    return this.#blocks.size;
  }

  wasOpened(id: number): boolean {
    return this.#everOpened.has(id);
  }

  /** A PACKET_OPEN at this place of the rows; its split lies at `splitAt` of the splits. */
  openPacket(rows: Uint32Array, at: number, splits: Int32Array, splitAt: number): void {
    const id = rows[at];
    const total = rows[at + 4];
    const before = this.#blocks.get(id);
    if (before !== undefined) {
      this.#desk.report(`packet ${id} is opened while the one that has this id is not over`);
      this.heldCents -= this.#arena[before + LEFT];
      this.#end(id, before);
    }
    this.#fill(id, rows, at, splits, splitAt);
    this.#everOpened.add(id);
    this.opened++;
    this.heldCents += total;
    if (rows[at + 11] === SOURCE_SENDER) this.#accounts.moveUser(rows[at + 3], -total);
    else this.#accounts.moveFunding(total);
    this.#countMovement();
  }

  grab(id: number, share: number, user: number, amount: number): void {
    this.#accounts.moveUser(user, amount);
    this.#countMovement();
    const wrong = this.#takeShare(id, share, user, amount);
    if (wrong !== undefined) this.#desk.report(wrong);
  }

  close(id: number, taken: number, refund: number): void {
    this.#countMovement();
    const block = this.#blocks.get(id);
    const sender = block === undefined ? NOBODY : this.#arena[block + SENDER];
    if (sender === NOBODY) this.#accounts.moveFunding(-refund);
    else this.#accounts.moveUser(sender, refund);
    const wrong = block === undefined ? this.#explainUnknown(id, 'close') : this.#judgeClose(id, block, taken, refund);
    if (wrong !== undefined) this.#desk.report(wrong);
    if (block === undefined) return;
    this.heldCents -= this.#arena[block + LEFT];
    this.#end(id, block);
  }

  #takeShare(id: number, share: number, user: number, amount: number): string | undefined {
    // HOT
    const block = this.#blocks.get(id) ?? NOT_THERE;
    if (block === NOT_THERE) return this.#explainUnknown(id, 'grab');
    const arena = this.#arena;
    const shares = arena[block + SHARES];
    if (share >= shares) return `packet ${id} has no share ${share}`;
    const claim = block + AMOUNTS + shares + share;
    if (arena[claim] !== NOBODY) return `share ${share} of packet ${id} is grabbed a second time, by user ${user}`;
    const wrong = this.#judgeGrab(id, block, share, user, amount);
    const due = arena[block + AMOUNTS + share];
    arena[claim] = user;
    arena[block + TAKEN]++;
    arena[block + LEFT] -= due;
    this.heldCents -= due;
    if (shares > LONG_LIST) this.#longLists.get(id)!.claims.add(user);
    if (arena[block + TAKEN] === shares) this.#end(id, block);
    return wrong;
  }

  #judgeGrab(id: number, block: number, share: number, user: number, amount: number): string | undefined {
    const due = this.#arena[block + AMOUNTS + share];
    if (this.#hasShare(id, block, user)) return `user ${user} grabs a second share of packet ${id}`;
    if (!this.#isInvited(id, block, user)) return `user ${user} is not invited to packet ${id}`;
    if (amount === due) return undefined;
    return `share ${share} of packet ${id} gives ${amount} cents, the split says ${due}`;
  }

  #judgeClose(id: number, block: number, taken: number, refund: number): string | undefined {
    const left = this.#arena[block + LEFT];
    const grabbed = this.#arena[block + TAKEN];
    if (refund !== left) return `packet ${id} refunds ${refund} cents, ${left} were not grabbed`;
    return taken === grabbed ? undefined : `packet ${id} closes with ${taken} shares taken, ${grabbed} were`;
  }

  #explainUnknown(id: number, what: string): string {
    const over = this.#everOpened.has(id);
    return over ? `packet ${id} is over, no ${what} may follow` : `there is no packet ${id}`;
  }

  #hasShare(id: number, block: number, user: number): boolean {
    const shares = this.#arena[block + SHARES];
    if (shares > LONG_LIST) return this.#longLists.get(id)!.claims.has(user);
    return this.#listHas(block + AMOUNTS + shares, shares, user);
  }

  #isInvited(id: number, block: number, user: number): boolean {
    const invited = this.#arena[block + INVITED];
    if (invited === 0) return true;
    if (invited > LONG_LIST) return this.#longLists.get(id)!.invited.has(user);
    return this.#listHas(block + AMOUNTS + 2 * this.#arena[block + SHARES], invited, user);
  }

  #listHas(first: number, count: number, user: number): boolean {
    const arena = this.#arena;
    for (let i = first; i < first + count; i++) if (arena[i] === user) return true;
    return false;
  }

  #fill(id: number, rows: Uint32Array, at: number, splits: Int32Array, splitAt: number): void {
    const shares = rows[at + 5];
    const invited = rows[at + PACKET_OPEN_INVITED_WORD];
    const block = this.#takeBlock(AMOUNTS + 2 * shares + invited);
    const arena = this.#arena;
    const claims = block + AMOUNTS + shares;
    const firstInvited = at + PACKET_OPEN_INVITED_WORD + 1;
    arena[block + SHARES] = shares;
    arena[block + TAKEN] = 0;
    arena[block + LEFT] = rows[at + 4];
    arena[block + SENDER] = rows[at + 3] === HOUSE ? NOBODY : rows[at + 3];
    arena[block + INVITED] = invited;
    for (let i = 0; i < shares; i++) arena[block + AMOUNTS + i] = splits[splitAt + i];
    arena.fill(NOBODY, claims, claims + shares);
    for (let i = 0; i < invited; i++) arena[claims + shares + i] = rows[firstInvited + i];
    this.#blocks.set(id, block);
    if (shares <= LONG_LIST && invited <= LONG_LIST) return;
    const users = new Set(rows.subarray(firstInvited, firstInvited + invited));
    this.#longLists.set(id, { claims: new Set(), invited: users });
  }

  /** The packet is over: its block can be used again. */
  #end(id: number, block: number): void {
    const arena = this.#arena;
    this.#blocks.delete(id);
    this.#longLists.delete(id);
    this.#freeBlocks[sizeClass(AMOUNTS + 2 * arena[block + SHARES] + arena[block + INVITED])].push(block);
  }

  #takeBlock(words: number): number {
    const size = sizeClass(words);
    const free = this.#freeBlocks[size].pop();
    if (free !== undefined) return free;
    const block = this.#arenaEnd;
    this.#arenaEnd += 2 ** size;
    if (this.#arenaEnd > this.#arena.length) {
      const grown = new Int32Array(Math.max(this.#arenaEnd, this.#arena.length * 2));
      grown.set(this.#arena);
      this.#arena = grown;
    }
    return block;
  }

  #countMovement(): void {
    if (!this.#accounts.frozen) this.#accounts.movements.packets++;
  }
}

/** The logarithm of the power of two that holds so many words. */
function sizeClass(words: number): number {
  return 32 - Math.clz32(words - 1);
}
