// Tries main's transfers and its built-in wallet: what the worker is asked, and what each of its answers becomes.

import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import {
  highWord,
  joinWords,
  lowWord,
  REPLY_BODY,
  REPLY_CENTS_HIGH,
  REPLY_CENTS_LOW,
  REPLY_HELD_HIGH,
  REPLY_HELD_LOW,
  REPLY_KIND,
  REPLY_RESULT,
  REPLY_STAMP_LOW,
  REPLY_WORDS,
  REQUEST_BODY,
  REQUEST_CENTS_HIGH,
  REQUEST_CENTS_LOW,
  REQUEST_KIND,
  REQUEST_RICH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  REQUEST_WORDS,
  ReplyKind,
  RequestKind,
  TransferResult,
} from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateDoorbell, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing } from '../../lib/ring/ring.ts';
import { CommandSender } from '../../lib/sets/command-sender.ts';
import { LedgerWallet } from '../../lib/sets/ledger-wallet.ts';
import { MAX_TRANSFERS_UNDER_WAY } from '../../lib/sets/limits.ts';
import { MainInbox } from '../../lib/sets/main-inbox.ts';
import { Transfers } from '../../lib/sets/transfers.ts';

interface Command {
  kind: number;
  user: number;
  cents: number;
  key: string;
  id: number;
}

/** Main's side, with the test as the worker. */
function open(commandSlots = 16_384) {
  const commands = allocateRing(commandSlots, REQUEST_WORDS, 2 ** 31 - 3);
  const replies = allocateRing(16_384, REPLY_WORDS, 2 ** 31 - 3);
  const sender = new CommandSender([new Producer(commands)], [new DoorbellRinger(allocateDoorbell())], 4);
  const unexpected = () => {
    throw new Error('nobody sends here');
  };
  const inbox = new MainInbox([new Consumer(replies)], { onSend: unexpected, onRecords: unexpected });
  const ring = new Consumer(commands);
  const back = new Producer(replies);
  const take = (): Command[] => {
    const taken: Command[] = [];
    while (ring.available() > 0) {
      const slot = ring.slotAt(0);
      const body = ring.copyBody(0, ring.words[slot + REQUEST_BODY]);
      taken.push({
        kind: ring.words[slot + REQUEST_KIND],
        user: ring.words[slot + REQUEST_USER],
        cents: joinWords(ring.words[slot + REQUEST_CENTS_LOW], ring.words[slot + REQUEST_CENTS_HIGH]),
        key: Buffer.from(body.buffer, 0, ring.words[slot + REQUEST_RICH]).toString(),
        id: ring.words[slot + REQUEST_STAMP_LOW],
      });
      ring.release(1 + ring.countBodySlots(body.length));
    }
    return taken;
  };
  const answer = (id: number, kind: ReplyKind, result: TransferResult, balance = 0) => {
    const place = back.claim();
    back.words.fill(0, place, place + REPLY_WORDS);
    back.words[place + REPLY_KIND] = kind;
    back.words[place + REPLY_STAMP_LOW] = id;
    back.words[place + REPLY_RESULT] = result;
    back.words[place + REPLY_BODY] = 0;
    back.words[place + REPLY_CENTS_LOW] = lowWord(balance);
    back.words[place + REPLY_CENTS_HIGH] = highWord(balance);
    back.words[place + REPLY_HELD_LOW] = 0;
    back.words[place + REPLY_HELD_HIGH] = 0;
    back.publish();
    inbox.drain();
  };
  return { transfers: new Transfers(sender, inbox), wallet: new LedgerWallet(sender, inbox), sender, take, answer };
}

t.test('a transfer asks the worker, and tells what it says', async (t) => {
  const { transfers, take, answer } = open();
  const topUp = transfers.topUp(7, 5_000_000_000, 'é');
  const withdrawal = transfers.withdraw(8, 20, 'w'.repeat(64));
  const [first, second] = take();
  t.match(first, { kind: RequestKind.TOPUP, user: 7, cents: 5_000_000_000, key: 'é' });
  t.match(second, { kind: RequestKind.WITHDRAW, user: 8, cents: 20, key: 'w'.repeat(64) });
  answer(second.id, ReplyKind.TRANSFER, TransferResult.REPEAT, 3);
  answer(first.id, ReplyKind.TRANSFER, TransferResult.DONE, 900_000_000_000_000);
  const done = { userId: 7, cents: 5_000_000_000, key: 'é', repeated: false, balanceCents: 900_000_000_000_000 };
  t.strictSame(await topUp, done);
  t.strictSame(await withdrawal, { userId: 8, cents: 20, key: 'w'.repeat(64), repeated: true, balanceCents: 3 });
});

