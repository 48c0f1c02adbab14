// The ring and its doorbell as a model: producers with a ring each, one consumer that reads all of them and sleeps.
//
// The steps are those of lib/ring: producer.ts (claim, write, publish), consumer.ts (available, read in place, release),
// doorbell.ts (announce, look again, sleep; load, compare and exchange, wake), wait/park.ts, and the event loop of an acceptor.
// Atomic steps are sequentially consistent. A plain store goes into the producer's own buffer, from where it reaches memory at
// any moment and in any order, at the latest with the producer's next atomic step: no less than the language allows.

import type { Model } from './checker.ts';

/** What can be left out or done in the wrong order: the check must find each. */
export type RingFlaw =
  | 'no look again'
  | 'looks, then announces'
  | 'publishes, then writes'
  | 'clears the bell without comparing'
  | 'wakes, then clears the bell'
  | 'looks at the bell, then publishes'
  | 'never rings'
  | 'releases, then reads'
  | 'one slot too many'
  | 'compares without wrapping'
  | 'looks again into its first ring only';

export interface RingScene {
  /** Messages of each producer. */
  messages: readonly number[];
  capacity: number;
  /** The consumer sleeps in an event loop, which sometimes reads replies without a doorbell: so often at the most. */
  eventLoop?: { reads: number };
  /** How many sleeps may end by themselves. */
  timeouts?: number;
  /** It looks so often before it parks. */
  spins?: number;
  /** The first sequence. */
  start?: number;
  flaw?: RingFlaw;
}

/** Told of each atomic step: what a thread does, on which word, and what it gets. */
export type OnAtomic = (actor: number, kind: string, cell: string, value: number, result: number) => void;

const AWAKE = 0;
const SLEEPING = 1;

/** Where a producer stands. */
const P = { CLAIM: 0, WRITE: 1, PUBLISH: 2, LOOK: 3, CLEAR: 4, WAKE: 5, CLEAR_LATE: 6, LOOKED: 7 } as const;
/** Where the consumer stands. */
const C = {
  LOOK: 0,
  READ: 1,
  READ_MORE: 2,
  RELEASE: 3,
  SPIN: 4,
  ANNOUNCE: 5,
  AGAIN: 6,
  SLEEP: 7,
  ASLEEP: 8,
  CANCEL: 9,
  DONE: 10,
} as const;

/** The shared words and those of the consumer; then come those of each producer with its ring. */
const BELL = 0;
const MAIL = 1;
const PC = 2;
/** Which ring it is at, how many slots of it it has read, whether it took any in this round, and what may still happen. */
const AT = 3;
const DONE_SLOTS = 4;
const TOOK = 5;
const SPINS = 6;
const TIMEOUTS = 7;
const READS = 8;
/** 1 while it reads replies without a doorbell. */
const UNRUNG = 9;
const PRODUCERS = 10;

/** Words of a producer and its ring. */
const PRODUCER_PC = 0;
const CLAIMED = 1;
const PUBLISHED = 2;
const CACHED_GATING = 3;
const CURSOR = 4;
const GATING = 5;
const NEXT = 6;
const CACHED_CURSOR = 7;
const SLOTS = 8;

/** Words of a slot: both halves of a message, and what the producer has stored of each and nobody can see yet. */
const SLOT_WORDS = 4;

export class RingModel implements Model {
  readonly first: Int32Array;
  readonly actors: readonly string[];
  fault: string | undefined;
  onAtomic: OnAtomic | undefined;
  readonly #scene: Required<Omit<RingScene, 'eventLoop' | 'flaw'>>;
  readonly #isEventLoop: boolean;
  readonly #flaw: RingFlaw | undefined;
  readonly #rings: number;
  readonly #ringWords: number;

