// Draws what one connection of the fuzzer does: its inputs, how they are cut into writes, and how it ends. The seed and the
// number of the connection decide all of it.

import { FuzzRandom } from './fuzz-random.ts';
import { type Judgement, judgeStream } from './judge-stream.ts';
import { FUZZ_FIRST_USER, FUZZ_USERS, isFuzzUser, MOST_INPUTS, MOST_STREAM_BYTES } from './limits.ts';
import { drawBody, drawSafeBody, replaceValue } from './mean-bodies.ts';
import { RECORDED_USER, type Recording } from './record-sessions.ts';

/**
 * How a connection ends: `finish` reads every reply, then closes; `half-open` closes its direction right behind its bytes
 * and reads on; `reset` breaks off; `leave` closes without reading; `stall` waits to be closed; `deaf` asks on and never reads.
 */
export const ENDINGS = ['finish', 'half-open', 'reset', 'leave', 'stall', 'deaf'] as const;
export type Ending = (typeof ENDINGS)[number];

export interface Script {
  index: number;
  /** Frames and fragments, in their order. */
  inputs: Buffer[];
  /** Bytes of each write; what is left at the end is one more. */
  cuts: number[];
  /** Whether writes wait for a turn of the event loop between them, so that the server reads them one by one. */
  isSlow: boolean;
  ending: Ending;
}

/** One connection in so many stalls, and one in so many is deaf. */
const STALL_EVERY = 400;
const DEAF_EVERY = 3000;

/** Requests that wait for the disk or for a look into the history are one in so many of those drawn; a shake takes their place. */
const COSTLY = new Set([0x0120, 0x0124]);
const COSTLY_EVERY = 25;

/** Byte by byte at the most for so many bytes. */
const MOST_SINGLE_BYTES = 300;

const OPCODES = [0x0000, 0x0002, 0x0005, 0x0100, 0x0110, 0x0120, 0x0122, 0x0124];
const EDGE_LENGTHS = [0, 1, 3, 4, 11, 12, 13, 15, 16, 17, 20, 255, 256, 16_383, 16_384, 16_385, 32_768, 65_535];
const EDGE_OPCODES = [0x0001, 0x0003, 0x0006, 0x0007, 0x00ff, 0x0101, 0x0106, 0x0111, 0x0112, 0x0126, 0x0200, 0xffff];

/** @param recording what is mutated */
export function drawScript(seed: number, index: number, recording: Recording): Script {
  const random = new FuzzRandom(seed, `connection ${index}`);
  const drawer = new ScriptDrawer(random, recording, FUZZ_FIRST_USER + (index % FUZZ_USERS));
  const ending = drawEnding(random);
  const inputs = ending === 'deaf' ? drawer.login() : drawer.draw();
  const bytes = inputs.reduce((sum, input) => sum + input.length, 0);
  return { index, inputs, cuts: drawCuts(random, bytes), isSlow: random.oneIn(8), ending };
}

/** All bytes of a script. */
export function streamOf({ inputs }: Pick<Script, 'inputs'>): Buffer {
  return Buffer.concat(inputs);
}

function drawEnding(random: FuzzRandom): Ending {
  if (random.oneIn(DEAF_EVERY)) return 'deaf';
  if (random.oneIn(STALL_EVERY)) return 'stall';
  const draw = random.between(0, 99);
  return draw < 60 ? 'finish' : draw < 84 ? 'half-open' : draw < 94 ? 'reset' : 'leave';
}

/** Whole, byte by byte, frame-sized or large pieces. */
function drawCuts(random: FuzzRandom, bytes: number): number[] {
  const most = random.pick([0, 1, 5, 40, 500, 5000]);
  if (most === 0 || (most === 1 && bytes > MOST_SINGLE_BYTES)) return [];
  const cuts: number[] = [];
  for (let at = 0; at < bytes && cuts.length < MOST_SINGLE_BYTES; ) {
    const cut = random.between(1, most);
    cuts.push(cut);
    at += cut;
  }
  return cuts;
}

class ScriptDrawer {
  readonly #random: FuzzRandom;
  readonly #userId: number;
  readonly #classic: Buffer[];
  readonly #rich: Buffer[];
  #stamp = 0;

  constructor(random: FuzzRandom, recording: Recording, userId: number) {
    this.#random = random;
    this.#userId = userId;
    this.#classic = recording.classic;
    this.#rich = recording.rich;
  }

