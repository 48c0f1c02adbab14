// A client that knows nothing but bytes: sends whatever a test tells it to, and collects the frames that come back.

import { connect, type Socket } from 'node:net';
import { pack, unpack } from 'msgpackr';
import { Opcode } from '../../lib/protocol/opcodes.ts';

/** How long anything may take before a test gives up on it, in milliseconds. A bound on waiting for ever, not on speed. */
export const PATIENCE_MS = 10_000;

/** A frame as it came. `fields` of a classic one, `body` of an extended one. */
export interface RawFrame {
  opcode: number;
  stamp: bigint;
  fields: number[];
  // biome-ignore lint/suspicious/noExplicitAny: what is in a body is what the tests look into
  body: any;
  bytes: Buffer;
}

export interface RawClientOptions {
  /** False for a client that never reads. */
  reads?: boolean;
  /** Does not close its side when the server closes. */
  lingers?: boolean;
  /** The address that it comes from. */
  from?: string;
}

/** How the server's side of the connection ended. */
export type Ending = 'end' | 'reset';

export class RawClient {
  /** Every frame that came. */
  readonly frames: RawFrame[] = [];
  readonly socket: Socket;
  /** Settles when the server has closed its side. */
  readonly ended: Promise<Ending>;
  #received: Buffer = Buffer.alloc(0);
  /** Frames that no `take` has taken. */
  readonly #untaken: RawFrame[] = [];
  /** Calls of `take` that wait for the next frames. */
  readonly #waiting: (() => void)[] = [];

  private constructor(socket: Socket, reads: boolean) {
    this.socket = socket;
    this.ended = new Promise((resolve) => {
      socket.on('end', () => resolve('end'));
      socket.on('error', () => resolve('reset'));
      socket.on('close', () => resolve('end'));
    });
    if (reads) socket.on('data', (chunk: Buffer) => this.#onData(chunk));
  }

  static open(port: number, { reads = true, lingers = false, from }: RawClientOptions = {}): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const localAddress = from === undefined ? {} : { localAddress: from };
      const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: lingers, ...localAddress });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.removeListener('error', reject);
        resolve(new RawClient(socket, reads));
      });
    });
  }

  send(...parts: Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** The first frame with this opcode that was not taken yet, now or when it comes. */
  take(opcode: number): Promise<RawFrame> {
    const look = async (): Promise<RawFrame> => {
      for (;;) {
        const index = this.#untaken.findIndex((frame) => frame.opcode === opcode);
        if (index >= 0) return this.#untaken.splice(index, 1)[0];
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
    };
    return within(look(), `a frame with opcode ${opcode}`);
  }

  /** Waits until the server has closed its side. */
  end(): Promise<Ending> {
    return within(this.ended, 'the server to close');
  }

  /** Closes, as a process does that ends. */
  leave(): void {
    this.socket.destroy();
  }

  /** Breaks the connection with a reset. */
  vanish(): void {
    this.socket.resetAndDestroy();
  }

  #onData(chunk: Buffer): void {
    const { frames, left } = readFrames(Buffer.concat([this.#received, chunk]));
    this.frames.push(...frames);
    this.#untaken.push(...frames);
    this.#received = left;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A frame of these bytes behind a header. @param length what the header says, when that is a lie */
export function frame(opcode: number, body: Uint8Array, stamp: bigint | number = 0, length = 12 + body.length): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(length, 0);
  header.writeUInt16BE(opcode, 2);
  header.writeBigUInt64BE(BigInt(stamp), 4);
  return Buffer.concat([header, body]);
}

export function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
}

export const login = (userId: number, stamp = 1) => frame(Opcode.LOGIN, words(userId), stamp);
export const shake = (stamp = 2, userId = 0) => frame(Opcode.SHAKE, words(userId), stamp);
export const grab = (packetId: number, stamp = 3, userId = 0) => frame(Opcode.GRAB, words(userId, packetId), stamp);
/** A HELLO; without a user if that is undefined. */
export const hello = (userId: unknown, stamp = 4) =>
  frame(Opcode.HELLO, pack(userId === undefined ? { version: 1 } : { version: 1, userId }), stamp);
export const ping = (body: Uint8Array = pack(null), stamp = 5) => frame(Opcode.PING, body, stamp);

/** Fails with a sentence when something takes too long. */
export async function within<T>(promise: Promise<T>, what: string, timeoutMs = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${timeoutMs} ms for ${what}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until something has come about. */
export async function waitFor(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${PATIENCE_MS} ms for ${what}`);
    await sleep(10);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Cuts bytes into frames; `left` is the start of one that is not whole. */
export function readFrames(bytes: Buffer): { frames: RawFrame[]; left: Buffer } {
  const frames: RawFrame[] = [];
  let left = bytes;
  while (left.length >= 2 && left.length >= left.readUInt16BE(0)) {
    const length = left.readUInt16BE(0);
    frames.push(readFrame(left.subarray(0, length)));
    left = left.subarray(length);
  }
  return { frames, left };
}

function readFrame(bytes: Buffer): RawFrame {
  const opcode = bytes.readUInt16BE(2);
  const isClassic = opcode < 0x100;
  const fields = isClassic
    ? Array.from({ length: (bytes.length - 12) / 4 }, (_, i) => bytes.readUInt32BE(12 + 4 * i))
    : [];
  const body = isClassic ? undefined : unpack(bytes.subarray(12));
  return { opcode, stamp: bytes.readBigUInt64BE(4), fields, body, bytes };
}
