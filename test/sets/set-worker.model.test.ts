// Tries a worker under long random sequences of everything that can happen to it, against a model of plain objects.

import assert from 'node:assert/strict';
import t from 'tap';
import { REQUEST_PACKET, REQUEST_RICH, RequestKind } from '../../lib/protocol/slot-layout.ts';
import { newPacket, PacketModel } from '../packets/packet-model.ts';
import { printSeed, seed, seedBytes, TestRandom } from '../packets/seed.ts';
import { at, type Place, type Reply, Rig } from './rig.ts';
import { type Expected, SetModel } from './set-model.ts';

printSeed(t);

const ACCEPTORS = 2;
const CONNECTIONS = 4;
const DROP_SLOTS = 3;
const PACKET_SLOTS = 6;
/** Requests that a ring holds while the journal takes its time, beside the notices of one step. */
const MOST_UNSEEN = 500;

/** A worker and, beside it, what it should be. Each step is done to both; everything that comes back is compared. */
class Trial {
  readonly random: TestRandom;
  readonly rig: Rig;
  readonly model: SetModel;
  /** Users that come and go; more of them than the worker takes. */
  readonly users: number[];
  /** Requests that the worker has not seen, by acceptor, and notices from main. */
  #unseen: (() => void)[][] = Array.from({ length: ACCEPTORS + 1 }, () => []);
  /** Requests whose reply no acceptor has taken, by acceptor. */
  readonly #inFlight = new Array(ACCEPTORS).fill(0);
  readonly #generations = Array.from({ length: ACCEPTORS }, () => new Array(CONNECTIONS).fill(1));
  /** Slots of the packet table in the order in which they are used next, each with the packet it still has. */
  readonly #freeSlots: (PacketModel | undefined)[] = new Array(PACKET_SLOTS).fill(undefined);
  /** Packets that are not retired. */
  readonly #live: PacketModel[] = [];
  readonly #ids: number[] = [12_345, 2 ** 31 + 5];
  #nextNumber = 0;
  #funded = 0;
  #refunded = 0;
  asked = 0;
  answered = 0;
  mostWaiting = 0;
  /** Turns in which requests stayed in their ring. */
  leftBehind = 0;

  constructor(from: number) {
    this.random = new TestRandom(from);
    const maxInFlight = this.random.pick([2, 4, 16, 64]);
    const sets = this.random.pick([1, 2, 5]);
    const maxUsers = this.random.pick([6, 1000]);
    const entrySlots = this.random.pick([2, 4, 32, 1024]);
    this.users = Array.from({ length: 8 }, (_, i) => (i === 0 ? 0x7fff_ffff : i));
    this.rig = new Rig({ sets, acceptors: ACCEPTORS, maxInFlight, maxUsers, packetSlots: PACKET_SLOTS, entrySlots });
    this.model = new SetModel(sets, ACCEPTORS, maxInFlight, maxUsers);
  }

  step(): void {
    const { random } = this;
    const roll = random.below(100);
    if (roll < 8) this.#ask(RequestKind.LOGIN);
    else if (roll < 11) this.#ask(RequestKind.DISCONNECT);
    else if (roll < 31) this.#ask(RequestKind.SHAKE);
    else if (roll < 46) this.#ask(RequestKind.GRAB);
    else if (roll < 52) this.#notify();
    else if (roll < 66) this.turn();
    else if (roll < 72) this.rig.journal.step();
    else if (roll < 77) this.takeDirect(random.below(ACCEPTORS), random.below(40));
    else if (roll < 82) this.takeDurable(random.below(ACCEPTORS), random.below(40));
    else if (roll < 84) this.#changeDrop();
    else if (roll < 91) this.#release();
    else if (roll < 96) this.#createPacket();
    else if (roll < 97) this.#closePacket();
    else if (roll < 99) this.#retirePacket();
    else this.rig.worker.keepHouse();
  }

  /** What the worker does in one turn; whatever waits for room there waits here. */
  turn(): void {
    this.model.sendWaiting();
    const taken = this.rig.turn();
    for (const [ring, count] of taken.entries()) for (const apply of this.#unseen[ring].splice(0, count)) apply();
    this.leftBehind += this.#unseen.some((requests) => requests.length > 0) ? 1 : 0;
    assert.equal(this.rig.worker.deferredCount, this.model.waitingCount, 'as many frames wait as should');
    this.mostWaiting = Math.max(this.mostWaiting, this.model.waitingCount);
    for (const [user, list] of this.model.notices) assert(list.length <= 100, `the list of ${user} is bounded`);
  }

  /** An acceptor takes up to `most` replies out of the ring from the worker. */
  takeDirect(acceptor: number, most: number): number {
    return this.#compare(acceptor, this.rig.takeDirect(acceptor, most), this.model.direct[acceptor]);
  }

  /** The same out of the ring from the journal. */
  takeDurable(acceptor: number, most: number): number {
    return this.#compare(acceptor, this.rig.takeDurable(acceptor, most), this.model.durable[acceptor]);
  }

  #compare(acceptor: number, replies: Reply[], all: Expected[]): number {
    const expected = all.splice(0, replies.length);
    for (const [i, reply] of replies.entries()) {
      assertMatches(reply, expected[i]);
      if (reply.kind === 'NOTICE' || reply.kind === 'REPLACED') continue;
      this.#inFlight[acceptor]--;
      this.answered++;
    }
    return replies.length;
  }

