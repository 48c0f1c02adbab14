// What GET /status and the interval report say: the shared counters of all threads and the books of main, put together.

import { CHAT_COUNTERS, ChatCount } from './chat/chat-counters.ts';
import { JOURNAL_COUNTERS, JournalCount, JournalSum } from './ledger/journal-counters.ts';
import type { RecoveredTotals } from './ledger/recovered-state.ts';
import type { IntervalCounts } from './monitor/interval-report.ts';
import type { LatencyLog, LatencySummary } from './monitor/latency-log.ts';
import { ACCEPTOR_COUNTERS, AcceptorCount, closeCount } from './net/acceptor-counters.ts';
import { CLOSE_REASONS, type CloseReason } from './net/close-reasons.ts';
import type { LatencyKind } from './net/latency.ts';
import type { DropCampaigns } from './packets/drop-campaigns.ts';
import type { SentPackets } from './packets/sent-packets.ts';
import { CounterReader } from './ring/counters.ts';
import { Ring } from './ring/ring.ts';
import { ServicePulse } from './ring/service-pulse.ts';
import type { ServerLevels } from './server-levels.ts';
import type { ServerMemory } from './server-threads.ts';
import { WORKER_COUNTERS, WorkerCount, WorkerSum } from './sets/worker-counters.ts';

/** The body of GET /status. Money is in cents, times in microseconds. */
export interface ServerStatus extends ServerCounts {
  latency: Record<LatencyKind, LatencySummary>;
}

/** What became of chat. */
export interface ChatCounts {
  /** Requests that the service was handed, and those that it answered; frames that users were told. */
  requests: number;
  answers: number;
  pushes: number;
  /** Frames that wait for their users, and those that were lost to a bound. */
  queued: number;
  dropped: number;
  /** Requests that were not tried, had no answer, or were over the rate of their user. */
  busy: number;
  unavailable: number;
  limited: number;
  /** Requests that the service failed at, and how often it was started again. */
  failures: number;
  restarts: number;
}

/** What is counted and on the books: everything but the percentiles. */
export interface ServerCounts {
  name: string;
  startedAt: string;
  uptimeSeconds: number;
  /** How much is shed, 0 to 3: see net/level-words.ts; and how often that has changed. */
  level: number;
  levelChanges: number;
  /** Shed because of the level: shakes (among none and overload), records and the like; and how often sessions were told. */
  shed: { shakes: number; limited: number; side: number; slowDowns: number };
  connections: { open: number; accepted: number; closed: Partial<Record<CloseReason, number>> };
  /** By acceptor thread: connections that it has open. */
  acceptors: { open: number }[];
  /** Users logged in now, and users ever seen. */
  sessions: number;
  users: number;
  shakes: { won: number; wonCents: number; none: number; overload: number };
  grabs: {
    won: number;
    wonCents: number;
    repeat: number;
    empty: number;
    expired: number;
    notInvited: number;
    notFound: number;
    busy: number;
  };
  notices: { sent: number; dropped: number };
  /** Of this run. released: of drops, put into the SETs. */
  packets: {
    released: number;
    releasedCents: number;
    sent: number;
    sentCents: number;
    open: number;
    grabbedShares: number;
    expired: number;
  };
  /**
   * Of drops and packets since the first record: funded = claimed + refunded + outstanding; `difference` is what is missing,
   * which is 0.
   */
  money: { funded: number; claimed: number; refunded: number; outstanding: number; difference: number };
  /** Cents that users brought in and took out, since the first record. */
  transfers: { toppedUp: number; withdrawn: number };
  requests: {
    login: number;
    shake: number;
    grab: number;
    hello: number;
    ping: number;
    send: number;
    wallet: number;
    records: number;
    chat: number;
  };
  chat: ChatCounts;
  journal: {
    durability: string;
    batches: number;
    records: number;
    bytes: number;
    syncs: number;
    syncUs: number;
    meanSyncUs: number;
    segments: number;
  };
  bytes: { received: number; sent: number };
  /**
   * Request rings: batches taken, how long the first of each had waited in all, and at the most within the last second or
   * two; and how full the fullest is, 0 to 1.
   */
  ring: { batches: number; waitUs: number; waitMaxUs: number; fill: number };
  memory: { residentBytes: number; heapUsedBytes: number };
}

/** How often a status is taken anew when cents are on their way from a packet to a counter at that very moment. */
const MONEY_TRIES = 10;

