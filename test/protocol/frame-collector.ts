// A frame sink for the tests: copies every frame it is given, and can refuse to go on.

import type { FrameSink } from '../../lib/protocol/frame-reader.ts';
import { toHex } from './vectors.ts';

/** What a sink was given. */
export interface CollectedFrame {
  connection: number;
  opcode: number;
  hex: string;
}

export class FrameCollector implements FrameSink {
  readonly frames: CollectedFrame[] = [];
  /** The buffer that the last frame lay in, and where. */
  lastBytes: Uint8Array = new Uint8Array(0);
  lastOffset = -1;
  /** onFrame returns false from this frame on, counting from 1. */
  stopAt = Number.POSITIVE_INFINITY;

  onFrame(connection: number, bytes: Uint8Array, offset: number, length: number, opcode: number): boolean {
    this.frames.push({ connection, opcode, hex: toHex(bytes.subarray(offset, offset + length)) });
    this.lastBytes = bytes;
    this.lastOffset = offset;
    return this.frames.length < this.stopAt;
  }

  /** The frames of one connection, in hex. */
  hexOf(connection: number): string[] {
    return this.frames.filter((frame) => frame.connection === connection).map((frame) => frame.hex);
  }
}
