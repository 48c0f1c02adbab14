// What main does with a packet that a user sends: reserve the cents, create the packet, commit once it is durable, answer.
//
// The wallet may be slow or fail: nothing but this one send waits for it. Whatever happens, a reservation is committed or
// cancelled in the end; one at an external wallet is logged before the wallet is asked, so that a crash is no way out.

import type { MovementJournal } from '../ledger/movement-journal.ts';
import { PacketSource, SettleOutcome } from '../ledger/record-layout.ts';
import type { Reservation, WalletInUse } from '../ledger/wallet.ts';
import { DEFAULT_MAX_CENTS, DEFAULT_MIN_CENTS } from '../packets/limits.ts';
import { type NewPacket, NO_ROOM } from '../packets/packet-creator.ts';
import { commitTo } from '../packets/seeded-random.ts';
import type { SentPackets } from '../packets/sent-packets.ts';
import { isSplittable } from '../packets/split.ts';
import type { Send, Sent } from '../protocol/extended.ts';
import { Opcode } from '../protocol/opcodes.ts';
import { decodeSend } from '../protocol/send-words.ts';
import { ReplyKind } from '../protocol/slot-layout.ts';
import type { CommandSender } from './command-sender.ts';
import { MAX_SENDS_UNDER_WAY, SEND_RETRY_AFTER_MS, WALLET_RETRY_MS, WALLET_TIMEOUT_MS } from './limits.ts';
import type { PassedRequest } from './main-inbox.ts';
import type { MainReplies } from './main-replies.ts';

export interface UserSendsParts {
  packets: SentPackets;
  journal: MovementJournal;
  commands: CommandSender;
  replies: MainReplies;
  walletInUse: WalletInUse;
  drawSeed: () => Uint8Array;
  /** Unix milliseconds. */
  readNowMs: () => number;
  /** Rejects if the signal is aborted before. Keeps no process alive. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  maxShares: number;
  /** The id of the last reservation of an earlier run. */
  lastReservation: number;
  /** Told of a wallet that fails, for the log. */
  onWalletError: (error: Error) => void;
}

/** Owned by main. */
export class UserSends {
  readonly #parts: UserSendsParts;
  #lastReservation: number;
  #underWay = 0;

  constructor(parts: UserSendsParts) {
    this.#parts = parts;
    this.#lastReservation = parts.lastReservation;
  }

  /** Sends that are not answered yet. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Takes a send that a worker has passed on. @param body see send-words.ts */
  take(request: PassedRequest, body: Int32Array): void {
    const send = decodeSend(body, 0, body.length);
    const fault = this.#judge(send);
    if (fault !== undefined) {
      this.#refuse(request, send, { status: 'BAD_REQUEST', message: fault });
    } else if (this.#underWay >= MAX_SENDS_UNDER_WAY || !this.#parts.commands.isClear) {
      this.#refuse(request, send, BUSY);
    } else {
      this.#underWay++;
      void this.#carryOut(request, send);
    }
  }

  /** Ends a reservation that an earlier run left open. @param isSpent whether its packet was created */
  settle(reservation: Reservation, isSpent: boolean): void {
    void this.#end(reservation, isSpent ? 'commit' : 'cancel');
  }

