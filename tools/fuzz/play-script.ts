// Plays a script against a server, and holds what came of it against what the protocol says.

import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { readBody } from './body-reader.ts';
import { type Script, streamOf } from './draw-script.ts';
import { type Judgement, judgeStream } from './judge-stream.ts';
import { DEAF_STREAM_BYTES, PATIENCE_MS } from './limits.ts';

/** What became of a connection. */
export interface Played {
  judgement: Judgement;
  /** What is wrong, in a sentence. */
  wrong: string | undefined;
  /** The reasons, as the server counts them, that its end may have. */
  reasons: ReadonlySet<string>;
}

const ERROR = 0x0112;
const UNASKED = new Set([0x0004, 0x0104, 0x0113, 0x0114]);

/** What chat pushes. */
const FIRST_PUSH = 0x0280;
const PONG = 0x0111;
const SHAKE_RESULT = 0x0003;

/** Addresses of this machine that connections come from in turn: each has ports of its own. */
const ADDRESSES = 16;

/**
 * On a machine that is busy we may be late ourselves: from here on the server need no longer have waited for us to read its last
 * word, and from there on it may have closed a connection whose frame was not whole in time. In milliseconds.
 */
const LATE_MS = 1500;
const TOO_LATE_MS = 9000;

/** How long one waits for a server that closes what stalls: its own limit, and a good deal more. */
const STALL_MS = 60_000;

/** What came from the server. */
class Received {
  /** Stamps of replies, in hex, and how many frames there were by opcode. */
  readonly stamps: string[] = [];
  readonly opcodes = new Map<number, number>();
  /** The last ERROR that ends a session, or the notice of a classic one that it was replaced. */
  lastWord: string | undefined;
  /** A frame that is none. */
  broken: string | undefined;
  #left: Buffer = Buffer.alloc(0);

  add(chunk: Buffer): void {
    this.#left = this.#left.length === 0 ? chunk : Buffer.concat([this.#left, chunk]);
    while (this.#left.length >= 12) {
      const length = this.#left.readUInt16BE(0);
      if (length < 12) this.broken = `a frame of ${length} bytes`;
      if (this.broken !== undefined || this.#left.length < length) return;
      this.#take(this.#left.subarray(0, length));
      this.#left = this.#left.subarray(length);
    }
  }

  get isWhole(): boolean {
    return this.#left.length === 0;
  }

  #take(frame: Buffer): void {
    const opcode = frame.readUInt16BE(2);
    this.opcodes.set(opcode, (this.opcodes.get(opcode) ?? 0) + 1);
    if (UNASKED.has(opcode) || opcode >= FIRST_PUSH) return;
    if (opcode === ERROR) {
      const code = (readBody(frame.subarray(12))?.value as Map<string, unknown> | undefined)?.get('code');
      if (ENDS.has(code as string)) {
        this.lastWord = code as string;
        return;
      }
    }
    // LOGIN_RESULT 3 answers nothing.
    if (opcode === 0x0001 && frame.readUInt32BE(16) === 3) {
      this.lastWord = 'replaced';
      return;
    }
    this.stamps.push(frame.toString('hex', 4, 12));
  }
}

/** Codes of ERROR after which the connection is closed. */
const ENDS = new Set(['frame', 'body', 'not-logged-in', 'replaced', 'timeout', 'shutdown']);

/** Plays it. Never throws: whatever happens is in the result. @param patienceMs how long the server may take */
export async function playScript(port: number, script: Script, patienceMs = PATIENCE_MS): Promise<Played> {
  const stream = streamOf(script);
  const judgement = judgeStream(stream);
  const received = new Received();
  const player = new Player(port, script, stream, judgement, received, patienceMs);
  const startedAt = performance.now();
  let wrong: string | undefined;
  try {
    await player.play();
  } catch (error) {
    wrong = (error as Error).message;
  }
  player.leave();
  const tookMs = performance.now() - startedAt;
  wrong ??= compare(script, judgement, received, tookMs);
  return { judgement, wrong, reasons: findReasons(script, judgement, received, tookMs) };
}

class Player {
  readonly #port: number;
  readonly #script: Script;
  readonly #stream: Buffer;
  readonly #judgement: Judgement;
  readonly #received: Received;
  readonly #patienceMs: number;
  #socket: Socket | undefined;
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(
    port: number,
    script: Script,
    stream: Buffer,
    judgement: Judgement,
    received: Received,
    patienceMs: number,
  ) {
    this.#port = port;
    this.#script = script;
    this.#stream = stream;
    this.#judgement = judgement;
    this.#received = received;
    this.#patienceMs = patienceMs;
  }

  async play(): Promise<void> {
    const { ending } = this.#script;
    const socket = await this.#connect();
    if (ending === 'deaf') socket.pause();
    await this.#write(socket, ending === 'half-open');
    if (ending === 'reset') {
      socket.resetAndDestroy();
      return;
    }
    if (ending === 'leave') {
      socket.destroy();
      return;
    }
    if (ending === 'deaf') return this.#askOn(socket);
    const { fault, stamps, isIncomplete, isSure, hasSession } = this.#judgement;
    const mayEnd = () => this.#received.stamps.length >= stamps.length;
    if (ending === 'stall' && fault === undefined && (isIncomplete || !hasSession)) {
      await this.#until(() => this.#isClosed, STALL_MS, 'the server to close a connection that stalls');
      return;
    }
    if (fault === undefined && ending !== 'half-open') {
      await this.#until(() => this.#isClosed || mayEnd() || !isSure, this.#patienceMs, 'replies');
      socket.end();
    }
    await this.#until(() => this.#isClosed, this.#patienceMs, `the server to close after ${fault ?? 'the end'}`);
  }

