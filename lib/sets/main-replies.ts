// Main's way to the acceptors: the replies to requests that the workers passed on to it, as whole frames.

import { packFrame } from '../protocol/message-pack.ts';
import {
  REPLY_BODY,
  REPLY_CONNECTION,
  REPLY_COUNT,
  REPLY_GENERATION,
  REPLY_KIND,
  REPLY_RECEIVED,
  REPLY_STAMP_HIGH,
  REPLY_STAMP_LOW,
  REPLY_USER,
  REPLY_WORKER,
  type ReplyKind,
} from '../protocol/slot-layout.ts';
import type { DoorbellRinger } from '../ring/doorbell.ts';
import type { Producer } from '../ring/producer.ts';
import type { PassedRequest } from './main-inbox.ts';

interface Waiting {
  request: PassedRequest;
  kind: ReplyKind;
  frame: Uint8Array;
}

/** Owned by main. What finds no room waits here: as much at the most as requests are under way. */
export class MainReplies {
  readonly #rings: readonly Producer[];
  readonly #doorbells: readonly DoorbellRinger[];
  #waiting: Waiting[] = [];

  /** @param rings main's ring to each acceptor @param doorbells those of the acceptors, in the same order */
  constructor(rings: readonly Producer[], doorbells: readonly DoorbellRinger[]) {
    this.#rings = rings;
    this.#doorbells = doorbells;
  }

  /** Answers a request with a frame around one MessagePack value. @throws {RangeError} if that is over MAX_FRAME_BYTES */
  reply(request: PassedRequest, kind: ReplyKind, opcode: number, value: object): void {
    const frame = packFrame(opcode, request.stampHigh, request.stampLow, value);
    this.#waiting.push({ request, kind, frame });
    this.flush();
  }

  /** Sends what waits, as far as there is room. */
  flush(): void {
    let sent = 0;
    while (sent < this.#waiting.length && this.#write(this.#waiting[sent])) sent++;
    if (sent > 0) this.#waiting = this.#waiting.slice(sent);
    for (let i = 0; i < this.#rings.length; i++) {
      if (this.#rings[i].publish()) this.#doorbells[i].ring();
    }
  }

  #write({ request, kind, frame }: Waiting): boolean {
    const ring = this.#rings[request.acceptor];
    const body = new Int32Array(Math.ceil(frame.length / 4));
    new Uint8Array(body.buffer).set(frame);
    if (!ring.hasRoom(1 + ring.countBodySlots(body.length))) return false;
    const place = ring.claim();
    const { words } = ring;
    words[place + REPLY_KIND] = kind;
    words[place + REPLY_CONNECTION] = request.connection;
    words[place + REPLY_GENERATION] = request.generation;
    words[place + REPLY_USER] = request.userId;
    words[place + REPLY_STAMP_HIGH] = request.stampHigh;
    words[place + REPLY_STAMP_LOW] = request.stampLow;
    words[place + REPLY_RECEIVED] = request.receivedUs;
    words[place + REPLY_WORKER] = request.worker;
    words[place + REPLY_COUNT] = frame.length;
    words[place + REPLY_BODY] = body.length;
    ring.claimBody(body);
    return true;
  }
}
