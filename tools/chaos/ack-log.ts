// Everything that the server has acknowledged to anybody, as it came: in memory, and in a file for whoever looks for a fault.

import { closeSync, openSync, writeSync } from 'node:fs';

/** What an acknowledgement says. Whatever it tells of must be in the journal from then on, once, and with these numbers. */
export type Ack =
  /** SHAKE_RESULT won. */
  | { kind: 'win'; userId: number; packetId: number; cents: number }
  /** GRAB_RESULT with an amount, WON or REPEAT; or a grab that the control API or RECORDS tells of. */
  | { kind: 'grab'; userId: number; packetId: number; cents: number }
  /** SENT, or REPEAT of it. */
  | { kind: 'sent'; userId: number; packetId: number; key: string; cents: number; shares: number }
  /** A notice: the packet exists. */
  | { kind: 'told'; userId: number; packetId: number; cents: number; shares: number }
  | { kind: 'topup' | 'withdraw'; userId: number; key: string; cents: number }
  /** A request with a key that came to nothing, and was not repeated after that. */
  | { kind: 'refused'; userId: number; key: string }
  /** POST /drops and POST /sends answered 201. */
  | { kind: 'drop'; dropId: number; count: number; cents: number }
  | { kind: 'send'; sendId: number; count: number; shares: number }
  /** A packet that is said to be expired, and what went back. */
  | { kind: 'refund'; packetId: number; cents: number }
  /** A drop that is said to be closed, and what went back. */
  | { kind: 'drop-refund'; dropId: number; cents: number }
  /** A balance, when nothing was under way any more. */
  | { kind: 'balance'; userId: number; cents: number };

export type AckKind = Ack['kind'];

/** Lines that are kept back, to write them together. */
const LINES = 256;

export class AckLog {
  /** In the order in which they came. */
  readonly acks: Ack[] = [];
  readonly #file: number;
  readonly #kinds = new Set<AckKind>();
  #lines: string[] = [];

  /** @param path of a file that gets one line of JSON for each */
  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  add(ack: Ack): void {
    this.acks.push(ack);
    this.#kinds.add(ack.kind);
    this.#lines.push(JSON.stringify(ack));
    if (this.#lines.length >= LINES) this.flush();
  }

  /** Whether each of these was acknowledged to anybody. */
  hasAll(kinds: readonly AckKind[]): boolean {
    return kinds.every((kind) => this.#kinds.has(kind));
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    writeSync(this.#file, `${this.#lines.join('\n')}\n`);
    this.#lines = [];
  }

  close(): void {
    this.flush();
    closeSync(this.#file);
  }
}