  leave(): void {
    this.#socket?.destroy();
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const localAddress = `127.0.0.${2 + (this.#script.index % ADDRESSES)}`;
      const socket = connect({ host: '127.0.0.1', port: this.#port, localAddress, noDelay: true });
      this.#socket = socket;
      socket.once('connect', () => resolve(socket));
      socket.on('data', (chunk: Buffer) => {
        this.#received.add(chunk);
        this.#wake();
      });
      socket.on('error', (error) => {
        if (socket.connecting) reject(new Error(`cannot connect: ${error.message}`));
      });
      socket.on('close', () => {
        this.#isClosed = true;
        this.#wake();
        reject(new Error('cannot connect'));
      });
    });
  }

  async #write(socket: Socket, andEnd: boolean): Promise<void> {
    const { cuts, isSlow } = this.#script;
    let at = 0;
    for (const cut of cuts) {
      if (at >= this.#stream.length || socket.destroyed) break;
      socket.write(this.#stream.subarray(at, at + cut));
      at += cut;
      if (isSlow) await nextTurn();
    }
    const rest = this.#stream.subarray(Math.min(at, this.#stream.length));
    if (andEnd) socket.end(rest);
    else if (rest.length > 0) socket.write(rest);
  }

  /** Sends PINGs and never reads, until the server closes. */
  async #askOn(socket: Socket): Promise<void> {
    const ping = Buffer.alloc(8000, 0xc0);
    ping.writeUInt16BE(8000, 0);
    ping.writeUInt16BE(0x0110, 2);
    ping.set([0xc5, (8000 - 15) >> 8, (8000 - 15) & 255], 12);
    const untilMs = performance.now() + this.#patienceMs;
    for (let sent = 0; !socket.destroyed && sent < DEAF_STREAM_BYTES; sent += ping.length) {
      if (socket.write(ping)) continue;
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), sleep(50)]);
      if (performance.now() > untilMs) break;
    }
    // A slow machine may have much of it still before it.
    while (!socket.destroyed && performance.now() < untilMs) await sleep(50);
    if (!socket.destroyed) throw new Error('a client that does not read was not closed');
  }

  async #until(isSo: () => boolean, patienceMs: number, what: string): Promise<void> {
    const untilMs = performance.now() + patienceMs;
    while (!isSo()) {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) throw new Error(`waited ${patienceMs} ms for ${what}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(leftMs, 5000));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = () => {};
  }
}

/** What is wrong with what came, for those who read to the end. */
function compare({ ending }: Script, judgement: Judgement, received: Received, tookMs: number): string | undefined {
  const { fault, isRich, stamps, isSure, pings, shakes } = judgement;
  if (received.broken !== undefined) return received.broken;
  if (ending === 'reset' || ending === 'leave' || ending === 'deaf') return undefined;
  if (!received.isWhole) return 'the server closed within a frame';
  if (received.lastWord === 'replaced' || !isSure) return undefined;
  if (received.lastWord === 'timeout' && tookMs > TOO_LATE_MS) return undefined;
  const asked = new Map<string, number>();
  for (const stamp of stamps) asked.set(stamp, (asked.get(stamp) ?? 0) + 1);
  for (const stamp of received.stamps) {
    const left = (asked.get(stamp) ?? 0) - 1;
    if (left < 0) return `a reply with stamp ${stamp} too many`;
    asked.set(stamp, left);
  }
  const expectedWord = isRich ? (fault ?? (ending === 'stall' ? 'timeout' : undefined)) : undefined;
  const isStalled = ending === 'stall' && fault === undefined && (judgement.isIncomplete || !judgement.hasSession);
  const word = fault === undefined && !isStalled ? undefined : expectedWord;
  const isEither = judgement.isMixed && (received.lastWord === undefined || received.lastWord === (fault ?? 'timeout'));
  const isUnread = received.lastWord === undefined && tookMs > LATE_MS;
  if (received.lastWord !== word && !isEither && !isUnread)
    return `the last word was ${received.lastWord ?? 'none'} and not ${word ?? 'none'}`;
  if (fault !== undefined || ending === 'half-open') return undefined;
  if (received.stamps.length < stamps.length) {
    return `${received.stamps.length} replies to ${stamps.length} requests`;
  }
  for (const [opcode, count] of [
    [PONG, pings],
    [SHAKE_RESULT, shakes],
  ]) {
    const came = received.opcodes.get(opcode) ?? 0;
    if (came !== count) return `${came} replies with opcode ${opcode} to ${count} requests`;
  }
  return undefined;
}

/** Which reason the server may have counted. */
function findReasons(
  { ending }: Script,
  judgement: Judgement,
  { lastWord }: Received,
  tookMs: number,
): ReadonlySet<string> {
  const { fault, isSure, isIncomplete, hasSession } = judgement;
  if (!isSure) return new Set(['peer', 'error', 'frame', 'body', 'not-logged-in', 'replaced', 'frame-timeout']);
  if (lastWord === 'replaced') return new Set(['replaced']);
  if (ending === 'reset' || ending === 'leave') {
    // A reset throws away what the server had not read; who was thrown out by another login does not hear of it.
    return new Set(['peer', 'error', 'replaced', ...(fault === undefined ? [] : [fault])]);
  }
  if (ending === 'deaf') return new Set(['slow-consumer', 'replaced']);
  if (tookMs > TOO_LATE_MS && ending !== 'stall') {
    return new Set(['peer', 'frame-timeout', 'login-timeout', ...(fault === undefined ? [] : [fault])]);
  }
  if (fault !== undefined) return new Set([fault]);
  if (ending === 'stall' && (isIncomplete || !hasSession)) {
    return new Set([isIncomplete ? 'frame-timeout' : 'login-timeout']);
  }
  return new Set(['peer']);
}
