// Servers that are broken on purpose, for the fuzzer to notice: a real one behind a relay that spoils one thing.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { startServer } from '../../lib/server.ts';
import { formatFinding } from '../../tools/audit/findings.ts';
import { runAudit } from '../../tools/audit/run-audit.ts';
import type { FuzzTarget } from '../../tools/fuzz/fuzz-target.ts';

/** What is spoiled. The fuzzer's connections come from 127.0.0.2 and on, those of honest users from 127.0.0.1. */
export type Breakage =
  | 'swallows a reply'
  | 'closes without a word'
  | 'does not close'
  | 'tells an honest user another amount'
  | 'counts wrongly'
  | 'fails over HTTP'
  | 'leaks memory'
  | 'dies'
  | 'audits badly';

const SHAKE_RESULT = 0x0003;
const ERROR = 0x0112;

/** After so many connections it dies. */
const DIES_AFTER = 20;

const MB = 1024 * 1024;

/** A server that is as it should be, if nothing is to be broken. */
export async function startBroken(data: string, breakage: Breakage | undefined): Promise<FuzzTarget> {
  const errors: string[] = [];
  const server = await startServer(
    { port: 0, controlPort: 0, data },
    { onError: (error) => errors.push(error.message) },
  );
  const { promise: ended, resolve: die } = Promise.withResolvers<string>();
  const relay = new Relay(server.port, breakage, () => die('the server ended with SIGSEGV'));
  const control = new ControlRelay(server.controlPort, breakage);
  await relay.listen();
  await control.listen();
  const startedAt = performance.now();
  return {
    port: relay.port,
    controlUrl: `http://127.0.0.1:${control.port}`,
    errors,
    ended,
    look: () => {
      const seconds = (performance.now() - startedAt) / 1000;
      return {
        residentBytes: 300 * MB + (breakage === 'leaks memory' ? 60 * MB * seconds : 0),
        openFiles: 50,
      };
    },
    stop: async () => {
      relay.close();
      control.close();
      await server.stop();
    },
    audit: async () => {
      const { findings, differenceCents } = await runAudit(data, { threads: 1 });
      const bad = breakage === 'audits badly' ? ['a record is missing'] : [];
      return [...bad, ...findings.map(formatFinding), ...(differenceCents === 0 ? [] : ['a difference'])];
    },
  };
}

/** Hands bytes on in both directions, and spoils what the server says. */
class Relay {
  connections = 0;
  readonly #serverPort: number;
  readonly #breakage: Breakage | undefined;
  readonly #die: () => void;
  readonly #listener: NetServer;
  readonly #sockets = new Set<Socket>();

  constructor(serverPort: number, breakage: Breakage | undefined, die: () => void) {
    this.#serverPort = serverPort;
    this.#breakage = breakage;
    this.#die = die;
    this.#listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#join(client));
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#listener.listen(0, '127.0.0.1');
    await once(this.#listener, 'listening');
  }

  close(): void {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket): void {
    this.connections++;
    if (this.#breakage === 'dies' && this.connections === DIES_AFTER) this.#die();
    const isHonest = client.remoteAddress === '127.0.0.1';
    const server = connect({ port: this.#serverPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const cutter = new FrameCutter((frame) => this.#spoil(frame, isHonest));
    for (const socket of [client, server]) this.#sockets.add(socket);
    client.on('data', (chunk: Buffer) => handOn(client, server, chunk));
    client.on('end', () => server.end());
    server.on('data', (chunk: Buffer) => handOn(server, client, cutter.add(chunk)));
    server.on('end', () => {
      if (this.#breakage !== 'does not close' || isHonest) client.end();
    });
    const forget = (socket: Socket, other: Socket, how: 'reset' | 'close') => {
      this.#sockets.delete(socket);
      if (how === 'reset') other.resetAndDestroy();
    };
    client.on('error', () => forget(client, server, 'reset'));
    server.on('error', () => forget(server, client, 'reset'));
    client.on('close', () => {
      forget(client, server, 'close');
      server.destroy();
    });
    server.on('close', () => forget(server, client, 'close'));
  }

  #spoil(frame: Buffer, isHonest: boolean): Buffer {
    const opcode = frame.readUInt16BE(2);
    if (isHonest) {
      if (this.#breakage !== 'tells an honest user another amount' || opcode !== SHAKE_RESULT) return frame;
      const other = Buffer.from(frame);
      if (frame.readUInt32BE(16) === 14) other.writeUInt32BE(frame.readUInt32BE(24) + 1, 24);
      return other;
    }
    if (this.#breakage === 'swallows a reply' && opcode === SHAKE_RESULT && frame[11] % 64 === 3)
      return Buffer.alloc(0);
    if (this.#breakage === 'closes without a word' && opcode === ERROR) return Buffer.alloc(0);
    return frame;
  }
}

/** Reads no faster than the other side does: else a client that does not read would have a relay that reads for it. */
function handOn(from: Socket, to: Socket, bytes: Buffer): void {
  if (to.write(bytes)) return;
  from.pause();
  to.once('drain', () => from.resume());
}

/** Hands on what the control API says, and spoils it in place. */
class ControlRelay {
  readonly #listener: NetServer;
  readonly #sockets = new Set<Socket>();

  constructor(controlPort: number, breakage: Breakage | undefined) {
    this.#listener = createServer({ noDelay: true }, (client) => {
      const server = connect({ port: controlPort, host: '127.0.0.1', noDelay: true });
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => this.#sockets.delete(socket));
      }
      client.on('data', (chunk) => server.write(chunk));
      server.on('data', (chunk: Buffer) => {
        let text = chunk.toString('latin1');
        if (breakage === 'counts wrongly')
          // Another digit, but no 0: a number may not begin with it.
          text = text.replace(/"frame":(\d)/, (_, digit) => `"frame":${(Number(digit) % 9) + 1}`);
        if (breakage === 'fails over HTTP') text = text.replace('HTTP/1.1 404', 'HTTP/1.1 500');
        client.write(Buffer.from(text, 'latin1'));
      });
      client.on('close', () => server.destroy());
      server.on('close', () => client.end());
    });
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  async listen(): Promise<void> {
    this.#listener.listen(0, '127.0.0.1');
    await once(this.#listener, 'listening');
  }

  close(): void {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Cuts what comes into frames and gives back what is made of them. */
class FrameCutter {
  readonly #spoil: (frame: Buffer) => Buffer;
  #left: Buffer = Buffer.alloc(0);

  constructor(spoil: (frame: Buffer) => Buffer) {
    this.#spoil = spoil;
  }

  add(chunk: Buffer): Buffer {
    this.#left = Buffer.concat([this.#left, chunk]);
    const out: Buffer[] = [];
    while (this.#left.length >= 12 && this.#left.length >= this.#left.readUInt16BE(0)) {
      const length = this.#left.readUInt16BE(0);
      out.push(this.#spoil(this.#left.subarray(0, length)));
      this.#left = this.#left.subarray(length);
    }
    return Buffer.concat(out);
  }
}
