// The frames of chat that wait for their users: those who are not logged in, have a classic session, or whose ring is full.
//
// Bounded for each user and for all of a worker; what is over a bound costs the oldest frame.

import { MAX_CHAT_QUEUE_BYTES, MAX_CHAT_QUEUE_BYTES_PER_USER, MAX_CHAT_QUEUE_FRAMES_PER_USER } from './limits.ts';

export interface PushedFrame {
  opcode: number;
  /** Of the packed value, which `body` holds padded to words. */
  bytes: number;
  body: Int32Array;
}

interface Queue {
  frames: PushedFrame[];
  bytes: number;
}

/** What a frame holds beside its body, in bytes, about. */
const FRAME_OVERHEAD_BYTES = 128;

/** Owned by one worker. */
export class ChatQueues {
  /** The queue that began first is the first. */
  readonly #queues = new Map<number, Queue>();
  readonly #onDropped: (frames: number) => void;
  readonly #maxBytes: number;
  #frames = 0;
  #bytes = 0;
  #framesTaken = 0;

  /** @param onDropped told how many frames were lost to a bound @param maxBytes only tests give one */
  constructor(onDropped: (frames: number) => void, maxBytes = MAX_CHAT_QUEUE_BYTES) {
    this.#onDropped = onDropped;
    this.#maxBytes = maxBytes;
  }

  /** Of all users. */
  get frames(): number {
    return this.#frames;
  }
  get bytes(): number {
    return this.#bytes;
  }

  has(userId: number): boolean {
    return this.#queues.has(userId);
  }

  /** The oldest frame of a user, if there is any. */
  first(userId: number): PushedFrame | undefined {
    return this.#queues.get(userId)?.frames[0];
  }

  removeFirst(userId: number): void {
    const queue = this.#queues.get(userId);
    const frame = queue?.frames.shift();
    if (queue === undefined || frame === undefined) return;
    queue.bytes -= costOf(frame);
    this.#bytes -= costOf(frame);
    this.#frames--;
    if (queue.frames.length === 0) this.#queues.delete(userId);
  }

  /** Puts a frame behind the others of its user. */
  add(userId: number, frame: PushedFrame): void {
    let queue = this.#queues.get(userId);
    if (queue === undefined) {
      queue = { frames: [], bytes: 0 };
      this.#queues.set(userId, queue);
    }
    queue.frames.push(frame);
    queue.bytes += costOf(frame);
    this.#bytes += costOf(frame);
    this.#frames++;
    while (queue.frames.length > MAX_CHAT_QUEUE_FRAMES_PER_USER || queue.bytes > MAX_CHAT_QUEUE_BYTES_PER_USER) {
      this.#drop(userId);
    }
    while (this.#bytes > this.#maxBytes) this.#drop(this.#queues.keys().next().value!);
  }

  /** By how many frames all queues have grown since the last call; negative if they have shrunk. */
  takeChange(): number {
    const change = this.#frames - this.#framesTaken;
    this.#framesTaken = this.#frames;
    return change;
  }

  #drop(userId: number): void {
    this.removeFirst(userId);
    this.#onDropped(1);
  }
}

function costOf(frame: PushedFrame): number {
  return frame.bytes + FRAME_OVERHEAD_BYTES;
}
