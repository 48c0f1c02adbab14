// A client of the Go prototype, byte for byte: waits a second, logs in, shakes, grabs with user id 0, reads 4 bytes first.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { startServer } from '../../lib/server.ts';
import { makeDataDirectory } from '../data-directory.ts';

/** Reads frames the way that client does: 4 bytes, then the rest, 44 bytes at the most. */
class BlockingReader {
  #bytes = Buffer.alloc(0);
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk as Buffer]);
    });
  }

  async readFrame(): Promise<Buffer> {
    const head = await this.#read(4);
    const rest = head.readUInt16BE(0) - 4;
    if (rest > 40 || rest < 4) throw new Error(`that client gives up on a frame of ${rest + 4} bytes`);
    return Buffer.concat([head, await this.#read(rest)]);
  }

  async #read(length: number): Promise<Buffer> {
    while (this.#bytes.length < length) await once(this.#socket, 'data');
    const read = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return read;
  }
}

/** A frame as that client writes it: the stamp is Unix seconds. */
function frame(opcode: number, ...fields: number[]): Buffer {
  const bytes = Buffer.alloc(12 + 4 * fields.length);
  bytes.writeUInt16BE(bytes.length, 0);
  bytes.writeUInt16BE(opcode, 2);
  bytes.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000)), 4);
  fields.forEach((field, i) => void bytes.writeUInt32BE(field, 12 + 4 * i));
  return bytes;
}

function fieldsOf(bytes: Buffer): number[] {
  return Array.from({ length: (bytes.length - 12) / 4 }, (_, i) => bytes.readUInt32BE(12 + 4 * i));
}

t.test('an unmodified client of the Go prototype logs in, shakes, is told of packets and grabs them', async (t) => {
  const options = { port: 0, controlPort: 0, data: makeDataDirectory(), packetSlots: 1024 };
  const server = await startServer(options, { onError: (error) => t.fail(error.message) });
  t.teardown(() => server.stop());
  const socket = connect({ port: server.port, host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  const reader = new BlockingReader(socket);
  await new Promise((resolve) => setTimeout(resolve, 1000));

  socket.write(frame(0, 9));
  const login = await reader.readFrame();
  t.equal(login.readUInt16BE(2), 1);
  t.strictSame(fieldsOf(login), [9, 0]);

  const shake = frame(2, 9);
  socket.write(shake);
  const none = await reader.readFrame();
  t.equal(none.readUInt16BE(2), 3);
  t.strictSame(fieldsOf(none), [9, 15, 0, 0]);
  t.same(none.subarray(4, 12), shake.subarray(4, 12), 'the reply echoes the stamp');

  const control = `http://127.0.0.1:${server.controlPort}`;
  const post = (path: string, body: object) =>
    fetch(control + path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });
  await post('/drops', { count: 1, rate: 1000, budget: 55 });
  let won = fieldsOf(none);
  while (won[1] === 15) {
    socket.write(frame(2, 9));
    won = fieldsOf(await reader.readFrame());
  }
  t.equal(won[1], 14);
  t.equal(won[3], 55);
  t.ok(won[2] >= 2 ** 31, 'the id of a shake packet has bit 31');

  await post('/sends', { count: 1, rate: 1000, shares: 3, total: 90, mode: 'equal', users: [8, 10] });
  const notice = await reader.readFrame();
  t.equal(notice.readUInt16BE(2), 4);
  const [packetId, ...rest] = fieldsOf(notice);
  t.strictSame(rest, [90, 3, 8, 9, 10]);

  socket.write(frame(5, 0, packetId));
  const grab = await reader.readFrame();
  t.equal(grab.readUInt16BE(2), 6);
  t.strictSame(fieldsOf(grab), [packetId, 30]);
  t.match((await server.status()).money, { claimed: 85, outstanding: 60, difference: 0 });
});
