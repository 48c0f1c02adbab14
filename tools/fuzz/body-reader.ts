// Reads a MessagePack body the plainest way, to know what the server has to make of it. It shares no code with lib/protocol.

import { isUtf8 } from 'node:buffer';

/** What a body says. */
export interface ReadBody {
  value: unknown;
  /** False if a text in it is no UTF-8: the protocol leaves open what a reader makes of that. */
  isSure: boolean;
}

const MOST_DEPTH = 8;

class Refused extends Error {}

/** The one value that the bytes are, or undefined if they are anything a peer may not send. */
export function readBody(bytes: Buffer): ReadBody | undefined {
  const reader = new BodyReader(bytes);
  try {
    const value = reader.read(MOST_DEPTH);
    return reader.at === bytes.length ? { value, isSure: reader.isSure } : undefined;
  } catch (error) {
    if (error instanceof Refused || error instanceof RangeError) return undefined;
    throw error;
  }
}

class BodyReader {
  at = 0;
  isSure = true;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  read(depth: number): unknown {
    const head = this.#number(1);
    if (head <= 0x7f) return head;
    if (head <= 0x8f) return this.#map(head & 15, depth);
    if (head <= 0x9f) return this.#array(head & 15, depth);
    if (head <= 0xbf) return this.#text(head & 31);
    if (head >= 0xe0) return head - 256;
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#number(1 << (head - 0xc4)));
      case 0xca:
        return this.#take(4).readFloatBE();
      case 0xcb:
        return this.#take(8).readDoubleBE();
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.#number(1 << (head - 0xcc));
      case 0xcf:
        return Number(this.#take(8).readBigUInt64BE());
      case 0xd0:
      case 0xd1:
      case 0xd2: {
        const width = 1 << (head - 0xd0);
        return this.#take(width).readIntBE(0, width);
      }
      case 0xd3:
        return Number(this.#take(8).readBigInt64BE());
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#number(1 << (head - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#array(this.#number(2 << (head - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#number(2 << (head - 0xde)), depth);
      default:
        throw new Refused();
    }
  }

  #take(count: number): Buffer {
    if (count > this.#bytes.length - this.at) throw new Refused();
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  #number(width: number): number {
    return this.#take(width).readUIntBE(0, width);
  }

  #text(count: number): string {
    const bytes = this.#take(count);
    if (!isUtf8(bytes)) this.isSure = false;
    return bytes.toString('utf8');
  }

  #array(count: number, depth: number): unknown[] {
    if (count > this.#bytes.length - this.at || (count > 0 && depth === 0)) throw new Refused();
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(this.read(depth - 1));
    return items;
  }

  #map(count: number, depth: number): Map<string, unknown> {
    if (2 * count > this.#bytes.length - this.at || (count > 0 && depth === 0)) throw new Refused();
    const entries = new Map<string, unknown>();
    for (let i = 0; i < count; i++) {
      const head = this.#bytes[this.at];
      if (!((head >= 0xa0 && head <= 0xbf) || (head >= 0xd9 && head <= 0xdb))) throw new Refused();
      const key = this.read(0) as string;
      entries.set(key, this.read(depth - 1));
    }
    return entries;
  }
}
