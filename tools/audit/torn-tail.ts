// Judges what follows the last whole batch of the last segment: zeros filled ahead, a batch torn by a kill, or damage.
//
// A batch is torn only if it is the last thing in the segment and some 512-byte sector of it, or the part of a sector that
// it covers, is missing or all zeros.

import { readSync } from 'node:fs';
import { crc32 } from './checksum.ts';
import {
  BATCH_BYTES,
  BATCH_CRC_AT,
  BATCH_MAGIC,
  BATCH_TRAILER_BYTES,
  MOST_BATCH_BYTES,
  readU64,
  SECTOR_BYTES,
} from './journal-format.ts';

const SCAN_BYTES = 2 ** 20;

/** What the tail is, and how many bytes of it are not zeros filled ahead. */
export interface Tail {
  kind: 'zeros' | 'torn' | 'damage';
  bytes: number;
}

/** Judges the bytes from `position` to the end of the file. @param batch the number of the batch that should be there */
export function judgeTail(descriptor: number, position: number, fileBytes: number, batch: number | undefined): Tail {
  const end = findLastContent(descriptor, position, fileBytes);
  const bytes = end - position;
  if (bytes === 0) return { kind: 'zeros', bytes };
  if (bytes > MOST_BATCH_BYTES) return { kind: 'damage', bytes };
  const content = readBytes(descriptor, position, bytes);
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  const whole = readHeader(view, 0);
  const extent = whole?.bytes ?? Math.max(bytes, BATCH_BYTES);
  if (bytes > extent) return { kind: 'damage', bytes };
  if (whole === undefined && laterBatchFollows(view, batch)) return { kind: 'damage', bytes };
  const torn = hasLostSector(content, position, extent, fileBytes);
  return { kind: torn ? 'torn' : 'damage', bytes };
}

/** The position behind the last byte that is not zero, or `position` if there is none. */
function findLastContent(descriptor: number, position: number, fileBytes: number): number {
  const zeros = Buffer.alloc(SCAN_BYTES);
  let end = position;
  for (let from = position; from < fileBytes; from += SCAN_BYTES) {
    const chunk = readBytes(descriptor, from, Math.min(SCAN_BYTES, fileBytes - from));
    if (chunk.equals(zeros.subarray(0, chunk.length))) continue;
    let last = chunk.length - 1;
    while (chunk[last] === 0) last--;
    end = from + last + 1;
  }
  return end;
}

function readBytes(descriptor: number, position: number, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  let read = 0;
  while (read < count) {
    const more = readSync(descriptor, bytes, read, count - read, position + read);
    if (more === 0) return bytes.subarray(0, read);
    read += more;
  }
  return bytes;
}

/** The batch header at this offset, if there is a whole one. */
function readHeader(view: DataView, at: number): { bytes: number; batch: number } | undefined {
  if (at + BATCH_BYTES > view.byteLength || view.getUint32(at, true) !== BATCH_MAGIC) return undefined;
  if (crc32(view, at, at + BATCH_CRC_AT) !== view.getUint32(at + BATCH_CRC_AT, true)) return undefined;
  const bytes = view.getUint32(at + 4, true);
  if (bytes < BATCH_BYTES + BATCH_TRAILER_BYTES || bytes > MOST_BATCH_BYTES || bytes % 4 !== 0) return undefined;
  return { bytes, batch: readU64(view, at + 8) };
}

/** Whether a batch of a higher number begins somewhere behind: then the one at the beginning was synced, and is no tail. */
function laterBatchFollows(view: DataView, batch: number | undefined): boolean {
  for (let at = 4; at + BATCH_BYTES <= view.byteLength; at += 4) {
    const header = readHeader(view, at);
    if (header !== undefined && (batch === undefined || header.batch > batch)) return true;
  }
  return false;
}

function hasLostSector(content: Buffer, position: number, extent: number, fileBytes: number): boolean {
  const end = position + extent;
  for (let sector = position - (position % SECTOR_BYTES); sector < end; sector += SECTOR_BYTES) {
    const from = Math.max(sector, position);
    const to = Math.min(sector + SECTOR_BYTES, end);
    if (to > fileBytes) return true;
    if (content.subarray(from - position, to - position).every((byte) => byte === 0)) return true;
  }
  return false;
}
