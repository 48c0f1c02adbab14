// What hostile peers do to a server: each attack takes connections from one address, and holds them as long as it is let.

import { connect, type Socket } from 'node:net';
import { writeLogin, writeShake } from '../../lib/protocol/classic.ts';
import { BODY_OFFSET, LOGIN_BYTES, LOGIN_RESULT_BYTES, SHAKE_BYTES } from '../../lib/protocol/classic-layout.ts';
import { packFrame } from '../../lib/protocol/message-pack.ts';
import { LoginResult, Opcode } from '../../lib/protocol/opcodes.ts';

export interface AttackOptions {
  port: number;
  /** The address that all of them come from. */
  from: string;
  peers: number;
  /** The first of their user ids. */
  firstUser: number;
}

/** One attack, told by name; see ATTACKS. */
export type AttackName = keyof typeof ATTACKS;

/** Peers that come in one second: the server's limits are to be met by what they do, not by all coming at once. */
const PEERS_PER_SECOND = 2000;

/** How often peers that do something all the time do it, in milliseconds. */
const BEAT_MS = 1000;

/** Shakes that one who shakes too often sends at once. */
const SHAKES_AT_ONCE = 50;

/** What one who does not read asks for in a beat, in PINGs: the kernel keeps some megabytes of their answers before the server does. */
const DEAF_PINGS = 60;
const PING_BYTES = 16_000;

/** A frame that never becomes whole is sent in steps of one byte: here a SHAKE. */
const SLOW_FRAME = makeShakes(0, 1);

const PINGS = Buffer.concat(Array.from({ length: DEAF_PINGS }, makePing));

/** What the peers of an attack do. */
interface Behaviour {
  /** Peers, of all that are asked for: what is costly on both sides is done by few. */
  share: number;
  /** Whether they log in first. */
  logsIn: boolean;
  /** Whether they read what comes. */
  reads: boolean;
  /** Called for a peer that is connected, or logged in, and then every BEAT_MS until it is closed. */
  beat: (socket: Socket, userId: number, beats: number) => void;
  /** Comes again as soon as it is closed, and goes at once. */
  isFlood?: boolean;
}

export const ATTACKS = {
  /** Connect, and say nothing. */
  silent: { share: 1, logsIn: false, reads: true, beat: () => {} },
  /** Send a frame so slowly that it takes for ever. */
  slowloris: {
    share: 1,
    logsIn: false,
    reads: true,
    beat: (socket, _, beats) => socket.write(SLOW_FRAME.subarray(beats, beats + 1)),
  },
  /** Log in and are gone, as far as the server can see: nothing comes any more, and its goodbye is never answered. */
  gone: { share: 1, logsIn: true, reads: true, beat: () => {} },
  /** Ask, and never read. */
  deaf: { share: 1 / 20, logsIn: true, reads: false, beat: (socket) => socket.write(PINGS) },
  /** Shake far more often than anybody may. */
  greedy: {
    share: 1,
    logsIn: true,
    reads: true,
    beat: (socket, userId) => socket.write(makeShakes(userId, SHAKES_AT_ONCE)),
  },
  /** Connect and leave, over and over, as fast as it goes. */
  flood: { share: 1, logsIn: false, reads: true, isFlood: true, beat: (socket) => socket.resetAndDestroy() },
} as const satisfies Record<string, Behaviour>;

/** Connections of a flood that are being made at one time. */
const FLOOD_AT_ONCE = 200;

/** One attack under way. */
export class Attack {
  /** Connections that were made. */
  connected = 0;
  readonly #options: AttackOptions;
  readonly #behaviour: Behaviour;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #isOver = false;

  constructor(name: AttackName, options: AttackOptions) {
    this.#options = options;
    this.#behaviour = ATTACKS[name];
    const { firstUser } = options;
    const peers = countPeers(name, options.peers);
    if (this.#behaviour.isFlood) {
      for (let i = 0; i < FLOOD_AT_ONCE; i++) this.#come(firstUser);
      return;
    }
    let come = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < PEERS_PER_SECOND / 100 && come < peers; i++) this.#come(firstUser + come++);
      if (come === peers) clearInterval(timer);
    }, 10);
    this.#timers.add(timer);
  }

  /** Everybody leaves at once. */
  stop(): void {
    this.#isOver = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #come(userId: number): void {
    const { port, from } = this.#options;
    const { logsIn, reads, beat, isFlood } = this.#behaviour;
    // Half open: who does not answer a goodbye has never heard it.
    const socket = connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true, noDelay: true });
    this.#sockets.add(socket);
    let timer: NodeJS.Timeout | undefined;
    const begin = () => {
      let beats = 0;
      beat(socket, userId, beats++);
      if (socket.destroyed) return;
      timer = setInterval(() => socket.writable && beat(socket, userId, beats++), BEAT_MS);
      this.#timers.add(timer);
    };
    socket.on('connect', () => {
      this.connected++;
      if (!logsIn) begin();
      else socket.write(makeLogin(userId));
    });
    if (logsIn) {
      socket.once('data', (reply: Buffer) => {
        const isIn = reply.length >= LOGIN_RESULT_BYTES && reply.readUInt16BE(2) === Opcode.LOGIN_RESULT;
        if (!isIn || reply.readUInt32BE(BODY_OFFSET + 4) !== LoginResult.OK) return;
        if (!reads) socket.pause();
        begin();
      });
    }
    if (reads) socket.on('data', () => {});
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(timer);
      if (timer !== undefined) this.#timers.delete(timer);
      this.#sockets.delete(socket);
      if (isFlood && !this.#isOver) this.#come(userId);
    });
  }
}

/** How many peers an attack has. */
export function countPeers(name: AttackName, peers: number): number {
  return Math.ceil(peers * ATTACKS[name].share);
}

function makePing(): Uint8Array {
  return packFrame(Opcode.PING, 0, 0, Buffer.alloc(PING_BYTES));
}

function makeLogin(userId: number): Uint8Array {
  const bytes = new Uint8Array(LOGIN_BYTES);
  writeLogin(bytes, 0, 0, userId);
  return bytes;
}

function makeShakes(userId: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * SHAKE_BYTES);
  for (let i = 0; i < count; i++) writeShake(bytes, i * SHAKE_BYTES, 0, userId);
  return bytes;
}
