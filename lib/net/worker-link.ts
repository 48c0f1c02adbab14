// An acceptor's way to the SET workers: request rings with a bound on what is under way, and the order kept for logins.

import {
  highWord,
  lowWord,
  REQUEST_BODY,
  REQUEST_CENTS_HIGH,
  REQUEST_CENTS_LOW,
  REQUEST_CONNECTION,
  REQUEST_GENERATION,
  REQUEST_KIND,
  REQUEST_PACKET,
  REQUEST_RECEIVED,
  REQUEST_RICH,
  REQUEST_STAMP_HIGH,
  REQUEST_STAMP_LOW,
  REQUEST_USER,
  REQUEST_WORDS,
  RequestKind,
} from '../protocol/slot-layout.ts';
import type { DoorbellRinger } from '../ring/doorbell.ts';
import { FULL, type Producer } from '../ring/producer.ts';
import { MAX_CHAT_IN_FLIGHT, MAX_IN_FLIGHT, MAX_SHAKES_IN_FLIGHT } from './limits.ts';

/** SEND, WALLET, RECORDS, chat: what a request for one of them says; what it does not need is 0 or empty. */
export interface MoreRequest {
  connection: number;
  generation: number;
  userId: number;
  stampHigh: number;
  stampLow: number;
  receivedUs: number;
  /** RECORDS: of this packet, or of the user if it is 0; how many; before which sequence, 0 for the latest. */
  packetId: number;
  limit: number;
  before: number;
  /** SEND: see send-words.ts. */
  body: Int32Array;
}

/** The link to one worker. Owned by one acceptor. */
export class WorkerLink {
  readonly #ring: Producer;
  readonly #doorbell: DoorbellRinger;
  /** Requests under way that will be answered. */
  #inFlight = 0;
  /** The same for chat, which is counted apart: its answers have no room kept for them. */
  #chatInFlight = 0;
  /** Logins and disconnects that found no room: these are never dropped, and nothing overtakes them. */
  #waiting: Int32Array[] = [];
  /** How many of them have been sent already. */
  #waitingSent = 0;

  constructor(ring: Producer, doorbell: DoorbellRinger) {
    this.#ring = ring;
    this.#doorbell = doorbell;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get chatInFlight(): number {
    return this.#chatInFlight;
  }

  /** Logins and disconnects that still wait for room. */
  get waitingCount(): number {
    return this.#waiting.length - this.#waitingSent;
  }

