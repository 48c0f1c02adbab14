// A server that speaks the protocol and behaves as badly as a test wants it to: on its own port, in the test's own thread.

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { pack, unpack } from 'msgpackr';
import type { Test } from 'tap';
import { LoginResult, Opcode, ShakeResult } from '../../lib/protocol/opcodes.ts';
import { frame, words } from '../net/raw-client.ts';

/** A request as it came. `fields` of a classic frame, `body` of an extended one. */
export interface Request {
  opcode: number;
  stamp: bigint;
  fields: number[];
  body: unknown;
  /** Which connection of the server it came on, from 0. */
  connection: number;
}

/** What a server does with a request; it writes to the socket whatever it likes. */
export type Behaviour = (request: Request, socket: Socket) => void;

export class FakeServer {
  port = 0;
  /** What has come, over all connections. */
  readonly requests: Request[] = [];
  /** Every connection there ever was, in their order. */
  readonly sockets: Socket[] = [];
  /** The most connections that were open at one time. */
  mostOpen = 0;
  /** Told of each new connection. */
  onConnection: (socket: Socket) => void = () => {};
  behave: Behaviour;
  readonly #server: Server;
  #open = 0;

  private constructor(behave: Behaviour) {
    this.behave = behave;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Starts a server that ends with the test. */
  static async start(t: Test, behave: Behaviour = behaveWell, port = 0): Promise<FakeServer> {
    const server = new FakeServer(behave);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(port, '127.0.0.1', resolve);
    });
    server.port = (server.#server.address() as AddressInfo).port;
    t.teardown(() => server.stop());
    return server;
  }

  /** Connections that are open now. */
  get openCount(): number {
    return this.#open;
  }

  /** The requests with an opcode. */
  of(opcode: number): Request[] {
    return this.requests.filter((request) => request.opcode === opcode);
  }

  /** Breaks every connection. */
  drop(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  /** Stops listening and breaks every connection. */
  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.drop();
    await closed;
  }

  #accept(socket: Socket): void {
    const connection = this.sockets.push(socket) - 1;
    this.mostOpen = Math.max(this.mostOpen, ++this.#open);
    let kept = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      kept = Buffer.concat([kept, chunk]);
      while (kept.length >= 2 && kept.length >= kept.readUInt16BE(0)) {
        const bytes = kept.subarray(0, kept.readUInt16BE(0));
        kept = kept.subarray(bytes.length);
        const request = readRequest(bytes, connection);
        this.requests.push(request);
        this.behave(request, socket);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#open--);
    this.onConnection(socket);
  }
}

/** Logs everybody in; no shake wins, no grab finds anything, what is sent becomes packet 2^20. */
export function behaveWell(request: Request, socket: Socket): void {
  socket.write(answerTo(request));
}

/** Logs everybody in, and says nothing more. */
export function logInOnly(request: Request, socket: Socket): void {
  if (request.opcode === Opcode.LOGIN || request.opcode === Opcode.HELLO) behaveWell(request, socket);
}

/** The frame that an honest server answers a request with. */
export function answerTo({ opcode, stamp, fields, body }: Request): Buffer {
  switch (opcode) {
    case Opcode.LOGIN:
      return frame(Opcode.LOGIN_RESULT, words(fields[0], LoginResult.OK), stamp);
    case Opcode.SHAKE:
      return frame(Opcode.SHAKE_RESULT, words(fields[0], ShakeResult.NONE, 0, 0), stamp);
    case Opcode.GRAB:
      return frame(Opcode.GRAB_RESULT, words(fields[1], 0), stamp);
    case Opcode.HELLO: {
      const { userId } = body as { userId: number };
      const limits = { maxFrameBytes: 16_384, maxInFlight: 1024 };
      return extended(Opcode.WELCOME, { version: 1, userId, server: 'fake', limits, pendingNotices: 0 }, stamp);
    }
    case Opcode.SEND: {
      const sent = { status: 'SENT', packetId: 2 ** 20, expiresAt: 1_700_086_400, commitment: Buffer.alloc(32, 7) };
      return extended(Opcode.SENT, sent, stamp);
    }
    case Opcode.WALLET:
      return extended(Opcode.WALLET_RESULT, { balanceCents: 5000, reservedCents: 0 }, stamp);
    case Opcode.RECORDS:
      return extended(Opcode.RECORDS_RESULT, { records: [] }, stamp);
    default:
      return extended(Opcode.PONG, body, stamp);
  }
}

/** An extended frame around a value. */
export function extended(opcode: number, body: unknown, stamp: bigint | number = 0): Buffer {
  return frame(opcode, pack(body), stamp);
}

function readRequest(bytes: Buffer, connection: number): Request {
  const opcode = bytes.readUInt16BE(2);
  const isClassic = opcode < 0x100;
  const count = isClassic ? (bytes.length - 12) / 4 : 0;
  return {
    opcode,
    stamp: bytes.readBigUInt64BE(4),
    fields: Array.from({ length: count }, (_, i) => bytes.readUInt32BE(12 + 4 * i)),
    body: isClassic ? undefined : unpack(bytes.subarray(12)),
    connection,
  };
}