t.test('each no of the worker is an error with its code and a sentence', async (t) => {
  const { transfers, take, answer } = open();
  for (const [result, code, message] of [
    [TransferResult.INSUFFICIENT, 'insufficient', 'the balance of user 7 does not hold 20 cents'],
    [TransferResult.KEY_REUSED, 'key_reused', 'this key was used for something else'],
    [TransferResult.FULL, 'no_room', 'no more users can be held, or the balance would be above 900000000000000 cents'],
    [TransferResult.LOST, 'busy', 'the server is too busy for this; try again with the same key'],
  ] as const) {
    const transfer = transfers.withdraw(7, 20, 'k');
    answer(take()[0].id, ReplyKind.TRANSFER, result);
    await t.rejects(transfer, { code, message });
  }
});

t.test('more transfers than may be under way, or a ring that is full, are BUSY', async (t) => {
  const { transfers, take, answer } = open();
  const asked = Array.from({ length: MAX_TRANSFERS_UNDER_WAY }, (_, i) => transfers.topUp(i, 1, 'k'));
  await t.rejects(transfers.topUp(7, 1, 'one more'), { code: 'busy' });
  for (const { id } of take()) answer(id, ReplyKind.TRANSFER, TransferResult.DONE, 1);
  t.equal((await Promise.all(asked)).length, MAX_TRANSFERS_UNDER_WAY);

  const small = open(4);
  const waiting = [1, 2, 3].map((user) => small.transfers.topUp(user, 1, 'k'));
  await t.rejects(small.transfers.topUp(4, 1, 'k'), { code: 'busy' }, 'the third is waiting for room already');
  for (let turn = 0; turn < 2; turn++) {
    for (const { id } of small.take()) small.answer(id, ReplyKind.TRANSFER, TransferResult.DONE, 1);
    small.sender.flush();
  }
  t.equal((await Promise.all(waiting)).length, 3);
});

t.test('the built-in wallet holds, spends and frees cents of the balance', async (t) => {
  const { wallet, sender, take, answer } = open();
  const [spent, freed, refused] = [1, 2, 3].map((id) => ({ id, userId: 7, cents: 100 * id, key: `${id}` }));
  const outcomes = [spent, freed, refused].map((reservation) => wallet.reserve(reservation));
  const commands = take();
  t.match(
    commands.map(({ kind, user, cents }) => [kind, user, cents]),
    [1, 2, 3].map((id) => [RequestKind.RESERVE, 7, 100 * id]),
  );
  for (const [i, result] of [TransferResult.DONE, TransferResult.DONE, TransferResult.INSUFFICIENT].entries()) {
    answer(commands[i].id, ReplyKind.RESERVED, result);
  }
  t.strictSame(await Promise.all(outcomes), ['reserved', 'reserved', 'insufficient']);
  await wallet.commit(spent);
  await wallet.cancel(freed);
  await wallet.cancel(freed);
  await wallet.cancel(refused);
  await wallet.cancel(spent);
  sender.flush();
  t.strictSame(
    take().map(({ kind, cents }) => [kind, cents]),
    [
      [RequestKind.COMMIT, 100],
      [RequestKind.CANCEL, 200],
    ],
    'each once, and nothing for what was not held',
  );
});

t.test('a cancel that comes before the worker has answered frees what it then holds', async (t) => {
  const { wallet, sender, take, answer } = open();
  for (const [result, freed] of [
    [TransferResult.DONE, [RequestKind.CANCEL]],
    [TransferResult.INSUFFICIENT, []],
  ] as const) {
    const reservation = { id: 1, userId: 7, cents: 100, key: 'k' };
    void wallet.reserve(reservation);
    const cancelled = wallet.cancel(reservation);
    const [{ id }] = take();
    await nextTurn();
    sender.flush();
    t.strictSame(take(), [], 'nothing can be freed yet');
    answer(id, ReplyKind.RESERVED, result);
    await cancelled;
    sender.flush();
    t.strictSame(
      take().map(({ kind }) => kind),
      freed,
    );
  }
});