  async #carryOut(request: PassedRequest, send: Send): Promise<void> {
    const { journal, walletInUse } = this.#parts;
    const { userId } = request;
    const reservation = { id: ++this.#lastReservation, userId, cents: send.totalCents, key: send.key };
    if (walletInUse.source === PacketSource.WALLET) {
      if (!journal.hasRoom(0)) return this.#giveUp(request, send, BUSY);
      await journal.whenDurable(journal.reserve(reservation.id, userId, send.totalCents, send.key));
    }
    const outcome = await this.#askWallet(reservation);
    if (outcome !== 'reserved') {
      // Not even an external wallet that says no is believed to hold nothing: cancelling is idempotent.
      if (outcome === 'unknown' || walletInUse.source === PacketSource.WALLET) void this.#end(reservation, 'cancel');
      return this.#giveUp(request, send, outcome === 'unknown' ? BUSY : { status: 'INSUFFICIENT' });
    }
    const packet = this.#build(userId, send);
    const origin = { sendId: 0, index: 0, source: walletInUse.source, reservation: reservation.id, key: send.key };
    const packetId = this.#parts.packets.create(packet, origin, (opened) => {
      this.#underWay--;
      void this.#end(reservation, 'commit');
      this.#parts.commands.endSend(userId, send.key, opened);
      const { expiresAt, seed } = packet;
      this.#answer(request, { status: 'SENT', packetId: opened, expiresAt, commitment: commitTo(seed) });
    });
    if (packetId !== NO_ROOM) return;
    void this.#end(reservation, 'cancel');
    this.#giveUp(request, send, BUSY);
  }

  /** 'unknown' if the wallet fails, or takes too long. */
  async #askWallet(reservation: Reservation): Promise<'reserved' | 'insufficient' | 'unknown'> {
    const { walletInUse, onWalletError, sleep } = this.#parts;
    const timer = new AbortController();
    try {
      const timeout = sleep(WALLET_TIMEOUT_MS, timer.signal).then(() => 'unknown' as const);
      timeout.catch(() => {});
      return await Promise.race([walletInUse.wallet.reserve(reservation), timeout]);
    } catch (error) {
      onWalletError(error as Error);
      return 'unknown';
    } finally {
      timer.abort();
    }
  }

  /** Commits or cancels a reservation, as often as it takes, and logs that of an external wallet. */
  async #end(reservation: Reservation, how: 'commit' | 'cancel'): Promise<void> {
    const { walletInUse, journal, onWalletError, sleep } = this.#parts;
    for (let delayMs = WALLET_RETRY_MS; ; delayMs = Math.min(60_000, 2 * delayMs)) {
      try {
        await walletInUse.wallet[how](reservation);
        break;
      } catch (error) {
        onWalletError(error as Error);
        await sleep(delayMs);
      }
    }
    if (walletInUse.source !== PacketSource.WALLET) return;
    while (!journal.hasRoom(0)) await sleep(WALLET_RETRY_MS);
    journal.settleReservation(reservation.id, how === 'commit' ? SettleOutcome.COMMITTED : SettleOutcome.CANCELLED);
  }

  /** What is wrong with a send, in a sentence for its sender; undefined if nothing is. */
  #judge(send: Send): string | undefined {
    const { totalCents, shares, mode } = send;
    const { maxShares } = this.#parts;
    if (shares > maxShares) return `shares must be at most ${maxShares}`;
    const bounds = { minCents: DEFAULT_MIN_CENTS, maxCents: DEFAULT_MAX_CENTS };
    if (isSplittable({ mode, totalCents, shares, ...bounds })) return undefined;
    return (
      `totalCents must lie between shares * ${DEFAULT_MIN_CENTS} = ${shares * DEFAULT_MIN_CENTS} ` +
      `and shares * ${DEFAULT_MAX_CENTS} = ${shares * DEFAULT_MAX_CENTS}`
    );
  }

  #build(userId: number, send: Send): NewPacket {
    const nowSecond = Math.floor(this.#parts.readNowMs() / 1000);
    return {
      mode: send.mode,
      totalCents: send.totalCents,
      shares: send.shares,
      minCents: DEFAULT_MIN_CENTS,
      maxCents: DEFAULT_MAX_CENTS,
      senderId: userId,
      createdAt: nowSecond,
      expiresAt: nowSecond + send.expiresInSeconds,
      invited: send.users,
      seed: this.#parts.drawSeed(),
      note: Buffer.from(send.note, 'utf8'),
    };
  }

  #giveUp(request: PassedRequest, send: Send, answer: Sent): void {
    this.#underWay--;
    this.#refuse(request, send, answer);
  }

  /** Nothing was sent, so the key is free again. */
  #refuse(request: PassedRequest, send: Send, answer: Sent): void {
    this.#parts.commands.endSend(request.userId, send.key, 0);
    this.#answer(request, answer);
  }

  #answer(request: PassedRequest, answer: Sent): void {
    this.#parts.commands.flush();
    this.#parts.replies.reply(request, ReplyKind.SENT, Opcode.SENT, answer);
  }
}

const BUSY: Sent = { status: 'BUSY', retryAfterMs: SEND_RETRY_AFTER_MS };
