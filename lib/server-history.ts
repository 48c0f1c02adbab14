// The past of a server: has closed segments folded into the snapshot, and answers what happened to packets and users.
//
// Main thread; the work is done by one low-priority thread of a pool. The live path never waits for it.

import { Piscina } from 'piscina';
import type { LedgerView } from './ledger/history.ts';
import type { PacketHistory, UserHistory, WinHistory } from './ledger/history-answers.ts';
import type { FoldTask, HistoryQuery } from './ledger/snapshot-task.ts';
import type { MoneyRecord, PacketRecord, RecordsRequest, RecordsResult } from './protocol/extended.ts';
import { MAX_TOLD_GRABS } from './protocol/limits.ts';
import { moduleUrl } from './server-threads.ts';

export interface ServerHistoryParts {
  /** The data directory; undefined if nothing is written. */
  data: string | undefined;
  keepSegments: number;
  /** The number of the last batch that is synced. */
  readDurableBatch: () => number;
  /** Told of a fold that failed, for the log: the journal has everything still. */
  onError: (error: Error) => void;
}

/** Questions of users that may wait: one takes up to some tens of milliseconds, all of them a second or two. More are answered busy. */
const MOST_QUESTIONS = 32;

const UNAVAILABLE: RecordsResult = {
  error: { code: 'unavailable', message: 'this server keeps no records: it holds money in memory only' },
};

const BUSY: RecordsResult = { error: { code: 'busy', message: 'too many ask for records; try again later' } };

export class ServerHistory {
  readonly #parts: ServerHistoryParts;
  readonly #pool: Piscina;
  /** Closed segments that are kept; 0 for all. Another number counts from the next fold on. */
  keepSegments: number;
  #isClosed = false;
  /** Of users, not answered yet. */
  #questions = 0;

  constructor(parts: ServerHistoryParts) {
    this.#parts = parts;
    this.keepSegments = parts.keepSegments;
    this.#pool = new Piscina({
      filename: moduleUrl('ledger/snapshot-task').href,
      minThreads: 0,
      maxThreads: 1,
      // Questions are answered between the slices of a fold.
      concurrentTasksPerWorker: 2,
      idleTimeout: 30_000,
      atomics: 'disabled',
      execArgv: [],
    });
  }

  /** Whether there is a past to ask for. */
  get isKept(): boolean {
    return this.#parts.data !== undefined;
  }

  /** Folds every segment up to this one, in the background. */
  fold(closedSegment: number): void {
    const { data, onError } = this.#parts;
    const { keepSegments } = this;
    if (data === undefined || closedSegment < 1) return;
    const task: FoldTask = { data, keepSegments, closedSegment };
    this.#pool.run(task).catch((error: Error) => {
      if (!this.#isClosed) onError(error);
    });
  }

  packet(packetId: number): Promise<PacketHistory | WinHistory | undefined> {
    return this.#ask({ about: 'packet', packetId }) as Promise<PacketHistory | WinHistory | undefined>;
  }

  user(userId: number, limit?: number, before?: number): Promise<UserHistory> {
    return this.#ask({ about: 'user', userId, limit, before }) as Promise<UserHistory>;
  }

  ledger(): Promise<LedgerView> {
    return this.#ask({ about: 'ledger' }) as Promise<LedgerView>;
  }

  /** Answers RECORDS of a user; `busy` if many others wait. */
  async records(userId: number, request: RecordsRequest): Promise<RecordsResult> {
    if (!this.isKept) return UNAVAILABLE;
    if (this.#questions >= MOST_QUESTIONS) return BUSY;
    this.#questions++;
    try {
      return await this.#lookUp(userId, request);
    } finally {
      this.#questions--;
    }
  }

  async #lookUp(userId: number, { packetId, limit, before }: RecordsRequest): Promise<RecordsResult> {
    if (packetId === undefined) {
      const { records } = await this.user(userId, limit, before);
      return { records: records.map(toMoneyRecord) };
    }
    const packet = await this.packet(packetId);
    if (packet === undefined || !isSent(packet) || !concerns(packet, userId)) {
      return { error: { code: 'not-found', message: 'there is no such packet that this user has to do with' } };
    }
    return { packet: toPacketRecord(packet) };
  }

  /** Ends the thread. A fold that is under way is one transaction: the next start begins it again. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.destroy();
  }

  async #ask(question: Question): Promise<unknown> {
    const { data, readDurableBatch } = this.#parts;
    if (data === undefined) throw new Error('there is no history without a data directory');
    const query = { data, durableBatch: readDurableBatch(), ...question } as HistoryQuery;
    return this.#pool.run(query, { name: 'query' });
  }
}

type Question =
  | { about: 'packet'; packetId: number }
  | { about: 'user'; userId: number; limit: number | undefined; before: number | undefined }
  | { about: 'ledger' };

function isSent(packet: PacketHistory | WinHistory): packet is PacketHistory {
  return 'grabs' in packet;
}

/** Only who sent it, was invited or grabbed is told of a packet. */
function concerns({ senderId, invited, grabs }: PacketHistory, userId: number): boolean {
  return senderId === userId || invited.includes(userId) || grabs.some((grab) => grab.userId === userId);
}

function toMoneyRecord({ sequence, timeMs, kind, cents, packetId }: UserHistory['records'][number]): MoneyRecord {
  return { sequence, timeMs, kind, cents, ...(packetId === undefined ? {} : { packetId }) };
}

function toPacketRecord(packet: PacketHistory): PacketRecord {
  const { packetId, senderId, totalCents, shares, mode, createdAt, expiresAt, state, grabs, luckiest } = packet;
  return {
    packetId,
    senderId,
    totalCents,
    shares,
    mode,
    createdAt,
    expiresAt,
    state,
    grabs: grabs
      .slice(0, MAX_TOLD_GRABS)
      .map(({ userId, amountCents, share, timeMs }) => ({ userId, amountCents, share, timeMs })),
    ...(luckiest === undefined ? {} : { luckiest }),
  };
}