  /** Lets everything come to rest, and checks that nothing was lost. */
  finish(): void {
    for (let idle = 0; idle < 2; ) {
      this.turn();
      let taken = this.rig.journal.step();
      for (let acceptor = 0; acceptor < ACCEPTORS; acceptor++) {
        taken += this.takeDirect(acceptor, 1000) + this.takeDurable(acceptor, 1000);
      }
      idle = taken === 0 ? idle + 1 : 0;
    }
    const { model, rig } = this;
    assert.deepEqual([...model.direct, ...model.durable], [[], [], [], []], 'everything that was to be said was said');
    assert.deepEqual(
      rig.journal.records().map(({ type, payload }) => ({ type, payload })),
      model.records,
      'and the journal has what moved, and nothing else',
    );
    assert.equal(model.waitingCount, 0);
    assert.equal(this.answered, this.asked, 'every request was answered once');
    this.checkBooks();
    assert.deepEqual(rig.counts(), Object.fromEntries(Object.entries(model.counts).filter(([, count]) => count !== 0)));
    assert.deepEqual(rig.sessions(), model.sessionsBySet());
  }

  /** Every cent is with a user, refunded, or outstanding. */
  checkBooks(): void {
    const { model, rig } = this;
    let outstanding = 0;
    for (const drop of model.drops) for (const cents of drop?.amounts.slice(drop.won) ?? []) outstanding += cents;
    for (const { id, isOpen } of this.#live) {
      const { totalCents, claimedCents } = rig.packets.view(id)!;
      if (isOpen) outstanding += totalCents - claimedCents;
    }
    const paid = rig.sum('shakeCents') + rig.sum('grabCents');
    assert.equal(paid + this.#refunded + outstanding, this.#funded, 'no cent is lost or made');
    let balances = 0;
    for (const cents of model.balances.values()) balances += cents;
    assert.equal(paid, balances, 'what was paid is what the users have');
    assert.equal(rig.sum('shakeCents'), model.shakeCents);
    assert.equal(rig.sum('grabCents'), model.grabCents);
  }

  #ask(kind: RequestKind): void {
    const { random, model } = this;
    if (this.#unseen.some((requests) => requests.length > MOST_UNSEEN)) return;
    const user = random.pick(this.users);
    const session = model.sessions.get(user);
    // Mostly from the connection that the user is on, if any; else from anywhere.
    const isOwn = session !== undefined && kind !== RequestKind.LOGIN && random.below(6) > 0;
    const place = isOwn ? at(session.acceptor, session.connection, session.generation) : this.#anyPlace();
    if (kind !== RequestKind.DISCONNECT) {
      if (this.#inFlight[place.acceptor] === model.maxInFlight) return;
      this.#inFlight[place.acceptor]++;
      this.asked++;
    }
    const packet = random.pick(this.#ids.slice(-10));
    const rich = random.below(2);
    const stamp = this.rig.put(kind, user, place, { [REQUEST_PACKET]: packet, [REQUEST_RICH]: rich });
    const reply: Expected = { ...place, user, stamp: [-stamp, stamp], received: 7 * stamp };
    this.#unseen[place.acceptor].push(() => {
      if (kind === RequestKind.LOGIN) model.login(user, place, rich === 1, reply);
      else if (kind === RequestKind.DISCONNECT) model.disconnect(user, place);
      else if (kind === RequestKind.SHAKE) model.shake(user, place, reply);
      else model.grab(user, place, packet, reply);
    });
  }

  #anyPlace(): Place {
    const acceptor = this.random.below(ACCEPTORS);
    const connection = this.random.below(CONNECTIONS);
    const generations = this.#generations[acceptor];
    if (this.random.below(5) === 0) generations[connection]++;
    return at(acceptor, connection, generations[connection] - (this.random.below(10) === 0 ? 1 : 0));
  }