/** Main thread. */
export class StatusBoard {
  readonly #requestRings: readonly Ring[];
  readonly #acceptors: CounterReader;
  readonly #workers: CounterReader;
  readonly #drops: DropCampaigns;
  readonly #packets: SentPackets;
  readonly #journal: CounterReader;
  readonly #levels: ServerLevels;
  readonly #chat: CounterReader;
  readonly #chatPulse: ServicePulse;
  readonly #durability: string;
  /** What was moved before this run. */
  readonly #before: RecoveredTotals;
  readonly #latency: LatencyLog<LatencyKind>;
  readonly #name: string;
  readonly #startedAt = new Date();
  #last = { atMs: performance.now(), shakes: 0, won: 0, overload: 0, grabs: 0, notices: 0 };

  constructor(
    memory: ServerMemory,
    levels: ServerLevels,
    drops: DropCampaigns,
    packets: SentPackets,
    latency: LatencyLog<LatencyKind>,
    name: string,
    durability: string,
    before: RecoveredTotals,
  ) {
    this.#requestRings = memory.requests.flat().map((ring) => new Ring(ring));
    this.#levels = levels;
    this.#acceptors = new CounterReader(memory.acceptorCounters, ACCEPTOR_COUNTERS);
    this.#workers = new CounterReader(memory.workerCounters, WORKER_COUNTERS);
    this.#drops = drops;
    this.#packets = packets;
    this.#journal = new CounterReader([memory.journalCounters], JOURNAL_COUNTERS);
    this.#chat = new CounterReader([memory.chatCounters], CHAT_COUNTERS);
    this.#chatPulse = new ServicePulse(memory.chatPulse);
    this.#durability = durability;
    this.#before = before;
    this.#latency = latency;
    this.#name = name;
  }

  /** Takes in what was counted; call it every second or so, so that no count can wrap unseen. */
  update(): void {
    this.#acceptors.update();
    this.#workers.update();
    this.#journal.update();
    this.#chat.update();
  }

  /** Batches that this run has written and synced. */
  readBatches(): number {
    this.#journal.update();
    return this.#journal.count(JournalCount.batches);
  }

  /** The whole status. */
  async read(): Promise<ServerStatus> {
    return {
      ...(await this.readCounts()),
      latency: {
        login: this.#latency.summarizeTotal('login'),
        shake: this.#latency.summarizeTotal('shake'),
        grab: this.#latency.summarizeTotal('grab'),
      },
    };
  }

  /** All counts. Waits a moment, a few times at most, while money is between a packet and a counter. */
  async readCounts(): Promise<ServerCounts> {
    let counts = this.#readOnce();
    for (let tries = 1; tries < MONEY_TRIES && counts.money.difference !== 0; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      counts = this.#readOnce();
    }
    return counts;
  }

  /** What happened since the last call. */
  takeInterval(): IntervalCounts {
    this.update();
    const now = {
      atMs: performance.now(),
      shakes: this.#acceptors.count(AcceptorCount.requestsShake),
      won: this.#workers.count(WorkerCount.shakesWon),
      overload: this.#acceptors.count(AcceptorCount.shakesOverload),
      grabs: this.#acceptors.count(AcceptorCount.requestsGrab),
      notices: this.#acceptors.count(AcceptorCount.noticesSent),
    };
    const last = this.#last;
    this.#last = now;
    return {
      seconds: (now.atMs - last.atMs) / 1000,
      connections: this.#acceptors.count(AcceptorCount.connectionsOpen),
      shakes: now.shakes - last.shakes,
      won: now.won - last.won,
      overload: now.overload - last.overload,
      grabs: now.grabs - last.grabs,
      notices: now.notices - last.notices,
    };
  }