  constructor({ messages, capacity, eventLoop, timeouts = 0, spins = 0, start = 2 ** 31 - 2, flaw }: RingScene) {
    this.#scene = { messages, capacity, timeouts, spins, start: start | 0 };
    this.#isEventLoop = eventLoop !== undefined;
    this.#flaw = flaw;
    this.#rings = messages.length;
    this.#ringWords = SLOTS + SLOT_WORDS * capacity;
    this.first = new Int32Array(PRODUCERS + this.#rings * this.#ringWords);
    this.first[TIMEOUTS] = timeouts;
    this.first[READS] = eventLoop?.reads ?? 0;
    for (let ring = 0; ring < this.#rings; ring++) {
      const at = this.#ringAt(ring);
      for (const word of [CLAIMED, PUBLISHED, CACHED_GATING, CURSOR, GATING, NEXT, CACHED_CURSOR]) {
        this.first[at + word] = start;
      }
    }
    const producers = messages.map((_, i) => `producer ${i}`);
    this.actors = ['consumer', ...producers, ...producers.map((name) => `memory of ${name}`), 'clock', 'network'];
  }

  isDone(s: Int32Array): boolean {
    return s[PC] === C.DONE && this.#scene.messages.every((_, ring) => this.#isProducerDone(s, ring));
  }

  step(s: Int32Array, actor: number, choice: number): string | undefined {
    const rings = this.#rings;
    let did: string | undefined;
    if (actor === 0) did = choice === 0 ? this.#consume(s) : undefined;
    else if (actor <= rings) did = this.#produce(s, actor - 1, choice);
    else if (actor <= 2 * rings) did = this.#reachMemory(s, actor - rings - 1, choice);
    else if (actor === 2 * rings + 1) did = choice === 0 ? this.#timeOut(s) : undefined;
    else did = choice === 0 ? this.#readNetwork(s) : undefined;
    if (did !== undefined) this.#checkSleep(s);
    return did;
  }

  /** Nobody is on the way to the bell, the consumer sleeps, and there is something for it. */
  #checkSleep(s: Int32Array): void {
    if (s[PC] !== C.ASLEEP || s[MAIL] > 0) return;
    let hasWork = false;
    for (let ring = 0; ring < this.#rings; ring++) {
      const at = this.#ringAt(ring);
      if (s[at + PRODUCER_PC] >= P.PUBLISH && !this.#isProducerDone(s, ring)) return;
      if (s[at + CURSOR] !== s[at + NEXT]) hasWork = true;
    }
    if (hasWork) this.fault ??= 'the consumer sleeps, there is work, and nobody is about to ring';
  }

  #ringAt(ring: number): number {
    return PRODUCERS + ring * this.#ringWords;
  }

  #isProducerDone(s: Int32Array, ring: number): boolean {
    const at = this.#ringAt(ring);
    const left = (this.#scene.start + this.#scene.messages[ring] - s[at + CLAIMED]) | 0;
    return left === 0 && s[at + PUBLISHED] === s[at + CLAIMED] && s[at + PRODUCER_PC] === P.CLAIM;
  }

