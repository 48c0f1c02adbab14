// What main does for a server's money: drops, sends, packets and their ends, sends of users, top-ups and withdrawals.
//
// Main thread, in its event loop: a tick every few milliseconds, and whenever another thread rings. It owns no socket of a
// user. Whatever it tells of money has become durable before.

import { EntryWriter } from './ledger/entry-writer.ts';
import { type Halt, readHolds, writeHolds } from './ledger/holds-file.ts';
import { MovementJournal } from './ledger/movement-journal.ts';
import { PacketSource } from './ledger/record-layout.ts';
import type { Recovery } from './ledger/recovery.ts';
import type { Wallet } from './ledger/wallet.ts';
import { CampaignError } from './packets/campaign-error.ts';
import { DropCampaigns, type DropSplitter } from './packets/drop-campaigns.ts';
import { DropTable } from './packets/drop-table.ts';
import type { PacketCreator } from './packets/packet-creator.ts';
import type { PacketTable } from './packets/packet-table.ts';
import { releaseIntervalMs } from './packets/release-interval.ts';
import { SendCampaigns } from './packets/send-campaigns.ts';
import { SentPackets } from './packets/sent-packets.ts';
import type { RecordsRequest, RecordsResult } from './protocol/extended.ts';
import { Opcode } from './protocol/opcodes.ts';
import { ReplyKind } from './protocol/slot-layout.ts';
import { Consumer } from './ring/consumer.ts';
import { DoorbellListener, DoorbellRinger } from './ring/doorbell.ts';
import { Producer } from './ring/producer.ts';
import type { ServerOptions } from './server-options.ts';
import { restoreCampaigns } from './server-recovery.ts';
import type { ServerMemory } from './server-threads.ts';
import { CommandSender } from './sets/command-sender.ts';
import { LedgerWallet } from './sets/ledger-wallet.ts';
import { MainInbox, type PassedRequest } from './sets/main-inbox.ts';
import { MainReplies } from './sets/main-replies.ts';
import { Transfers } from './sets/transfers.ts';
import { UserSends } from './sets/user-sends.ts';

/** How soon a tick comes while something is under way that it will move on, in milliseconds. */
const BUSY_TICK_MS = 20;

export interface ServerWorkParts {
  options: ServerOptions;
  memory: ServerMemory;
  table: PacketTable;
  /** Of all slots of the table; recovery has put the packets of earlier runs into them. */
  creator: PacketCreator;
  recovery: Recovery | undefined;
  splitDrop: DropSplitter;
  /** Where the money of users' sends comes from; left out, from their balances here. */
  wallet: Wallet | undefined;
  /** Answers RECORDS. */
  readRecords: (userId: number, request: RecordsRequest) => Promise<RecordsResult>;
  /** 32 random bytes. */
  drawSeed: () => Uint8Array;
  /** Unix milliseconds that never step. */
  readNowMs: () => number;
  /** Rejects if the signal is aborted before. Keeps no process alive. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Told of what stops nothing but belongs into the log. */
  onError: (error: Error) => void;
}

export class ServerWork {
  readonly drops: DropCampaigns;
  readonly packets: SentPackets;
  readonly sends: SendCampaigns;
  readonly transfers: Transfers;
  readonly journal: MovementJournal;
  readonly #parts: ServerWorkParts;
  readonly #commands: CommandSender;
  readonly #replies: MainReplies;
  readonly #inbox: MainInbox;
  readonly #userSends: UserSends;
  readonly #doorbell: DoorbellListener;
  /** What the kill switch has paused, while it is on. */
  #halt: Halt | undefined;

