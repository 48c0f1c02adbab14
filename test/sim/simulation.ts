// A whole server, its users, its wallet, its disk and its clock, driven by one seed: random requests, repeats, expiries, full
// rings, crashes, power losses, disk failures, restarts with another number of workers, and at the end everything settled.
//
// One thread, no sockets, no real time: the same seed does the same steps. What is told and what is on the disk is held
// against plain books at every step; see books.ts, sim-clients.ts and agreement.ts.

import assert from 'node:assert/strict';
import { LedgerError } from '../../lib/ledger/ledger-error.ts';
import { recover } from '../../lib/ledger/recovery.ts';
import { PacketCreator } from '../../lib/packets/packet-creator.ts';
import { allocatePackets, PacketTable } from '../../lib/packets/packet-table.ts';
import { split } from '../../lib/packets/split.ts';
import type { ServerWork } from '../../lib/server-work.ts';
import { FakeDisk } from '../ledger/fake-disk.ts';
import { seedBytes, TestRandom } from '../packets/seed.ts';
import { compareLive, compareRecovered, listUntold } from './agreement.ts';
import { Books } from './books.ts';
import type { BrokenRule } from './broken-rules.ts';
import { FakeWallet } from './fake-wallet.ts';
import { FactReader, readAllFacts } from './journal-facts.ts';
import { type Undo, undoAll } from './patches.ts';
import { installPauses } from './preemption.ts';
import { type Connection, nothingTold, SimClients } from './sim-clients.ts';
import { SimClock } from './sim-clock.ts';
import { SimDeeds } from './sim-deeds.ts';
import { type ServerShape, SimServer } from './sim-server.ts';
import { WatchedDisk } from './watched-disk.ts';

/** What happened in a run. */
export interface SimCounts {
  steps: number;
  crashes: number;
  grabs: number;
  wins: number;
  sends: number;
  refunds: number;
}

type Thread = 'main' | 'journal' | number;

/** The machine is off: thrown through whatever was running. */
class PowerLoss extends Error {}

/** Threads that may be interrupted at once. */
const MOST_INTERRUPTED = 3;
/** Turns of the queue of promises after each step of main: its longest chain has fewer. */
const PROMISE_TURNS = 24;
/** Rounds after which everything that was asked for must have come to an end. */
const MOST_ROUNDS = 3000;
/** Words of the arena of packets for each slot: more than their packets need. */
const WORDS_PER_SLOT = 128;
const DIRECTORY = '/nonexistent';

/** Runs one seed. @throws AssertionError, LedgerError: what was found */
export async function simulate(seed: number, broken?: BrokenRule): Promise<SimCounts> {
  const simulation = new Simulation(seed, broken);
  const undos: Undo[] = [];
  if (broken?.install !== undefined) undos.push(broken.install());
  undos.push(installPauses((isCritical) => simulation.pause(isCritical)));
  try {
    return await simulation.run();
  } finally {
    undoAll(undos);
  }
}

class Simulation {
  readonly #seed: number;
  readonly #random: TestRandom;
  readonly #broken: BrokenRule | undefined;
  readonly #disk = new FakeDisk();
  readonly #clock = new SimClock();
  readonly #wallet: FakeWallet | undefined;
  readonly #books = new Books();
  readonly #told = nothingTold();
  readonly #knownPackets = new Set<number>();
  readonly #users: number[];
  readonly #counts: SimCounts = { steps: 0, crashes: 0, grabs: 0, wins: 0, sends: 0, refunds: 0 };
  /** One in so many points at which a thread may be interrupted interrupts it. */
  readonly #pauseOdds: number;
  /** The same for the points between a grab or a win and its record. */
  readonly #criticalOdds: number;
  readonly #packetSlots: number;
  #seeds = 0;
  #reader = new FactReader(this.#disk);
  #server!: SimServer;
  #clients!: SimClients;
  #isDead = true;
  /** Threads are not interrupted. */
  #isCalm = false;
  #running: Thread | undefined;
  readonly #interrupted = new Set<Thread>();
  #splits: (() => void)[] = [];
  /** What was found in the midst of something else: thrown at the end of the step. */
  #failure: unknown;
  readonly #deeds: SimDeeds;

