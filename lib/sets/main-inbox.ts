// What workers and the journal say to main: answers to its commands, and requests of users that main answers.

import {
  joinWords,
  REPLY_BODY,
  REPLY_CENTS_HIGH,
  REPLY_CENTS_LOW,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_GENERATION,
  REPLY_HELD_HIGH,
  REPLY_HELD_LOW,
  REPLY_KIND,
  REPLY_PACKET,
  REPLY_RECEIVED,
  REPLY_RESULT,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_WORKER,
  ReplyKind,
  type TransferResult,
} from '../protocol/slot-layout.ts';
import type { Consumer } from '../ring/consumer.ts';

/** Where a request that was passed on came from, for its reply. */
export interface PassedRequest {
  worker: number;
  acceptor: number;
  connection: number;
  generation: number;
  userId: number;
  stampHigh: number;
  stampLow: number;
  receivedUs: number;
}

/** How a transfer or a reservation went. */
export interface TransferAnswer {
  result: TransferResult;
  /** Cents, afterwards. */
  balanceCents: number;
  heldCents: number;
}

export interface InboxHandlers {
  /** @param body see send-words.ts; a copy */
  onSend(request: PassedRequest, body: Int32Array): void;
  onRecords(request: PassedRequest, packetId: number, limit: number, before: number): void;
}

/** Owned by main. */
export class MainInbox {
  readonly #rings: readonly Consumer[];
  readonly #handlers: InboxHandlers;
  readonly #waiting = new Map<number, (answer: TransferAnswer) => void>();
  #nextId = 1;

  /** @param rings main's reply ring from each worker, and from the journal */
  constructor(rings: readonly Consumer[], handlers: InboxHandlers) {
    this.#rings = rings;
    this.#handlers = handlers;
  }

  /** Commands that wait for their answer. */
  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** An id for a command, and the promise of its answer. */
  expect(): { id: number; answer: Promise<TransferAnswer> } {
    const id = this.#nextId;
    this.#nextId = (id + 1) % 2 ** 31;
    const answer = new Promise<TransferAnswer>((resolve) => this.#waiting.set(id, resolve));
    return { id, answer };
  }

  /** Whether anything has come. */
  hasWork(): boolean {
    return this.#rings.some((ring) => ring.available() > 0);
  }

  /** Takes everything that has come. */
  drain(): void {
    for (const ring of this.#rings) {
      for (let count = ring.available(); count > 0; count = ring.available()) {
        for (let i = 0; i < count; ) {
          const bodyWords = ring.words[ring.slotAt(i) + REPLY_BODY];
          this.#handle(ring, i, bodyWords);
          i += 1 + ring.countBodySlots(bodyWords);
        }
        ring.release(count);
      }
    }
  }

  #handle(ring: Consumer, index: number, bodyWords: number): void {
    const { words } = ring;
    const slot = ring.slotAt(index);
    switch (words[slot + REPLY_KIND]) {
      case ReplyKind.TRANSFER:
      case ReplyKind.RESERVED:
        this.#answer(words, slot);
        break;
      case ReplyKind.PASS_SEND:
        this.#handlers.onSend(readRequest(words, slot), ring.copyBody(index, bodyWords));
        break;
      case ReplyKind.PASS_RECORDS:
        this.#handlers.onRecords(
          readRequest(words, slot),
          words[slot + REPLY_PACKET] >>> 0,
          words[slot + REPLY_COUNT],
          joinWords(words[slot + REPLY_CENTS_LOW], words[slot + REPLY_CENTS_HIGH]),
        );
        break;
    }
  }

  #answer(words: Int32Array, slot: number): void {
    const id = words[slot + REPLY_STAMP_LOW];
    const resolve = this.#waiting.get(id);
    this.#waiting.delete(id);
    resolve?.({
      result: words[slot + REPLY_RESULT] as TransferResult,
      balanceCents: joinWords(words[slot + REPLY_CENTS_LOW], words[slot + REPLY_CENTS_HIGH]),
      heldCents: joinWords(words[slot + REPLY_HELD_LOW], words[slot + REPLY_HELD_HIGH]),
    });
  }
}

function readRequest(words: Int32Array, slot: number): PassedRequest {
  return {
    worker: words[slot + REPLY_WORKER],
    acceptor: words[slot + REPLY_RESULT],
    connection: words[slot + REPLY_CONNECTION],
    generation: words[slot + REPLY_GENERATION],
    userId: words[slot + REPLY_USER],
    stampHigh: words[slot + REPLY_STAMP_HIGH],
    stampLow: words[slot + REPLY_STAMP_LOW],
    receivedUs: words[slot + REPLY_RECEIVED],
  };
}
