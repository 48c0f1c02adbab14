// Main's way to the SET workers: each command goes to the ring of the user's worker, and waits here while that is full.
//
// Commands to one worker arrive in the order they were given, and none is ever lost.

import {
  highWord,
  lowWord,
  REQUEST_BODY,
  REQUEST_CENTS_HIGH,
  REQUEST_CENTS_LOW,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RICH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  REQUEST_WORDS,
  RequestKind,
} from '../protocol/slot-layout.ts';
import type { DoorbellRinger } from '../ring/doorbell.ts';
import type { Producer } from '../ring/producer.ts';

interface Command {
  worker: number;
  head: Int32Array;
  body: Int32Array;
}

const NO_BODY = new Int32Array(0);

/** Owned by main. Commands leave at the next `flush`. */
export class CommandSender {
  readonly #rings: readonly Producer[];
  readonly #doorbells: readonly DoorbellRinger[];
  readonly #sets: number;
  readonly #head = new Int32Array(REQUEST_WORDS);
  #waiting: Command[] = [];

  /** @param rings main's ring to each worker @param doorbells the workers' doorbells, in the same order */
  constructor(rings: readonly Producer[], doorbells: readonly DoorbellRinger[], sets: number) {
    this.#rings = rings;
    this.#doorbells = doorbells;
    this.#sets = sets;
  }

  /** True while nothing waits: the sign to create more packets. */
  get isClear(): boolean {
    return this.#waiting.length === 0;
  }

  /** Tells a user of a packet that he may grab. */
  tell(userId: number, packetId: number): void {
    this.#begin(RequestKind.NOTIFY, userId, 0);
    this.#head[REQUEST_PACKET] = packetId;
    this.#send(NO_BODY);
  }

  /** Adds a refund, which is durable, to the balance of the user who sent the packet. */
  credit(userId: number, cents: number): void {
    this.#begin(RequestKind.CREDIT, userId, cents);
    this.#send(NO_BODY);
  }

  /** Asks to hold cents of a balance; the answer, RESERVED, brings `id` back. */
  reserve(id: number, userId: number, cents: number): void {
    this.#begin(RequestKind.RESERVE, userId, cents);
    this.#head[REQUEST_STAMP_LOW] = id;
    this.#send(NO_BODY);
  }

  /** What was held is spent, or free again. */
  endReserve(kind: typeof RequestKind.COMMIT | typeof RequestKind.CANCEL, userId: number, cents: number): void {
    this.#begin(kind, userId, cents);
    this.#send(NO_BODY);
  }

  /** Asks for a top-up or a withdrawal; the answer, TRANSFER, brings `id` back. */
  transfer(
    kind: typeof RequestKind.TOPUP | typeof RequestKind.WITHDRAW,
    id: number,
    userId: number,
    cents: number,
    key: string,
  ): void {
    this.#begin(kind, userId, cents);
    this.#head[REQUEST_STAMP_LOW] = id;
    this.#send(this.#keyBody(key));
  }

  /** Says how the send with this key went. @param packetId 0 if nothing was sent */
  endSend(userId: number, key: string, packetId: number): void {
    this.#begin(RequestKind.SENT, userId, 0);
    this.#head[REQUEST_PACKET] = packetId;
    this.#send(this.#keyBody(key));
  }

  /** Sends what waits, as far as there is room, and wakes the workers. */
  flush(): void {
    let sent = 0;
    while (sent < this.#waiting.length && this.#write(this.#waiting[sent])) sent++;
    if (sent > 0) this.#waiting = this.#waiting.slice(sent);
    for (let i = 0; i < this.#rings.length; i++) {
      if (this.#rings[i].publish()) this.#doorbells[i].ring();
    }
  }

  #begin(kind: RequestKind, userId: number, cents: number): void {
    this.#head.fill(0);
    this.#head[REQUEST_KIND] = kind;
    this.#head[REQUEST_USER] = userId;
    this.#head[REQUEST_CENTS_LOW] = lowWord(cents);
    this.#head[REQUEST_CENTS_HIGH] = highWord(cents);
  }

  #keyBody(key: string): Int32Array {
    const bytes = Buffer.from(key, 'utf8');
    const body = new Int32Array(Math.ceil(bytes.length / 4));
    new Uint8Array(body.buffer).set(bytes);
    this.#head[REQUEST_RICH] = bytes.length;
    this.#head[REQUEST_BODY] = body.length;
    return body;
  }

  #send(body: Int32Array): void {
    const worker = (this.#head[REQUEST_USER] % this.#sets) % this.#rings.length;
    const command = { worker, head: this.#head, body };
    if (!this.isClear || !this.#write(command)) this.#waiting.push({ ...command, head: this.#head.slice() });
  }

  #write({ worker, head, body }: Command): boolean {
    const ring = this.#rings[worker];
    if (!ring.hasRoom(1 + ring.countBodySlots(body.length))) return false;
    ring.words.set(head, ring.claim());
    ring.claimBody(body);
    return true;
  }
}