  #readOnce(): ServerCounts {
    this.update();
    const net = (index: number) => this.#acceptors.count(index);
    const sets = (index: number) => this.#workers.count(index);
    const packets = this.#packets.totals();
    const released = this.#drops.released();
    const journal = (index: number) => this.#journal.count(index);
    const syncs = journal(JournalCount.syncs);
    const syncUs = this.#journal.sum(JournalSum.syncMicroseconds);
    const shakeCents = this.#workers.sum(WorkerSum.shakeCents);
    const grabCents = this.#workers.sum(WorkerSum.grabCents);
    const memory = process.memoryUsage();
    return {
      name: this.#name,
      startedAt: this.#startedAt.toISOString(),
      uptimeSeconds: Math.floor((Date.now() - this.#startedAt.getTime()) / 1000),
      level: this.#levels.level,
      levelChanges: this.#levels.changes,
      shed: {
        shakes: net(AcceptorCount.shakesShed),
        limited: net(AcceptorCount.shakesLimited),
        side: net(AcceptorCount.sideShed),
        slowDowns: net(AcceptorCount.slowDowns),
      },
      connections: {
        open: net(AcceptorCount.connectionsOpen),
        accepted: net(AcceptorCount.connectionsAccepted),
        closed: this.#readCloses(),
      },
      acceptors: this.#acceptors.gauges(AcceptorCount.connectionsOpen).map((open) => ({ open })),
      sessions: sets(WorkerCount.sessions),
      users: sets(WorkerCount.users),
      shakes: {
        won: sets(WorkerCount.shakesWon),
        wonCents: shakeCents,
        none: net(AcceptorCount.shakesNone) + sets(WorkerCount.shakesNone),
        overload: net(AcceptorCount.shakesOverload),
      },
      grabs: {
        won: sets(WorkerCount.grabsWon),
        wonCents: grabCents,
        repeat: sets(WorkerCount.grabsRepeat),
        empty: sets(WorkerCount.grabsEmpty),
        expired: sets(WorkerCount.grabsExpired),
        notInvited: sets(WorkerCount.grabsNotInvited),
        notFound: sets(WorkerCount.grabsNotFound),
        busy: net(AcceptorCount.grabsBusy),
      },
      notices: { sent: net(AcceptorCount.noticesSent), dropped: sets(WorkerCount.noticesDropped) },
      packets: {
        released: released.packets,
        releasedCents: released.cents,
        sent: packets.sent,
        sentCents: packets.fundedCents,
        open: packets.open,
        grabbedShares: packets.grabbedShares,
        expired: packets.expired,
      },
      money: balance(this.#before, this.#drops.totals(), packets, shakeCents + grabCents),
      transfers: {
        toppedUp: this.#before.toppedUpCents + this.#workers.sum(WorkerSum.topUpCents),
        withdrawn: this.#before.withdrawnCents + this.#workers.sum(WorkerSum.withdrawnCents),
      },
      requests: {
        login: net(AcceptorCount.requestsLogin),
        shake: net(AcceptorCount.requestsShake),
        grab: net(AcceptorCount.requestsGrab),
        hello: net(AcceptorCount.requestsHello),
        ping: net(AcceptorCount.requestsPing),
        send: net(AcceptorCount.requestsSend),
        wallet: net(AcceptorCount.requestsWallet),
        records: net(AcceptorCount.requestsRecords),
        chat: net(AcceptorCount.requestsChat),
      },
      chat: this.#readChat(),
      journal: {
        durability: this.#durability,
        batches: journal(JournalCount.batches),
        records: journal(JournalCount.records),
        bytes: this.#journal.sum(JournalSum.bytes),
        syncs,
        syncUs,
        meanSyncUs: syncs === 0 ? 0 : Math.round(syncUs / syncs),
        segments: journal(JournalCount.segments),
      },
      bytes: { received: net(AcceptorCount.bytesReceived), sent: net(AcceptorCount.bytesSent) },
      ring: {
        batches: sets(WorkerCount.ringBatches),
        waitUs: this.#workers.sum(WorkerSum.ringWaitMicroseconds),
        waitMaxUs: Math.max(...this.#workers.gauges(WorkerCount.ringWaitWorstMicroseconds)),
        fill: Math.max(...this.#requestRings.map((ring) => ring.countUsed() / ring.capacity)),
      },
      memory: { residentBytes: memory.rss, heapUsedBytes: memory.heapUsed },
    };
  }

  #readChat(): ChatCounts {
    const net = (index: number) => this.#acceptors.count(index);
    const sets = (index: number) => this.#workers.count(index);
    const service = (index: number) => this.#chat.count(index);
    return {
      requests: service(ChatCount.requests),
      answers: net(AcceptorCount.chatAnswers),
      pushes: net(AcceptorCount.chatPushes),
      queued: sets(WorkerCount.chatQueued),
      dropped: sets(WorkerCount.chatDropped) + service(ChatCount.pushesDropped),
      busy: net(AcceptorCount.chatBusy),
      unavailable: net(AcceptorCount.chatUnavailable),
      limited: net(AcceptorCount.chatLimited),
      failures: service(ChatCount.failures),
      restarts: this.#chatPulse.restarts,
    };
  }

  #readCloses(): Partial<Record<CloseReason, number>> {
    const closed: Partial<Record<CloseReason, number>> = {};
    for (const reason of CLOSE_REASONS) {
      const count = this.#acceptors.count(closeCount(reason));
      if (count > 0) closed[reason] = count;
    }
    return closed;
  }
}

interface Books {
  fundedCents: number;
  refundedCents: number;
  outstandingCents: number;
}

/** The check of the books: what main gave out, against what the workers credited. Two sides that share no counter. */
function balance(before: RecoveredTotals, drops: Books, sends: Books, claimedNow: number): ServerStatus['money'] {
  const funded = before.fundedCents + drops.fundedCents + sends.fundedCents;
  const refunded = before.refundedCents + drops.refundedCents + sends.refundedCents;
  const claimed = before.claimedCents + claimedNow;
  const outstanding = drops.outstandingCents + sends.outstandingCents;
  return { funded, claimed, refunded, outstanding, difference: funded - claimed - refunded - outstanding };
}
