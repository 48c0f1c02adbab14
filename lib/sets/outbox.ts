// A SET worker's way out: replies, replies that tell of money, frames that nobody asked for, and what goes on to main.
//
// A reply always has room: an acceptor keeps at most `maxInFlight` requests under way to a worker, and what is no reply is
// held back when more than that many slots are taken. So nothing here ever waits. A reply that tells of money goes through
// the journal, behind the record of it, and leaves when that is durable. Main is one acceptor more, behind the others, and the chat
// service one more behind main.

import assert from 'node:assert/strict';
import type { EntryWriter } from '../ledger/entry-writer.ts';
import type { DoorbellRinger } from '../ring/doorbell.ts';
import { FULL, type Producer } from '../ring/producer.ts';
import { MOST_PAYLOAD_WORDS } from './limits.ts';

/** Owned by one worker. Slots returned by the claims are filled before the next claim and leave at `flush`. */
export class Outbox {
  /** The journal entries of this worker. A record is begun here, and may be given a reply with `attachReply`. */
  readonly entries: EntryWriter;
  /** The words that the slot claimed last lies in. */
  words: Int32Array;
  readonly #rings: readonly Producer[];
  readonly #doorbells: readonly DoorbellRinger[];
  readonly #maxInFlight: number;
  /** The index of main, and of the chat service behind it, among the acceptors. */
  readonly main: number;
  readonly chat: number;

  /**
   * @param rings the reply ring to each acceptor, to main behind them, and to the chat service behind main if there is one
   * @param doorbells those of the same, in the same order
   * @param main the index of main; left out, there is no chat service
   */
  constructor(
    rings: readonly Producer[],
    doorbells: readonly DoorbellRinger[],
    maxInFlight: number,
    entries: EntryWriter,
    main = rings.length - 1,
  ) {
    this.#rings = rings;
    this.main = main;
    this.chat = main + 1;
    this.#doorbells = doorbells;
    this.#maxInFlight = maxInFlight;
    this.entries = entries;
    this.words = rings[0].words;
    assert(
      rings.slice(0, main + 1).every((ring) => ring.capacity >= 2 * maxInFlight),
      'a reply ring holds the replies in flight and as many notices',
    );
  }

  /** Whether whatever one request may enter into the journal has room there. */
  // HOT
  canRecord(): boolean {
    return this.entries.hasRoom(MOST_PAYLOAD_WORDS);
  }

  /** Claims the slot of a reply that tells of no money: its place in `words`. */
  // HOT
  claimReply(acceptor: number): number {
    const ring = this.#rings[acceptor];
    const slot = ring.claim();
    assert(slot !== FULL, 'replies in flight are bounded, so a reply has room');
    this.words = ring.words;
    return slot;
  }

  /** Claims the place of the reply to the record that was begun last in `entries`: it leaves once that is durable. */
  attachReply(acceptor: number, resultIfLost: number): number {
    this.words = this.entries.words;
    return this.entries.addReply(acceptor, resultIfLost);
  }

  /** Claims the place of a reply that tells of money moved before: it leaves once that is durable. */
  claimMoneyReply(acceptor: number, resultIfLost: number): number {
    this.entries.beginReply();
    return this.attachReply(acceptor, resultIfLost);
  }

  /**
   * Claims the slot of a message that answers no request, or FULL: keep it and try again after a flush.
   * @param bodyWords of the body that `addBody` then adds
   */
  claimUnasked(acceptor: number, bodyWords = 0): number {
    return this.#claimBelow(this.#maxInFlight, acceptor, bodyWords);
  }

  /** The same for chat, which leaves half of that room to notices. */
  claimChat(acceptor: number, bodyWords: number): number {
    return this.#claimBelow(this.#maxInFlight / 2, acceptor, bodyWords);
  }

  /** Adds the body to the message claimed last with `claimUnasked`. */
  addBody(acceptor: number, body: Int32Array): void {
    this.#rings[acceptor].claimBody(body);
  }

  /** Claims the slot of a message to the chat service, or FULL. @param bodyWords of the body that `addBody` then adds */
  claimForService(bodyWords: number): number {
    const ring = this.#rings[this.chat];
    if (!ring.hasRoom(1 + ring.countBodySlots(bodyWords))) return FULL;
    this.words = ring.words;
    return ring.claim();
  }

  #claimBelow(most: number, acceptor: number, bodyWords: number): number {
    const ring = this.#rings[acceptor];
    if (ring.countOccupied() + ring.countBodySlots(bodyWords) >= most) return FULL;
    this.words = ring.words;
    return ring.claim();
  }

  /** Publishes what was claimed, and wakes those who sleep. */
  flush(): void {
    for (let i = 0; i < this.#rings.length; i++) {
      if (this.#rings[i].publish()) this.#doorbells[i].ring();
    }
    this.entries.publish();
    this.entries.ring();
  }
}