  /** Passes on a shake or a grab. Returns false if there is no room for it: answer the client at once. */
  // HOT
  request(
    kind: RequestKind,
    connection: number,
    generation: number,
    userId: number,
    packetId: number,
    stampHigh: number,
    stampLow: number,
    receivedUs: number,
  ): boolean {
    const most = kind === RequestKind.SHAKE ? MAX_SHAKES_IN_FLIGHT : MAX_IN_FLIGHT;
    if (this.#inFlight >= most || this.#waiting.length > 0) return false;
    const slot = this.#ring.claim();
    if (slot === FULL) return false;
    const { words } = this.#ring;
    words[slot + REQUEST_KIND] = kind;
    words[slot + REQUEST_CONNECTION] = connection;
    words[slot + REQUEST_GENERATION] = generation;
    words[slot + REQUEST_USER] = userId;
    words[slot + REQUEST_PACKET] = packetId;
    words[slot + REQUEST_STAMP_HIGH] = stampHigh;
    words[slot + REQUEST_STAMP_LOW] = stampLow;
    words[slot + REQUEST_RECEIVED] = receivedUs;
    words[slot + REQUEST_BODY] = 0;
    this.#inFlight++;
    return true;
  }

  /** Passes on what concerns a user's own money. Returns false if there is no room for it: answer the client at once. */
  requestMore(kind: RequestKind, request: MoreRequest): boolean {
    if (this.#inFlight >= MAX_IN_FLIGHT || !this.#put(kind, request, 0)) return false;
    this.#inFlight++;
    return true;
  }

  /**
   * Passes on a request for chat: its opcode in `packetId`, the bytes of its packed value in `limit`, and the value itself,
   * padded to words, in `body`. Returns false if there is no room for it beside everything else that may come.
   */
  requestChat(request: MoreRequest): boolean {
    if (this.#chatInFlight >= MAX_CHAT_IN_FLIGHT || !this.#put(RequestKind.CHAT, request, MAX_IN_FLIGHT)) return false;
    this.#chatInFlight++;
    return true;
  }

  /** Passes on a login, now or as soon as there is room. */
  login(
    connection: number,
    generation: number,
    userId: number,
    rich: number,
    stampHigh: number,
    stampLow: number,
    receivedUs: number,
  ): void {
    const request = new Int32Array(REQUEST_WORDS);
    request[REQUEST_KIND] = RequestKind.LOGIN;
    request[REQUEST_CONNECTION] = connection;
    request[REQUEST_GENERATION] = generation;
    request[REQUEST_USER] = userId;
    request[REQUEST_STAMP_HIGH] = stampHigh;
    request[REQUEST_STAMP_LOW] = stampLow;
    request[REQUEST_RECEIVED] = receivedUs;
    request[REQUEST_RICH] = rich;
    this.#enqueue(request);
  }

  /** Tells the worker that a user's connection is gone, now or as soon as there is room. Not answered. */
  disconnect(connection: number, generation: number, userId: number): void {
    const request = new Int32Array(REQUEST_WORDS);
    request[REQUEST_KIND] = RequestKind.DISCONNECT;
    request[REQUEST_CONNECTION] = connection;
    request[REQUEST_GENERATION] = generation;
    request[REQUEST_USER] = userId;
    this.#enqueue(request);
  }

  /** Replies have come, and their slots have been given back. */
  // HOT
  countReplies(count: number): void {
    this.#inFlight -= count;
  }

  /** An answer to a request for chat has come. */
  countChatAnswer(): void {
    this.#chatInFlight--;
  }

  /** Publishes what was passed on, and wakes the worker if it sleeps. */
  // HOT
  flush(): void {
    if (this.#waiting.length > 0) this.#sendWaiting();
    if (this.#ring.publish()) this.#doorbell.ring();
  }

  /** Puts a request and its body into the ring; false if that would leave less room than is to be kept. */
  #put(kind: RequestKind, request: MoreRequest, slotsKept: number): boolean {
    const ring = this.#ring;
    const { body, before } = request;
    if (this.#waiting.length > 0 || !ring.hasRoom(slotsKept + 1 + ring.countBodySlots(body.length))) return false;
    const slot = ring.claim();
    const { words } = ring;
    words[slot + REQUEST_KIND] = kind;
    words[slot + REQUEST_CONNECTION] = request.connection;
    words[slot + REQUEST_GENERATION] = request.generation;
    words[slot + REQUEST_USER] = request.userId;
    words[slot + REQUEST_PACKET] = request.packetId;
    words[slot + REQUEST_STAMP_HIGH] = request.stampHigh;
    words[slot + REQUEST_STAMP_LOW] = request.stampLow;
    words[slot + REQUEST_RECEIVED] = request.receivedUs;
    words[slot + REQUEST_RICH] = request.limit;
    words[slot + REQUEST_BODY] = body.length;
    words[slot + REQUEST_CENTS_LOW] = lowWord(before);
    words[slot + REQUEST_CENTS_HIGH] = highWord(before);
    ring.claimBody(body);
    return true;
  }

  #enqueue(request: Int32Array): void {
    if (this.#waiting.length > 0 || !this.#send(request)) this.#waiting.push(request);
  }

  #send(request: Int32Array): boolean {
    const isAnswered = request[REQUEST_KIND] === RequestKind.LOGIN;
    if (isAnswered && this.#inFlight >= MAX_IN_FLIGHT) return false;
    const slot = this.#ring.claim();
    if (slot === FULL) return false;
    this.#ring.words.set(request, slot);
    if (isAnswered) this.#inFlight++;
    return true;
  }

  #sendWaiting(): void {
    while (this.#waitingSent < this.#waiting.length) {
      if (!this.#send(this.#waiting[this.#waitingSent])) return;
      this.#waitingSent++;
    }
    this.#waiting = [];
    this.#waitingSent = 0;
  }
}
