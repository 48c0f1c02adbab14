// One run of a server on one thread, without sockets: the parts that server.ts, worker-thread.ts and journal-thread.ts put
// together, in small memory, each of its threads stepped by hand.

import { BatchBuilder } from '../../lib/ledger/batch-builder.ts';
import { ENTRY_WORDS } from '../../lib/ledger/entry-layout.ts';
import { EntryWriter } from '../../lib/ledger/entry-writer.ts';
import { Journal } from '../../lib/ledger/journal.ts';
import { JOURNAL_COUNTERS } from '../../lib/ledger/journal-counters.ts';
import type { JournalFiles } from '../../lib/ledger/journal-files.ts';
import { type Recovery, recover } from '../../lib/ledger/recovery.ts';
import { SegmentWriter } from '../../lib/ledger/segment-writer.ts';
import type { Wallet } from '../../lib/ledger/wallet.ts';
import { allocateAdmission } from '../../lib/net/admission.ts';
import { allocateLevels } from '../../lib/net/level-words.ts';
import type { DropSplitter } from '../../lib/packets/drop-campaigns.ts';
import { DropTable } from '../../lib/packets/drop-table.ts';
import { PacketCreator } from '../../lib/packets/packet-creator.ts';
import { allocatePackets, PacketTable } from '../../lib/packets/packet-table.ts';
import { REPLY_WORDS, REQUEST_BODY, REQUEST_WORDS } from '../../lib/protocol/slot-layout.ts';
import { Consumer } from '../../lib/ring/consumer.ts';
import { allocateCounters, CounterWriter } from '../../lib/ring/counters.ts';
import { allocateDoorbell, DoorbellRinger } from '../../lib/ring/doorbell.ts';
import { Producer } from '../../lib/ring/producer.ts';
import { allocateRing, type RingMemory } from '../../lib/ring/ring.ts';
import { ServicePulse } from '../../lib/ring/service-pulse.ts';
import { DEFAULT_SERVER_OPTIONS } from '../../lib/server-options.ts';
import { restoreUsers } from '../../lib/server-recovery.ts';
import { REPLY_SHAPE, type ServerMemory } from '../../lib/server-threads.ts';
import { ServerWork } from '../../lib/server-work.ts';
import { MAX_DEFERRED, MAX_DEFERRED_BEFORE_REQUESTS } from '../../lib/sets/limits.ts';
import { Outbox } from '../../lib/sets/outbox.ts';
import { SetWorker } from '../../lib/sets/set-worker.ts';
import { WORKER_COUNTERS } from '../../lib/sets/worker-counters.ts';
import { allocateSmallDrops } from '../packets/small-drops.ts';
import type { SimClock } from './sim-clock.ts';

/** How large everything is. */
export interface ServerShape {
  sets: number;
  acceptors: number;
  workers: number;
  /** Requests that an acceptor may have under way to a worker; a power of two. */
  maxInFlight: number;
  packetSlots: number;
  /** Words of the arena of packets. */
  blockWords: number;
  /** Slots of main's ring to each worker, and of each ring to the journal. */
  commandSlots: number;
  entrySlots: number;
  segmentBytes: number;
}

export interface SimServerParts {
  shape: ServerShape;
  files: JournalFiles;
  clock: SimClock;
  splitDrop: DropSplitter;
  /** Left out, the balances of the ledger. */
  wallet: Wallet | undefined;
  drawSeed: () => Uint8Array;
  /** Told what was found before anybody works with it: for rules that are to be broken. */
  onRecovered: (table: PacketTable, recovery: Recovery) => void;
}

interface WorkerThread {
  worker: SetWorker;
  outbox: Outbox;
  requests: Consumer[];
}

/** Sequences wrap within a few slots. */
const FIRST_SEQUENCE = 2 ** 31 - 3;
/** Words for the amounts of drops: those of a simulation have a few dozen packets each. */
const AMOUNT_WORDS = 16_384;
const USERS_PER_WORKER = 1000;
/** Recovery then finds no snapshot. */
const NO_DIRECTORY = '/nonexistent';
const NO_BODY = new Int32Array(0);