  #notify(): void {
    if (this.#unseen[ACCEPTORS].length > MOST_UNSEEN) return;
    const user = this.random.pick(this.users);
    const packet = this.random.pick(this.#ids.slice(-8));
    // Many of one packet, so that lists run full now and then.
    const times = this.model.packets.get(packet)?.isOpen && this.random.below(10) === 0 ? 120 : 1;
    for (let i = 0; i < times; i++) {
      this.rig.putNotice(user, packet);
      this.#unseen[ACCEPTORS].push(() => this.model.notify(user, packet));
    }
    if (times > 1) this.turn();
  }

  /** Opens a drop in a free slot, or ends the one that is there. */
  #changeDrop(): void {
    const slot = this.random.below(DROP_SLOTS) * 31;
    const { model, rig } = this;
    const drop = model.drops[slot];
    if (drop !== undefined) {
      rig.closeDrop(slot);
      for (const cents of drop.amounts.slice(drop.won)) this.#refunded += cents;
      model.drops[slot] = undefined;
      return;
    }
    const amounts = Array.from({ length: 1 + this.random.below(12) }, () => 1 + this.random.below(100_000));
    const winsPerUser = this.random.below(4);
    const id = rig.openDrop(slot, amounts, winsPerUser);
    const stock = new Array(model.sets).fill(0);
    model.drops[slot] = { id, amounts, firstNumber: this.#nextNumber, winsPerUser, stock, won: 0, wins: new Map() };
    this.#nextNumber += amounts.length;
    for (const cents of amounts) this.#funded += cents;
  }

  /** Releases a packet of a drop to a SET, or takes one back. */
  #release(): void {
    const slot = this.random.below(DROP_SLOTS) * 31;
    const drop = this.model.drops[slot];
    if (drop === undefined) return;
    const set = this.random.below(this.model.sets);
    if (this.random.below(4) === 0) {
      const taken = this.rig.drops.takeBack(slot, set, 2);
      assert.equal(taken, Math.min(2, drop.stock[set]));
      drop.stock[set] -= taken;
      return;
    }
    const released = drop.won + drop.stock.reduce((sum, stock) => sum + stock, 0);
    const packets = Math.min(1 + this.random.below(4), drop.amounts.length - released);
    if (packets === 0) return;
    this.rig.drops.release(slot, set, packets);
    drop.stock[set] += packets;
  }

  #createPacket(): void {
    if (this.#freeSlots.length === 0) return;
    const { random, users } = this;
    const invited = random.below(2) === 0 ? [] : users.slice(random.below(3), 3 + random.below(6));
    const packet = newPacket({
      mode: random.pick(['lucky', 'line', 'equal'] as const),
      shares: 1 + random.below(5),
      totalCents: 5 + random.below(19_000),
      senderId: random.pick([-1, 3]),
      invited,
      seed: seedBytes(random.below(2 ** 31), 0),
    });
    const id = this.rig.createPacket(packet);
    const old = this.#freeSlots.shift();
    if (old !== undefined) this.model.packets.delete(old.id);
    const model = new PacketModel(id, packet);
    this.model.packets.set(id, model);
    this.#live.push(model);
    this.#ids.push(id);
    this.#funded += packet.totalCents;
  }

  #closePacket(): void {
    if (this.#live.length === 0) return;
    const packet = this.random.pick(this.#live);
    const refunded = this.rig.packets.close(packet.id);
    assert.equal(packet.close(), refunded);
    this.#refunded += refunded;
  }

  /** Gives the slots of packets that are over back. */
  #retirePacket(): void {
    const index = this.#live.findIndex(({ isOpen }) => !isOpen);
    if (index < 0) {
      if (this.#freeSlots.length === 0) this.#closePacket();
      return;
    }
    const [packet] = this.#live.splice(index, 1);
    this.rig.retirePacket(packet.id);
    this.#freeSlots.push(packet);
  }
}

function assertMatches(reply: Reply, expected: Expected): void {
  for (const name of Object.keys(expected) as (keyof Reply)[]) {
    assert.deepEqual(reply[name], expected[name], `${name} of ${JSON.stringify(reply)}`);
  }
}

t.test('a worker does what plain maps and arrays do, answers every request once, and loses no cent', (t) => {
  const totals = { asked: 0, won: 0, grabbed: 0, deferred: 0, full: 0, dropped: 0, leftBehind: 0 };
  const deadline = performance.now() + 5000;
  let trials = 0;
  for (; trials < 60 && performance.now() < deadline; trials++) {
    const from = (seed + trials) | 0;
    const trial = new Trial(from);
    try {
      for (let i = 0; i < 3000; i++) {
        trial.step();
        if (i % 100 === 0) trial.checkBooks();
      }
      trial.finish();
    } catch (error) {
      throw new Error(`trial ${trials} of SEED=${seed}`, { cause: error });
    }
    const { counts } = trial.model;
    totals.asked += trial.asked;
    totals.won += counts.shakesWon ?? 0;
    totals.grabbed += counts.grabsWon ?? 0;
    totals.dropped += counts.noticesDropped ?? 0;
    totals.deferred += trial.mostWaiting > 0 ? 1 : 0;
    totals.leftBehind += trial.leftBehind;
    totals.full += trial.model.users.size === trial.model.maxUsers ? 1 : 0;
  }
  t.comment(`${trials} trials: ${JSON.stringify(totals)}`);
  t.ok(totals.won > 100 && totals.grabbed > 100, 'money moved');
  t.ok(totals.deferred > 0 && totals.dropped > 0 && totals.full > 0, 'and every bound was met');
  t.ok(totals.leftBehind > 100, 'that of the journal too');
  t.end();
});
