// What a chat service is: the interface between the server and the module behind the opcodes 0x0200 to 0x02ff. See docs/CHAT.md.

import type { RichNotice } from '../protocol/extended.ts';

/** A request of a user, as the server has it. */
export interface ServiceRequest {
  /** Who asks: known from the session, whatever the body says. */
  userId: number;
  /** Even, 0x0200 to 0x027e. */
  opcode: number;
  /** The unpacked body: well-formed, of any shape. */
  body: unknown;
  /** The `key` of the body, if it has one of 1 to 64 bytes: the same key means the same request. */
  key: string | undefined;
}

/** What a service can do. */
export interface ServiceOutbox {
  /**
   * Tells users something. One who has no extended session is told at his next one: a bounded number of frames waits, and the
   * oldest is lost first. What is pushed to one user arrives in order.
   * @param opcode 0x0280 to 0x02ff @param isTransient true for what is only worth telling to those who are here
   * @returns false if it is lost to somebody because too much waits
   * @throws {RangeError} if the frame would be longer than 16 KiB, or for an opcode or user id out of range
   */
  push(userIds: number | readonly number[], opcode: number, body: unknown, isTransient?: boolean): boolean;
  /** Asks to be told through `onPresence` whether a user is logged in: now, and whenever that changes. */
  watch(userId: number): void;
  /** What is known of a sent packet that can be grabbed; undefined for any other, and if the server is too busy to say. */
  readPacket(packetId: number): Promise<RichNotice | undefined>;
}

/** A chat service. Everything runs on one thread of its own. */
export interface ChatService {
  /**
   * Answers a request with the body of a frame whose opcode is the request's plus one. Requests of one user come one at a time,
   * in order; an answer that takes longer than 5 s comes too late. To throw means that there is no answer.
   */
  handle(request: ServiceRequest): unknown | Promise<unknown>;
  /** A watched user has come or gone, or this is how it is. */
  onPresence?(userId: number, isOnline: boolean): void;
}

/** What a module exports as `createService`. It is called again, in a new thread, after a service has ended. */
export type CreateService = (outbox: ServiceOutbox) => ChatService | Promise<ChatService>;

/** Thrown by `handle`: this user asks for too much, and is told ERROR `rate`. */
export class RateError extends Error {
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super(`ask again in ${retryAfterMs} ms`);
    this.retryAfterMs = retryAfterMs;
  }
}
