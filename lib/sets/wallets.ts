// The users' own money on one worker: what they send, what is topped up, withdrawn, held and refunded, and their request keys.
//
// A balance changes here first and in the journal right behind; what is told of it leaves when that is durable. Sends are
// passed on to main, which creates the packet; until main says how it went the cents are held and the key is under way.

import { RecordType, TRANSFER } from '../ledger/record-layout.ts';
import { SendStatus } from '../protocol/opcodes.ts';
import { decodeSend, signatureOf } from '../protocol/send-words.ts';
import {
  highWord,
  joinWords,
  lowWord,
  REPLY_AMOUNT,
  REPLY_BODY,
  REPLY_CENTS_HIGH,
  REPLY_CENTS_LOW,
  REPLY_COUNT,
  REPLY_HELD_HIGH,
  REPLY_HELD_LOW,
  REPLY_PACKET,
  REPLY_RESULT,
  REQUEST_CENTS_HIGH,
  REQUEST_CENTS_LOW,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RICH,
  REQUEST_USER,
  ReplyKind,
  RequestKind,
  TransferResult,
} from '../protocol/slot-layout.ts';
import type { CounterWriter } from '../ring/counters.ts';
import { FULL } from '../ring/producer.ts';
import { MAX_BALANCE_CENTS } from './limits.ts';
import type { Outbox } from './outbox.ts';
import { fillReplyHead } from './reply-head.ts';
import { type KeyUse, RequestKeys } from './request-keys.ts';
import type { RestoredUsers } from './restored-users.ts';
import { NO_ROW, type UserTable } from './user-table.ts';
import { WorkerSum } from './worker-counters.ts';

/** Owned by one worker. */
export class Wallets {
  readonly #worker: number;
  readonly #users: UserTable;
  readonly #outbox: Outbox;
  readonly #counters: CounterWriter;
  readonly #ensureRow: (userId: number) => number;
  readonly #keys = new RequestKeys();

  /** @param ensureRow the row of a user, made and counted if need be; NO_ROW when the table is full */
  constructor(
    worker: number,
    users: UserTable,
    outbox: Outbox,
    counters: CounterWriter,
    ensureRow: (userId: number) => number,
  ) {
    this.#worker = worker;
    this.#users = users;
    this.#outbox = outbox;
    this.#counters = counters;
    this.#ensureRow = ensureRow;
  }

  restoreKeys(keys: RestoredUsers['keys']): void {
    for (const { userId, key, use } of keys) this.#keys.add(userId, key, use);
  }

  /** Handles what a user asks for: SEND, WALLET, RECORDS. The session stands. @param row of the user */
  handleRequest(acceptor: number, words: Int32Array, slot: number, row: number, body: Int32Array): void {
    switch (words[slot + REQUEST_KIND]) {
      case RequestKind.SEND:
        this.#send(acceptor, words, slot, body);
        break;
      case RequestKind.WALLET:
        this.#tellBalance(acceptor, words, slot, row);
        break;
      case RequestKind.RECORDS:
        this.#passRecords(acceptor, words, slot);
        break;
    }
  }

  /** Handles what main says. @param body the bytes of a key, padded to words */
  handleCommand(acceptor: number, words: Int32Array, slot: number, body: Int32Array): void {
    const userId = words[slot + REQUEST_USER];
    const cents = joinWords(words[slot + REQUEST_CENTS_LOW], words[slot + REQUEST_CENTS_HIGH]);
    const row = this.#users.rowOf(userId);
    switch (words[slot + REQUEST_KIND]) {
      case RequestKind.TOPUP:
        this.#transfer(acceptor, words, slot, 'topup', cents, keyOf(words, slot, body));
        break;
      case RequestKind.WITHDRAW:
        this.#transfer(acceptor, words, slot, 'withdraw', cents, keyOf(words, slot, body));
        break;
      case RequestKind.RESERVE:
        this.#reserve(acceptor, words, slot, row, cents);
        break;
      case RequestKind.COMMIT:
        this.#users.held[row] -= cents;
        this.#users.balances[row] -= cents;
        break;
      case RequestKind.CANCEL:
        this.#users.held[row] -= cents;
        break;
      case RequestKind.CREDIT:
        // Whoever sent from an external wallet before the last start may not have been here since.
        this.#credit(this.#ensureRow(userId), cents);
        break;
      case RequestKind.SENT:
        this.#endSend(userId, keyOf(words, slot, body), words[slot + REQUEST_PACKET]);
        break;
    }
  }