  login(): Buffer[] {
    return [this.#own(this.#session()[0])];
  }

  draw(): Buffer[] {
    const random = this.#random;
    const inputs: Buffer[] = [];
    const session = this.#session();
    const kind = random.between(0, 9);
    const count = random.between(1, MOST_INPUTS - 1);
    if (kind === 0) {
      // Nothing but rubbish.
      for (let i = random.between(1, 6); i > 0; i--) inputs.push(this.#rubbish());
    } else if (kind === 1) {
      // The frames of a session in any order, some of them more than once.
      const costly = session.filter((frame) => COSTLY.has(frame.readUInt16BE(2)));
      const others = session.filter((frame) => !COSTLY.has(frame.readUInt16BE(2)));
      for (let i = 0; i < count; i++) inputs.push(this.#own(random.pick(random.oneIn(COSTLY_EVERY) ? costly : others)));
    } else if (kind === 2) {
      // Pieces of frames put together anew.
      if (random.oneIn(2)) inputs.push(this.#own(session[0]));
      for (let i = random.between(1, 8); i > 0; i--) inputs.push(this.#splice());
    } else {
      inputs.push(this.#own(session[0]));
      for (let i = 0; i < count; i++) inputs.push(this.#lawful());
      if (random.oneIn(6)) inputs.push(this.#truncate(this.#lawful()));
      else if (!random.oneIn(5)) inputs.push(this.#mutant());
      for (let i = random.between(0, 3); i > 0; i--) inputs.push(random.oneIn(2) ? this.#mutant() : this.#lawful());
    }
    return this.#keepOut(inputs);
  }

  #session(): Buffer[] {
    return this.#random.oneIn(2) ? this.#classic : this.#rich;
  }

  /** A recorded frame with a stamp of its own, of this connection's user, now and then about another packet. */
  #own(recorded: Buffer): Buffer {
    const random = this.#random;
    const frame = Buffer.from(recorded);
    frame.writeUInt32BE(random.oneIn(20) ? random.between(0, 2 ** 32 - 1) : 0, 4);
    frame.writeUInt32BE(this.#stamp++, 8);
    const opcode = frame.readUInt16BE(2);
    if (opcode === 0x0000) frame.writeUInt32BE(this.#userId, 12);
    if (opcode === 0x0005)
      frame.writeUInt32BE(random.oneIn(4) ? random.between(0, 2 ** 32 - 1) : 0x0010_0000 + random.between(0, 500), 16);
    if (opcode === 0x0100) {
      const at = frame.indexOf(bigEndian(RECORDED_USER), 12);
      frame.writeUInt32BE(this.#userId, at);
    }
    if (opcode === 0x0120) {
      // Another key each time, or the same one again.
      const at = frame.indexOf('key', 12);
      if (!random.oneIn(8)) frame[at + 4] = random.between(0x61, 0x7a);
    }
    return frame;
  }

  /** An input that breaks no rule of a session. */
  #lawful(): Buffer {
    const random = this.#random;
    if (random.oneIn(8)) return this.#frame(0x0110, drawSafeBody(random));
    const session = this.#session();
    const frame = session[random.between(1, session.length - 1)];
    const isCostly = COSTLY.has(frame.readUInt16BE(2));
    return this.#own(isCostly && !random.oneIn(COSTLY_EVERY) ? session[1] : frame);
  }

  /** An input that most likely breaks a rule. */
  #mutant(): Buffer {
    const random = this.#random;
    const frame = this.#lawful();
    switch (random.between(0, 9)) {
      case 0:
        for (let i = random.between(1, 8); i > 0; i--)
          frame[random.between(0, frame.length - 1)] ^= 1 << random.between(0, 7);
        return frame;
      case 1:
        return this.#truncate(frame);
      case 2: {
        const from = random.between(0, frame.length - 1);
        return Buffer.concat([frame, frame.subarray(from), random.bytes(random.between(0, 30))]);
      }
      case 3:
        frame.writeUInt16BE(random.oneIn(2) ? random.pick(EDGE_LENGTHS) : random.between(0, 65_535), 0);
        return frame;
      case 4:
        frame.writeUInt16BE(random.oneIn(2) ? random.pick(EDGE_OPCODES) : random.between(0, 65_535), 2);
        return frame;
      case 5:
        return this.#splice();
      case 6: {
        const opcode = frame.readUInt16BE(2);
        if (opcode < 0x100) return frame;
        return this.#frame(opcode, replaceValue(random, frame.subarray(12)));
      }
      default:
        return this.#frame(random.pick(OPCODES.slice(3)), drawBody(random));
    }
  }

  #truncate(frame: Buffer): Buffer {
    return frame.subarray(0, this.#random.between(1, frame.length - 1));
  }

  /** The beginning of one frame and the end of another. */
  #splice(): Buffer {
    const random = this.#random;
    const [head, tail] = [this.#own(random.pick(this.#session())), this.#own(random.pick(this.#session()))];
    return Buffer.concat([
      head.subarray(0, random.between(1, head.length)),
      tail.subarray(random.between(0, tail.length - 1)),
    ]);
  }

  #rubbish(): Buffer {
    const random = this.#random;
    if (random.oneIn(3)) return random.bytes(random.between(1, 300));
    const opcode = random.pick([random.pick(OPCODES), random.pick(EDGE_OPCODES), random.between(0, 65_535)]);
    const header = this.#frame(opcode, random.bytes(random.between(0, 40)));
    header.writeUInt16BE(random.oneIn(2) ? random.pick(EDGE_LENGTHS) : random.between(0, 65_535), 0);
    return header;
  }

  #frame(opcode: number, body: Buffer): Buffer {
    const header = Buffer.alloc(12);
    header.writeUInt16BE(Math.min(65_535, 12 + body.length), 0);
    header.writeUInt16BE(opcode, 2);
    header.writeUInt32BE(this.#stamp++, 8);
    return Buffer.concat([header, body]);
  }

  /** Leaves out what would log in as somebody who is not the fuzzer's, and what is too long. */
  #keepOut(inputs: Buffer[]): Buffer[] {
    let bytes = 0;
    const kept: Buffer[] = [];
    for (const input of inputs) {
      bytes += input.length;
      if (bytes > MOST_STREAM_BYTES) break;
      kept.push(input);
    }
    for (;;) {
      const judgement: Judgement = judgeStream(Buffer.concat(kept));
      const stranger = judgement.logins.find(({ userId }) => !isFuzzUser(userId));
      if (stranger === undefined) return kept;
      // The input that it begins in, and everything behind.
      let at = 0;
      let count = 0;
      while (at + kept[count].length <= stranger.at) at += kept[count++].length;
      kept.length = count;
      if (count === 0) return [Buffer.from([0xff])];
    }
  }
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
