// A thread of packet-table.stress.test.ts and sent-packets.stress.test.ts: grabs for users of its own, and checks every answer against what it has won.

import { parentPort, workerData } from 'node:worker_threads';
import { generationOf, MAX_GENERATION, packetIdOf, slotOf } from '../../lib/packets/packet-id.ts';
import { GrabOutcome, type PacketMemory, PacketTable, type PacketView } from '../../lib/packets/packet-table.ts';
import { MOST_SHARES, numbersOf, USERS } from './packet-table.stress-numbers.ts';
import { TestRandom } from './seed.ts';
import { awaitStart } from './stress-workers.ts';

export interface GrabWorkerData {
  memory: PacketMemory;
  /** The packets of the moment. */
  board: SharedArrayBuffer;
  /** By slot: the grabs whose records are out. */
  records: SharedArrayBuffer;
  index: number;
  workers: number;
  seed: number;
}

export interface GrabReport {
  /** Packet id, user, cents of every grab that was won. */
  wins: Int32Array;
  /** How often each outcome came. */
  outcomes: number[];
  /** Views that were read whole. */
  views: number;
  /** What was wrong. */
  faults: string[];
}

const { memory, board, records, index, workers, seed, control } = workerData as GrabWorkerData & {
  control: SharedArrayBuffer;
};
const table = new PacketTable(memory);
const ids = new Int32Array(board);
const recordsOfSlot = new Int32Array(records);
const random = new TestRandom(seed + index);
const users = Array.from({ length: USERS }, (_, userId) => userId).filter((userId) => userId % workers === index);
const remembered = new Int32Array(64);
/** Cents by packet id * USERS + user. */
const won = new Map<number, number>();
const wins: number[] = [];
const outcomes = new Array<number>(6).fill(0);
const faults: string[] = [];
let views = 0;

const { isRunning } = awaitStart(control);
while (isRunning()) grabOnce();
const report: GrabReport = { wins: Int32Array.from(wins), outcomes, views, faults: faults.slice(0, 20) };
parentPort!.postMessage(report);

function grabOnce(): void {
  const packetId = chooseId();
  const userId = random.pick(users);
  const what = random.below(16);
  if (what === 0) checkView(packetId);
  if (what === 1) grabEarly(userId);
  if (what === 2) watchOld(userId);
  grab(packetId, userId);
}

/** Grabs, and judges the answer by what this user has won so far. */
function grab(packetId: number, userId: number): GrabOutcome {
  const key = packetId * USERS + userId;
  const outcome = table.grab(packetId, userId);
  outcomes[outcome]++;
  const before = won.get(key);
  if (outcome === GrabOutcome.WON) {
    if (before !== undefined) note(packetId, userId, 'won twice');
    won.set(key, table.grabbedCents);
    if (table.grabbedShare >= MOST_SHARES) note(packetId, userId, `won share ${table.grabbedShare}`);
    wins.push(packetId, userId, table.grabbedCents);
    // Now and then the record takes its time: meanwhile the packet may be closed, but not logged as closed or reused.
    for (let turns = random.below(8) === 0 ? random.below(2000) : 0; turns > 0; turns--) Atomics.load(ids, 0);
    Atomics.add(recordsOfSlot, slotOf(packetId), 1);
    table.leaveClaim(userId);
  } else if (outcome === GrabOutcome.REPEAT) {
    if (before !== table.grabbedCents) note(packetId, userId, `repeats ${table.grabbedCents} instead of ${before}`);
  } else if (before !== undefined && outcome !== GrabOutcome.NOT_FOUND) {
    note(packetId, userId, `outcome ${outcome} for who has a share`);
  }
  return outcome;
}

/** Guesses the id of the next packet in a slot, and asks for it over and over while it is being built. */
function grabEarly(userId: number): void {
  const old = remembered[random.below(remembered.length)];
  const guessed = packetIdOf((generationOf(old) % MAX_GENERATION) + 1, slotOf(old));
  for (let tries = 0; tries < 200 && grab(guessed, userId) === GrabOutcome.NOT_FOUND; tries++);
}

/** Asks about an old packet over and over while its slot is being used again. */
function watchOld(userId: number): void {
  const old = remembered[random.below(remembered.length)];
  const hasWon = won.has(old * USERS + userId);
  for (let tries = 0; tries < 200; tries++) {
    if (table.countGrabbed(old) > MOST_SHARES) note(old, userId, 'more shares than there are');
    if (!hasWon && table.hasGrabbed(old, userId)) note(old, userId, 'has a share that was not won');
  }
}

/** Mostly a packet of the moment, now and then an old one. */
function chooseId(): number {
  const packetId = Atomics.load(ids, random.below(ids.length));
  if (random.below(10) === 0) return remembered[random.below(remembered.length)];
  remembered[random.below(remembered.length)] = packetId;
  return packetId;
}

/** A view is of one packet throughout: its numbers all follow from its sender. */
function checkView(packetId: number): void {
  const view = table.view(packetId);
  if (view === undefined) return;
  views++;
  const numbers = numbersOf(view.senderId);
  const isWhole =
    view.totalCents === numbers.totalCents &&
    view.shares === numbers.shares &&
    view.invited.join() === numbers.invited.join() &&
    view.note === numbers.note.toString() &&
    (view.seed === undefined || view.seed === numbers.seed.toString('hex')) &&
    (view.seed === undefined) === (view.state === 'open') &&
    view.grabs.every((grab) => isOwn(view, grab.userId, grab.amountCents));
  if (!isWhole) note(packetId, -1, `a view of no packet: ${JSON.stringify(view)}`);
  const facts = table.facts(packetId);
  if (facts === undefined) return;
  const factNumbers = numbersOf(facts.senderId);
  const factNote = Buffer.from(facts.note.buffer, 0, facts.noteBytes);
  const isFact = facts.totalCents === factNumbers.totalCents && factNumbers.seed.equals(facts.seed);
  if (!isFact || !factNumbers.note.equals(factNote)) {
    note(packetId, -1, `facts of no packet: ${JSON.stringify(facts)}`);
  }
}

/** What the view says of this thread's users is what they have won. */
function isOwn(view: PacketView, userId: number, amountCents: number): boolean {
  return userId % workers !== index || won.get(view.id * USERS + userId) === amountCents;
}

function note(packetId: number, userId: number, fault: string): void {
  faults.push(`packet ${packetId}, user ${userId}: ${fault}`);
}
