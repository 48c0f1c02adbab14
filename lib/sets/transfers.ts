// Main's side of top-ups and withdrawals: asks the user's worker, and turns its answer into a result or an error.

import { RequestKind, TransferResult } from '../protocol/slot-layout.ts';
import type { CommandSender } from './command-sender.ts';
import { MAX_BALANCE_CENTS, MAX_TRANSFERS_UNDER_WAY } from './limits.ts';
import type { MainInbox } from './main-inbox.ts';

/** What was asked for, and how much there is now. */
export interface Transfer {
  userId: number;
  cents: number;
  key: string;
  /** True if this key had done it before: nothing was moved now. */
  repeated: boolean;
  balanceCents: number;
}

/**
 * `code`: `insufficient` (the balance does not hold the cents), `key_reused` (the key was used for something else), `no_room`
 * (no more users, or too large a balance), `busy` (try again with the same key).
 */
export class TransferError extends Error {
  readonly code: 'insufficient' | 'key_reused' | 'no_room' | 'busy';

  constructor(code: TransferError['code'], message: string) {
    super(message);
    this.name = 'TransferError';
    this.code = code;
  }
}

/** Owned by main. */
export class Transfers {
  readonly #commands: CommandSender;
  readonly #inbox: MainInbox;

  constructor(commands: CommandSender, inbox: MainInbox) {
    this.#commands = commands;
    this.#inbox = inbox;
  }

  /** Moves cents from the outside world to a user, once for each key. Durable when it resolves. @throws {TransferError} */
  topUp(userId: number, cents: number, key: string): Promise<Transfer> {
    return this.#transfer(RequestKind.TOPUP, userId, cents, key);
  }

  /** Moves cents from a user to the outside world, once for each key. Durable when it resolves. @throws {TransferError} */
  withdraw(userId: number, cents: number, key: string): Promise<Transfer> {
    return this.#transfer(RequestKind.WITHDRAW, userId, cents, key);
  }

  async #transfer(
    kind: typeof RequestKind.TOPUP | typeof RequestKind.WITHDRAW,
    userId: number,
    cents: number,
    key: string,
  ): Promise<Transfer> {
    if (this.#inbox.waitingCount >= MAX_TRANSFERS_UNDER_WAY || !this.#commands.isClear)
      throw new TransferError('busy', BUSY);
    const { id, answer } = this.#inbox.expect();
    this.#commands.transfer(kind, id, userId, cents, key);
    this.#commands.flush();
    const { result, balanceCents } = await answer;
    switch (result) {
      case TransferResult.DONE:
      case TransferResult.REPEAT:
        return { userId, cents, key, repeated: result === TransferResult.REPEAT, balanceCents };
      case TransferResult.INSUFFICIENT:
        throw new TransferError('insufficient', `the balance of user ${userId} does not hold ${cents} cents`);
      case TransferResult.KEY_REUSED:
        throw new TransferError('key_reused', 'this key was used for something else');
      case TransferResult.FULL:
        throw new TransferError(
          'no_room',
          `no more users can be held, or the balance would be above ${MAX_BALANCE_CENTS} cents`,
        );
      case TransferResult.LOST:
        throw new TransferError('busy', BUSY);
    }
  }
}

const BUSY = 'the server is too busy for this; try again with the same key';