  constructor(seed: number, broken: BrokenRule | undefined) {
    this.#seed = seed;
    this.#broken = broken;
    this.#random = new TestRandom(seed);
    const random = this.#random;
    this.#wallet = random.below(3) === 0 ? new FakeWallet(random) : undefined;
    const first = random.pick([0, 1, 1000]);
    this.#users = Array.from({ length: 3 + random.below(8) }, (_, i) => first + i);
    this.#pauseOdds = random.pick([20, 50, 1_000_000]);
    this.#criticalOdds = random.pick([2, 3, 10]);
    const isFlood = random.below(25) === 0;
    this.#packetSlots = isFlood ? 200 : random.pick([8, 40, 200]);
    this.#deeds = new SimDeeds({
      random,
      books: this.#books,
      clock: this.#clock,
      users: this.#users,
      packetSlots: this.#packetSlots,
      isFlood,
      isDead: () => this.#isDead,
    });
  }

  async run(): Promise<SimCounts> {
    await this.#start();
    for (let i = 0; i < 4; i++) this.#deeds.control();
    for (let steps = 100 + this.#random.below(400); steps > 0; steps--) await this.#step();
    await this.#end();
    const { packets, wins, sends, refunds } = this.#books;
    for (const { grabs } of packets.values()) this.#counts.grabs += grabs.size;
    this.#counts.wins = wins.size;
    this.#counts.refunds = refunds;
    this.#counts.sends = packets.size + sends.size;
    return this.#counts;
  }

  /** A thread is between two steps that others can see: they may do some of theirs now. */
  pause(isCritical: boolean): void {
    const interrupted = this.#running;
    if (this.#isDead || this.#isCalm || interrupted === undefined) return;
    if (this.#interrupted.size >= MOST_INTERRUPTED) return;
    if (this.#random.below(isCritical ? this.#criticalOdds : this.#pauseOdds) !== 0) return;
    this.#interrupted.add(interrupted);
    try {
      for (let steps = 1 + this.#random.below(isCritical ? 12 : 4); steps > 0; steps--) this.#stepOfOthers();
    } catch (error) {
      // The parts below on the stack may catch it: it must not be lost there.
      if (!(error instanceof PowerLoss)) this.#failure ??= error;
      this.#isDead = true;
      throw error;
    } finally {
      this.#interrupted.delete(interrupted);
      this.#running = interrupted;
    }
  }

  #stepOfOthers(): void {
    const luck = this.#random.below(100);
    if (luck < 40) this.#turnWorker();
    else if (luck < 55) this.#turnJournal();
    else if (luck < 62) this.#runThread('main', () => this.#server.work.onDoorbell());
    else if (luck < 75) this.#runThread('main', () => this.#server.work.tick());
    else if (luck < 78) this.#clock.advance(this.#random.pick([10, 1000, 5000]));
    else if (luck < 90) this.#runThread(undefined, () => this.#deeds.act());
    else if (luck < 98) this.#read();
    else if (!this.#interrupted.has('main')) this.#crash();
  }

  /** Lets a thread go on, unless it is interrupted further down the stack. */
  #runThread(thread: Thread | undefined, work: () => void): void {
    if (this.#isDead || (thread !== undefined && this.#interrupted.has(thread))) return;
    const before = this.#running;
    this.#running = thread;
    try {
      work();
    } finally {
      this.#running = before;
    }
  }

  async #step(): Promise<void> {
    this.#counts.steps++;
    const luck = this.#random.below(1000);
    try {
      if (luck < 300) this.#runThread(undefined, () => this.#deeds.act());
      else if (luck < 520) this.#turnWorker();
      else if (luck < 640) this.#turnJournal();
      else if (luck < 720) this.#runThread('main', () => this.#server.work.tick());
      else if (luck < 780) this.#runThread('main', () => this.#server.work.onDoorbell());
      else if (luck < 860) this.#read();
      else if (luck < 900) this.#clock.advance(this.#random.pick([1, 10, 100, 1000, 3000]));
      else if (luck < 940) this.#runThread('main', () => this.#deeds.control());
      else if (luck < 965) this.#runThread('main', () => this.#moveOutside());
      else if (luck < 972) this.#breakDisk();
      else if (luck < 980) this.#crash();
      else if (luck < 988) await this.#check();
    } catch (error) {
      if (!(error instanceof PowerLoss)) throw error;
    }
    await this.#drain();
    const hasFailed = this.#server.failure !== undefined && this.#random.below(30) === 0;
    if (this.#isDead || hasFailed) await this.#restart();
  }

  /** Runs what promises wait for. Main is not interrupted. */
  async #drain(): Promise<void> {
    this.#running = 'main';
    for (let turn = 0; turn < PROMISE_TURNS; turn++) await undefined;
    this.#running = undefined;
    const failure = this.#failure ?? this.#deeds.failure;
    if (failure !== undefined) throw failure;
  }

  #crash(): void {
    this.#isDead = true;
    throw new PowerLoss();
  }

  #breakDisk(): void {
    if (this.#random.below(3) > 0) return;
    this.#disk.failAt(this.#random.pick(['write', 'sync']), 1 + this.#random.below(4), 'EIO', this.#random.below(2000));
  }

  async #restart(): Promise<void> {
    this.#isDead = true;
    this.#counts.crashes++;
    await this.#drain();
    this.#wallet?.forgetCalls();
    for (;;) {
      // Losing the process only, everything written is there.
      if (this.#random.below(3) > 0) this.#disk.crash(this.#random);
      this.#clock.restart(this.#random.pick([0, 0, 5, 3000, -20, -8000]));
      if (this.#random.below(20) === 0) this.#breakDisk();
      try {
        await this.#start();
        return;
      } catch (error) {
        if (!(error instanceof LedgerError) || error.code !== 'write') throw error;
        this.#disk.crash(this.#random);
      }
    }
  }

  async #start(): Promise<void> {
    const { found, table, server } = await this.#open();
    const facts = readAllFacts(this.#disk);
    const { length } = this.#books.facts;
    assert(facts.length >= length, `${length} records were synced, and ${facts.length} are left`);
    assert.deepEqual(facts.slice(0, length), this.#books.facts, 'what was synced is there again');
    for (const fact of facts.slice(length)) this.#books.take(fact);
    this.#reader = new FactReader(this.#disk);
    for (const name of this.#disk.list()) this.#reader.readOn(name);
    if (this.#broken === undefined) compareRecovered(this.#books, found, table);
    this.#server = server;
    this.#clients = new SimClients(server, this.#books, this.#told, this.#knownPackets, this.#clock.readNowMs);
    this.#deeds.begin(server, this.#clients);
    this.#splits = [];
    this.#isDead = false;
  }

  /** What recovery found, before anything else; and the server. */
  async #open() {
    const files = new WatchedDisk(this.#disk, {
      onWork: () => this.pause(false),
      onSynced: (name) => {
        if (this.#isDead) return;
        for (const fact of this.#reader.readOn(name)) this.#books.take(fact);
      },
    });
    const found = this.#recoverAside();
    const server = await SimServer.start({
      shape: this.#drawShape(),
      files,
      clock: this.#clock,
      splitDrop: async (request, seed, memory, at) => {
        if (!this.#isDead) await new Promise<void>((resolve) => this.#splits.push(resolve));
        split(request, seed, new Int32Array(memory), at);
      },
      wallet: this.#wallet,
      drawSeed: () => seedBytes(this.#seed, this.#seeds++),
      onRecovered: (table, recovery) => this.#broken?.onRecovered?.(table, recovery),
    });
    return { ...found, server };
  }

  /** Reads the disk as a server would that starts now. */
  #recoverAside() {
    const table = new PacketTable(allocatePackets(this.#packetSlots, this.#packetSlots * WORDS_PER_SLOT));
    const creator = new PacketCreator(table, 0, this.#packetSlots, 0, this.#packetSlots * WORDS_PER_SLOT);
    return { found: recover(DIRECTORY, this.#disk, table, creator), table };
  }

  #drawShape(): ServerShape {
    const random = this.#random;
    const sets = 1 + random.below(6);
    return {
      sets,
      acceptors: 1 + random.below(2),
      workers: 1 + random.below(Math.min(3, sets)),
      maxInFlight: random.pick([4, 8, 16]),
      packetSlots: this.#packetSlots,
      blockWords: this.#packetSlots * WORDS_PER_SLOT,
      commandSlots: random.pick([4, 8, 64]),
      entrySlots: random.pick([8, 16, 64]),
      segmentBytes: random.pick([4096, 8192, 65_536]),
    };
  }

  #turnWorker(): void {
    const w = this.#random.below(this.#server.shape.workers);
    const most = this.#random.pick([1, 2, 256]);
    this.#runThread(w, () => {
      if (this.#random.below(20) === 0) this.#server.keepHouse(w);
      this.#server.turnWorker(w, most);
    });
  }

  #turnJournal(): void {
    const looksFirst = this.#random.below(2) === 0;
    this.#runThread('journal', () => {
      if (looksFirst) {
        this.#server.lookAtJournal();
        this.pause(true);
      }
      this.#server.stepJournal();
    });
  }

  #read(): void {
    const most = this.#random.pick([1, 3, 1000]);
    this.#runThread(undefined, () => {
      this.#clients.read(this.#random.below(this.#clients.inboxCount), most);
    });
  }

  /** What main waits for and no thread of the server does: splits, the wallet, timers. */
  #moveOutside(): void {
    const luck = this.#random.below(3);
    if (luck === 0) this.#splits.shift()?.();
    else if (luck === 1) this.#clock.fireTimers();
    else if (this.#wallet !== undefined && this.#wallet.waitingCount > 0) this.#wallet.answerOne(false);
  }

  /** Everything is settled, and everybody agrees: memory, disk, books, and what users are told. */
  async #check(): Promise<void> {
    const wasCalm = this.#isCalm;
    this.#isCalm = true;
    await this.#settle();
    compareLive(this.#books, this.#server.work, this.#server.table);
    const { found, table } = this.#recoverAside();
    compareRecovered(this.#books, found, table);
    for (const connection of await this.#connectAll()) {
      const { userId } = connection;
      const notices = this.#clients.notices.get(connection)!.toSorted((a, b) => a - b);
      assert.deepEqual(notices, listUntold(this.#books, userId), `user ${userId} is told of what he may grab`);
      this.#clients.askWallet(connection);
      await this.#settle();
      const balance = this.#books.balanceOf(userId);
      assert.deepEqual(this.#clients.wallets.get(userId), { balance, held: 0 }, `the balance of user ${userId}`);
    }
    this.#isCalm = wasCalm;
  }

  /** A new session for every user. */
  async #connectAll(): Promise<Connection[]> {
    const connections: Connection[] = [];
    for (const userId of this.#users) {
      const acceptor = this.#random.below(this.#server.shape.acceptors);
      connections.push(this.#clients.connect(acceptor, userId)!);
      await this.#settle();
    }
    return connections;
  }

  /** Lets everything that was asked for come to its end; after a failure of the disk in another server. */
  async #settle(): Promise<void> {
    for (let round = 0, quietRounds = 0; quietRounds < 3; round++) {
      assert(round < MOST_ROUNDS, 'what was asked for comes to an end');
      quietRounds = (await this.#settleRound()) ? 0 : quietRounds + 1;
      if (this.#server.failure !== undefined) await this.#restart();
    }
    assert.equal(this.#clients.waitingCount, 0, 'every request is answered');
    assert.equal(this.#deeds.promised, 0, 'main keeps its promises');
    const { packets } = this.#server.work;
    assert(!packets.areOpening && !packets.areClosing, 'no packet is about to open or close');
  }

  async #settleRound(): Promise<boolean> {
    let moved = 0;
    for (let w = 0; w < this.#server.shape.workers; w++) moved += this.#server.turnWorker(w, 256);
    moved += this.#server.stepJournal();
    for (const split of this.#splits.splice(0)) {
      split();
      moved++;
    }
    for (; this.#wallet !== undefined && this.#wallet.waitingCount > 0; moved++) this.#wallet.answerOne(true);
    this.#server.work.tick();
    await this.#drain();
    for (let inbox = 0; inbox < this.#clients.inboxCount; inbox++) moved += this.#clients.read(inbox, 1000);
    if (moved === 0 && this.#clock.nextTimerMs < Number.POSITIVE_INFINITY) {
      this.#clock.advance(Math.max(0, this.#clock.nextTimerMs - this.#clock.readNowMs()));
      this.#clock.fireTimers();
      moved++;
    }
    return moved > 0;
  }

  /** Users go on until every drop is won, packets are grabbed or expire, and nothing is left but balances. */
  async #end(): Promise<void> {
    this.#isCalm = true;
    this.#disk.failAt('write', Number.POSITIVE_INFINITY, 'never');
    await this.#check();
    const isGreedy = this.#random.below(2) === 0;
    for (let round = 0; round < MOST_ROUNDS && this.#listOpenDrops(false).length > 0; round++)
      await this.#play(isGreedy);
    assert.deepEqual(this.#listOpenDrops(false), [], 'a drop ends when everybody shakes');
    for (const drop of this.#books.drops.values()) {
      const isWhole = drop.winsPerUser > 0 || this.#deeds.closedDrops.has(drop.id) || drop.wins.size === drop.count;
      assert(isWhole, `all of drop ${drop.id} is won`);
    }
    for (const id of this.#listOpenDrops(true)) this.#deeds.await(this.#server.work.drops.close(id), () => {});
    await this.#settle();
    for (let round = 0; round < 2 && isGreedy; round++) await this.#play(true);
    const areSendsOpen = ({ sends, packets }: ServerWork) => sends.activeCount > 0 || packets.totals().open > 0;
    for (let round = 0; round < MOST_ROUNDS && areSendsOpen(this.#server.work); round++) {
      this.#clock.advance(20_000);
      await this.#settle();
    }
    await this.#check();
    // Of the last server: one whose disk had failed before may have been followed by another meanwhile.
    const { work } = this.#server;
    assert.deepEqual(this.#books.outstanding, { drops: 0, packets: 0 }, 'nothing is outstanding');
    assert.deepEqual([work.drops.openCount, work.sends.activeCount], [0, 0], 'no drop and no send is open');
    assert.equal(work.tickMs, 100, 'nothing is under way');
    await this.#spendAll();
    await this.#check();
    for (const [id, { outcome }] of this.#books.reservations) {
      assert(outcome !== 0, `reservation ${id} is settled`);
      const state = this.#wallet?.states.get(id);
      if (this.#books.spent.has(id)) assert.equal(state, 'committed', `reservation ${id} is spent`);
      else assert(state === undefined || state === 'cancelled', `reservation ${id} is ${state}`);
    }
  }

  /** A second passes in which everybody shakes and grabs. */
  async #play(isGreedy: boolean): Promise<void> {
    this.#clock.advance(1000);
    await this.#settle();
    for (const connection of await this.#connectAll()) {
      for (let shakes = 0; shakes < 4; shakes++) this.#clients.shake(connection);
      await this.#settle();
      const packets = isGreedy ? listUntold(this.#books, connection.userId).slice(0, 4) : [];
      for (const packetId of packets) this.#clients.grab(connection, packetId);
      await this.#settle();
    }
  }

  /** @param isBounded those with a bound on the wins of one user, or those without */
  #listOpenDrops(isBounded: boolean): number[] {
    const drops = [...this.#books.drops.values()].filter(({ isClosed }) => !isClosed);
    return drops.filter(({ winsPerUser }) => winsPerUser > 0 === isBounded).map(({ id }) => id);
  }

  /** Nothing is held or lost on the way: everybody can send all he has. */
  async #spendAll(): Promise<void> {
    for (const connection of await this.#connectAll()) {
      const { userId } = connection;
      const cents = Math.min(20_000, this.#books.balanceOf(userId));
      if (cents === 0) continue;
      const send = this.#deeds.drawSend(cents);
      this.#clients.send(connection, send);
      await this.#settle();
      assert(this.#told.sent.has(`${userId}:${send.key}`), `user ${userId} can send his ${cents} cents`);
      // It expires, so that the next one finds a free slot.
      this.#clock.advance(60_000);
      await this.#settle();
    }
  }
}
