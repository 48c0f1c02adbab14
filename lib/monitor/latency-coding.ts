// Histograms of microseconds as text, for another thread or process: the compressed V2 encoding of HdrHistogram, in base64.
//
// Reading is our own: what another process sends is judged before it is believed. A histogram that says it is larger than
// ours, or counts past its end, would cost the library all memory or all time.

import { inflateSync } from 'node:zlib';
import { encodeIntoCompressedBase64, type Histogram, type JsHistogram } from 'hdr-histogram-js';
import { buildMicroseconds } from './microseconds.ts';

const COMPRESSED_COOKIE = 0x1c849314;
const COOKIE = 0x1c849313;

/** Where things lie in the compressed form, and in what it holds. Big-endian. */
const DEFLATED_LENGTH = 4;
const DEFLATED = 8;
const PAYLOAD_LENGTH = 4;
const DIGITS = 12;
const PAYLOAD = 40;

/** Three significant digits up to a minute: what buildMicroseconds makes, and what hdr-histogram-js makes of the same. */
const OUR_DIGITS = 3;

/** Bytes of one that has a count in every place. */
const MOST_BYTES = 1024 * 1024;

/** A histogram as text. */
export function encodeLatency(histogram: Histogram): string {
  return encodeIntoCompressedBase64(histogram);
}

/** What encodeLatency made. @throws {Error} when it is something else */
export function decodeLatency(encoded: string): JsHistogram {
  const data = Buffer.from(encoded, 'base64');
  if (data.length < DEFLATED || data.readUint32BE(0) !== COMPRESSED_COOKIE) throw new Error('not a histogram');
  const end = DEFLATED + data.readUint32BE(DEFLATED_LENGTH);
  if (end > data.length) throw new Error('a histogram that is cut off');
  const bytes = inflateSync(data.subarray(DEFLATED, end), { maxOutputLength: MOST_BYTES });
  if (bytes.length < PAYLOAD || bytes.readUint32BE(0) !== COOKIE) throw new Error('not a histogram');
  if (bytes.readUint32BE(DIGITS) !== OUR_DIGITS) throw new Error('a histogram of another precision');
  const payloadEnd = PAYLOAD + bytes.readUint32BE(PAYLOAD_LENGTH);
  if (payloadEnd > bytes.length) throw new Error('a histogram that is cut off');
  return fill(bytes.subarray(PAYLOAD, payloadEnd));
}

/** Each number is a count, or how many places without one are left out, as a negative. */
function fill(payload: Buffer): JsHistogram {
  const histogram = buildMicroseconds();
  const places = histogram.countsArrayLength;
  let place = 0;
  let at = 0;
  while (at < payload.length) {
    let number = 0;
    let scale = 1;
    for (let i = 0; ; i++) {
      if (at >= payload.length) throw new Error('a histogram that is cut off');
      const byte = payload[at++];
      // The ninth byte has eight bits, and no sign that another follows.
      const isLast = i === 8 || byte < 0x80;
      number += (isLast ? byte : byte & 0x7f) * scale;
      scale *= 128;
      if (isLast) break;
    }
    const isZeros = number % 2 === 1;
    const value = isZeros ? (number + 1) / 2 : number / 2;
    if (!Number.isSafeInteger(value) || place + (isZeros ? value : 1) > places) {
      throw new Error('a histogram that counts past its end');
    }
    if (isZeros) place += value;
    else histogram.setCountAtIndex(place++, value);
  }
  histogram.establishInternalTackingValues(place);
  return histogram;
}
