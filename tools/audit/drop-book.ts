// The drops in the second set of books: what each has still to give, by the split that its seed stands for.

import type { Accounts, Desk } from './accounts.ts';
import { IdTable } from './id-table.ts';
import { joinWords } from './journal-format.ts';

const SHAKE_NUMBERS = 2 ** 31;

interface Drop {
  winsPerUser: number;
  firstNumber: number;
  /** The split; a share that is won is kept as its complement, below zero. */
  amounts: Int32Array;
  leftCents: number;
  won: number;
  winners: IdTable;
  winnerWins: Int32Array;
}

export class DropBook {
  opened = 0;
  /** What the open drops have still to give. */
  heldCents = 0;
  readonly #accounts: Accounts;
  readonly #desk: Desk;
  readonly #drops = new Map<number, Drop>();
  /** The highest id so far, and whether the next one must follow it: after opening balances it need not. */
  #lastId = 0;
  #idsKnown = true;

  constructor(accounts: Accounts, desk: Desk) {
    this.#accounts = accounts;
    this.#desk = desk;
  }

  get open(): number {
    return this.#drops.size;
  }

  /** Drops that were closed before the journal begins have left no trace: the next id is any higher one. */
  forgetIds(): void {
    this.#idsKnown = false;
  }

  /** A DROP_OPEN at this place of the rows. */
  openDrop(rows: Uint32Array, at: number, amounts: Int32Array): void {
    const id = rows[at];
    const budget = joinWords(rows[at + 8], rows[at + 9]);
    if (this.#idsKnown && !this.#accounts.frozen && id !== this.#lastId + 1) {
      this.#desk.report(`drop ${id} is opened, and must be drop ${this.#lastId + 1}`);
    } else if (id <= this.#lastId) this.#desk.report(`drop ${id} is opened again`);
    if (!this.#accounts.frozen) this.#idsKnown = true;
    this.#lastId = Math.max(this.#lastId, id);
    const before = this.#drops.get(id);
    if (before !== undefined) this.heldCents -= before.leftCents;
    this.#drops.set(id, {
      winsPerUser: rows[at + 2],
      firstNumber: rows[at + 5],
      amounts,
      leftCents: budget,
      won: 0,
      winners: new IdTable(),
      winnerWins: new Int32Array(64),
    });
    this.opened++;
    this.heldCents += budget;
    this.#accounts.moveFunding(budget);
    this.#countMovement();
  }

  win(id: number, number: number, packet: number, user: number, amount: number): void {
    this.#accounts.moveUser(user, amount);
    this.#countMovement();
    const wrong = this.#takePacket(id, number, packet, user, amount);
    if (wrong !== undefined) this.#desk.report(wrong);
  }

  close(id: number, won: number, refund: number): void {
    this.#accounts.moveFunding(-refund);
    this.#countMovement();
    const wrong = this.#endDrop(id, won, refund);
    if (wrong !== undefined) this.#desk.report(wrong);
  }

  #takePacket(id: number, number: number, packet: number, user: number, amount: number): string | undefined {
    // HOT
    const drop = this.#drops.get(id);
    if (drop === undefined) return this.#explainUnknown(id, 'win');
    const { amounts } = drop;
    if (number >= amounts.length) return `drop ${id} has no packet number ${number}`;
    const due = amounts[number];
    if (due < 0) return `packet ${number} of drop ${id} is won a second time`;
    amounts[number] = ~due;
    drop.leftCents -= due;
    drop.won++;
    this.heldCents -= due;
    const wins = drop.winsPerUser === 0 ? 0 : countWin(drop, user);
    const packetDue = SHAKE_NUMBERS + ((drop.firstNumber + number) % SHAKE_NUMBERS);
    if (amount !== due) return `packet ${number} of drop ${id} gives ${amount} cents, the split says ${due}`;
    if (packet !== packetDue) return `packet ${number} of drop ${id} must have the id ${packetDue}, not ${packet}`;
    if (wins <= drop.winsPerUser) return undefined;
    return `user ${user} wins ${wins} times from drop ${id}, which allows ${drop.winsPerUser}`;
  }

  #endDrop(id: number, won: number, refund: number): string | undefined {
    const drop = this.#drops.get(id);
    if (drop === undefined) return this.#explainUnknown(id, 'close');
    this.#drops.delete(id);
    this.heldCents -= drop.leftCents;
    if (refund !== drop.leftCents) return `drop ${id} refunds ${refund} cents, ${drop.leftCents} were not won`;
    return won === drop.won ? undefined : `drop ${id} closes with ${won} packets won, ${drop.won} were`;
  }

  #explainUnknown(id: number, what: string): string {
    const over = id > 0 && id <= this.#lastId;
    return over ? `drop ${id} is closed, no ${what} may follow` : `there is no drop ${id}`;
  }

  #countMovement(): void {
    if (!this.#accounts.frozen) this.#accounts.movements.drops++;
  }
}

/** Counts a win, and gives the user's wins from this drop so far. */
function countWin(drop: Drop, user: number): number {
  const place = drop.winners.add(user);
  if (place >= drop.winnerWins.length) {
    const grown = new Int32Array(drop.winnerWins.length * 2);
    grown.set(drop.winnerWins);
    drop.winnerWins = grown;
  }
  return ++drop.winnerWins[place];
}