  #slotAt(ring: number, sequence: number): number {
    return this.#ringAt(ring) + SLOTS + SLOT_WORDS * (sequence & (this.#scene.capacity - 1));
  }

  /** A message says which sequence it is of, in both halves; never 0. */
  #messageOf(sequence: number): number {
    return ((sequence - this.#scene.start) | 0) + 1;
  }

  // The producer.

  #produce(s: Int32Array, ring: number, choice: number): string | undefined {
    const at = this.#ringAt(ring);
    const pc = s[at + PRODUCER_PC];
    if (pc === P.CLAIM) return this.#claim(s, ring, choice);
    if (choice > 0) return undefined;
    const flaw = this.#flaw;
    switch (pc) {
      case P.WRITE:
        this.#store(s, ring, s[at + CLAIMED], 1);
        s[at + CLAIMED]++;
        s[at + PRODUCER_PC] = flaw === 'publishes, then writes' ? P.LOOK : P.CLAIM;
        return 'stores the second half of a message';
      case P.PUBLISH: {
        const isEarly = flaw === 'publishes, then writes';
        const upTo = isEarly ? (s[at + CLAIMED] + 1) | 0 : s[at + CLAIMED];
        this.#flush(s, ring);
        s[at + CURSOR] = upTo;
        s[at + PUBLISHED] = upTo;
        this.#tell(1 + ring, 'store', `cursor ${ring}`, upTo, upTo);
        s[at + PRODUCER_PC] = flaw === 'never rings' ? P.CLAIM : P.LOOK;
        if (isEarly) {
          this.#store(s, ring, s[at + CLAIMED], 0);
          s[at + PRODUCER_PC] = P.WRITE;
        }
        if (flaw === 'looks at the bell, then publishes') s[at + PRODUCER_PC] = this.#recallLook(s, ring);
        return 'publishes';
      }
      case P.LOOK:
      case P.LOOKED:
        return this.#lookAtBell(s, ring);
      case P.CLEAR:
        this.#flush(s, ring);
        this.#tell(1 + ring, 'compareExchange', 'bell', AWAKE, s[BELL]);
        if (s[BELL] !== SLEEPING) {
          s[at + PRODUCER_PC] = P.CLAIM;
          if (flaw !== 'clears the bell without comparing') return 'finds the bell rung by another';
          this.fault ??= 'two ring for one sleep';
        }
        s[BELL] = AWAKE;
        s[at + PRODUCER_PC] = P.WAKE;
        return 'clears the bell';
      case P.WAKE:
        this.#wake(s, ring);
        s[at + PRODUCER_PC] = flaw === 'wakes, then clears the bell' ? P.CLEAR_LATE : P.CLAIM;
        return 'wakes the consumer';
      case P.CLEAR_LATE:
        s[BELL] = AWAKE;
        s[at + PRODUCER_PC] = P.CLAIM;
        return 'clears the bell';
      default:
        throw new Error(`a producer stands at ${pc}`);
    }
  }

  /** Of the flaw that looks before it publishes: what it saw is in the upper bits of SPINS. Where it goes on. */
  #recallLook(s: Int32Array, ring: number): number {
    const bit = 1 << (8 + ring);
    const wasAsleep = (s[SPINS] & bit) !== 0;
    s[SPINS] &= ~bit;
    return wasAsleep ? P.CLEAR : P.CLAIM;
  }

  #lookAtBell(s: Int32Array, ring: number): string {
    const at = this.#ringAt(ring);
    this.#flush(s, ring);
    this.#tell(1 + ring, 'load', 'bell', 0, s[BELL]);
    if (s[at + PRODUCER_PC] === P.LOOKED) {
      if (s[BELL] === SLEEPING) s[SPINS] |= 1 << (8 + ring);
      s[at + PRODUCER_PC] = P.PUBLISH;
      return 'looks at the bell';
    }
    if (s[BELL] === AWAKE) {
      s[at + PRODUCER_PC] = P.CLAIM;
      return 'sees the consumer awake';
    }
    s[at + PRODUCER_PC] = this.#flaw === 'wakes, then clears the bell' ? P.WAKE : P.CLEAR;
    return 'sees the consumer asleep';
  }

  /** Claims a slot and stores the first half of a message into it; or publishes what is claimed; or looks for room. */
  #claim(s: Int32Array, ring: number, choice: number): string | undefined {
    const at = this.#ringAt(ring);
    const { capacity, messages, start } = this.#scene;
    const flaw = this.#flaw;
    const hasUnpublished = s[at + CLAIMED] !== s[at + PUBLISHED];
    const publishFrom = flaw === 'looks at the bell, then publishes' ? P.LOOKED : P.PUBLISH;
    const isLast = ((start + messages[ring] - s[at + CLAIMED]) | 0) === 0;
    if (isLast) {
      if (!hasUnpublished || choice > 0) return undefined;
      s[at + PRODUCER_PC] = publishFrom;
      return this.#produce(s, ring, 0);
    }
    if (choice === 1 && hasUnpublished) {
      s[at + PRODUCER_PC] = publishFrom;
      return this.#produce(s, ring, 0);
    }
    if (choice > 0) return undefined;
    const distance =
      flaw === 'compares without wrapping'
        ? s[at + CLAIMED] - s[at + CACHED_GATING]
        : (s[at + CLAIMED] - s[at + CACHED_GATING]) | 0;
    const limit = flaw === 'one slot too many' ? capacity + 1 : capacity;
    if (distance >= limit) {
      this.#flush(s, ring);
      s[at + CACHED_GATING] = s[at + GATING];
      this.#tell(1 + ring, 'load', `gating ${ring}`, 0, s[at + GATING]);
      const isFull = ((s[at + CLAIMED] - s[at + CACHED_GATING]) | 0) >= limit;
      // A producer that finds no room publishes what it has, or the consumer could not make any.
      if (isFull && hasUnpublished) s[at + PRODUCER_PC] = publishFrom;
      return isFull ? 'finds no room' : 'finds room';
    }
    if (flaw === 'publishes, then writes') {
      s[at + PRODUCER_PC] = P.PUBLISH;
      return this.#produce(s, ring, 0);
    }
    this.#store(s, ring, s[at + CLAIMED], 0);
    s[at + PRODUCER_PC] = P.WRITE;
    return 'stores the first half of a message';
  }

  /** A plain store: only the producer sees it. */
  #store(s: Int32Array, ring: number, sequence: number, half: number): void {
    const at = this.#ringAt(ring);
    if (((sequence - s[at + GATING]) | 0) >= this.#scene.capacity) {
      this.fault ??= 'a slot is written before the consumer has released it';
    }
    s[this.#slotAt(ring, sequence) + 2 + half] = this.#messageOf(sequence);
  }

  #flush(s: Int32Array, ring: number): void {
    for (let slot = 0; slot < this.#scene.capacity; slot++) {
      this.#reach(s, ring, slot, 0);
      this.#reach(s, ring, slot, 1);
    }
  }

  #reach(s: Int32Array, ring: number, slot: number, half: number): boolean {
    const at = this.#slotAt(ring, slot) + half;
    if (s[at + 2] === 0) return false;
    s[at] = s[at + 2];
    s[at + 2] = 0;
    return true;
  }

  /** One of the stores that wait reaches memory by itself. */
  #reachMemory(s: Int32Array, ring: number, choice: number): string | undefined {
    let waiting = choice;
    for (let slot = 0; slot < this.#scene.capacity; slot++) {
      for (let half = 0; half < 2; half++) {
        if (s[this.#slotAt(ring, slot) + half + 2] === 0 || waiting-- > 0) continue;
        this.#reach(s, ring, slot, half);
        return 'lets a store be seen';
      }
    }
    return undefined;
  }

  #wake(s: Int32Array, ring: number): void {
    if (this.#isEventLoop) {
      s[MAIL]++;
      return;
    }
    this.#tell(1 + ring, 'notify', 'bell', 1, s[PC] === C.ASLEEP ? 1 : 0);
    if (s[PC] === C.ASLEEP) s[PC] = C.CANCEL;
  }

  // The consumer.

  #consume(s: Int32Array): string | undefined {
    const at = this.#ringAt(s[AT]);
    const ring = s[AT];
    switch (s[PC]) {
      case C.LOOK:
        s[at + CACHED_CURSOR] = s[at + CURSOR];
        this.#tell(0, 'load', `cursor ${ring}`, 0, s[at + CURSOR]);
        if (s[at + CACHED_CURSOR] === s[at + NEXT]) {
          this.#nextRing(s);
          return `finds ring ${ring} empty`;
        }
        s[PC] = this.#flaw === 'releases, then reads' ? C.RELEASE : C.READ;
        return `finds something in ring ${ring}`;
      case C.READ:
      case C.READ_MORE:
        return this.#read(s, ring);
      case C.RELEASE:
        s[at + GATING] = s[at + CACHED_CURSOR];
        this.#tell(0, 'store', `gating ${ring}`, s[at + GATING], s[at + GATING]);
        if (this.#flaw === 'releases, then reads') s[PC] = C.READ;
        else this.#finishRing(s);
        return `releases what it read of ring ${ring}`;
      case C.SPIN:
      case C.AGAIN:
        return this.#lookAgain(s, ring);
      case C.ANNOUNCE:
        s[BELL] = SLEEPING;
        this.#tell(0, 'store', 'bell', SLEEPING, SLEEPING);
        s[AT] = 0;
        s[PC] = this.#flaw === 'no look again' || this.#flaw === 'looks, then announces' ? C.SLEEP : C.AGAIN;
        return 'announces its sleep';
      case C.SLEEP:
        return this.#sleep(s);
      case C.ASLEEP:
        if (!this.#isEventLoop || s[MAIL] === 0) return undefined;
        s[MAIL]--;
        s[PC] = C.LOOK;
        return 'is woken by its mail';
      case C.CANCEL:
        s[BELL] = AWAKE;
        this.#tell(0, 'store', 'bell', AWAKE, AWAKE);
        s[PC] = C.LOOK;
        s[AT] = 0;
        return 'takes its announcement back';
      default:
        return undefined;
    }
  }

  #read(s: Int32Array, ring: number): string {
    const at = this.#ringAt(ring);
    const sequence = (s[at + NEXT] + s[DONE_SLOTS]) | 0;
    const half = s[PC] === C.READ ? 0 : 1;
    const message = s[this.#slotAt(ring, sequence) + half];
    if (message !== this.#messageOf(sequence)) {
      this.fault ??= `in the place of message ${this.#messageOf(sequence)} it reads ${message === 0 ? 'nothing' : message}`;
    }
    if (half === 0) {
      s[PC] = C.READ_MORE;
      return 'reads the first half of a message';
    }
    s[DONE_SLOTS]++;
    const isAll = ((s[at + NEXT] + s[DONE_SLOTS] - s[at + CACHED_CURSOR]) | 0) === 0;
    s[PC] = isAll ? C.RELEASE : C.READ;
    if (isAll && this.#flaw === 'releases, then reads') this.#finishRing(s);
    return 'reads the second half of a message';
  }

  #finishRing(s: Int32Array): void {
    const at = this.#ringAt(s[AT]);
    s[at + NEXT] = s[at + CACHED_CURSOR];
    s[DONE_SLOTS] = 0;
    s[TOOK] = 1;
    this.#nextRing(s);
  }

  /** Goes on to the next ring; after the last one it begins again, or is done, or prepares to sleep. */
  #nextRing(s: Int32Array): void {
    s[PC] = C.LOOK;
    if (++s[AT] < this.#rings) return;
    s[AT] = 0;
    const took = s[TOOK] === 1;
    s[TOOK] = 0;
    if (this.#hasAll(s)) s[PC] = C.DONE;
    else if (took) s[PC] = C.LOOK;
    else if (s[UNRUNG] === 1) {
      s[UNRUNG] = 0;
      s[PC] = C.ASLEEP;
    } else if (this.#scene.spins > 0) {
      s[SPINS] = (s[SPINS] & ~0xff) | this.#scene.spins;
      s[PC] = C.SPIN;
    } else s[PC] = this.#flaw === 'looks, then announces' ? C.AGAIN : C.ANNOUNCE;
  }

  #hasAll(s: Int32Array): boolean {
    const { messages, start } = this.#scene;
    return messages.every((count, ring) => ((start + count - s[this.#ringAt(ring) + NEXT]) | 0) === 0);
  }

  /** The look at every ring that comes before a sleep, or in place of one. */
  #lookAgain(s: Int32Array, ring: number): string {
    const at = this.#ringAt(ring);
    s[at + CACHED_CURSOR] = s[at + CURSOR];
    this.#tell(0, 'load', `cursor ${ring}`, 0, s[at + CURSOR]);
    const isSpin = s[PC] === C.SPIN;
    if (s[at + CURSOR] !== s[at + NEXT]) {
      s[AT] = 0;
      s[PC] = isSpin || this.#flaw === 'looks, then announces' ? C.LOOK : C.CANCEL;
      return `looks again, and finds something in ring ${ring}`;
    }
    const rings = this.#flaw === 'looks again into its first ring only' ? 1 : this.#rings;
    if (++s[AT] >= rings) {
      s[AT] = 0;
      if (!isSpin) s[PC] = this.#flaw === 'looks, then announces' ? C.ANNOUNCE : C.SLEEP;
      else if ((--s[SPINS] & 0xff) === 0) s[PC] = C.ANNOUNCE;
    }
    if (s[PC] === C.SLEEP && this.#isEventLoop) s[PC] = C.ASLEEP;
    return `looks again, and finds ring ${ring} empty`;
  }

  #sleep(s: Int32Array): string {
    if (this.#isEventLoop) {
      s[PC] = C.ASLEEP;
      return 'goes back to its event loop';
    }
    this.#tell(0, 'wait', 'bell', SLEEPING, s[BELL]);
    s[PC] = s[BELL] === SLEEPING ? C.ASLEEP : C.CANCEL;
    return s[BELL] === SLEEPING ? 'falls asleep' : 'was rung before it slept';
  }

  #timeOut(s: Int32Array): string | undefined {
    if (s[PC] !== C.ASLEEP || this.#isEventLoop || s[TIMEOUTS] === 0) return undefined;
    s[TIMEOUTS]--;
    s[PC] = C.CANCEL;
    return 'ends a sleep';
  }

  /** An acceptor looks into its rings between two reads, without a word to the doorbell. */
  #readNetwork(s: Int32Array): string | undefined {
    if (s[PC] !== C.ASLEEP || !this.#isEventLoop || s[READS] === 0) return undefined;
    s[READS]--;
    s[UNRUNG] = 1;
    s[PC] = C.LOOK;
    s[AT] = 0;
    return 'makes the consumer look';
  }

  #tell(actor: number, kind: string, cell: string, value: number, result: number): void {
    this.onAtomic?.(actor, kind, cell, value, result);
  }
}