/** See the head of this file. Made by `start`. */
export class SimServer {
  readonly shape: ServerShape;
  readonly memory: ServerMemory;
  readonly table: PacketTable;
  readonly recovery: Recovery;
  readonly work: ServerWork;
  /** What the journal has failed with. */
  failure: Error | undefined;
  readonly #workers: WorkerThread[];
  readonly #journal: Journal;

  /** Recovers and puts the threads together, each of which stands still. @throws LedgerError */
  static async start(parts: SimServerParts): Promise<SimServer> {
    const { shape, clock } = parts;
    const memory = allocateSmall(shape);
    const table = new PacketTable(memory.packets);
    const creator = new PacketCreator(table, 0, shape.packetSlots, 0, shape.blockWords);
    const recovery = recover(NO_DIRECTORY, parts.files, table, creator);
    parts.onRecovered(table, recovery);
    clock.offsetMs = Math.max(0, recovery.end.timeMs - clock.wallMs);
    const { sets, acceptors, workers } = shape;
    const work = new ServerWork({
      options: { ...DEFAULT_SERVER_OPTIONS, sets, acceptors, workers },
      memory,
      table,
      creator,
      recovery,
      splitDrop: parts.splitDrop,
      wallet: parts.wallet,
      readRecords: () => Promise.resolve({ records: [] }),
      drawSeed: parts.drawSeed,
      readNowMs: clock.readNowMs,
      sleep: clock.sleep,
      onError: () => {},
    });
    await work.restore();
    const server = new SimServer(parts, memory, table, recovery, work);
    work.onDoorbell();
    work.settleReservations();
    return server;
  }

  private constructor(
    { shape, files, clock }: SimServerParts,
    memory: ServerMemory,
    table: PacketTable,
    recovery: Recovery,
    work: ServerWork,
  ) {
    this.shape = shape;
    this.memory = memory;
    this.table = table;
    this.recovery = recovery;
    this.work = work;
    const restored = restoreUsers(recovery, shape.sets, shape.workers, (dropId) => work.drops.slotOf(dropId));
    this.#workers = restored.map((users, w) => {
      const thread = openWorker(memory, shape, w);
      thread.worker.restore(users);
      return thread;
    });
    const { segment, offset, nextBatch, nextSequence, chain, timeMs } = recovery.end;
    const position = { segment, offset, nextBatch, nextSequence, chain, timeMs };
    const options = { node: 1, segmentBytes: shape.segmentBytes, syncs: true, nowMs: clock.readNowMs() };
    this.#journal = new Journal({
      producers: memory.entries.map((entries, p) => ({
        entries: new Consumer(entries),
        doorbell: new DoorbellRinger(memory.workerDoorbells[p] ?? memory.mainDoorbell),
      })),
      targets: memory.durableReplies.map((replies, a) => ({
        replies: new Producer(replies),
        doorbell: new DoorbellRinger(memory.acceptorDoorbells[a] ?? memory.mainDoorbell),
      })),
      disk: { builder: new BatchBuilder(position), writer: new SegmentWriter(files, position, options) },
      counters: new CounterWriter(memory.journalCounters, JOURNAL_COUNTERS),
      replyShape: REPLY_SHAPE,
      readNowMs: clock.readNowMs,
      onFailure: (error) => {
        this.failure = error;
      },
      onSegmentClosed: () => {},
    });
  }

  /** One turn of a worker: up to `most` slots of each of its rings. Returns how many that were. */
  turnWorker(w: number, most: number): number {
    const thread = this.#workers[w];
    thread.worker.sendDeferred();
    let taken = 0;
    for (let ring = 0; ring < thread.requests.length; ring++) taken += takeBatch(thread, ring, most);
    thread.outbox.flush();
    return taken;
  }

  /** A worker looks after its lists. */
  keepHouse(w: number): void {
    this.#workers[w].worker.keepHouse();
    this.#workers[w].outbox.flush();
  }

  /** The journal looks whether there is something to do, as it does before it sleeps. */
  lookAtJournal(): void {
    this.#journal.hasWork();
  }

  /** One group commit. Returns how many entries that were. */
  stepJournal(): number {
    return this.#journal.step();
  }
}