  constructor(parts: ServerWorkParts) {
    const { memory, options, table, creator, readNowMs, drawSeed, recovery } = parts;
    this.#parts = parts;
    this.#doorbell = new DoorbellListener(memory.mainDoorbell);
    this.journal = new MovementJournal(
      new EntryWriter(new Producer(memory.entries[options.workers]), new DoorbellRinger(memory.journalDoorbell)),
    );
    this.#commands = new CommandSender(
      memory.commands.map((ring) => new Producer(ring)),
      memory.workerDoorbells.map((doorbell) => new DoorbellRinger(doorbell)),
      options.sets,
    );
    this.drops = new DropCampaigns(new DropTable(memory.drops), parts.splitDrop, drawSeed, this.journal);
    this.packets = new SentPackets(
      table,
      creator,
      this.journal,
      {
        tellUser: (userId, packetId) => this.#commands.tell(userId, packetId),
        refund: (userId, cents) => this.#commands.credit(userId, cents),
        onOver: (packetId, sendId, shares, claimed, refunded) =>
          this.sends.onOver(packetId, sendId, shares, claimed, refunded),
      },
      Math.floor(readNowMs() / 1000),
    );
    this.sends = new SendCampaigns(table, this.packets, this.journal, drawSeed, options.maxShares);
    this.drops.holds.keep = () => this.#keepHolds();
    this.sends.holds.keep = () => this.#keepHolds();
    const fromWorkers = memory.mainReplies.map((ring) => new Consumer(ring));
    this.#inbox = new MainInbox([...fromWorkers, new Consumer(memory.durableReplies[options.acceptors])], {
      onSend: (request, body) => this.#userSends.take(request, body),
      onRecords: (request, packetId, limit, before) => void this.#answerRecords(request, packetId, limit, before),
    });
    this.#replies = new MainReplies(
      memory.sideReplies.map((ring) => new Producer(ring)),
      memory.acceptorDoorbells.map((doorbell, a) => new DoorbellRinger(doorbell, () => this.ringAcceptor(a))),
    );
    this.transfers = new Transfers(this.#commands, this.#inbox);
    const { wallet } = parts;
    this.#userSends = new UserSends({
      packets: this.packets,
      journal: this.journal,
      commands: this.#commands,
      replies: this.#replies,
      walletInUse:
        wallet === undefined
          ? { wallet: new LedgerWallet(this.#commands, this.#inbox), source: PacketSource.BALANCE }
          : { wallet, source: PacketSource.WALLET },
      drawSeed,
      readNowMs,
      sleep: parts.sleep,
      maxShares: options.maxShares,
      lastReservation: recovery?.state.lastReservation ?? 0,
      onWalletError: parts.onError,
    });
  }

  /** How the acceptors are woken; set once their threads run. */
  ringAcceptor: (acceptor: number) => void = () => {};

  /** Takes up what recovery found. @throws {CampaignError} no_room; {LedgerError} damaged */
  async restore(): Promise<void> {
    const { recovery, table, readNowMs, options } = this.#parts;
    if (recovery === undefined) return;
    const holds = readHolds(options.data);
    this.#halt = holds.halt;
    await restoreCampaigns(recovery, holds, table, this.drops, this.sends, this.packets, readNowMs());
    // A crash may have come before all of it was paused.
    if (this.#halt !== undefined) this.halt();
  }

  /** What the kill switch has paused, while it is on. */
  get halted(): Halt | undefined {
    return this.#halt;
  }

  /** The kill switch: pauses every drop and send that runs or is scheduled. On already, it takes in what runs since. */
  halt(): Halt {
    const running = ({ state, isPaused }: { state: string; isPaused: boolean }) =>
      !isPaused && ['scheduled', 'releasing', 'creating'].includes(state);
    const drops = this.drops.list(Number.MAX_SAFE_INTEGER).filter(running);
    const sends = this.sends.list(Number.MAX_SAFE_INTEGER).filter(running);
    const before = this.#halt ?? { drops: [], sends: [] };
    const halt: Halt = {
      drops: [...new Set([...before.drops, ...drops.map(({ id }) => id)])],
      sends: [...new Set([...before.sends, ...sends.map(({ id }) => id)])],
    };
    // Switched on first, with all that it pauses below: wherever a crash cuts in, its end finds what was paused.
    this.#switch(halt);
    for (const { id } of drops) this.drops.pause(id);
    for (const { id } of sends) this.sends.pause(id);
    return halt;
  }

  /** Ends it: what it has paused, and nobody has resumed or closed since, goes on. */
  endHalt(): Halt {
    const { drops, sends } = this.#halt ?? { drops: [], sends: [] };
    const nowMs = this.#parts.readNowMs();
    // Those that are over have no hold any more.
    const resumed: Halt = {
      drops: drops.filter((id) => this.drops.holds.get(id).isPaused === true),
      sends: sends.filter((id) => this.sends.holds.get(id).isPaused === true),
    };
    for (const id of resumed.drops) this.drops.resume(id, nowMs);
    for (const id of resumed.sends) this.sends.resume(id, nowMs);
    this.#switch(undefined);
    return resumed;
  }

  /** @throws {CampaignError} busy; the switch is as before then */
  #switch(halt: Halt | undefined): void {
    const before = this.#halt;
    this.#halt = halt;
    try {
      this.#keepHolds();
    } catch (error) {
      this.#halt = before;
      throw error;
    }
  }

  /** Makes durable what holds drops and sends back. @throws {CampaignError} busy */
  #keepHolds(): void {
    const { recovery, options } = this.#parts;
    if (recovery === undefined) return;
    try {
      writeHolds(options.data, {
        drops: this.drops.holds.entries(),
        sends: this.sends.holds.entries(),
        ...(this.#halt === undefined ? {} : { halt: this.#halt }),
      });
    } catch (error) {
      this.#parts.onError(error as Error);
      throw new CampaignError('busy', 'this cannot be kept on the disk now; nothing has changed');
    }
  }

  /** Ends the reservations that an earlier run left open at its wallet. The threads run. */
  settleReservations(): void {
    for (const { reservation, isSpent } of this.#parts.recovery?.state.reservations.values() ?? []) {
      this.#userSends.settle(reservation, isSpent);
    }
  }

  /** Everything that is due now. Call it again after `tickMs`. */
  tick(): void {
    const nowMs = this.#parts.readNowMs();
    this.drops.tick(nowMs);
    this.packets.tick(nowMs);
    this.#commands.flush();
    this.sends.tick(nowMs, this.#commands.isClear);
    this.onDoorbell();
  }

  /** When the next tick is wanted, in milliseconds from now. */
  get tickMs(): number {
    const intervalMs = releaseIntervalMs(this.drops.releaseRate + this.sends.createRate, this.sends.noticeRate);
    const isBusy = this.packets.areClosing || this.#userSends.underWay > 0 || !this.#commands.isClear;
    return isBusy ? Math.min(BUSY_TICK_MS, intervalMs) : intervalMs;
  }

  /** Another thread has rung: takes what there is, then announces sleep, and looks again before it believes it. */
  onDoorbell(): void {
    for (;;) {
      this.#inbox.drain();
      this.journal.settle();
      this.packets.settle();
      this.#commands.flush();
      this.#replies.flush();
      this.#doorbell.announceSleep();
      if (!this.#inbox.hasWork() && !this.journal.hasNews()) return;
      this.#doorbell.cancelSleep();
    }
  }

  async #answerRecords(request: PassedRequest, packetId: number, limit: number, before: number): Promise<void> {
    const asked: RecordsRequest = {
      limit,
      ...(packetId === 0 ? {} : { packetId }),
      ...(before === 0 ? {} : { before }),
    };
    let result: RecordsResult;
    try {
      result = await this.#parts.readRecords(request.userId, asked);
    } catch (error) {
      this.#parts.onError(error as Error);
      result = { error: { code: 'unavailable', message: 'the records cannot be read now' } };
    }
    this.#replies.reply(request, ReplyKind.RECORDS, Opcode.RECORDS_RESULT, result);
  }
}