  /** A table that is full has no place for a user: his cents are in the journal, and here after the next start. */
  #credit(row: number, cents: number): void {
    if (row !== NO_ROW) this.#users.balances[row] += cents;
  }

  /** Passes a send on to main, unless its key says that it has been done, or is being done. */
  #send(acceptor: number, words: Int32Array, slot: number, body: Int32Array): void {
    const userId = words[slot + REQUEST_USER];
    const send = decodeSend(body, 0, body.length);
    const signature = signatureOf(send);
    const known = this.#keys.find(userId, send.key);
    if (known !== undefined) {
      const isSame = known.kind === 'send' && known.signature === signature;
      const status = !isSame ? SendStatus.KEY_REUSED : known.packetId === 0 ? SendStatus.BUSY : SendStatus.REPEAT;
      this.#answerSend(acceptor, words, slot, status, status === SendStatus.REPEAT ? known.packetId : 0);
      return;
    }
    const { main } = this.#outbox;
    const place = this.#outbox.claimUnasked(main, body.length);
    if (place === FULL) {
      this.#answerSend(acceptor, words, slot, SendStatus.BUSY, 0);
      return;
    }
    this.#keys.add(userId, send.key, { kind: 'send', signature, packetId: 0 });
    const out = this.#outbox.words;
    fillReplyHead(out, place, words, slot, ReplyKind.PASS_SEND, this.#worker);
    out[place + REPLY_RESULT] = acceptor;
    out[place + REPLY_BODY] = body.length;
    this.#outbox.addBody(main, body);
  }

  #answerSend(acceptor: number, words: Int32Array, slot: number, status: SendStatus, packetId: number): void {
    const place = this.#outbox.claimReply(acceptor);
    const out = this.#outbox.words;
    fillReplyHead(out, place, words, slot, ReplyKind.SENT, this.#worker);
    out[place + REPLY_RESULT] = status;
    out[place + REPLY_PACKET] = packetId;
  }

  /** Main has created the packet, durably, or has not. */
  #endSend(userId: number, key: string, packetId: number): void {
    const use = this.#keys.find(userId, key);
    if (use === undefined) return;
    if (packetId === 0) this.#keys.remove(userId, key);
    else use.packetId = packetId;
  }

  #passRecords(acceptor: number, words: Int32Array, slot: number): void {
    const { main } = this.#outbox;
    const place = this.#outbox.claimUnasked(main);
    if (place === FULL) {
      const reply = this.#outbox.claimReply(acceptor);
      fillReplyHead(this.#outbox.words, reply, words, slot, ReplyKind.RECORDS, this.#worker);
      return;
    }
    const out = this.#outbox.words;
    fillReplyHead(out, place, words, slot, ReplyKind.PASS_RECORDS, this.#worker);
    out[place + REPLY_RESULT] = acceptor;
    out[place + REPLY_PACKET] = words[slot + REQUEST_PACKET];
    out[place + REPLY_COUNT] = words[slot + REQUEST_RICH];
    out[place + REPLY_CENTS_LOW] = words[slot + REQUEST_CENTS_LOW];
    out[place + REPLY_CENTS_HIGH] = words[slot + REQUEST_CENTS_HIGH];
  }

  #tellBalance(acceptor: number, words: Int32Array, slot: number, row: number): void {
    const place = this.#outbox.claimMoneyReply(acceptor, TransferResult.LOST);
    const out = this.#outbox.words;
    fillReplyHead(out, place, words, slot, ReplyKind.WALLET, this.#worker);
    out[place + REPLY_RESULT] = TransferResult.DONE;
    this.#fillBalance(place, row);
  }

  /** Moves cents between the outside world and a user's balance, once for each key. */
  #transfer(
    acceptor: number,
    words: Int32Array,
    slot: number,
    kind: 'topup' | 'withdraw',
    cents: number,
    key: string,
  ): void {
    const userId = words[slot + REQUEST_USER];
    const row = this.#ensureRow(userId);
    const known = this.#keys.find(userId, key);
    const result = row === NO_ROW ? TransferResult.FULL : this.#judgeTransfer(kind, row, cents, known);
    if (result !== TransferResult.DONE) {
      const place = this.#outbox.claimMoneyReply(acceptor, TransferResult.LOST);
      fillReplyHead(this.#outbox.words, place, words, slot, ReplyKind.TRANSFER, this.#worker);
      this.#outbox.words[place + REPLY_RESULT] = result;
      this.#fillBalance(place, row);
      return;
    }
    this.#users.balances[row] += kind === 'topup' ? cents : -cents;
    this.#counters.addToSum(kind === 'topup' ? WorkerSum.topUpCents : WorkerSum.withdrawnCents, cents);
    this.#keys.add(userId, key, { kind, signature: cents, packetId: 0 });
    const keyBytes = Buffer.from(key, 'utf8');
    const { entries } = this.#outbox;
    const type = kind === 'topup' ? RecordType.TOPUP : RecordType.WITHDRAW;
    entries.begin(type, TRANSFER.KEY + 1 + Math.ceil(keyBytes.length / 4));
    entries.set(TRANSFER.USER, userId);
    entries.set(TRANSFER.USER + 1, 0);
    entries.setUint64(TRANSFER.CENTS, cents);
    entries.setText(TRANSFER.KEY, keyBytes);
    const place = this.#outbox.attachReply(acceptor, TransferResult.LOST);
    fillReplyHead(this.#outbox.words, place, words, slot, ReplyKind.TRANSFER, this.#worker);
    this.#outbox.words[place + REPLY_RESULT] = TransferResult.DONE;
    this.#fillBalance(place, row);
    entries.publish();
  }

  #judgeTransfer(kind: KeyUse['kind'], row: number, cents: number, known: KeyUse | undefined): TransferResult {
    if (known !== undefined) {
      return known.kind === kind && known.signature === cents ? TransferResult.REPEAT : TransferResult.KEY_REUSED;
    }
    const balance = this.#users.balances[row];
    if (kind === 'topup') return balance + cents > MAX_BALANCE_CENTS ? TransferResult.FULL : TransferResult.DONE;
    return balance - this.#users.held[row] < cents ? TransferResult.INSUFFICIENT : TransferResult.DONE;
  }

  /** Holds cents for a send that main is about to create. Nothing durable depends on it. */
  #reserve(acceptor: number, words: Int32Array, slot: number, row: number, cents: number): void {
    const hasEnough = row !== NO_ROW && this.#users.balances[row] - this.#users.held[row] >= cents;
    if (hasEnough) this.#users.held[row] += cents;
    const place = this.#outbox.claimReply(acceptor);
    const out = this.#outbox.words;
    fillReplyHead(out, place, words, slot, ReplyKind.RESERVED, this.#worker);
    out[place + REPLY_RESULT] = hasEnough ? TransferResult.DONE : TransferResult.INSUFFICIENT;
    out[place + REPLY_AMOUNT] = 0;
  }

  #fillBalance(place: number, row: number): void {
    const out = this.#outbox.words;
    const balance = row === NO_ROW ? 0 : this.#users.balances[row];
    const held = row === NO_ROW ? 0 : this.#users.held[row];
    out[place + REPLY_CENTS_LOW] = lowWord(balance);
    out[place + REPLY_CENTS_HIGH] = highWord(balance);
    out[place + REPLY_HELD_LOW] = lowWord(held);
    out[place + REPLY_HELD_HIGH] = highWord(held);
  }
}

/** The key that a command from main carries: its bytes in the body, their number in the head. */
function keyOf(words: Int32Array, slot: number, body: Int32Array): string {
  return Buffer.from(body.buffer, body.byteOffset, words[slot + REQUEST_RICH]).toString('utf8');
}
