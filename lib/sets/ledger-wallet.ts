// The built-in wallet: the balances of this ledger, held and spent by the users' workers. It always answers.

import type { Reservation, Wallet } from '../ledger/wallet.ts';
import { RequestKind, TransferResult } from '../protocol/slot-layout.ts';
import type { CommandSender } from './command-sender.ts';
import type { MainInbox } from './main-inbox.ts';

/** Main thread. */
export class LedgerWallet implements Wallet {
  readonly #commands: CommandSender;
  readonly #inbox: MainInbox;
  /** What became of the reservations that are not committed or cancelled yet. */
  readonly #outcomes = new Map<number, Promise<'reserved' | 'insufficient'>>();

  constructor(commands: CommandSender, inbox: MainInbox) {
    this.#commands = commands;
    this.#inbox = inbox;
  }

  reserve({ id, userId, cents }: Reservation): Promise<'reserved' | 'insufficient'> {
    const command = this.#inbox.expect();
    this.#commands.reserve(command.id, userId, cents);
    this.#commands.flush();
    const outcome = command.answer.then(({ result }) => {
      if (result === TransferResult.DONE) return 'reserved';
      this.#outcomes.delete(id);
      return 'insufficient';
    });
    this.#outcomes.set(id, outcome);
    return outcome;
  }

  async commit({ id, userId, cents }: Reservation): Promise<void> {
    this.#outcomes.delete(id);
    this.#commands.endReserve(RequestKind.COMMIT, userId, cents);
  }

  /** The worker may still be about to answer: what it holds is freed when it has. */
  async cancel({ id, userId, cents }: Reservation): Promise<void> {
    const outcome = await this.#outcomes.get(id);
    this.#outcomes.delete(id);
    if (outcome === 'reserved') this.#commands.endReserve(RequestKind.CANCEL, userId, cents);
  }
}