function openWorker(memory: ServerMemory, { maxInFlight }: ServerShape, w: number): WorkerThread {
  const doorbells = [...memory.acceptorDoorbells, memory.mainDoorbell];
  const outbox = new Outbox(
    doorbells.map((_, a) => new Producer(memory.replies[a]?.[w] ?? memory.mainReplies[w])),
    doorbells.map((doorbell) => new DoorbellRinger(doorbell)),
    maxInFlight,
    new EntryWriter(new Producer(memory.entries[w]), new DoorbellRinger(memory.journalDoorbell)),
  );
  const counters = new CounterWriter(memory.workerCounters[w], WORKER_COUNTERS);
  const drops = new DropTable(memory.drops);
  const table = new PacketTable(memory.packets);
  return {
    worker: new SetWorker(w, drops, table, outbox, counters, USERS_PER_WORKER),
    outbox,
    requests: doorbells.map((_, a) => new Consumer(memory.requests[a]?.[w] ?? memory.commands[w])),
  };
}

/** Takes requests as the loop of a worker thread does. */
function takeBatch({ worker, outbox, requests }: WorkerThread, from: number, most: number): number {
  const bound = from === outbox.main ? MAX_DEFERRED : MAX_DEFERRED_BEFORE_REQUESTS;
  if (worker.deferredCount >= bound || !outbox.canRecord()) return 0;
  const ring = requests[from];
  const count = Math.min(ring.available(), most);
  let taken = 0;
  while (taken < count && outbox.canRecord()) {
    const slot = ring.slotAt(taken);
    const bodyWords = ring.words[slot + REQUEST_BODY];
    worker.handle(from, ring.words, slot, bodyWords === 0 ? NO_BODY : ring.copyBody(taken, bodyWords));
    taken += 1 + ring.countBodySlots(bodyWords);
  }
  if (taken > 0) ring.release(taken);
  return taken;
}

/** What allocateServer makes, with rings and tables that are soon full. */
function allocateSmall(shape: ServerShape): ServerMemory {
  const { sets, acceptors, workers, maxInFlight } = shape;
  const each = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
  const ring = (slots: number, words: number): RingMemory => allocateRing(slots, words, FIRST_SEQUENCE);
  const requestRing = () => ring(2 * maxInFlight, REQUEST_WORDS);
  // A power of two that holds what all acceptors may have under way.
  const wide = maxInFlight * 4 * acceptors;
  return {
    stop: new SharedArrayBuffer(4),
    stopJournal: new SharedArrayBuffer(4),
    levels: allocateLevels(),
    admission: allocateAdmission(1),
    drops: allocateSmallDrops(sets, AMOUNT_WORDS, FIRST_SEQUENCE),
    packets: allocatePackets(shape.packetSlots, shape.blockWords),
    mainDoorbell: allocateDoorbell(),
    journalDoorbell: allocateDoorbell(),
    journalCounters: allocateCounters(JOURNAL_COUNTERS),
    acceptorDoorbells: each(acceptors, allocateDoorbell),
    acceptorCounters: [],
    sockets: [],
    workerDoorbells: each(workers, allocateDoorbell),
    workerCounters: each(workers, () => allocateCounters(WORKER_COUNTERS)),
    commands: each(workers, () => ring(shape.commandSlots, REQUEST_WORDS)),
    mainReplies: each(workers, () => ring(wide, REPLY_WORDS)),
    requests: each(acceptors, () => each(workers, requestRing)),
    replies: each(acceptors, () => each(workers, () => ring(2 * maxInFlight, REPLY_WORDS))),
    entries: each(workers + 1, () => ring(shape.entrySlots, ENTRY_WORDS)),
    durableReplies: each(acceptors + 1, () => ring(4 * maxInFlight, REPLY_WORDS)),
    sideReplies: each(acceptors, () => ring(8, REPLY_WORDS)),
    chatPulse: ServicePulse.allocate(),
    chatCounters: new SharedArrayBuffer(4),
    chatDoorbell: allocateDoorbell(),
    chatPasses: [],
    chatAnswers: [],
  };
}
